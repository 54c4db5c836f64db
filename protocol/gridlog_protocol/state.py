"""A record's merged state, as it is kept and as it travels.

A field is a set of cells, one for each element (plain fields have one cell, with the empty key). A cell holds its
heads: the writes that no other write of that cell has seen. `covered` remembers what the cell's writes, removals
included, had seen; with it the order in which ops are applied makes no difference.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from .canonical import Value
from .clock import Stamp
from .ids import DeviceId, Incarnation, OpId, Position, RecordId, UserId

PENDING = Position((1 << 62) - 1)
"""The position of an op that only this device knows. No named position reaches it."""

PLAIN, PERSONAL, SENSITIVE = range(3)
"""Classes of fields that a role may hold or not; each has a digest of its own."""
CLASSES = (PLAIN, PERSONAL, SENSITIVE)

_NOBODY: Mapping[tuple[DeviceId, Incarnation], int] = MappingProxyType({})


class HeadOrder(NamedTuple):
    """What breaks ties among concurrent writes, the same everywhere."""

    stamp: Stamp
    device: DeviceId
    incarnation: Incarnation
    seq: int


class Head(NamedTuple):
    """A write that no other write of its cell has seen."""

    op: OpId
    author: UserId
    stamp: Stamp
    position: Position
    value: Value

    @property
    def order(self) -> HeadOrder:
        """Return the total order among heads: latest stamp last, ties by the op's id."""
        return HeadOrder(self.stamp, self.op.device, self.op.incarnation, self.op.seq)


class Covered(NamedTuple):
    """All that the writes of one cell had seen, joined.

    A write is covered if its position is at most `position`, or its seq at most `own` of its device and
    incarnation. This is the causal context of a dotted version vector set, with the log's positions for the
    ops of others. Source: Almeida, Baquero et al., "Scalable and Accurate Causality Tracking" (2014).
    """

    position: int = 0
    own: Mapping[tuple[DeviceId, Incarnation], int] = _NOBODY

    def has(self, op: OpId, position: int) -> bool:
        """Tell whether the write `op` at `position` has been seen by another write of the cell."""
        return position <= self.position or op.seq <= self.own.get((op.device, op.incarnation), 0)

    def joined(self, other: Covered) -> Covered:
        """Return what either side had seen."""
        if other is NOTHING_COVERED:
            return self
        if self is NOTHING_COVERED:
            return other
        own = dict(self.own)
        for author, seq in other.own.items():
            own[author] = max(seq, own.get(author, 0))
        return Covered(max(self.position, other.position), MappingProxyType(own))


NOTHING_COVERED = Covered()


class Cell(NamedTuple):
    """One element of a field: its heads in their order, and what its writes had seen."""

    heads: tuple[Head, ...]
    covered: Covered = NOTHING_COVERED


class FieldState(NamedTuple):
    """A field: its class, the position of its last change (removals included), its cells by element key."""

    digest_class: int
    changed: Position
    cells: Mapping[str, Cell]


class Origin(NamedTuple):
    """The op that created a record: who, on which device, and what that device's clock said."""

    op: OpId
    author: UserId
    wall_ms: int


@dataclass(frozen=True, slots=True)
class RecordState:
    """A record's merged state. `schema` is the newest schema version that touched it.

    `origin` is None only where a part of a record travels without it, or in a replica that has not got it yet.
    """

    id: RecordId
    kind: str
    schema: int
    origin: Origin | None
    fields: Mapping[str, FieldState]


WITHDRAWN = "deleted"
"""The field of every kind that says who withdrew a record, when and why. Cleared, the record is back."""


def is_ending(field: str, key: str, value: Value) -> bool:
    """Tell whether a write ends its record: a withdrawal, or a workflow's step that is marked as an end.

    Such a step is `[round, option, true]`. A key names an element of a field, whose end is not the record's.
    """
    if key:
        return False
    if field == WITHDRAWN:
        return value is not None
    return isinstance(value, list) and len(value) == 3 and value[2] is True


def is_ended(record: RecordState) -> bool:
    """Tell whether a write that ends the record stands."""
    return any(
        is_ending(name, key, head.value)
        for name, state in record.fields.items()
        for key, cell in state.cells.items()
        for head in cell.heads
    )
