"""What is kept and shown of a record that one op wrote, from what travelled: most of a first fetch is such records.

The rule it keeps: the result is what `sights.confirmed_of` makes of the same record's states. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import counter_of, milliseconds_of
from gridlog_protocol.ids import ScopeId
from gridlog_protocol.kinds import Field, Kind
from gridlog_protocol.state import CLASSES, RecordState
from gridlog_protocol.state_codec import FORMAT
from gridlog_protocol.written_at_once import WrittenAtOnce
from gridlog_sync.digest import leaf_of
from gridlog_sync.rules import Rule, rule_of
from gridlog_sync.scope import scopes_of_record

_SAW_NOTHING: Value = [0]
"""What travels does not say what its author had seen."""
# Asked for with every record, and the same as long as the kind is.
_SHOWING: Final[dict[str, tuple[Kind, dict[str, tuple[Field, Rule, bool]]]]] = {}


class Fetched(NamedTuple):
    """A record's row at rest, its leaves by class, its scopes, its values and how often its workflows went back."""

    stored: Value
    leaves: dict[int, int]
    scopes: frozenset[ScopeId]
    values: dict[str, Value]
    rounds: dict[str, Mapping[str, int]]


def fetched(state: RecordState, kind: Kind) -> Fetched | None:
    """Return what to keep of a record; None if more than one op made it, or if the kind does not know all of it."""
    fields, origin = state.fields, state.origin
    if not isinstance(fields, WrittenAtOnce) or origin is None:
        return None
    op, author, stamp, position, _ = fields.write
    if (origin.op, origin.author) != (op, author):
        return None
    device, incarnation, seq = op
    rows: list[Value] = []
    of_classes: dict[int, list[Value]] = {}
    values: dict[str, Value] = {}
    rounds: dict[str, Mapping[str, int]] = {}
    showing = _showing(kind)
    for said in fields.said:
        name, digest_class, elements = said
        known = showing.get(name)
        if known is None:
            return None
        field, rule, shows_as_said = known
        kept: list[Value] = []
        cells: list[Value] = []
        for key, value in elements:
            kept += (key, [0, value], _SAW_NOTHING)
            cells.append([key, [[device, incarnation, seq, stamp, value]]])
        rows.append([name, digest_class, -position, kept])
        of_class = of_classes.get(digest_class)
        if of_class is None:
            of_class = of_classes[digest_class] = []
        of_class.append([name, cells])
        if shows_as_said and elements[0][0] == "":
            shown = elements[0][1]
        else:
            cells_of = fields[name].cells
            shown = rule.show(field, cells_of)
            if went_back := rule.rounds(field, cells_of):
                rounds[name] = went_back
        if shown is not None:
            values[name] = shown
    write: Value = [0, seq, -milliseconds_of(stamp), counter_of(stamp), -position]
    row: Value = [state.id, state.kind, state.schema, [0, origin.op.seq, origin.wall_ms], [write], rows]
    leaves = {each: leaf_of(state.id, each, of_classes[each]) for each in CLASSES if each in of_classes}
    stored: Value = [FORMAT, [[device, incarnation, author]], row]
    return Fetched(stored, leaves, scopes_of_record(state, kind), values, rounds)


def _showing(kind: Kind) -> dict[str, tuple[Field, Rule, bool]]:
    """Return each field of a kind with its rule, and whether it shows what was said."""
    found = _SHOWING.get(kind.name)
    if found is None or found[0] is not kind:
        rules = {name: (field, rule_of(field)) for name, field in kind.fields.items()}
        shown = {name: (field, rule, rule.shows_as_said(field)) for name, (field, rule) in rules.items()}
        found = _SHOWING[kind.name] = kind, shown
    return found[1]
