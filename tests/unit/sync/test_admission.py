"""The server's decision about each op: accepted, known already, a fork, or held with a reason."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import Hlc, Stamp, reading
from gridlog_protocol.epochs import EpochStart
from gridlog_protocol.errors import HOLDS
from gridlog_protocol.ids import Epoch, Position, UserId
from gridlog_protocol.limits import RECORD_BYTES_MAX
from gridlog_protocol.ops import Edit, Intent, Op
from gridlog_protocol.state import RecordState
from gridlog_sync import admission
from gridlog_sync.admission import Author, Held, bounded, judge, stamp_for, still_held
from gridlog_sync.merge import Entry
from gridlog_sync.review import ReviewState
from tests.unit.sync.building import (
    EAST,
    EPOCHS,
    START_MS,
    WEST,
    Worker,
    add,
    count,
    kind,
    log_of,
    logged,
    put,
    remove,
    state_of,
)

BOTH = Author(frozenset({EAST, WEST}), Position(9), Worker(1).user)
EAST_ONLY = Author(frozenset({EAST}), Position(9), Worker(1).user)
CHECKPOINT: Value = {
    "id": "p1",
    "checkpoint_id": "东门",
    "at": "2026-11-22T09:10:00+08:00",
    "method": "qr",
    "result": "normal",
}


def made(*edits: Edit, of: str = "patrol") -> RecordState:
    return state_of(log_of(Worker(1, of=of).creates(put("grid_code", EAST), *edits)))


def verdict(
    op: Op,
    record: RecordState | None = None,
    *,
    author: Author = EAST_ONLY,
    creation: str | None = None,
    holder: UserId | None = None,
    size: int = 0,
) -> tuple[str, str] | None:
    known = None if op.kind == "unheard_of" else kind(op.kind)
    writer = replace(author, user=holder or op.author)
    answer = judge(logged(op, 10), record=record, size=size, creation=creation, kind=known, author=writer)
    return (answer.code, answer.field) if isinstance(answer, Held) else None


def edited(*edits: Edit, of: str = "patrol", seen: int = 1) -> Op:
    return Worker(2, of=of).writes(*edits, seen=seen)


def test_a_creation_in_a_grid_of_the_author_is_accepted_as_it_is() -> None:
    entry = logged(Worker(1).creates(put("grid_code", EAST), put("summary", "a")), 1)

    assert judge(entry, record=None, size=0, creation=None, kind=kind(), author=EAST_ONLY) is entry


def test_an_op_in_the_name_of_somebody_else_is_held() -> None:
    op = Worker(1).creates(put("grid_code", EAST))

    assert verdict(op, holder=Worker(2).user) == ("foreign_author", "")


def test_an_op_that_would_make_a_record_too_large_for_one_answer_is_held() -> None:
    op = edited(put("summary", "a"))

    assert verdict(op, made(), size=RECORD_BYTES_MAX) is None
    assert verdict(op, made(), size=RECORD_BYTES_MAX + 1) == ("record_full", "")


def test_an_edit_of_any_rule_is_accepted() -> None:
    op = edited(
        put("summary", "a"),
        put("checklist", "ok", key="drain"),
        add("tags", "flood"),
        remove("tags", "dry"),
        count("handled_on_spot", 2),
        add("checkpoints", "p1", CHECKPOINT),
    )

    assert verdict(op, made()) is None


WITHDRAWAL: Value = {"by": bytes(16), "at": "2026-11-22T09:10:00+08:00", "reason": "重复登记了"}
REASONS: dict[str, tuple[Op, RecordState | None]] = {
    "unknown_kind": (Worker(1, of="unheard_of").creates(put("grid_code", EAST)), None),
    "unknown_record": (edited(put("summary", "a")), None),
    "record_exists": (Worker(2).creates(put("grid_code", EAST)), made()),
    "out_of_scope": (Worker(1).creates(put("grid_code", WEST)), None),
    "server_decides": (edited(put("record_no", "1")), made()),
    "not_a_draft": (edited(put("deleted", WITHDRAWAL)), made()),
    "review_step": (edited(put("review_state", [0, "approved"])), made()),
    "not_committed": (
        edited(put("content", "x", digest_class=0), of="household_visit"),
        made(of="household_visit"),
    ),
    "invalid_value": (edited(put("weather", "hail")), made()),
    "immutable": (
        edited(put("household_id", bytes(16), digest_class=1), of="household_visit"),
        made(put("household_id", bytes(16), digest_class=1), of="household_visit"),
    ),
}


@pytest.mark.parametrize("code", sorted(REASONS))
def test_each_reason_holds_the_op_and_names_its_field(code: str) -> None:
    op, record = REASONS[code]
    is_about_the_record = code in ("unknown_kind", "unknown_record", "record_exists", "out_of_scope")

    assert verdict(op, record) == (code, "" if is_about_the_record else op.edits[0].field)


def test_every_reason_given_is_in_the_catalogue() -> None:
    given = set(re.findall(r"\"([a-z_]+)\"", inspect.getsource(admission))) & set(HOLDS)

    assert given == {*REASONS, "depends_on_held", "foreign_author", "record_full", "proposal"}


NUMBER = "420106001001-20261122-X0001"


def proposed(*edits: Edit) -> Op:
    return replace(edited(*edits), intent=Intent.PROPOSE)


def test_a_proposal_for_what_the_server_decides_waits_and_any_other_edit_of_it_is_held() -> None:
    assert verdict(proposed(put("record_no", NUMBER)), made()) == ("proposal", "")
    assert verdict(edited(put("record_no", NUMBER)), made()) == ("server_decides", "record_no")
    assert verdict(proposed(put("clock_offset_ms", 1)), made()) == ("server_decides", "clock_offset_ms")
    assert verdict(proposed(put("summary", "a")), made()) == ("invalid_value", "summary")
    assert verdict(proposed(put("record_no", 7)), made()) == ("invalid_value", "record_no")
    assert verdict(proposed(put("record_no", NUMBER)), None) == ("unknown_record", "")


def test_a_person_overrules_authority_but_not_what_a_record_can_hold() -> None:
    def why(op: Op, record: RecordState | None, size: int = 0) -> str | None:
        found = still_held(op, record=record, size=size, kind=None if op.kind == "unheard_of" else kind(op.kind))
        return found.code if found else None

    overruled = {"out_of_scope", "immutable", "not_a_draft", "review_step"}
    for code, (op, record) in (REASONS | {"server_decides": (edited(put("clock_offset_ms", 1)), made())}).items():
        assert why(op, record) == (None if code in overruled else code)
    assert why(edited(put("summary", "a")), made(), RECORD_BYTES_MAX + 1) == "record_full"
    assert why(edited(put("record_no", NUMBER)), made()) is None


def test_a_handheld_submits_and_takes_back_and_leaves_the_rest_of_a_review_to_the_office() -> None:
    steps = {state: verdict(edited(put("review_state", [3, state])), made()) for state in ReviewState}
    held = {state for state, answer in steps.items() if answer == ("review_step", "review_state")}

    assert held == {"checked", "approved", "archived"}
    assert all(steps[state] is None for state in set(ReviewState) - held)
    approved_at_once = Worker(1).creates(put("grid_code", EAST), put("review_state", [0, "approved"]))
    assert verdict(approved_at_once) == ("review_step", "review_state")


def test_an_edit_waits_with_the_creation_of_its_record() -> None:
    assert verdict(edited(put("summary", "a")), None, creation="out_of_scope") == ("depends_on_held", "")


def test_a_second_creation_waits_also_while_the_first_one_is_held() -> None:
    assert verdict(Worker(2).creates(put("grid_code", EAST)), None, creation="out_of_scope") == ("record_exists", "")


def test_an_edit_that_names_another_kind_than_the_records_is_held() -> None:
    assert verdict(edited(put("grid_code", EAST), of="mediation"), made()) == ("unknown_kind", "")


def test_a_record_of_another_grid_is_out_of_reach() -> None:
    author = Author(frozenset({WEST}), Position(9), Worker(1).user)

    assert verdict(edited(put("summary", "a")), made(), author=author) == ("out_of_scope", "")


def test_moving_a_record_needs_authority_over_the_old_and_the_new_grid() -> None:
    move = edited(put("grid_code", WEST))

    assert verdict(move, made(), author=BOTH) is None
    assert verdict(move, made(), author=EAST_ONLY) == ("out_of_scope", "")
    west_only = Author(frozenset({WEST}), Position(9), Worker(1).user)
    assert verdict(move, made(), author=west_only) == ("out_of_scope", "")


def test_a_creation_that_names_no_grid_is_held() -> None:
    assert verdict(Worker(1).creates(put("summary", "a"))) == ("out_of_scope", "")


def test_reference_data_is_not_for_devices() -> None:
    assert verdict(Worker(1, of="grid").creates(put("name", "x"))) == ("out_of_scope", "")


def test_an_action_that_the_rule_does_not_take_is_held() -> None:
    for wrong in (
        put("tags", "flood"),
        add("summary", "a"),
        remove("checkpoints", "p1"),
        put("handled_on_spot", 5),
        count("summary", 1),
        put("summary", "a", key="k"),
    ):
        assert verdict(edited(wrong), made()) == ("invalid_value", wrong.field)


def test_what_the_ops_header_says_is_not_written_as_a_field() -> None:
    assert verdict(Worker(1).creates(put("grid_code", EAST), put("id", bytes(16)))) == ("server_decides", "id")


def test_a_map_is_never_cleared_as_a_whole() -> None:
    assert verdict(edited(put("checklist", None)), made()) == ("invalid_value", "checklist")


def test_two_edits_of_one_element_in_one_op_are_held() -> None:
    op = edited(remove("tags", "flood"), add("tags", "flood"))

    assert verdict(op, made()) == ("invalid_value", "tags")
    assert verdict(edited(add("tags", "flood"), add("tags", "dry")), made()) is None


def test_a_public_value_that_was_hidden_is_held() -> None:
    assert verdict(edited(put("summary", "a", digest_class=1)), made()) == ("not_committed", "summary")


def test_a_field_of_a_newer_kind_is_kept_as_it_is() -> None:
    assert verdict(edited(put("from_next_year", {"a": [1]}, digest_class=2)), made()) is None


def test_a_fixed_field_may_be_set_by_who_had_not_seen_that_it_was() -> None:
    record = made(put("household_id", bytes(16), digest_class=1), of="household_visit")
    unseen = edited(put("household_id", bytes(16), digest_class=1), of="household_visit", seen=0)

    assert verdict(unseen, record) is None


def test_a_fixed_field_that_its_author_set_before_is_held_though_no_position_says_that_he_saw_it() -> None:
    wang = Worker(1, of="household_visit")
    fixed = put("household_id", bytes(16), digest_class=1)
    record = state_of(log_of(wang.creates(put("grid_code", EAST), fixed)))

    assert verdict(wang.writes(fixed), record) == ("immutable", "household_id")
    assert verdict(Worker(1, restored=1, of="household_visit").writes(fixed), record) is None


def test_an_element_that_was_written_is_not_written_again() -> None:
    record = made(add("checkpoints", "p1", CHECKPOINT))

    assert verdict(edited(add("checkpoints", "p1", CHECKPOINT)), record) == ("immutable", "checkpoints")
    assert verdict(edited(add("checkpoints", "p1", CHECKPOINT), seen=0), record) is None


@pytest.mark.parametrize(("named", "served", "kept"), [(3, 9, 3), (9, 9, 9), (10, 9, 9), (10**12, 0, 0)])
def test_a_named_position_is_lowered_to_what_the_device_was_served(named: int, served: int, kept: int) -> None:
    op = Worker(1, seq=4).writes(seen=named)

    low = bounded(op, epochs=EPOCHS, served=Position(served))

    assert low == replace(op, seen=replace(op.seen, position=Position(kept)))
    assert low.seen.own_seq == 4


def test_a_position_of_another_epoch_says_nothing() -> None:
    op = Worker(1).writes(seen=3)
    others = (EpochStart(Epoch(b"restored"), Position(0), bytes(32)),)

    assert bounded(op, epochs=others, served=Position(9)).seen.position == 0


def test_an_honest_op_is_not_touched_by_bounding() -> None:
    op = Worker(1).writes(seen=3)

    assert bounded(op, epochs=EPOCHS, served=Position(3)) is op


def at(milliseconds: int) -> int:
    return reading(START_MS + milliseconds)


def test_a_stamp_is_the_claim_of_a_clock_that_is_not_ahead() -> None:
    for claim in (-(10**9), 0, 60_000):
        assert stamp_for(Hlc(at(claim)), server_ms=START_MS, above=Stamp(0)) == at(claim)


def test_a_clock_that_is_three_days_ahead_is_held_to_a_minute() -> None:
    assert stamp_for(Hlc(at(3 * 86_400_000)), server_ms=START_MS, above=Stamp(0)) == at(60_000)


def test_a_stamp_is_above_all_that_its_author_saw_whatever_his_clock_says() -> None:
    seen = Stamp(at(50_000))

    assert stamp_for(Hlc(at(0)), server_ms=START_MS, above=seen) == seen + 1
    assert stamp_for(Hlc(at(10**9)), server_ms=START_MS - 10**6, above=seen) == seen + 1
    assert stamp_for(Hlc(at(60_000)), server_ms=START_MS, above=seen) == at(60_000)


def test_a_phone_three_days_ahead_does_not_win_over_who_saw_its_value() -> None:
    fast = Worker(1).writes(put("weather", "rain"), at=3 * 86_400_000)
    first = Entry(fast, stamp_for(fast.clock.hlc, server_ms=START_MS, above=Stamp(0)), Position(1))
    right = Worker(2).writes(put("weather", "fog"), at=120_000)
    second = Entry(right, stamp_for(right.clock.hlc, server_ms=START_MS + 120_000, above=Stamp(0)), Position(2))

    heads = state_of([first, second]).fields["weather"].cells[""].heads

    assert [head.value for head in heads] == ["rain", "fog"]


def test_only_creations_create() -> None:
    for intent in (Intent.EDIT, Intent.RESOLVE, Intent.WITHDRAW):
        op = replace(edited(put("grid_code", EAST)), intent=intent)

        assert verdict(op, None) == ("unknown_record", "")


def test_an_author_withdraws_and_restores_his_own_draft_and_nothing_that_was_handed_in() -> None:
    wang = Worker(1)
    own = state_of(log_of(wang.creates(put("grid_code", EAST), put("review_state", [0, "draft"]))))
    withdrawn, restored = wang.writes(put("deleted", WITHDRAWAL), seen=1), wang.writes(put("deleted", None), seen=1)

    assert verdict(withdrawn, own) is None
    assert verdict(restored, own) is None
    submitted = state_of(log_of(wang.creates(put("grid_code", EAST), put("review_state", [0, "submitted"]))))
    assert verdict(withdrawn, submitted) == ("not_a_draft", "deleted")
