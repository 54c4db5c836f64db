"""The `gridlog-server` command: set up a server, run it, and look at what it holds."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from gridlog_protocol.ids import RecordId, TenantId, read
from gridlog_protocol.texts import Text, language_of

from . import app, listing, listing_clocks
from .control import ControlJournalError
from .keyfile import KeyFileError
from .service.inspection import Inspection
from .settings import Settings, SettingsError, checked_address, load
from .store.sqlite_files import StoreFormatError

LANGUAGE = language_of(os.environ.get("GRIDLOG_LANG"), os.environ.get("LANG"))
T = TypeVar("T")


def _say(zh: str, en: str) -> str:
    return Text(zh, en).spoken(LANGUAGE)


cli = typer.Typer(
    no_args_is_help=True,
    help=_say("网格日志服务器。", "The Gridlog server."),
    add_completion=False,
    pretty_exceptions_enable=False,
)
admin = typer.Typer(no_args_is_help=True, help=_say("登记终端、导入资料。", "Enrol devices, import reference data."))
cli.add_typer(admin, name="admin")
out = Console()
err = Console(stderr=True)

Data = Annotated[
    Path, typer.Option("--data", envvar="GRIDLOG_SERVER_DATA", help=_say("数据目录。", "Data directory."))
]
AsJson = Annotated[bool, typer.Option("--json", help=_say("输出 JSON。", "Print JSON."))]
Limit = Annotated[int, typer.Option(min=1, max=100_000, help=_say("最多几条。", "At most so many."))]
HeldName = Annotated[str, typer.Argument(help=_say("编号，见 held。", "As `held` names it."))]
DecidedBy = Annotated[str, typer.Option(help=_say("由谁决定。", "Who decides."))]
_CONNECT_TRIES, _CONNECT_PAUSE_S = 100, 0.1
DEFAULT_DATA = Path("gridlog-server-data")


@cli.command(help=_say("新建数据目录、密钥和数据库。", "Make the data directory, keys and database."))
def init(
    tenant: Annotated[str, typer.Option(help=_say("区县代码，如 420106。", "District code, e.g. 420106."))],
    name: Annotated[str, typer.Option(help=_say("区县名称。", "Name of the district."))],
    address: Annotated[str, typer.Option(help=_say("终端访问的网址。", "How handhelds reach this server."))] = "",
    host: Annotated[str, typer.Option(help=_say("监听地址。", "Address to listen on."))] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help=_say("监听端口。", "Port to listen on."))] = 8420,
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a server."""
    if not (6 <= len(tenant) <= 24 and tenant.isalnum()):
        _fail("区县代码应为 6 到 24 位数字或字母。", "The district code has 6 to 24 letters or digits.")
    try:
        settings = Settings(data, host, port, checked_address(address or f"http://{host}:{port}"))
        app.create(settings, TenantId(tenant), name)
    except SettingsError as wrong:
        _fail(wrong.text.zh, wrong.text.en)
    except FileExistsError:
        _fail(f"{data} 里已有服务器数据，没有改动。", f"There is a server in {data} already; nothing was changed.")
    out.print(_say(f"已建立：{data}", f"Ready: {data}"))
    zh = "请把 server.keys 另行备份：没有它，已登记的终端不再信任本服务器。"
    out.print(_say(zh, "Back up server.keys separately: without it, enrolled devices trust this server no more."))


@cli.command(help=_say("运行服务器，直到收到停止信号。", "Run the server until it is told to stop."))
def run(data: Data = DEFAULT_DATA) -> None:
    """Serve."""
    from . import serving  # noqa: PLC0415 - An HTTP server takes half of the start of a command that needs none.

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = _settings(data)

    def announce(address: str) -> None:
        # One plain line: scripts wait for it.
        print(_say(f"正在监听 {address}", f"Listening on {address}"), flush=True)  # noqa: T201

    try:
        _guarded(serving.run(settings, announce))
    except app.InUseError:
        _fail("另一个进程正在使用这个数据目录。", "Another process is using this data directory.")
    except OSError as reason:
        _fail(
            f"无法监听 {settings.host}:{settings.port}（{reason}）。", f"Cannot listen on {settings.host}: {reason}"
        )


@cli.command(help=_say("服务器里有多少数据。", "How much the server holds."))
def status(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:  # noqa: FBT002
    """Count."""
    counts = _look(data, lambda inspection: inspection.counts())
    if as_json:
        _say_json(counts)
    else:
        out.print(listing.counts_table(counts, LANGUAGE))


@cli.command(help=_say("最近变动的记录。", "Records, changed last first."))
def records(
    data: Data = DEFAULT_DATA,
    kind: Annotated[str | None, typer.Option(help=_say("只看一种，如 patrol。", "One kind, e.g. patrol."))] = None,
    limit: Limit = 30,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List."""
    lines = _look(data, lambda inspection: inspection.records(kind=kind, limit=limit))
    if as_json:
        _say_json([listing.as_json(line) for line in lines])
    else:
        out.print(listing.records_table(lines, LANGUAGE))


@cli.command(help=_say("一条记录的内容和来历。", "One record: its values and its history."))
def record(
    record_id: Annotated[str, typer.Argument(help=_say("记录标识。", "Record id."))], data: Data = DEFAULT_DATA
) -> None:
    """Show."""
    try:
        wanted = RecordId(read(record_id))
    except ValueError:
        _fail("这不是记录标识。", "This is not a record id.")
    found = _look(data, lambda inspection: inspection.record(wanted))
    if found is None:
        _fail("没有这条记录。", "There is no such record.")
    names = _look(data, lambda inspection: inspection.names())
    out.print(listing.record_page(*found, names, LANGUAGE))


@cli.command(help=_say("需要决定的冲突。", "Conflicts: who wrote what without knowing of whom."))
def conflicts(data: Data = DEFAULT_DATA, limit: Limit = 30, as_json: AsJson = False) -> None:  # noqa: FBT002
    """List conflicts."""
    lines = _look(data, lambda inspection: inspection.records(in_conflict=True, limit=limit))
    names = _look(data, lambda inspection: inspection.names())
    if as_json:
        _say_json([row for line in lines for row in listing.conflict_rows(line, names)])
    else:
        out.print(listing.conflicts_table(lines, names, LANGUAGE))


@cli.command(help=_say("暂存待核对的修改。", "Ops that are held, and why."))
def held(data: Data = DEFAULT_DATA, limit: Limit = 30, as_json: AsJson = False) -> None:  # noqa: FBT002
    """List held ops."""
    ops = _look(data, lambda inspection: inspection.held(limit))
    names = _look(data, lambda inspection: inspection.names())
    if as_json:
        _say_json(listing.held_rows(ops, names))
    else:
        out.print(listing.held_table(ops, names, LANGUAGE))
        waiting = _look(data, lambda inspection: inspection.waiting(limit))
        if waiting:
            out.print(_say("前面还缺修改的批次：", "Behind a gap, waiting for what is missing:"))
            out.print(listing.waiting_table(waiting, LANGUAGE))


@cli.command(help=_say("放行一项暂存的修改，让它现在生效。", "Release a held op: it takes effect now."))
def release(
    op: HeldName,
    by: DecidedBy,
    reason: Annotated[str, typer.Option(help=_say("理由，可不写。", "Why; may be left out."))] = "",
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Release."""
    _say_decided(_command(data, "release", {"op": op, "by": by, "reason": reason}), as_json=as_json)


@cli.command(help=_say("退回一项暂存的修改，理由会告诉填写人。", "Reject a held op; its author is told why."))
def reject(
    op: HeldName,
    by: DecidedBy,
    reason: Annotated[str, typer.Option(help=_say("理由，5 到 200 字。", "Why, 5 to 200 characters."))],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Reject."""
    _say_decided(_command(data, "reject", {"op": op, "by": by, "reason": reason}), as_json=as_json)


@cli.command(
    help=_say("各台终端：持有人、最近联系、时钟偏差。", "Devices: holder, last contact, whose clock is wrong.")
)
def devices(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:  # noqa: FBT002
    """List devices."""
    lines = _look(data, lambda inspection: inspection.devices())
    if as_json:
        _say_json([listing_clocks.device_json(line) for line in lines])
    else:
        out.print(listing_clocks.devices_table(lines, LANGUAGE))


@admin.command(help=_say("给一个人发一次性登记码。", "Make a one-time enrolment code for somebody's handheld."))
def enroll(
    staff_no: Annotated[str, typer.Option(help=_say("工号。", "Staff number."))],
    name: Annotated[str, typer.Option(help=_say("姓名。", "Name."))],
    grid: Annotated[list[str], typer.Option(help=_say("负责的网格，可多次。", "A grid in charge of; repeatable."))],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Invite."""
    answer = _command(data, "enroll", {"staff_no": staff_no, "name": name, "grids": grid})
    if as_json:
        _say_json(answer)
        return
    grids = "、".join(answer["grids"])
    out.print(_say(f"{answer['name']}（{grids}）的登记码，24 小时内有效，只能用一次：", "Valid for 24 hours, once:"))
    print(answer["code"])  # noqa: T201 - alone on its line, unwrapped, to be copied


@admin.command(help=_say("不再等待缺少的修改，后面的转为待核对。", "Stop waiting for missing ops."))
def close_gap(
    device: Annotated[str, typer.Argument(help=_say("终端，见 held。", "The device, as `held` names it."))],
    incarnation: Annotated[str, typer.Argument(help=_say("编号段，见 held。", "As `held` names it."))],
    by: DecidedBy,
    reason: Annotated[str, typer.Option(help=_say("理由，5 到 200 字。", "Why, 5 to 200 characters."))],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Close a gap."""
    facts = {"device": device, "incarnation": incarnation, "by": by, "reason": reason}
    answer = _command(data, "close_gap", facts)
    if as_json:
        _say_json(answer)
        return
    first, last, number = answer["first_seq"], answer["last_seq"], answer["held"]
    out.print(
        _say(
            f"不再等待 {first} 到 {last}；后面 {number} 项修改转为待核对。",
            f"Ops {first} to {last} are not waited for any more; {number} behind them are held.",
        )
    )


@admin.command("import", help=_say("导入网格和住户（JSON）。", "Import grids and households from a JSON file."))
def import_(
    file: Annotated[Path, typer.Argument(help=_say("JSON 文件。", "JSON file: a list of {id, kind, values}."))],
    data: Data = DEFAULT_DATA,
) -> None:
    """Import."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as reason:
        _fail(f"读不了 {file}：{reason}", f"Cannot read {file}: {reason}")
    answer = _command(data, "import", {"records": rows})
    read_count, written = answer["read"], answer["written"]
    out.print(_say(f"读到 {read_count} 条，新增 {written} 条。", f"Read {read_count}, new {written}."))


def _say_decided(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        _say_json(answer)
    else:
        out.print("\n".join(listing.decided_lines(answer, LANGUAGE)), markup=False, highlight=False)


def main() -> None:
    """Run the command."""
    cli()


def _say_json(value: Any) -> None:
    """Print for a script: never coloured, whatever the terminal or its environment wants."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def _settings(data: Path) -> Settings:
    try:
        return load(data, os.environ)
    except SettingsError as wrong:
        _fail(wrong.text.zh, wrong.text.en)


def _look(data: Path, question: Callable[[Inspection], Awaitable[T]]) -> T:
    settings = _settings(data)

    async def ask() -> T:
        async with app.inspecting(settings) as inspection:
            return await question(inspection)

    return _guarded(ask())


def _command(data: Path, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    settings = _settings(data)
    try:
        return _guarded(_carry_out(settings, name, facts))
    except listing.CommandError as wrong:
        _fail(wrong.text.zh, wrong.text.en)


async def _carry_out(settings: Settings, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    try:
        with app.sole_writer(settings):
            async with app.services(settings) as opened:
                return await listing.spoken(opened.commands.run(name, facts))
    except app.InUseError:
        return await _ask_running(settings, name, facts)


async def _ask_running(settings: Settings, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    import aiohttp  # noqa: PLC0415 - Likewise.

    for _ in range(_CONNECT_TRIES):
        try:
            return await _post(settings, name, facts)
        except aiohttp.ClientConnectorError:
            # It has the lock already, and listens in a moment.
            await asyncio.sleep(_CONNECT_PAUSE_S)
    zh, en = "正在使用数据目录的进程没有应答。", "The process that uses the data directory does not answer."
    raise listing.CommandError(Text(zh, en))


async def _post(settings: Settings, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    import aiohttp  # noqa: PLC0415 - Likewise.

    connector = aiohttp.UnixConnector(str(settings.socket))
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post(f"http://localhost/{name}", json=facts) as response,
    ):
        answer: dict[str, Any] = await response.json()
        if response.status != 200:
            raise listing.CommandError(Text(answer["zh"], answer["en"]))
        return answer


def _guarded(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except KeyFileError as reason:
        _fail(f"密钥文件有问题：{reason}", f"Key file: {reason}")
    except ControlJournalError as reason:
        _fail(f"管控日志有问题：{reason}", f"Control journal: {reason}")
    except (StoreFormatError, FileNotFoundError) as reason:
        _fail(f"数据库打不开：{reason}", f"Cannot open the database: {reason}")


def _fail(zh: str, en: str) -> NoReturn:
    err.print(_say(zh, en), style="red", highlight=False)
    raise typer.Exit(1)


# The commands of another file are attached to what this one has defined.
from . import cli_backup  # noqa: E402, F401
