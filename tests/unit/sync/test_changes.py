"""What goes down to a device: all that changed after its cursor, and never its own words back."""

from __future__ import annotations

from gridlog_protocol.ids import Position
from gridlog_sync.changes import Movement, Touch, Wanted, left_records, part_of, wanted_records
from tests.unit.sync.building import EAST, WEST, Worker, a_record, log_of, put, state_of

NOTHING = range(0)
RECORD, OTHER = a_record(1), a_record(2)


def touch(position: int, *fields: str, movement: Movement = Movement.TOUCHED, scope: str = EAST) -> Touch:
    return Touch(Position(position), EAST if scope == EAST else WEST, RECORD, movement, fields)


def test_a_field_that_somebody_touched_is_sent() -> None:
    assert wanted_records([touch(5, "summary")], own_push=NOTHING) == {
        RECORD: Wanted(is_whole=False, fields=frozenset({"summary"}))
    }


def test_a_field_that_only_this_push_touched_is_not_echoed() -> None:
    assert wanted_records([touch(5, "summary"), touch(6, "weather")], own_push=range(5, 7)) == {}


def test_a_field_that_somebody_else_touched_too_is_sent_whether_before_or_after() -> None:
    for other in (4, 6):
        touches = sorted([touch(5, "summary"), touch(other, "summary")], key=lambda each: each.position)

        assert wanted_records(touches, own_push=range(5, 6))[RECORD].fields == {"summary"}


def test_an_earlier_push_of_the_same_device_is_sent_again() -> None:
    assert wanted_records([touch(4, "summary"), touch(5, "weather")], own_push=range(5, 6)) == {
        RECORD: Wanted(is_whole=False, fields=frozenset({"summary"}))
    }


def test_a_record_that_entered_is_sent_whole() -> None:
    touches = [touch(4, "grid_code", movement=Movement.ENTERED), touch(5, "summary")]

    assert wanted_records(touches, own_push=range(5, 6))[RECORD].is_whole


def test_a_record_that_this_push_created_is_not_echoed() -> None:
    created = touch(5, "grid_code", "summary", movement=Movement.ENTERED)

    assert wanted_records([created], own_push=range(5, 6)) == {}
    assert wanted_records([created, touch(6, "summary")], own_push=range(5, 6)) == {
        RECORD: Wanted(is_whole=False, fields=frozenset({"summary"}))
    }


def test_a_part_has_the_wanted_fields_only() -> None:
    state = state_of(log_of(Worker(1).creates(put("summary", "a"), put("weather", "rain"))))

    part = part_of(state, Wanted(is_whole=False, fields=frozenset({"weather", "never written"})))

    assert set(part.fields) == {"weather"}
    assert part.fields["weather"] == state.fields["weather"]
    assert part.origin is None
    assert part_of(state, Wanted(is_whole=True, fields=frozenset())) is state


def test_a_record_that_left_every_scope_of_the_reader_is_named() -> None:
    moved = [touch(5, movement=Movement.LEFT), touch(5, movement=Movement.ENTERED, scope=WEST)]

    assert left_records(moved, {RECORD: frozenset()}) == [RECORD]
    assert left_records(moved, {}) == [RECORD]


def test_a_record_that_left_one_scope_for_another_of_the_readers_is_not_named() -> None:
    moved = [touch(5, movement=Movement.LEFT), touch(5, movement=Movement.ENTERED, scope=WEST)]

    assert left_records(moved, {RECORD: frozenset({WEST})}) == []


def test_a_record_that_changed_and_leaves_behind_this_answer_is_named_already() -> None:
    assert left_records([touch(5, "summary")], {RECORD: frozenset()}) == [RECORD]
    assert left_records([touch(5, "summary")], {RECORD: frozenset({EAST})}) == []


def test_a_record_that_left_and_is_back_goes_whole() -> None:
    assert wanted_records([touch(5, "grid_code", movement=Movement.LEFT)], own_push=NOTHING)[RECORD].is_whole


def test_records_that_left_are_named_once_in_order() -> None:
    left = [Touch(Position(at), EAST, record, Movement.LEFT, ()) for at, record in enumerate([OTHER, RECORD, OTHER])]

    assert left_records(left, {}) == [RECORD, OTHER]


def test_an_ended_record_is_echoed_to_whoever_ended_it() -> None:
    assert wanted_records([touch(5, "state")], own_push=range(5, 6), echoed={RECORD}) == {
        RECORD: Wanted(is_whole=False, fields=frozenset({"state"}))
    }
