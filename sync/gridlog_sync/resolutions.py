"""What a decision about a conflict replaces, so that it can be undone. Computed from state, never kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gridlog_protocol.ids import OpId, RecordId
from gridlog_protocol.kinds import Field
from gridlog_protocol.ops import Action, Edit, Op
from gridlog_protocol.state import FieldState, Head, RecordState

from .rules import rule_of


@dataclass(frozen=True, slots=True)
class Resolution:
    """A decision, and the heads that contradicted each other in each cell (field, element key) before it."""

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


def resolution_of(op: Op, before: RecordState | None) -> Resolution:
    """Return what a decision replaces in the record as it stood."""
    replaced: dict[tuple[str, str], tuple[Head, ...]] = {}
    for edit in op.edits:
        state = before.fields.get(edit.field) if before else None
        cell = state.cells.get(edit.key) if state else None
        if cell is not None and len(cell.heads) > 1:
            replaced[(edit.field, edit.key)] = cell.heads
    return Resolution(op.id, op.record, op.kind, replaced, {edit.field: edit.digest_class for edit in op.edits})


def action_of(field: Field) -> Action:
    """Return the action that puts a value back into a cell of the field."""
    return Action.ADD if Action.ADD in rule_of(field).actions(field) else Action.SET


def put_back(resolution: Resolution, kind_fields: Mapping[str, Field]) -> list[tuple[Edit, ...]]:
    """Return the edits that put back what a resolution replaced: those of one op after the other.

    Each op has one of the values of every cell. If none of the ops has seen another, and all have seen the
    resolution, it goes, and they contradict each other again.
    """
    cells = resolution.replaced.items()
    return [
        tuple(
            Edit(name, action_of(kind_fields[name]), key, heads[index].value, resolution.classes[name])
            for (name, key), heads in cells
            if index < len(heads)
        )
        for index in range(max(len(heads) for heads in resolution.replaced.values()))
    ]
