"""What people read of a record: values and conflicts, of known and unknown kinds."""

from __future__ import annotations

from gridlog_sync.rules import Severity
from gridlog_sync.view import Conflict, conflicts_of, values_of
from tests.unit.sync.building import Worker, add, kind, log_of, put, remove, state_of


def test_a_conflict_names_the_element_and_has_every_head_with_the_latest_stamp_last() -> None:
    ops = (
        Worker(1, of="mediation").writes(put("party_claims", "first", key="p1", digest_class=1), at=1),
        Worker(2, of="mediation").writes(put("party_claims", "second", key="p1", digest_class=1), at=2),
    )
    state = state_of(log_of(*ops))

    (found,) = conflicts_of(state, kind("mediation"))

    heads = state.fields["party_claims"].cells["p1"].heads
    assert found == Conflict(state.id, "party_claims", "p1", Severity.HARD, "second", heads)
    assert [head.value for head in found.heads] == ["first", "second"]


def test_conflicts_are_listed_by_field_and_element() -> None:
    names = ("summary", "weather", "route_id")
    ops = [Worker(number).writes(*(put(name, f"{name} {number}") for name in names)) for number in (1, 2, 3)]

    found = conflicts_of(state_of(log_of(*ops)), kind())

    assert [each.field for each in found] == ["route_id", "summary", "weather"]


def test_fields_that_the_kind_does_not_know_come_as_they_are_and_never_conflict() -> None:
    wang, liu = Worker(1), Worker(2)
    ops = (
        wang.writes(put("new", {"a": 1}), put("map", 1, key="x"), add("set", "gone")),
        liu.writes(put("new", {"a": 2}), put("map", 2, key="y")),
        wang.writes(remove("set", "gone")),
    )
    state = state_of(log_of(*ops))

    assert values_of(state, kind()) == {"new": {"a": 2}, "map": {"x": 1, "y": 2}}
    assert values_of(state, None) == values_of(state, kind())
    assert conflicts_of(state, kind()) == []
    assert conflicts_of(state, None) == []


def test_a_record_of_an_unknown_kind_shows_the_latest_of_each_field() -> None:
    ops = Worker(1).writes(put("summary", "a"), at=2), Worker(2).writes(put("summary", "b"), at=1)

    assert values_of(state_of(log_of(*ops)), None) == {"summary": "a"}
