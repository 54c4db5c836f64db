"""A record that one op wrote is read, kept and shown from what travelled as it would be from its states."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlog.sights import confirmed_of
from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.clock import Stamp
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceId, Incarnation, OpId, Position
from gridlog_protocol.kinds import Field, KindSet
from gridlog_protocol.limits import VALUE_DEPTH_MAX
from gridlog_protocol.ops import Edit, Intent, Op
from gridlog_protocol.rows import Row
from gridlog_protocol.state import Cell, Head, RecordState
from gridlog_protocol.state_codec import Authors, read_record, read_records, record_row, records_value
from gridlog_protocol.written_at_once import WrittenAtOnce
from gridlog_sync.merge import Entry, fold
from gridlog_sync.rules import rule_of
from tests.properties.test_creations import AUTHOR, EDITS
from tests.properties.wire_strategies import VALUES
from tests.unit.server.building import EAST, KINDS, Handset, put
from tools.bench.records import confirmed_records

BASE = Position(1 << 20)
EDITED = st.lists(EDITS, min_size=1, max_size=6)


def travelled(state: RecordState) -> RecordState:
    """Return a record as whoever fetches it reads it."""
    authors = Authors(BASE)
    written = unpack(pack([records_value([state], authors), authors.table()]))
    row = Row(written, "records and authors")
    records = row.value()
    [read] = read_records(records, Authors.read(row, base_position=BASE))
    return read


def read_slowly(state: RecordState) -> RecordState:
    """Return the same record, each of its fields with a state of its own."""
    authors = Authors(BASE)
    row = record_row(state, authors)
    return read_record(unpack(pack(row)), authors)


def spread(state: RecordState) -> RecordState:
    return replace(state, fields=MappingProxyType(dict(state.fields)))


def merged(ops: list[Op]) -> RecordState:
    state = fold(None, [Entry(op, Stamp(op.clock.hlc + 5), Position(at + 9)) for at, op in enumerate(ops)])
    assert state is not None
    return state


@given(EDITED, st.lists(EDITED, max_size=2), st.sampled_from([KINDS, KindSet()]))
def test_a_record_is_kept_as_its_states_would_be(first: list[Edit], later: list[list[Edit]], kinds: KindSet) -> None:
    handset = Handset((b"", b""), user=AUTHOR.user)
    record = handset.creates().record
    ops = [handset.writes(record, put("grid_code", EAST), *first, intent=Intent.CREATE, seen=0)]
    ops += [handset.writes(record, *edits, seen=0) for edits in later]
    state = merged(ops)

    read = travelled(state)

    assert read == read_slowly(state)
    assert spread(read) == read
    assert confirmed_of(read, kinds) == confirmed_of(spread(read), kinds)


@given(st.sampled_from([field for kind in KINDS for field in kind.fields.values()]), VALUES)
def test_a_field_that_shows_what_was_said_does(field: Field, value: Value) -> None:
    rule, head = rule_of(field), Head(OpId(DeviceId(b""), Incarnation(b""), 1), AUTHOR.user, Stamp(1), BASE, value)
    cells = {"": Cell((head,))}
    if rule.shows_as_said(field):
        assert rule.show(field, cells) == value
        assert not rule.rounds(field, cells)


def test_what_one_op_wrote_is_read_at_once() -> None:
    records = list(confirmed_records(60))
    assert {each.kind for each in records} == {"patrol", "household_visit", "mediation"}
    assert all(isinstance(travelled(each).fields, WrittenAtOnce) for each in records)
    assert [confirmed_of(travelled(each), KINDS) for each in records] == [
        confirmed_of(read_slowly(each), KINDS) for each in records
    ]


@pytest.mark.parametrize("value", [{"a": 1}, [1]])
@pytest.mark.parametrize("is_at_once", [True, False])
def test_a_value_nested_too_deep_is_refused_either_way(value: Value, is_at_once: bool) -> None:  # noqa: FBT001 - given.
    for _ in range(VALUE_DEPTH_MAX - 1):
        value = {"in": value}
    handset = Handset((b"", b""), user=AUTHOR.user)

    def record(content: Value) -> RecordState:
        creation = handset.creates(put("of_a_newer_kind", content))
        again = [] if is_at_once else [handset.writes(creation.record, put("summary", "退了"), seen=0)]
        return merged([creation, *again])

    assert isinstance(travelled(record(value)).fields, WrittenAtOnce) == is_at_once
    with pytest.raises(ProtocolError, match="malformed"):
        travelled(record({"in": value}))


def test_what_was_written_twice_or_ended_is_not() -> None:
    handset = Handset((b"", b""), user=AUTHOR.user)
    creation = handset.creates(put("summary", "积水"))
    again = handset.writes(creation.record, put("summary", "退了"), seen=0)
    ended = handset.writes(creation.record, put("state", [0, "cancelled", True]), intent=Intent.CREATE, seen=0)
    for ops in ([creation, again], [ended]):
        assert not isinstance(travelled(merged(ops)).fields, WrittenAtOnce)
