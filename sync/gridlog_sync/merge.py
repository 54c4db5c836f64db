"""Apply ops to a record's state. The order in which they are applied makes no difference.

The rule it keeps: what becomes of a write depends only on its action and on what its author had seen, never on the
kind of record or the time of arrival. A replica that knows an older kind, or none, merges exactly as the others do;
the merge rules of the kind (`rules`) only say how the surviving heads are shown.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from types import MappingProxyType

from gridlog_protocol.clock import Stamp
from gridlog_protocol.epochs import Epochs
from gridlog_protocol.ids import Position, UserId
from gridlog_protocol.ops import Action, Edit, Intent, Op
from gridlog_protocol.state import (
    NOTHING_COVERED,
    PENDING,
    Cell,
    Covered,
    FieldState,
    Head,
    Origin,
    RecordState,
)

from .lives import as_of_now

_EMPTY = Cell(())


@dataclass(frozen=True, slots=True)
class Entry:
    """An op with what the server added: its stamp and its position in the log.

    The op's named position is taken as bounded already: never above what the device had been served.
    """

    op: Op
    stamp: Stamp
    position: Position

    @staticmethod
    def pending(op: Op) -> Entry:
        """Return the entry of an op that only this device knows: it orders by its own claim."""
        return Entry(op, Stamp(op.clock.hlc), PENDING)


def apply(record: RecordState | None, entry: Entry) -> RecordState:
    """Return the record with one more op in it. Applying the same entry twice changes nothing."""
    op = entry.op
    base = record or RecordState(op.record, op.kind, op.schema, None, MappingProxyType({}))
    origin = base.origin
    if op.intent is Intent.CREATE and origin is None:
        origin = Origin(op.id, op.author, op.clock.wall_ms)
    fields, seen = dict(base.fields), _seen_by(op)
    for edit in op.edits:
        fields[edit.field] = _edited(fields.get(edit.field), edit, entry, seen)
    schema = max(base.schema, op.schema)
    return replace(base, schema=schema, origin=origin, fields=MappingProxyType(fields))


def fold(record: RecordState | None, entries: Iterable[Entry]) -> RecordState | None:
    """Apply entries one after the other."""
    for entry in entries:
        record = apply(record, entry)
    return record


def overlay(confirmed: RecordState | None, pending: Iterable[Op], epochs: Epochs = ()) -> RecordState | None:
    """Return what the worker sees: what the server confirmed, and on top the device's own pending ops.

    Those may name positions of an earlier life of the server; `epochs` tells what they are worth now.
    """
    return fold(confirmed, (Entry.pending(as_of_now(op, epochs)) for op in pending))


def adopt(mine: RecordState | None, theirs: RecordState) -> RecordState:
    """Take over fields that the server sent whole. A field that is newer here stays: late answers do no harm."""
    if mine is None:
        return theirs
    fields = dict(mine.fields)
    for name, field in theirs.fields.items():
        if name not in fields or field.changed >= fields[name].changed:
            fields[name] = field
    schema = max(mine.schema, theirs.schema)
    return replace(mine, schema=schema, origin=mine.origin or theirs.origin, fields=MappingProxyType(fields))


def authors_of(record: RecordState) -> frozenset[UserId]:
    """Return everyone whose writes stand in the record now."""
    heads = (head for field in record.fields.values() for cell in field.cells.values() for head in cell.heads)
    return frozenset(head.author for head in heads)


def _edited(field: FieldState | None, edit: Edit, entry: Entry, seen: Covered) -> FieldState:
    if field is None:
        cell = _written(_EMPTY, edit, entry, seen)
        return FieldState(edit.digest_class, entry.position, MappingProxyType({edit.key: cell}))
    changed = max(entry.position, field.changed)
    digest_class = max(edit.digest_class, field.digest_class)
    cell = _written(field.cells.get(edit.key, _EMPTY), edit, entry, seen)
    return FieldState(digest_class, changed, MappingProxyType({**field.cells, edit.key: cell}))


def _written(cell: Cell, edit: Edit, entry: Entry, seen: Covered) -> Cell:
    """Write one edit into a cell. `seen` is what the op's author had seen: the same for all its edits."""
    op = entry.op
    if edit.action is Action.COUNT:
        return _counted(cell, Head(op.id, op.author, entry.stamp, entry.position, edit.value))
    covered = cell.covered.joined(seen)
    if not cell.heads:
        # As nearly every field of a new record.
        is_standing = edit.action is not Action.REMOVE and not covered.has(op.id, entry.position)
        head = Head(op.id, op.author, entry.stamp, entry.position, edit.value)
        return Cell((head,) if is_standing else (), covered)
    heads = {head.op: head for head in cell.heads}
    if edit.action is not Action.REMOVE:
        heads[op.id] = Head(op.id, op.author, entry.stamp, entry.position, edit.value)
    standing = (head for head in heads.values() if not covered.has(head.op, head.position))
    return Cell(tuple(sorted(standing, key=lambda head: head.order)), covered)


def _counted(cell: Cell, head: Head) -> Cell:
    """Put a count to the others. A count covers nothing, so thousands of them need no look at each other."""
    if cell.covered.has(head.op, head.position):
        return cell
    at = bisect_left(cell.heads, head.order, key=lambda each: each.order)
    if at < len(cell.heads) and cell.heads[at].op == head.op:
        return cell
    return Cell((*cell.heads[:at], head, *cell.heads[at:]), cell.covered)


def _seen_by(op: Op) -> Covered:
    if not op.seen.own_seq:
        return Covered(op.seen.position) if op.seen.position else NOTHING_COVERED
    own = {(op.id.device, op.id.incarnation): op.seen.own_seq}
    return Covered(op.seen.position, MappingProxyType(own))
