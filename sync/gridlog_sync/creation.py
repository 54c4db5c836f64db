"""A new record from the one op that creates it: its bytes at rest and its digest leaves, without its state.

Most of what a device pushes creates records, and nobody looks inside such a record before it is fetched. The rule it
keeps: what comes of it is what `merge.apply`, `pack_record`, `leaves` and `scopes_of_record` make of the same op.
Whatever is not ordinary has no result here, and goes their way.
"""

from __future__ import annotations

from operator import itemgetter
from typing import NamedTuple

from gridlog_protocol.canonical import Value, pack_settled, settled
from gridlog_protocol.clock import counter_of, milliseconds_of
from gridlog_protocol.ids import ScopeId
from gridlog_protocol.kinds import Kind
from gridlog_protocol.ops import Action, Intent, Op
from gridlog_protocol.state import CLASSES, WITHDRAWN
from gridlog_protocol.state_codec import FORMAT

from .digest import leaf_of
from .merge import Entry
from .scope import scopes_of_edit

_NOBODY = bytes(16)
_PLACE = itemgetter(0, 2)
"""An edit's field and key."""
_NO_WRITES = (Action.REMOVE, Action.COUNT)
_END: list[Value] = [True]
_WRITTEN_AS_THEY_ARE: frozenset[type] = frozenset({str, bytes, int, bool, type(None)})


class Created(NamedTuple):
    """What comes of a creating op. A record that one op made has no conflicts."""

    packed: bytes
    leaves: dict[int, int]
    scopes: frozenset[ScopeId]


def created(entry: Entry, kind: Kind) -> Created | None:
    """Return what comes of an op that creates a record of `kind`; None if it has to be merged to tell."""
    op, seen = entry.op, entry.op.seen
    # An op that had seen itself is somebody's mistake, and reference data is in no grid that an edit names.
    is_ordinary = op.intent is Intent.CREATE and entry.position > seen.position and op.id.seq > seen.own_seq
    if not is_ordinary or not op.edits or not kind.scope_field:
        return None
    device, incarnation, seq = op.id
    table, covered = _seen_by(op)
    changed, stamp = -entry.position, entry.stamp
    fields: list[Value] = []
    of_classes: dict[int, list[Value]] = {}
    before: tuple[str, str, int] = "", "", -1
    cells: list[Value] = []
    heads: list[Value] = []
    for name, action, key, value, digest_class in sorted(op.edits, key=_PLACE):
        if type(value) not in _WRITTEN_AS_THEY_ARE:
            value = settled(value)  # noqa: PLW2901 - the same value, in order.
        # An element's value may look like an end, too, as `state.is_ending` says: those few are merged.
        is_end = type(value) is list and value[2:] == _END
        if action in _NO_WRITES or is_end or (name == WITHDRAWN and value is not None):
            return None
        if name != before[0] or digest_class != before[2]:
            if name == before[0]:
                return None
            cells, heads = [], []
            fields.append([name, digest_class, changed, cells])
            of_class = of_classes.get(digest_class)
            if of_class is None:
                of_class = of_classes[digest_class] = []
            of_class.append([name, heads])
        elif key == before[1]:
            return None
        before = name, key, digest_class
        cells += (key, [0, value], covered)
        heads.append([key, [[device, incarnation, seq, stamp, value]]])
    write: Value = [0, seq, -milliseconds_of(stamp), counter_of(stamp), changed]
    row: Value = [op.record, op.kind, op.schema, [0, seq, op.clock.wall_ms], [write], fields]
    leaves = {each: leaf_of(op.record, each, of_classes[each]) for each in CLASSES if each in of_classes}
    return Created(pack_settled([FORMAT, table, row]), leaves, scopes_of_edit(op, kind))


def _seen_by(op: Op) -> tuple[list[Value], list[Value]]:
    """Return the table of who wrote, and what the op's author had seen."""
    device, incarnation, _ = op.id
    table: list[Value] = [[device, incarnation, op.author]]
    if not op.seen.own_seq:
        return table, [op.seen.position]
    if op.author != _NOBODY:
        table.append([device, incarnation, _NOBODY])
    return table, [op.seen.position, len(table) - 1, op.seen.own_seq]
