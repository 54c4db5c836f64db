"""The `gridlog` command: a field worker's real store, by hand. It does nothing that the SDK does not offer."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gridlog_protocol.ids import RecordId, shown
from gridlog_protocol.invitation import read_invitation
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.texts import Text

from . import cli_kinds, cli_status, cli_tables
from .assignments import changes_of, kind_named, wanted_values
from .cli_deciding import deciding
from .cli_drafts import drafting
from .cli_handheld import handheld_app
from .cli_options import DEFAULT_STORE, AsJson, Assignments, IdPrefix, KindName, Store, Weak
from .cli_store import (
    LANGUAGE,
    carried_out,
    code_given,
    credential,
    fail,
    failures_said,
    filled_in,
    found_record,
    in_store,
    new_passphrase,
    now,
    now_ms,
    out,
    reader_of,
    records_of,
    say,
    say_json,
    warn,
)
from .cli_tables import Reader
from .cli_vault import keeping_shut
from .errors import UnreachableError
from .records import Record, SyncReport, SyncStatus, SyncTurn
from .store import FieldStore
from .vault import KdfProfile

cli = typer.Typer(
    no_args_is_help=True,
    help=say(
        "网格日志：写在本机，有网络时与服务器同步。", "Gridlog: write offline, synchronise when there is a network."
    ),
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.add_typer(drafting)
cli.add_typer(deciding)
cli.add_typer(keeping_shut)
cli.add_typer(handheld_app)


@cli.command(
    help=say(
        "用登记码登记本机；没有数据目录时先新建。", "Enrol this device with a code; makes the store if there is none."
    )
)
def enrol(
    code: Annotated[str, typer.Argument(help=say("管理员给的登记码。", "The code from your administrator."))] = "",
    file: Annotated[
        Path | None,
        typer.Option(help=say("从文件读登记码，- 为标准输入。", "Read the code from a file; - is standard input.")),
    ] = None,
    store: Store = DEFAULT_STORE,
    weak: Weak = False,  # noqa: FBT002
) -> None:
    """Make and enrol."""
    code = code_given(code, file)
    with failures_said():
        # Before anything is made: a mistyped code should leave nothing behind.
        read_invitation(code)
        is_new = not FieldStore.is_made(store)
        slots = None if is_new else FieldStore.slots_at(store)
    profile = KdfProfile.WEAK_FOR_TESTS if weak else KdfProfile.STANDARD
    # Asked before the event loop runs: inside it, Ctrl-C would not end the question.
    if slots is None:
        beginning = FieldStore.make(store, new_passphrase(), profile=profile)
    else:
        beginning = FieldStore.open(store, credential(slots))

    async def work() -> SyncStatus:
        async with await beginning as opened:
            try:
                return await opened.enrol(code)
            except UnreachableError as unreachable:
                fail(cli_status.enrol_later_text(unreachable.text))

    out.print(cli_status.enrolled_page(carried_out(work()), store, LANGUAGE))


@cli.command(help=say("可以写哪些记录，各有哪些项目。", "What can be written, and what each field takes."))
def kinds(kind: Annotated[str | None, typer.Argument(metavar="[KIND]")] = None) -> None:
    """Explain kinds."""
    known = shipped_kinds()
    with failures_said():
        found = kind_named(known, kind) if kind else None
    out.print(cli_kinds.fields_table(found, LANGUAGE) if found else cli_kinds.kinds_table(known, LANGUAGE))


@cli.command(
    help=say(
        "写一条新记录。没写发生时间和网格时自动填上。", "Write a record; time and grid are filled in unless given."
    )
)
def write(kind: KindName, values: Assignments, store: Store = DEFAULT_STORE) -> None:
    """Create."""

    async def work(opened: FieldStore) -> tuple[Record, Reader, SyncStatus]:
        wanted = kind_named(opened.kinds, kind)
        changes = changes_of(wanted, values, me=opened.user, now=now())
        status = await opened.status()
        known = filled_in(wanted, status)
        return await opened.create(wanted.name, {**known, **changes}), await reader_of(opened), status

    _say_saved(*in_store(store, work))


@cli.command(help=say("修改一条记录。", "Change a record."))
def edit(record: IdPrefix, values: Assignments, store: Store = DEFAULT_STORE) -> None:
    """Edit."""

    async def work(opened: FieldStore) -> tuple[Record, Reader, SyncStatus]:
        before = await opened.get(await found_record(opened, record))
        kind = kind_named(opened.kinds, before.kind)
        changes = changes_of(kind, values, me=opened.user, now=now())
        return await opened.edit(before, changes), await reader_of(opened), await opened.status()

    _say_saved(*in_store(store, work))


@cli.command("list", help=say("列出一种记录，新的在前。", "List records of a kind, newest first."))
def list_(
    kind: KindName,
    where: Annotated[
        list[str], typer.Option(help=say("只看 项目=内容，可多次。", "Only field=value; repeatable."))
    ] = [],  # noqa: B006
    limit: Annotated[int, typer.Option(min=1, max=100_000, help=say("最多几条。", "At most so many."))] = 30,
    store: Store = DEFAULT_STORE,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """List."""

    async def work(opened: FieldStore) -> tuple[list[Record], Reader]:
        wanted = kind_named(opened.kinds, kind)
        values = wanted_values(wanted, where, me=opened.user, now=now())
        return await opened.query(wanted.name, where=values, limit=limit), await reader_of(opened)

    records, reader = in_store(store, work)
    if as_json:
        say_json([cli_tables.record_json(each) for each in records])
    elif records:
        out.print(cli_tables.records_table(records, reader))
    else:
        out.print(say("没有符合的记录。", "There are no such records."))


@cli.command(
    help=say("一条记录：内容、在哪里、有没有冲突。", "One record: what it says, where it is, what contradicts it.")
)
def show(record: IdPrefix, store: Store = DEFAULT_STORE, as_json: AsJson = False) -> None:  # noqa: FBT002
    """Show."""

    async def work(opened: FieldStore) -> tuple[Record, list[Any], list[Any], list[Any], Reader]:
        found = await opened.get(await found_record(opened, record))
        contrary = [each for each in await opened.conflicts() if each.record == found.id]
        held_here = [each for each in await opened.held() if each.record == found.id]
        decided_here = [each for each in await opened.decided() if each.record == found.id]
        return found, contrary, held_here, decided_here, await reader_of(opened)

    found, contrary, held_here, decided_here, reader = in_store(store, work)
    if as_json:
        said = cli_tables.conflicts_json(contrary, reader.kinds.get(found.kind))
        say_json(cli_tables.record_json(found) | {"conflicts": said})
    else:
        out.print(cli_tables.record_page(found, contrary, held_here, decided_here, reader))


@cli.command(help=say("与服务器同步。", "Send what waits, fetch what is new."))
def sync(
    budget_kb: Annotated[
        int | None,
        typer.Option("--budget-kb", min=2, help=say("最多用多少 kB 流量。", "Spend at most so many kB.")),
    ] = None,
    keep: Annotated[  # noqa: FBT002
        bool, typer.Option("--keep", help=say("一直同步，按 Ctrl-C 结束。", "Go on until Ctrl-C."))
    ] = False,
    every: Annotated[
        float, typer.Option("--every", min=1, help=say("--keep 时每隔几秒。", "With --keep: seconds in between."))
    ] = 60,
    store: Store = DEFAULT_STORE,
    as_json: AsJson = False,  # noqa: FBT002
) -> None:
    """Synchronise."""
    if keep and budget_kb is not None:
        fail(Text("--keep 和 --budget-kb 不能一起用。", "--keep and --budget-kb exclude each other."))
    if keep:
        _keep_synchronised(store, every, as_json=as_json)
        return

    async def work(opened: FieldStore) -> tuple[SyncReport, SyncStatus]:
        budget_bytes = budget_kb * 1000 if budget_kb is not None else None
        try:
            return await opened.sync(budget_bytes=budget_bytes), await opened.status()
        except UnreachableError as unreachable:
            fail(cli_status.unreachable_text(unreachable.text, await opened.status()))

    report, standing = in_store(store, work)
    if as_json:
        say_json(asdict(report) | {"conflicts": standing.conflicts, "pending": standing.pending})
    else:
        out.print(cli_status.sync_page(report, standing, LANGUAGE))


@cli.command(
    help=say("放心页：还有什么没发出，上次联系是什么时候。", "What waits, and when the server was last heard.")
)
def status(store: Store = DEFAULT_STORE, as_json: AsJson = False) -> None:  # noqa: FBT002
    """Reassure."""
    standing = in_store(store, lambda opened: opened.status())
    if as_json:
        say_json(asdict(standing))
    else:
        out.print(cli_status.status_page(standing, now_ms(), LANGUAGE))


@cli.command(help=say("还没有发出的修改。", "Changes that the server has not acknowledged."))
def pending(store: Store = DEFAULT_STORE) -> None:
    """List what waits."""

    async def work(opened: FieldStore) -> tuple[list[Any], dict[RecordId, Record], Reader]:
        ops = await opened.pending()
        return ops, await records_of(opened, {each.record for each in ops}), await reader_of(opened)

    ops, records, reader = in_store(store, work)
    titles = {each: reader.title(record) for each, record in records.items()}
    nothing = say("没有等待发送的修改。", "Nothing waits to be sent.")
    out.print(cli_tables.pending_table(ops, titles, reader) if ops else nothing)


@cli.command(help=say("有冲突的记录：谁写了什么，目前显示哪个。", "Conflicts: who wrote what, and which is shown."))
def conflicts(store: Store = DEFAULT_STORE) -> None:
    """List conflicts."""

    async def work(opened: FieldStore) -> tuple[list[Any], list[Any], dict[RecordId, Record], Reader]:
        found, told = await opened.conflicts(), await opened.overruled()
        concerned = {each.record for each in found} | {each.record for each in told}
        return found, told, await records_of(opened, concerned), await reader_of(opened)

    found, told, records, reader = in_store(store, work)
    if not found:
        out.print(say("没有冲突。", "Nothing is in conflict."))
    for record in records.values():
        out.print(
            f"{cli_tables.short_id(record.id)}  {reader.kind_label(record.kind)} · {reader.title(record)}",
            markup=False,
        )
        contrary = [each for each in found if each.record == record.id]
        if contrary:
            out.print(cli_tables.conflicts_block(contrary, record, reader))
        overruled = [each for each in told if each.record == record.id]
        if overruled:
            out.print(cli_tables.overruled_block(overruled, record, reader))


@cli.command(help=say("待核对的修改和原因，以及已有的决定。", "Changes held for review, and what was decided."))
def held(store: Store = DEFAULT_STORE) -> None:
    """List what is held, and what was decided."""

    async def work(opened: FieldStore) -> tuple[list[Any], list[Any], dict[RecordId, Record], Reader]:
        notes, decided = await opened.held(), await opened.decided()
        known = await records_of(opened, {each.record for each in notes})
        return notes, decided, known, await reader_of(opened)

    notes, decided, records, reader = in_store(store, work)
    nothing = say("没有待核对的修改。", "Nothing is held.")
    out.print(cli_tables.held_table(notes, records, reader) if notes else nothing)
    if decided:
        out.print(cli_tables.decided_table(decided, reader))


def main() -> None:
    """Run the command."""
    cli()


def _keep_synchronised(store: Path, every_s: float, *, as_json: bool) -> None:
    def tell(turn: SyncTurn) -> None:
        if as_json:
            trouble = turn.trouble.text.en if turn.trouble else None
            # Compact: one line a turn, for whoever reads it as it comes.
            print(json.dumps(asdict(turn.report) | {"trouble": trouble, "pause_s": turn.pause_s}), flush=True)  # noqa: T201
        else:
            out.print(cli_status.turn_line(turn, now_ms(), LANGUAGE))

    # Ctrl-C cancels the work inside; by now the store is closed, and nothing is lost.
    with suppress(KeyboardInterrupt):
        in_store(store, lambda opened: opened.sync_forever(every_s=every_s, on_report=tell))
    if not as_json:
        out.print(say("已停止同步，内容都在本机。", "Stopped. Everything is saved on this device."))


def _say_saved(record: Record, reader: Reader, status: SyncStatus) -> None:
    kind, title = reader.kind_label(record.kind), reader.title(record)
    out.print(say(f"已保存：{kind} · {title}", f"Saved: {kind} · {title}"), markup=False)
    print(shown(record.id))  # noqa: T201 - alone on its line, to be copied
    out.print(cli_tables.where_line(record, (), reader))
    if status.clock_warning:
        # Beside what scripts read: the record is saved, whatever the clock says.
        warn(status.clock_warning)
