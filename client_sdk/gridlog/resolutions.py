"""What decisions replace: kept so that a decision can be undone, and told to those whose words were not chosen.

Computed from what is in the journal already, when it is read as when it is written; nothing here is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import OpId, RecordId, UserId
from gridlog_protocol.kinds import Field, Kind
from gridlog_protocol.ops import Action, Op
from gridlog_protocol.state import FieldState, Head, RecordState
from gridlog_sync.rules import rule_of
from gridlog_sync.view import conflicts_of, said_by


@dataclass(frozen=True, slots=True)
class Resolution:
    """A decision made on this device: the heads that contradicted each other in each cell (field, element key)."""

    op: OpId
    record: RecordId
    kind: str
    replaced: Mapping[tuple[str, str], tuple[Head, ...]]
    classes: Mapping[str, int]

    def stands_in(self, state: RecordState | None) -> bool:
        """Tell whether there is something to put back, and nobody has changed since what was decided."""
        if state is None or not self.replaced:
            return False
        return all(self._is_alone_in(state.fields.get(name), key) for name, key in self.replaced)

    def _is_alone_in(self, field: FieldState | None, key: str) -> bool:
        cell = field.cells.get(key) if field else None
        return cell is not None and [head.op for head in cell.heads] == [self.op]


@dataclass(frozen=True, slots=True)
class Overruled:
    """Two wrote without knowing of each other, and somebody decided for the other: `mine` is not shown any more."""

    record: RecordId
    field: str
    key: str
    mine: Value
    shown: Value


def resolution_of(op: Op, before: RecordState | None) -> Resolution:
    """Return what a decision replaces in the record as it stood."""
    replaced: dict[tuple[str, str], tuple[Head, ...]] = {}
    for edit in op.edits:
        state = before.fields.get(edit.field) if before else None
        cell = state.cells.get(edit.key) if state else None
        if cell is not None and len(cell.heads) > 1:
            replaced[(edit.field, edit.key)] = cell.heads
    return Resolution(op.id, op.record, op.kind, replaced, {edit.field: edit.digest_class for edit in op.edits})


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
            yield Overruled(after.id, conflict.field, conflict.key, mine_said, shown)


def action_of(field: Field) -> Action:
    """Return the action that puts a value back into a cell of the field."""
    return Action.ADD if Action.ADD in rule_of(field).actions(field) else Action.SET
