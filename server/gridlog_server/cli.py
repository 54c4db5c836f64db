"""The `gridlog-server` command: set up a server, run it, look at what it holds, and decide about what is held."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gridlog_protocol.ids import Position, RecordId, TenantId, read

from . import app, listing, listing_log
from .cli_admin import admin
from .cli_backup import after_a_restore, around_the_file
from .cli_base import (
    DEFAULT_DATA,
    LANGUAGE,
    LIMIT,
    AsJson,
    Data,
    DecidedBy,
    Limit,
    fail,
    guarded,
    look,
    order,
    out,
    say,
    say_json,
    settings_at,
)
from .cli_devices import say_devices
from .cli_office import conflicts, review
from .settings import Settings, SettingsError, checked_address

cli = typer.Typer(
    no_args_is_help=True,
    help=say("网格日志服务器。", "The Gridlog server."),
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.add_typer(around_the_file)
admin.add_typer(after_a_restore)
cli.add_typer(admin, name="admin")
cli.add_typer(review, name="review")
cli.add_typer(conflicts, name="conflicts")

KindName = Annotated[str | None, typer.Option(help=say("只看一种，如 patrol。", "One kind, e.g. patrol."))]
GridCode = Annotated[str | None, typer.Option(help=say("只看一个网格。", "Only one grid."))]
QuarantineNumber = Annotated[int, typer.Argument(min=1, help=say("编号，见 quarantine。", "As `quarantine` says."))]
HeldName = Annotated[str, typer.Argument(help=say("编号，见 held。", "As `held` names it."))]


@cli.command(help=say("新建数据目录、密钥和数据库。", "Make the data directory, keys and database."))
def init(
    tenant: Annotated[str, typer.Option(help=say("区县代码，如 420106。", "District code, e.g. 420106."))],
    name: Annotated[str, typer.Option(help=say("区县名称。", "Name of the district."))],
    address: Annotated[str, typer.Option(help=say("终端访问的网址。", "How handhelds reach this server."))] = "",
    host: Annotated[str, typer.Option(help=say("监听地址。", "Address to listen on."))] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help=say("监听端口。", "Port to listen on."))] = 8420,
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a server."""
    if not (6 <= len(tenant) <= 24 and tenant.isalnum()):
        fail("区县代码应为 6 到 24 位数字或字母。", "The district code has 6 to 24 letters or digits.")
    try:
        settings = Settings(data, host, port, checked_address(address or f"http://{host}:{port}"))
        app.create(settings, TenantId(tenant), name)
    except SettingsError as wrong:
        fail(wrong.text.zh, wrong.text.en)
    except FileExistsError:
        fail(f"{data} 里已有服务器数据，没有改动。", f"There is a server in {data} already; nothing was changed.")
    out.print(say(f"已建立：{data}", f"Ready: {data}"))
    zh = "请把 server.keys 另行备份：没有它，已登记的终端不再信任本服务器。"
    out.print(say(zh, "Back up server.keys separately: without it, enrolled devices trust this server no more."))


@cli.command(help=say("运行服务器，直到收到停止信号。", "Run the server until it is told to stop."))
def run(data: Data = DEFAULT_DATA) -> None:
    """Serve."""
    from . import serving  # noqa: PLC0415 - An HTTP server takes half of the start of a command that needs none.
    from .door import logs, tls  # noqa: PLC0415 - Likewise.

    settings = settings_at(data)
    logs.configure(settings.log_format, settings.log_level)

    def announce(address: str) -> None:
        # One plain line: scripts wait for it.
        print(say(f"正在监听 {address}", f"Listening on {address}"), flush=True)  # noqa: T201

    try:
        guarded(serving.run(settings, announce))
    except app.InUseError:
        fail("另一个进程正在使用这个数据目录。", "Another process is using this data directory.")
    except tls.TlsError as reason:
        fail(f"证书或私钥不能用：{reason}", f"Certificate and key cannot be used: {reason}")
    except OSError as reason:
        fail(f"无法监听 {settings.host}:{settings.port}（{reason}）。", f"Cannot listen on {settings.host}: {reason}")


@cli.command(help=say("服务器里有多少数据。", "How much the server holds."))
def status(data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Count."""
    counts = look(data, lambda inspection: inspection.counts())
    if as_json:
        say_json(counts)
    else:
        out.print(listing.counts_table(counts, LANGUAGE))


@cli.command(help=say("最近变动的记录。", "Records, changed last first."))
def records(
    data: Data = DEFAULT_DATA,
    kind: KindName = None,
    grid: GridCode = None,
    limit: Limit = LIMIT,
    as_json: AsJson = False,
) -> None:
    """List."""
    lines = look(data, lambda inspection: inspection.records(kind=kind, grid=grid, limit=limit))
    if as_json:
        say_json([listing.as_json(line) for line in lines])
    else:
        out.print(listing.records_table(lines, LANGUAGE))


@cli.command(help=say("一条记录的内容和来历。", "One record: its values and its history."))
def record(
    record_id: Annotated[str, typer.Argument(help=say("记录标识。", "Record id."))],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Show."""
    try:
        wanted = RecordId(read(record_id))
    except ValueError:
        fail("这不是记录标识。", "This is not a record id.")
    found = look(data, lambda inspection: inspection.record(wanted))
    if found is None:
        fail("没有这条记录。", "There is no such record.")
    names = look(data, lambda inspection: inspection.names())
    if as_json:
        say_json(listing.record_json(*found, names))
    else:
        out.print(listing.record_page(*found, names, LANGUAGE))


@cli.command(help=say("暂存待核对的修改，新的在前。", "Ops that are held, and why; newest first."))
def held(
    data: Data = DEFAULT_DATA,
    device: Annotated[str | None, typer.Option(help=say("只看一台终端的。", "Only those of a device."))] = None,
    code: Annotated[
        str | None, typer.Option(help=say("只看一种原因，如 proposal。", "Only those for a reason, e.g. proposal."))
    ] = None,
    limit: Limit = LIMIT,
    as_json: AsJson = False,
) -> None:
    """List held ops."""
    ops = look(data, lambda inspection: inspection.held(limit, device=device, code=code))
    names = look(data, lambda inspection: inspection.names())
    if as_json:
        say_json(listing.held_rows(ops, names))
    else:
        out.print(listing.held_table(ops, names, LANGUAGE))
        waiting = look(data, lambda inspection: inspection.waiting(limit))
        if waiting:
            out.print(say("前面还缺修改的批次：", "Behind a gap, waiting for what is missing:"))
            out.print(listing.waiting_table(waiting, LANGUAGE))
        apart = look(data, lambda inspection: inspection.quarantined(limit, device=device, is_waiting=True))
        if apart:
            out.print(say("隔离区里等待决定的：", "In quarantine, for somebody to take in or dismiss:"))
            out.print(listing_log.quarantine_table(apart, names, LANGUAGE))


@cli.command(help=say("日志：每一条何时、何事、何人。", "The log: what was taken in or decided, when, by whom."))
def log(
    after: Annotated[
        int | None,
        typer.Option(min=0, help=say("从这个位置之后，按顺序。", "After this position, in order.")),
    ] = None,
    data: Data = DEFAULT_DATA,
    limit: Limit = LIMIT,
    as_json: AsJson = False,
) -> None:
    """List log entries."""
    since = None if after is None else Position(after)
    entries = look(data, lambda inspection: inspection.log(after=since, limit=limit))
    names = look(data, lambda inspection: inspection.names())
    if as_json:
        say_json([listing_log.log_json(each, names) for each in entries])
    else:
        out.print(listing_log.log_table(entries, names, LANGUAGE))


@cli.command(help=say("隔离存放、没有生效的内容。", "What was kept apart and has no effect: forks, revoked devices."))
def quarantine(
    data: Data = DEFAULT_DATA,
    device: Annotated[str | None, typer.Option(help=say("只看一台终端的。", "Only what a device sent."))] = None,
    waiting: Annotated[
        bool, typer.Option("--waiting", help=say("只看还没有决定的。", "Only what nobody has decided about."))
    ] = False,
    limit: Limit = LIMIT,
    as_json: AsJson = False,
) -> None:
    """List what is in quarantine."""
    lines = look(data, lambda inspection: inspection.quarantined(limit, device=device, is_waiting=waiting))
    names = look(data, lambda inspection: inspection.names())
    if as_json:
        say_json([listing_log.quarantine_json(line, names) for line in lines])
    else:
        out.print(listing_log.quarantine_table(lines, names, LANGUAGE))


@cli.command("take-in", help=say("取入隔离区的一项，逐条待核对。", "Take in what is in quarantine: held, op by op."))
def take_in(
    number: QuarantineNumber,
    by: DecidedBy,
    reason: Annotated[str, typer.Option(help=say("理由，可不写。", "Why; may be left out."))] = "",
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Take in."""
    answer = order(data, "take_in", {"number": number, "by": by, "reason": reason})
    if as_json:
        say_json(answer)
    else:
        out.print("\n".join(listing_log.taken_in_lines(answer, LANGUAGE)), markup=False, highlight=False)


@cli.command(help=say("忽略隔离区的一项；它仍保留在那里。", "Dismiss what is in quarantine; it stays there."))
def dismiss(
    number: QuarantineNumber,
    by: DecidedBy,
    reason: Annotated[str, typer.Option(help=say("理由，5 到 200 字。", "Why, 5 to 200 characters."))],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Dismiss."""
    answer = order(data, "dismiss", {"number": number, "by": by, "reason": reason})
    if as_json:
        say_json(answer)
    else:
        out.print(say(f"已忽略第 {number} 项，内容仍保留。", f"Number {number} is dismissed, and kept."))


@cli.command(help=say("放行一项暂存的修改，让它现在生效。", "Release a held op: it takes effect now."))
def release(
    op: HeldName,
    by: DecidedBy,
    reason: Annotated[str, typer.Option(help=say("理由，可不写。", "Why; may be left out."))] = "",
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Release."""
    _say_decided(order(data, "release", {"op": op, "by": by, "reason": reason}), as_json=as_json)


@cli.command(help=say("退回一项暂存的修改，理由会告诉填写人。", "Reject a held op; its author is told why."))
def reject(
    op: HeldName,
    by: DecidedBy,
    reason: Annotated[str, typer.Option(help=say("理由，5 到 200 字。", "Why, 5 to 200 characters."))],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Reject."""
    _say_decided(order(data, "reject", {"op": op, "by": by, "reason": reason}), as_json=as_json)


@cli.command(
    help=say("各台终端：持有人、最近联系、时钟偏差。", "Devices: holder, last contact, whose clock is wrong.")
)
def devices(
    data: Data = DEFAULT_DATA,
    status: Annotated[
        str | None, typer.Option(help=say("只看这种状态，如 suspended。", "Only those of a status, e.g. suspended."))
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List devices."""
    say_devices(data, status, as_json=as_json)


def _say_decided(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(answer)
    else:
        out.print("\n".join(listing.decided_lines(answer, LANGUAGE)), markup=False, highlight=False)


def main() -> None:
    """Run the command."""
    cli()
