"""What the rules promise on every field they are used for: a form shows afterwards what it said."""

from __future__ import annotations

from itertools import combinations
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Merge, Violation
from gridlog_protocol.ops import Edit
from gridlog_sync.merge import apply
from gridlog_sync.view import conflicts_of, rounds_of, values_of
from gridlog_sync.writing import Add, Change, Count, InvalidRecordError, Remove, edits_for
from tests.unit.sync.building import Worker, add, count, kind, log_of, logged, put, remove, state_of

TAGS = ("dry", "flood", "wind")
WEATHER = st.sampled_from(["sunny", "rain", "fog"])
MOMENTS = st.sampled_from([f"2026-11-22T0{hour}:00:00+08:00" for hour in range(6, 10)])
ANSWERS = st.sampled_from(["na", "ok", "bad"])
FORMS = cast(
    "st.SearchStrategy[dict[str, Value]]",
    st.fixed_dictionaries(
        {},
        optional={
            "summary": st.none() | st.text(max_size=9),
            "weather": st.none() | WEATHER,
            "tags": st.none() | st.lists(st.sampled_from(TAGS), unique=True),
            "attachments": st.lists(st.sampled_from([bytes([n]) * 16 for n in range(3)]), unique=True),
            "handled_on_spot": st.integers(0, 50),
            "started_at": MOMENTS,
            "ended_at": st.none() | MOMENTS,
            "checklist": st.dictionaries(st.sampled_from(["drain", "lamp"]), ANSWERS, min_size=1),
            "state": st.sampled_from(["planned", "in_progress", "finished", "aborted"]),
        },
    ),
)
ANYTHING = cast(
    "st.SearchStrategy[Value]",
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=9) | st.binary(max_size=17),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "at", "a"]), inner),
        max_leaves=6,
    ),
)


def expected(before: dict[str, Value], form: dict[str, Value]) -> dict[str, Value]:
    after = dict(before)
    for name, value in form.items():
        shown = before.get(name)
        if isinstance(value, list):
            after[name] = sorted(value, key=lambda each: each.hex() if isinstance(each, bytes) else str(each)) or None
        elif isinstance(value, dict) and isinstance(shown, dict):
            after[name] = shown | value
        else:
            after[name] = value
    return {name: value for name, value in after.items() if value is not None}


@settings(deadline=None, max_examples=66)
@given(forms=st.lists(FORMS, min_size=1, max_size=4))
def test_a_record_shows_afterwards_what_the_form_said(forms: list[dict[str, Value]]) -> None:
    worker, state, shown = Worker(1), None, cast("dict[str, Value]", {})
    for position, form in enumerate(forms, 1):
        rounds = rounds_of(state, kind()) if state else None
        edits = edits_for(kind(), form, shown=shown, rounds=rounds, is_creation=state is None)
        wanted = expected(shown, form)
        state = apply(state, logged(worker.writes(*edits), position))
        shown = values_of(state, kind())

        counted = wanted.pop("handled_on_spot", 0)
        assert shown.get("handled_on_spot", 0) == counted
        assert {name: value for name, value in shown.items() if name != "handled_on_spot"} == wanted
        assert edits_for(kind(), form, shown=shown, is_creation=False) == ()


@settings(deadline=None, max_examples=133)
@given(name=st.sampled_from(sorted(kind().fields)), value=ANYTHING, shape=st.integers(0, 3))
def test_no_change_crashes_a_form_and_what_passes_fits_its_rule(name: str, value: Value, shape: int) -> None:
    change = (value, Add((value, value)), Remove((value,)), Count(cast("int", value)))[shape]

    edits, violations = attempt(name, change)

    assert {each.field for each in violations} <= {name}
    assert all(each.text.zh and each.text.en for each in violations)
    assert bool(edits) <= (not violations)
    assert set(values_of(state_of(log_of(Worker(1).creates(*edits))), kind())) <= {name}
    assert len({(edit.field, edit.key) for edit in edits}) == len(edits)


def attempt(name: str, change: Change) -> tuple[tuple[Edit, ...], tuple[Violation, ...]]:
    try:
        return edits_for(kind(), {name: change}, shown={}, is_creation=True), ()
    except InvalidRecordError as wrong:
        return (), wrong.violations


WRITES: list[list[Edit]] = [
    [put("summary", text) for text in ("a", "b")],
    [put("weather", each) for each in ("rain", "fog")],
    [put("started_at", f"2026-11-22T0{hour}:00:00+08:00") for hour in range(6, 10)],
    [put("ended_at", f"2026-11-22T0{hour}:00:00+08:00") for hour in range(6, 10)],
    [put("checklist", answer, key="drain") for answer in ("na", "ok", "bad")],
    [put("state", [number, state]) for number in (0, 1) for state in ("planned", "finished", "aborted")]
    + [put("state", [number, "cancelled", True]) for number in (0, 1)],
    [count("handled_on_spot", number) for number in (-1, 2, 3)],
    [add("tags", tag) for tag in TAGS] + [remove("tags", tag) for tag in TAGS],
    [add("comments", key, {"id": key, "text": key}) for key in "ab"],
]


@settings(deadline=None, max_examples=100)
@given(data=st.data())
def test_of_concurrent_writes_each_rule_shows_what_it_promises(data: st.DataObject) -> None:
    family = data.draw(st.sampled_from(WRITES))
    edits = data.draw(st.lists(st.sampled_from(family), min_size=1, max_size=5))
    stamps = [data.draw(st.integers(0, 3)) for _ in edits]
    name = edits[0].field
    entries = [
        logged(Worker(number).writes(edit), number, stamp=stamp)
        for number, (edit, stamp) in enumerate(zip(edits, stamps, strict=True), 1)
    ]
    state = state_of(entries)
    shown = values_of(state, kind()).get(name)
    conflicts = conflicts_of(state, kind())
    by_stamp = [edit for _, edit in sorted(zip(stamps, edits, strict=True), key=lambda each: each[0])]
    values = [edit.value for edit in by_stamp]
    texts = [str(value) for value in values]
    is_contested = len(set(texts)) > 1

    match kind().fields[name].merge:
        case Merge.COUNTER:
            assert shown == sum(value for value in values if isinstance(value, int))
            assert conflicts == []
        case Merge.AWSET:
            assert shown == (sorted({edit.key for edit in edits if edit in family[:3]}) or None)
        case Merge.APPEND:
            assert shown == [*_first_of_each(by_stamp).values()]
        case Merge.MIN:
            assert (shown, conflicts) == (min(texts), [])
        case Merge.MAX if name == "ended_at":
            assert (shown, conflicts) == (max(texts), [])
        case Merge.MAX:
            assert shown == {"drain": max(texts, key=("na", "ok", "bad").index)}
        case Merge.RANK:
            assert shown in {state for number, state in stages(values) if (number, RANKS[state]) == furthest(values)}
            assert bool(conflicts) == any(
                one[0] != other[0] or RANKS[one[1]] == RANKS[other[1]] or "cancelled" in (one[1], other[1])
                for one, other in combinations(set(stages(values)), 2)
            )
        case _:
            assert shown == values[-1]
            assert bool(conflicts) == is_contested


RANKS = {"planned": 10, "finished": 40, "aborted": 40, "cancelled": 90}


def stages(values: list[Value]) -> list[tuple[int, str]]:
    return [(int(value[0]), str(value[1])) for value in values if isinstance(value, list)]  # type: ignore[arg-type]


def furthest(values: list[Value]) -> tuple[int, int]:
    return max((number, RANKS[state]) for number, state in stages(values))


def _first_of_each(edits: list[Edit]) -> dict[str, Value]:
    first: dict[str, Value] = {}
    for edit in edits:
        first.setdefault(edit.key, edit.value)
    return first
