"""What this device holds of others' ops that a restored server may have forgotten. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from gridlog_protocol.ids import OpId, Position
from gridlog_protocol.salvage import Salvage, SalvagedWrite
from gridlog_protocol.state import Head, RecordState

Shelf = dict[OpId, Salvage]
"""What is left, by op, until the server says that it has it."""


def left_of(state: RecordState, fork: Position, own: Collection[OpId]) -> Iterator[Salvage]:
    """Yield what a record has of ops behind `fork`. Those of `own` are offered as they are."""
    writes: dict[OpId, tuple[Head, list[SalvagedWrite]]] = {}
    for name, field in sorted(state.fields.items()):
        for key, cell in sorted(field.cells.items()):
            for head in cell.heads:
                if head.position > fork and head.op not in own:
                    _, listed = writes.setdefault(head.op, (head, []))
                    listed.append(SalvagedWrite(name, key, field.digest_class, head.value))
    for op, (head, listed) in writes.items():
        is_creation = state.origin is not None and state.origin.op == op
        yield Salvage(op, head.author, head.stamp, state.id, state.kind, state.schema, is_creation, tuple(listed))
