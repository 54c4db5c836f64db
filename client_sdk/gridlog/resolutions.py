"""Whose words were not chosen: told to them, when somebody decides for another's.

Computed from what is in the journal already, when it is read as when it is written; nothing here is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import milliseconds_of
from gridlog_protocol.ids import RecordId, UserId
from gridlog_protocol.kinds import Kind
from gridlog_protocol.state import RecordState
from gridlog_sync.rules import rule_of
from gridlog_sync.view import conflicts_of, said_by


@dataclass(frozen=True, slots=True)
class Overruled:
    """Two wrote without knowing of each other, and somebody decided for the other: `mine` is not shown any more.

    `by` wrote what stands now, at `at_ms` (Unix milliseconds, by the stamp); None and 0 in what older versions noted.
    """

    record: RecordId
    field: str
    key: str
    mine: Value
    shown: Value
    by: UserId | None = None
    at_ms: int = 0


def overruled_by(
    before: RecordState | None, after: RecordState, kind: Kind | None, me: UserId
) -> Iterator[Overruled]:
    """Yield those of my values that stood in a conflict before, and that somebody else's decision has replaced."""
    if before is None or kind is None:
        return
    for conflict in conflicts_of(before, kind):
        mine = [head for head in conflict.heads if head.author == me]
        state = after.fields.get(conflict.field)
        cell = state.cells.get(conflict.key) if state else None
        if not mine or cell is None or not cell.heads:
            continue
        standing = {head.op for head in cell.heads}
        shown = rule_of(kind.fields[conflict.field]).pick(kind.fields[conflict.field], cell.heads)
        is_mine = any(head.author == me or head.value == mine[-1].value for head in cell.heads)
        if mine[-1].op not in standing and not is_mine:
            mine_said = said_by(kind.fields[conflict.field], mine[-1])
            last = cell.heads[-1]
            by, at_ms = last.author, milliseconds_of(last.stamp)
            yield Overruled(after.id, conflict.field, conflict.key, mine_said, shown, by, at_ms)
