"""From what a form says to the edits that travel: only what changed, and every wrong field at once."""

from __future__ import annotations

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.ops import Action, Edit
from gridlog_sync.rules import rule_of
from gridlog_sync.writing import Add, Change, Count, InvalidRecordError, Remove, edits_for, steps_to
from tests.unit.sync.building import EAST, add, count, kind, put, remove

CHECKPOINT: dict[str, Value] = {
    "id": "p1",
    "checkpoint_id": "东门",
    "at": "2026-11-22T09:10:00+08:00",
    "method": "qr",
    "result": "normal",
}
SHOWN: dict[str, Value] = {
    "grid_code": EAST,
    "summary": "a",
    "weather": "rain",
    "tags": ["dry", "flood"],
    "checklist": {"drain": "ok", "lamp": "bad"},
    "handled_on_spot": 5,
    "checkpoints": [CHECKPOINT],
}


def edits(changes: dict[str, Change], *, of: str = "patrol", shown: dict[str, Value] | None = None) -> list[Edit]:
    return [*edits_for(kind(of), changes, shown=SHOWN if shown is None else shown, is_creation=False)]


def refused(changes: dict[str, Change], *, of: str = "patrol", is_creation: bool = False) -> InvalidRecordError:
    with pytest.raises(InvalidRecordError) as wrong:
        edits_for(kind(of), changes, shown={} if is_creation else SHOWN, is_creation=is_creation)
    return wrong.value


def codes(wrong: InvalidRecordError) -> dict[str, str]:
    return {each.field: each.rule for each in wrong.violations}


def test_what_is_shown_already_does_not_travel() -> None:
    assert edits(dict(SHOWN)) == []


def test_a_plain_value_that_changed_travels_whole() -> None:
    assert edits({"summary": "b", "weather": "rain"}) == [put("summary", "b")]


def test_a_value_is_cleared_by_none() -> None:
    assert edits({"weather": None}) == [put("weather", None)]
    assert edits({"route_id": None}) == []


def test_of_a_set_only_the_elements_that_came_and_went_travel() -> None:
    assert edits({"tags": ["flood", "wind"]}) == [add("tags", "wind"), remove("tags", "dry")]


@pytest.mark.parametrize("nothing", [None, []])
def test_a_set_is_emptied_element_by_element(nothing: Value) -> None:
    assert edits({"tags": nothing}) == [remove("tags", "dry"), remove("tags", "flood")]


def test_of_a_map_only_the_keys_that_changed_travel() -> None:
    assert edits({"checklist": {"drain": "bad", "lamp": "bad", "gate": "na"}}) == [
        put("checklist", "bad", key="drain"),
        put("checklist", "na", key="gate"),
    ]


def test_of_a_list_only_new_elements_travel() -> None:
    second = CHECKPOINT | {"id": "p2"}

    assert edits({"checkpoints": [CHECKPOINT, second]}) == [add("checkpoints", "p2", second)]


def test_of_a_counter_the_difference_travels() -> None:
    assert edits({"handled_on_spot": 8}) == [count("handled_on_spot", 3)]
    assert edits({"handled_on_spot": 3}) == [count("handled_on_spot", -2)]
    assert edits({"handled_on_spot": 3}, shown={}) == [count("handled_on_spot", 3)]


def test_a_change_says_what_comes_and_goes_without_saying_what_else_is_there() -> None:
    assert edits({"tags": Add(("wind",))}, shown={}) == [add("tags", "wind")]
    assert edits({"tags": Remove(("dry",))}, shown={}) == [remove("tags", "dry")]
    assert edits({"handled_on_spot": Count(-1)}, shown={}) == [count("handled_on_spot", -1)]


def test_an_element_that_is_named_twice_travels_once() -> None:
    assert edits({"tags": Add(("wind", "wind"))}) == [add("tags", "wind")]
    assert edits({"tags": Remove(("dry", "dry"))}) == [remove("tags", "dry")]


def test_a_name_of_sixteen_bytes_is_an_elements_key_in_hex() -> None:
    photo = bytes(range(16))

    assert edits({"attachments": [photo]}) == [add("attachments", photo.hex())]
    assert edits({"attachments": Remove((photo,))}) == [remove("attachments", photo.hex())]
    assert edits({"attachments": Remove((photo.hex(),))}) == [remove("attachments", photo.hex())]


def test_edits_carry_the_class_of_their_field() -> None:
    found = edits({"result": "met", "content": "x", "care_needs": ["escort"]}, of="household_visit", shown={})

    assert [edit.digest_class for edit in found] == [0, 1, 2]


def test_every_wrong_field_is_named_at_once_in_both_languages() -> None:
    wrong = refused(
        {"weather": "hail", "track_summary": "7", "state": "dreaming", "nonsense": 1, "summary": 5, "grid_code": EAST}
    )

    assert codes(wrong) == {
        "weather": "not_an_option",
        "track_summary": "server_decides",
        "state": "not_an_option",
        "nonsense": "unknown_field",
        "summary": "wrong_type",
    }
    for name in ("weather", "track_summary", "state", "summary"):
        label = kind().fields[name].label
        assert label.zh in wrong.text.zh
        assert label.en in wrong.text.en
    assert "nonsense" in wrong.text.zh
    assert "nonsense" in str(wrong)
    assert wrong.text.en == str(wrong)


def test_a_field_that_the_server_fills_in_is_not_for_a_form() -> None:
    assert codes(refused({"id": bytes(16), "clock_offset_ms": 1, "track_summary": {}})) == dict.fromkeys(
        ("id", "clock_offset_ms", "track_summary"), "server_decides"
    )


def test_a_field_that_the_office_decides_can_be_proposed_and_its_value_is_checked() -> None:
    number = "420106001001-20261122-X0001"

    assert edits({"record_no": number}) == [put("record_no", number)]
    assert codes(refused({"record_no": "1"})) == {"record_no": "pattern"}


def test_a_fixed_field_is_set_once() -> None:
    shown: dict[str, Value] = {"household_id": bytes(16)}
    again: dict[str, Change] = {"household_id": bytes([1]) * 16}

    assert edits(again, of="household_visit", shown={}) == [put("household_id", bytes([1]) * 16, digest_class=1)]
    with pytest.raises(InvalidRecordError) as wrong:
        edits(again, of="household_visit", shown=shown)
    assert codes(wrong.value) == {"household_id": "immutable"}


def test_a_required_value_is_not_cleared() -> None:
    assert codes(refused({"grid_code": None})) == {"grid_code": "required"}


def test_an_element_of_a_list_is_never_written_again() -> None:
    changed = CHECKPOINT | {"method": "gps"}

    assert codes(refused({"checkpoints": [changed]})) == {"checkpoints": "immutable"}
    assert codes(refused({"checkpoints": Add((changed,))})) == {"checkpoints": "immutable"}


ILL_FITTING: dict[str, dict[str, Change]] = {
    "a list is not shortened": {"checkpoints": Remove(("p1",))},
    "a plain field has no elements": {"summary": Add(("a",))},
    "a plain field loses no elements": {"summary": Remove(("a",))},
    "a plain field does not count": {"weather": Count(1)},
    "a set does not count": {"tags": Count(1)},
    "a counter has no elements": {"handled_on_spot": Add(("a",))},
    "a counter is not cleared": {"handled_on_spot": None},
    "a counter counts whole numbers": {"handled_on_spot": "5"},
    "a truth is no number": {"handled_on_spot": True},
    "a set is not a word": {"tags": "flood"},
    "a set has no numbers": {"tags": [5]},
    "a set adds no numbers": {"tags": Add((5,))},
    "a set loses no numbers": {"tags": Remove((5,))},
    "a set of names has no other words": {"attachments": ["photo"]},
    "a set has no wrong elements": {"tags": ["a b"]},
    "a list has structs": {"checkpoints": ["p1"]},
    "a struct has an id": {"checkpoints": [{"method": "qr"}]},
    "an id is a word": {"checkpoints": [CHECKPOINT | {"id": 5}]},
    "a list is not cleared": {"checkpoints": None},
    "a map is not cleared": {"checklist": None},
    "a map is not a list": {"checklist": ["drain"]},
    "a map has right values": {"checklist": {"drain": "splendid"}},
    "a map has right keys": {"checklist": {"": "ok"}},
}


@pytest.mark.parametrize("reason", ILL_FITTING)
def test_what_does_not_fit_is_refused_and_never_crashes(reason: str) -> None:
    (name,) = ILL_FITTING[reason]

    assert set(codes(refused(ILL_FITTING[reason]))) == {name}


def test_no_edit_of_a_form_has_an_action_that_the_server_would_hold() -> None:
    changes: dict[str, Change] = {
        "summary": "b",
        "tags": ["wind"],
        "checklist": {"drain": "bad"},
        "handled_on_spot": 9,
        "checkpoints": [CHECKPOINT, CHECKPOINT | {"id": "p2"}],
        "started_at": "2026-11-22T09:10:00+08:00",
    }

    for edit in edits(changes):
        field = kind().fields[edit.field]
        assert edit.action in rule_of(field).actions(field)


def test_a_fault_that_is_shown_already_does_not_refuse_what_is_right_today() -> None:
    assert edits({"tags": ["not a code", "wind"]}, shown={"tags": ["not a code"]}) == [add("tags", "wind")]


def test_an_empty_field_is_filled_step_by_step() -> None:
    assert steps_to(kind().fields["tags"], ["flood", "dry"]) == [
        (Action.ADD, "flood", None),
        (Action.ADD, "dry", None),
    ]
    assert steps_to(kind().fields["weather"], "rain") == [(Action.SET, "", "rain")]
    assert steps_to(kind().fields["handled_on_spot"], 2) == [(Action.COUNT, "", 2)]
    assert steps_to(kind().fields["weather"], None) == []
