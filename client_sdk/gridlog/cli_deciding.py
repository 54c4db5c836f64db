"""Commands that decide: settle a conflict, take that back, hand a record in, withdraw it, put it back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

import typer

from gridlog_protocol.ids import RecordId, shown

from . import cli_tables
from .assignments import changes_of, kind_named
from .cli_options import DEFAULT_STORE, Assignments, IdPrefix, Store
from .cli_store import found_record, in_store, now, out, reader_of, say
from .cli_tables import Reader
from .records import Record
from .store import FieldStore

deciding = typer.Typer()


@deciding.command(help=say("决定冲突：写明每一项以什么为准。", "Settle conflicts: say what each field shall be."))
def resolve(record: IdPrefix, values: Assignments, store: Store = DEFAULT_STORE) -> None:
    """Decide."""

    async def work(opened: FieldStore, found: RecordId) -> Record:
        before = await opened.get(found)
        changes = changes_of(kind_named(opened.kinds, before.kind), values, me=opened.user, now=now())
        return await opened.resolve(before, changes)

    _carry_out(record, store, work, say("已决定", "Settled"))


@deciding.command(
    help=say("撤销本机刚作的决定，分歧恢复原样。", "Take back this device's last decision on a record.")
)
def undo(record: IdPrefix, store: Store = DEFAULT_STORE) -> None:
    """Take a decision back."""
    _carry_out(record, store, lambda opened, found: opened.undo(found), say("已撤销", "Undone"))


@deciding.command(help=say("提交一条记录，请督导审核。", "Hand a record in for review."))
def submit(record: IdPrefix, store: Store = DEFAULT_STORE) -> None:
    """Hand in."""

    async def work(opened: FieldStore, found: RecordId) -> Record:
        return await opened.submit(await opened.get(found))

    _carry_out(record, store, work, say("已提交", "Handed in"))


@deciding.command(help=say("作废一条记录，须说明理由。", "Withdraw a record, with a reason."))
def withdraw(
    record: IdPrefix,
    reason: Annotated[str, typer.Option(help=say("理由，5 到 200 字。", "Why: 5 to 200 characters."))],
    store: Store = DEFAULT_STORE,
) -> None:
    """Withdraw."""

    async def work(opened: FieldStore, found: RecordId) -> Record:
        return await opened.withdraw(await opened.get(found), reason)

    _carry_out(record, store, work, say("已作废", "Withdrawn"))


@deciding.command(help=say("恢复一条作废的记录。", "Put a withdrawn record back."))
def restore(record: IdPrefix, store: Store = DEFAULT_STORE) -> None:
    """Put back."""

    async def work(opened: FieldStore, found: RecordId) -> Record:
        return await opened.restore(await opened.get(found))

    _carry_out(record, store, work, say("已恢复", "Put back"))


def _carry_out(
    prefix: str, store: Store, decide: Callable[[FieldStore, RecordId], Awaitable[Record]], done: str
) -> None:
    async def work(opened: FieldStore) -> tuple[Record, Reader]:
        return await decide(opened, await found_record(opened, prefix)), await reader_of(opened)

    record, reader = in_store(store, work)
    colon, kind = say("：", ": "), reader.kind_label(record.kind)
    out.print(f"{done}{colon}{kind} · {reader.title(record)}", markup=False)
    print(shown(record.id))  # noqa: T201 - alone on its line, to be copied
    out.print(cli_tables.where_line(record, (), reader))
