"""A new record from the one op that creates it: its bytes at rest and its digest leaves, without its state.

Most of what a device pushes creates records, and nobody looks inside such a record before it is fetched. The rule it
keeps: what comes of it is what `merge.apply`, `pack_record`, `leaves` and `scopes_of_record` make of the same op.
Whatever is not ordinary has no result here, and goes their way.
"""

from __future__ import annotations

from typing import NamedTuple

from gridlog_protocol.canonical import Value, pack_settled, settled
from gridlog_protocol.clock import counter_of, milliseconds_of
from gridlog_protocol.ids import ScopeId
from gridlog_protocol.kinds import Kind
from gridlog_protocol.ops import Action, Intent
from gridlog_protocol.state import CLASSES, WITHDRAWN
from gridlog_protocol.state_codec import FORMAT

from .digest import leaf_of
from .merge import Entry
from .scope import scopes_of_edit

_NOBODY = bytes(16)
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
    # An op that had seen itself, or edits that are no writes, are somebody's mistake or another kind of work.
    is_ordinary = op.intent is Intent.CREATE and entry.position > seen.position and op.id.seq > seen.own_seq
    if not is_ordinary or not op.edits or not kind.scope_field:
        return None
    by_field: dict[str, tuple[int, dict[str, Value]]] = {}
    for field, action, key, value, digest_class in op.edits:
        of_field = by_field.get(field)
        # An element's value may look like an end, too, as `state.is_ending` says: those few are merged.
        is_end = value is not None if field == WITHDRAWN else type(value) is list and value[2:] == _END
        if action is Action.REMOVE or action is Action.COUNT or is_end:
            return None
        if of_field is None:
            by_field[field] = digest_class, {key: value}
        elif key in of_field[1] or of_field[0] != digest_class:
            return None
        else:
            of_field[1][key] = value
    return _written(entry, by_field, scopes_of_edit(op, kind))


def _written(entry: Entry, by_field: dict[str, tuple[int, dict[str, Value]]], scopes: frozenset[ScopeId]) -> Created:
    op, seen = entry.op, entry.op.seen
    device, incarnation, seq = op.id
    table: list[Value] = [[device, incarnation, op.author]]
    covered: list[Value] = [seen.position]
    if seen.own_seq:
        if op.author != _NOBODY:
            table.append([device, incarnation, _NOBODY])
        covered += (len(table) - 1, seen.own_seq)
    changed = -entry.position
    fields: list[Value] = []
    of_classes: dict[int, list[Value]] = {}
    for name in sorted(by_field):
        digest_class, of_keys = by_field[name]
        cells: list[Value] = []
        heads: list[Value] = []
        for key in sorted(of_keys):
            value = of_keys[key]
            value = value if type(value) in _WRITTEN_AS_THEY_ARE else settled(value)
            cells += (key, [0, value], covered)
            heads.append([key, [[device, incarnation, seq, entry.stamp, value]]])
        fields.append([name, digest_class, changed, cells])
        of_classes.setdefault(digest_class, []).append([name, heads])
    write: Value = [0, seq, -milliseconds_of(entry.stamp), counter_of(entry.stamp), changed]
    row: Value = [op.record, op.kind, op.schema, [0, seq, op.clock.wall_ms], [write], fields]
    leaves = {each: leaf_of(op.record, each, of_classes[each]) for each in CLASSES if each in of_classes}
    return Created(pack_settled([FORMAT, table, row]), leaves, scopes)
