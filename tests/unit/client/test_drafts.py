"""What the journal says of drafts: it comes back as written, adds up by field, and nothing else is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlog.drafts import (
    Draft,
    DraftBegun,
    DraftEnded,
    DraftEntry,
    DraftSaved,
    differing,
    entries_of,
    is_within_limits,
    laid_over,
    pack_draft,
    read_draft,
    take_in,
    unwritable,
)
from gridlog.entries import EntryError
from gridlog.records import Record, Whereabouts
from gridlog_protocol.canonical import INTEGER_MAX, INTEGER_MIN, Value, pack
from gridlog_protocol.ids import Epoch, Incarnation, Position, RecordId, UserId
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.ops import Seen
from gridlog_sync.writing import Add, Change, Count, Remove
from tests.unit.sync.building import a_record, kind

KINDS = shipped_kinds()
ONE, TWO = a_record(1), a_record(2)
INTEGERS = st.integers(INTEGER_MIN, INTEGER_MAX)
NAMES = st.text(max_size=64)
SCALARS = st.none() | st.booleans() | INTEGERS | st.text() | st.binary()
VALUES: st.SearchStrategy[Value] = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
ELEMENTS = st.lists(VALUES, max_size=4).map(tuple)
CHANGES: st.SearchStrategy[Change] = VALUES | ELEMENTS.map(Add) | ELEMENTS.map(Remove) | INTEGERS.map(Count)
FORMS: st.SearchStrategy[Mapping[str, Change]] = st.dictionaries(NAMES, CHANGES, max_size=5)
RECORDS = st.builds(
    Record,
    st.just(ONE),
    st.just("patrol"),
    st.dictionaries(NAMES, VALUES, max_size=5),
    st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(0, INTEGER_MAX), max_size=2), max_size=2),
    st.sampled_from(Whereabouts),
    st.none() | st.text(max_size=40),
    st.booleans(),
    st.none() | st.binary(min_size=16, max_size=16).map(UserId),
    st.builds(
        Seen,
        st.binary(min_size=8, max_size=8).map(Epoch),
        st.integers(0, INTEGER_MAX).map(Position),
        st.integers(0, INTEGER_MAX),
    ),
    st.binary(min_size=8, max_size=8).map(Incarnation),
)
TIMES = st.integers(0, INTEGER_MAX)
ENTRIES: st.SearchStrategy[DraftEntry] = (
    st.builds(DraftBegun, st.just(ONE), st.just("patrol"), TIMES, st.none() | RECORDS)
    | st.builds(DraftSaved, st.just(ONE), TIMES, FORMS, st.lists(NAMES, max_size=3).map(tuple))
    | st.builds(DraftEnded, st.just(ONE))
)


def after(*entries: DraftEntry) -> dict[RecordId, Draft]:
    drafts: dict[RecordId, Draft] = {}
    for entry in entries:
        take_in(drafts, entry, KINDS)
    return drafts


def begun(draft: RecordId = ONE, opened: Record | None = None) -> DraftBegun:
    return DraftBegun(draft, "patrol", 1000, opened)


def a_form(**values: Value) -> Record:
    seen = Seen(Epoch(bytes(8)), Position(7), 2)
    return Record(ONE, "patrol", values, {}, Whereabouts.RECEIVED, "7-3f9c", False, None, seen, Incarnation(bytes(8)))


@given(ENTRIES)
def test_an_entry_comes_back_as_it_was_written(entry: DraftEntry) -> None:
    assert read_draft(pack_draft(entry)) == entry


@given(st.binary(max_size=200))
def test_random_bytes_are_no_entry_of_a_draft(raw: bytes) -> None:
    with pytest.raises(EntryError):
        read_draft(raw)


@given(ENTRIES, st.data())
def test_an_entry_that_was_cut_or_changed_is_refused_or_reads_as_another(
    entry: DraftEntry, data: st.DataObject
) -> None:
    raw = bytearray(pack_draft(entry))
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(EntryError):
        read_draft(bytes(raw[:cut]))
    raw[cut] ^= data.draw(st.integers(1, 255))
    try:
        other = read_draft(bytes(raw))
    except EntryError:
        return
    assert pack_draft(other) == bytes(raw)


@pytest.mark.parametrize(
    "row",
    [
        [2, "ended", ONE],
        [1, "finished", ONE],
        [1, "ended", ONE, 0],
        [1, "ended", ONE[:15]],
        [1, "begun", ONE, "patrol", 5],
        [1, "begun", ONE, "patrol", -5, None],
        [1, "begun", ONE, "patrol", 5, [{}, {}, "NOWHERE", None, False, None, [bytes(8), 0, 0], bytes(8)]],
        [1, "begun", ONE, "patrol", 5, [{}, {}, "HELD", None, False, None, [bytes(8), 0], bytes(8)]],
        [
            1,
            "begun",
            ONE,
            "patrol",
            5,
            [{}, {"state": {"": -1}}, "HELD", None, False, None, [bytes(8), 0, 0], bytes(8)],
        ],
        [1, "saved", ONE, 5, {"summary": ["set"]}, []],
        [1, "saved", ONE, 5, {"summary": ["put", 1]}, []],
        [1, "saved", ONE, 5, {"summary": ["set", 1, 2]}, []],
        [1, "saved", ONE, 5, {"handled_on_spot": ["count", True]}, []],
        [1, "saved", ONE, 5, {"x" * 300: ["set", 1]}, []],
        [1, "saved", ONE, 5, {f"field{number}": ["set", 1] for number in range(513)}, []],
        [1, "saved", ONE, 5, {}, [7]],
    ],
)
def test_what_no_draft_says_is_refused(row: list[Value]) -> None:
    with pytest.raises(EntryError):
        read_draft(pack(row))


def test_each_save_replaces_its_own_fields_and_leaves_the_others() -> None:
    drafts = after(
        begun(),
        DraftSaved(ONE, 2000, {"summary": "青石", "weather": "sunny"}),
        DraftSaved(ONE, 3000, {"summary": "青石巷"}),
    )

    assert drafts[ONE].changes == {"summary": "青石巷", "weather": "sunny"}
    assert (drafts[ONE].begun_ms, drafts[ONE].saved_ms) == (1000, 3000)


def test_a_field_that_is_taken_out_again_shows_what_the_form_showed_when_it_was_opened() -> None:
    drafts = after(
        begun(opened=a_form(summary="九个正常")),
        DraftSaved(ONE, 2000, {"summary": "八个正常", "weather": "rain"}),
        DraftSaved(ONE, 3000, {}, ("summary",)),
    )

    assert drafts[ONE].changes == {"weather": "rain"}
    assert drafts[ONE].values == {"summary": "九个正常", "weather": "rain"}


def test_a_field_that_is_cleared_shows_nothing_and_is_a_change() -> None:
    drafts = after(begun(opened=a_form(summary="九个正常")), DraftSaved(ONE, 2000, {"summary": None}))

    assert drafts[ONE].values == {}
    assert drafts[ONE].changes == {"summary": None}


def test_the_draft_that_was_saved_last_comes_last() -> None:
    drafts = after(begun(ONE), begun(TWO), DraftSaved(ONE, 500, {"summary": "a"}))

    # By the order of the saves: a clock may have been set back between two of them.
    assert [*drafts] == [TWO, ONE]


def test_a_draft_that_ended_takes_nothing_in_any_more() -> None:
    assert after(begun(), DraftEnded(ONE), DraftSaved(ONE, 2000, {"summary": "late"})) == {}
    assert after(begun(), DraftEnded(ONE), DraftEnded(ONE)) == {}


def test_a_record_can_have_a_draft_again_after_the_first_has_ended() -> None:
    drafts = after(begun(), DraftSaved(ONE, 2000, {"summary": "a"}), DraftEnded(ONE), begun(opened=a_form()))

    assert drafts[ONE].changes == {}


@given(st.lists(FORMS, max_size=4))
def test_many_saves_add_up_to_what_one_save_of_all_fields_says(saves: list[Mapping[str, Change]]) -> None:
    together: dict[str, Change] = {}
    for each in saves:
        together |= each

    one_by_one = after(begun(), *(DraftSaved(ONE, 2000, each) for each in saves))[ONE]
    at_once = after(begun(), DraftSaved(ONE, 2000, together))[ONE]

    assert (one_by_one.changes, one_by_one.values) == (at_once.changes, at_once.values)


@given(st.none() | RECORDS, st.lists(FORMS, max_size=4))
def test_a_draft_is_no_more_than_its_beginning_and_one_save(
    opened: Record | None, saves: list[Mapping[str, Change]]
) -> None:
    draft = after(begun(opened=opened), *(DraftSaved(ONE, 2000, each) for each in saves))[ONE]

    assert after(*entries_of(draft)) == {ONE: draft}


@pytest.mark.parametrize(
    ("field", "shown", "change", "after_it"),
    [
        ("tags", ["lamp"], Add(("flood", "lamp")), ["flood", "lamp"]),
        ("tags", ["lamp", "flood"], Remove(("lamp",)), ["flood"]),
        ("tags", "half typed", Remove(("lamp",)), []),
        ("findings", [b"\1" * 16, b"\2" * 16], Remove(((b"\1" * 16).hex(),)), [b"\2" * 16]),
        ("missed", [{"id": "x1"}, {"id": "x2"}], Remove(("x1",)), [{"id": "x2"}]),
        (
            "missed",
            [{"id": "x1"}, {}],
            Add(({"id": "x1", "reason": "围挡"}, {})),
            [{"id": "x1", "reason": "围挡"}, {}],
        ),
        ("handled_on_spot", 3, Count(-1), 2),
        ("handled_on_spot", None, Count(2), 2),
        ("handled_on_spot", "three", Count(2), 2),
        ("checklist", {"lamp": "bad"}, {"drain": "ok"}, {"lamp": "bad", "drain": "ok"}),
        ("track_summary", {"metres": 900, "minutes": 25}, {"metres": 901}, {"metres": 901}),
        ("summary", "青", "青石", "青石"),
        ("summary", "青", None, None),
    ],
)
def test_a_form_shows_what_it_showed_with_the_change(
    field: str, shown: Value, change: Change, after_it: Value
) -> None:
    assert laid_over(shown, change, kind().fields[field]) == after_it


@given(CHANGES, VALUES, st.sampled_from(sorted(kind().fields)))
def test_a_form_shows_any_change_of_any_field(change: Change, shown: Value, field: str) -> None:
    laid_over(shown, change, kind().fields[field])
    laid_over(shown, change, None)


UNWRITABLE: list[Any] = [1.5, "\ud800", 1 << 64, Count(True), {"a": 1.0}, [[[[1.5]]]], ("a",), {1: "a"}]


@pytest.mark.parametrize("change", [*UNWRITABLE, *(Add((each,)) for each in UNWRITABLE), Remove((b"", object()))])  # type: ignore[arg-type]
def test_what_has_no_bytes_is_named_and_the_rest_is_not(change: Change) -> None:
    assert unwritable({"summary": "fine", "weather": change}) == ["weather"]


def test_a_name_that_has_no_bytes_is_named() -> None:
    assert unwritable({"\ud800": "fine"}) == ["\ud800"]


@given(FORMS)
def test_whatever_can_be_written_can_be_read_again(changes: Mapping[str, Change]) -> None:
    assert unwritable(changes) == []
    assert is_within_limits(changes)
    assert read_draft(pack_draft(DraftSaved(ONE, 1, changes))) == DraftSaved(ONE, 1, changes)


def test_a_draft_is_bounded_in_bytes_and_in_fields() -> None:
    assert is_within_limits({"content": "话" * 40_000})
    assert not is_within_limits({"content": "话" * 44_000})
    assert not is_within_limits({f"field{number}": 1 for number in range(513)})
    assert not is_within_limits({"x" * 257: 1})


def test_only_what_differs_is_worth_a_write() -> None:
    before: dict[str, Change] = {"summary": "a", "handled_on_spot": 1, "tags": Add(("lamp",))}

    assert differing({"summary": "a", "tags": Add(("lamp",))}, before) == {}
    # One is not True on the disk, and to add something is not to say that there is nothing else.
    assert differing({"handled_on_spot": True}, before) == {"handled_on_spot": True}
    assert differing({"tags": ["lamp"]}, before) == {"tags": ["lamp"]}
    assert differing({"weather": None}, before) == {"weather": None}
