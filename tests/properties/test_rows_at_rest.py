"""Whatever a record is, the row made from its bytes at rest is the row made from its state."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gridlog_protocol.record_rows import mixed_value, row_of
from gridlog_protocol.state import RecordState
from gridlog_protocol.state_codec import Authors, pack_record, record_row, stored_row, unpack_record
from gridlog_sync.digest import leaves, leaves_at_rest
from tests.properties.wire_strategies import POSITIONS, records


@given(st.lists(records(at_rest=True), max_size=4), POSITIONS)
def test_a_row_from_bytes_is_the_row_from_the_state(states: list[RecordState], base: int) -> None:
    ours, theirs = Authors(base), Authors(base)
    for state in states:
        raw = pack_record(state)
        assert row_of(raw, ours) == record_row(unpack_record(raw), theirs)
    assert ours.table() == theirs.table()


@given(st.lists(records(at_rest=True), max_size=4), st.integers(0, 4))
def test_records_at_rest_are_written_behind_the_others(states: list[RecordState], cut: int) -> None:
    raws = [pack_record(state) for state in states]
    stored = [unpack_record(raw) for raw in raws]
    mixed, plain = Authors(7), Authors(7)
    assert mixed_value(stored[:cut], raws[cut:], mixed) == mixed_value(stored, (), plain)
    assert mixed.table() == plain.table()


@given(records(at_rest=True))
def test_leaves_of_the_rows_are_leaves_of_the_state(state: RecordState) -> None:
    assert leaves_at_rest(stored_row(state)) == leaves(state)
