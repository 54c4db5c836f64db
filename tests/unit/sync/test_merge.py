"""What becomes of a write: it stands until somebody who saw it writes again."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from gridlog_protocol.canonical import Value
from gridlog_protocol.epochs import EpochStart
from gridlog_protocol.ids import Epoch, Position
from gridlog_protocol.state import PENDING, RecordState
from gridlog_sync.merge import adopt, apply, authors_of, fold, overlay
from tests.unit.sync.building import EPOCHS, Worker, add, count, log_of, logged, put, remove, shown, state_of


def heads(state: RecordState, name: str, key: str = "") -> list[Value]:
    return [head.value for head in state.fields[name].cells[key].heads]


def test_two_writes_that_did_not_know_of_each_other_both_stand() -> None:
    wang, liu = Worker(1), Worker(2)
    entries = log_of(wang.writes(put("summary", "a")), liu.writes(put("summary", "b")))

    assert heads(state_of(entries), "summary") == ["a", "b"]


def test_a_write_takes_the_place_of_those_its_author_had_seen() -> None:
    wang, liu, chen = Worker(1), Worker(2), Worker(3)
    first, second = wang.writes(put("summary", "a")), liu.writes(put("summary", "b"))
    entries = log_of(first, second, chen.writes(put("summary", "c"), seen=1))

    assert heads(state_of(entries), "summary") == ["b", "c"]


def test_a_write_takes_the_place_of_what_its_author_wrote_before_without_any_exchange() -> None:
    wang = Worker(1)

    assert heads(state_of(log_of(*(wang.writes(put("summary", text)) for text in "abc"))), "summary") == ["c"]


def test_own_writes_made_after_the_form_was_opened_stay() -> None:
    wang = Worker(1)
    wang_first = wang.writes(put("summary", "a"))
    wang_second = wang.writes(put("summary", "b"), own=0)

    assert heads(state_of(log_of(wang_first, wang_second)), "summary") == ["a", "b"]


def test_a_restored_copy_has_not_seen_the_writes_of_the_store_it_was_copied_from() -> None:
    before, after = Worker(1), Worker(1, restored=1, seq=5)
    entries = log_of(before.writes(put("summary", "a")), after.writes(put("summary", "b")))

    assert heads(state_of(entries), "summary") == ["a", "b"]


def test_an_op_that_was_held_and_comes_late_was_not_seen_by_those_who_wrote_meanwhile() -> None:
    wang, liu = Worker(1), Worker(2)
    held = wang.writes(put("summary", "held"))
    meanwhile = liu.writes(put("summary", "meanwhile"), seen=7)
    entries = [logged(meanwhile, 8), logged(held, 9)]

    assert sorted(map(str, heads(state_of(entries), "summary"))) == ["held", "meanwhile"]


def test_an_op_that_was_held_and_comes_late_does_not_undo_what_its_author_wrote_after_it() -> None:
    wang = Worker(1)
    held, later = wang.writes(put("summary", "held")), wang.writes(put("summary", "later"))

    for order in permutations([logged(later, 1), logged(held, 2)]):
        assert heads(state_of(order), "summary") == ["later"]


def test_a_removal_takes_only_the_additions_that_its_author_had_seen() -> None:
    wang, liu, chen = Worker(1), Worker(2), Worker(3)
    ops = (wang.writes(add("tags", "flood")), liu.writes(add("tags", "flood")))

    assert shown(*ops, chen.writes(remove("tags", "flood"), seen=1))["tags"] == ["flood"]
    assert "tags" not in shown(*ops, chen.writes(remove("tags", "flood"), seen=2))


def test_a_removal_that_arrives_before_the_addition_it_saw_still_takes_it() -> None:
    wang, liu = Worker(1), Worker(2)
    added, removed = log_of(wang.writes(add("tags", "flood")), liu.writes(remove("tags", "flood"), seen=1))

    assert state_of([removed, added]) == state_of([added, removed])
    assert heads(state_of([removed, added]), "tags", "flood") == []


def test_elements_of_a_field_do_not_touch_each_other() -> None:
    wang = Worker(1)
    state = state_of(
        log_of(wang.writes(put("checklist", "ok", key="drain")), wang.writes(put("checklist", "bad", key="lamp")))
    )

    assert heads(state, "checklist", "drain") == ["ok"]
    assert heads(state, "checklist", "lamp") == ["bad"]


def test_counts_stand_whatever_their_author_had_seen() -> None:
    wang = Worker(1)
    entries = log_of(wang.writes(count("handled_on_spot", 2)), wang.writes(count("handled_on_spot", 3), seen=1))

    assert heads(state_of(entries), "handled_on_spot") == [2, 3]


def test_equal_stamps_are_ordered_by_device_then_incarnation_then_number() -> None:
    ops = [
        Worker(1, seq=2).writes(put("summary", "third of 1"), own=0),
        Worker(1, restored=1).writes(put("summary", "restored 1"), own=0),
        Worker(2).writes(put("summary", "first of 2"), own=0),
        Worker(1).writes(put("summary", "first of 1"), own=0),
    ]
    entries = log_of(*ops)

    for order in permutations(entries):
        assert heads(state_of(order), "summary") == ["first of 1", "third of 1", "restored 1", "first of 2"]


def test_the_stamp_orders_before_the_device_does() -> None:
    early, late = Worker(2).writes(put("summary", "early"), at=1), Worker(1).writes(put("summary", "late"), at=2)

    assert heads(state_of(log_of(late, early)), "summary") == ["early", "late"]


def test_an_entry_applied_twice_changes_nothing() -> None:
    wang, liu = Worker(1), Worker(2)
    entries = log_of(
        wang.creates(put("summary", "a"), count("handled_on_spot", 2)), liu.writes(put("summary", "b"), seen=1)
    )
    state = state_of(entries)

    assert [apply(state, entry) for entry in entries] == [state, state]


def test_a_field_remembers_the_position_of_its_last_change_removals_included() -> None:
    wang = Worker(1)
    state = state_of(log_of(wang.writes(add("tags", "flood")), wang.writes(remove("tags", "flood"))))

    assert state.fields["tags"].changed == 2


def test_a_record_keeps_who_created_it_and_the_newest_schema_that_touched_it() -> None:
    wang, liu = Worker(1), Worker(2)
    created = wang.creates(put("summary", "a"), at=7)
    edited = replace(liu.writes(put("summary", "b")), schema=3)

    for order in permutations(log_of(created, edited)):
        state = state_of(order)
        assert state.schema == 3
        assert state.origin is not None
        assert state.origin.op == created.id
        assert state.origin.wall_ms == created.clock.wall_ms
        assert authors_of(state) == {wang.user, liu.user}


def test_a_pending_op_stands_on_top_of_what_is_confirmed_and_changes_nothing_in_it() -> None:
    wang, liu = Worker(1), Worker(2)
    confirmed = state_of(log_of(wang.writes(put("summary", "a"))))
    mine = liu.writes(put("summary", "b"), seen=1)

    screen = overlay(confirmed, [mine])

    assert screen is not None
    assert heads(screen, "summary") == ["b"]
    assert screen.fields["summary"].changed == PENDING
    assert heads(confirmed, "summary") == ["a"]
    assert overlay(confirmed, []) is confirmed
    assert overlay(None, []) is None


def test_a_pending_op_of_an_earlier_life_of_the_server_hides_nothing_of_this_one() -> None:
    wang, liu = Worker(1), Worker(2)
    confirmed = state_of(log_of(wang.writes(put("summary", "a")), wang.writes(put("summary", "b"), seen=1)))
    # When this was written, something else stood at 2: the backup had one op.
    mine = liu.writes(put("summary", "c"), seen=2)
    lives = (*EPOCHS, EpochStart(Epoch(b"epoch-02"), Position(1), bytes(32)))

    screen = overlay(confirmed, [mine], lives)

    assert screen is not None
    assert heads(screen, "summary") == ["b", "c"]
    within_its_life = overlay(confirmed, [mine], EPOCHS)
    assert within_its_life is not None
    assert heads(within_its_life, "summary") == ["c"]


def test_no_named_position_covers_a_pending_op() -> None:
    wang, liu = Worker(1), Worker(2)
    confirmed = state_of([logged(liu.writes(put("summary", "theirs"), seen=10**12), 1)])

    screen = overlay(confirmed, [wang.writes(put("summary", "mine"))])

    assert screen is not None
    assert heads(screen, "summary") == ["mine"]


def test_a_field_sent_whole_replaces_an_older_one_and_leaves_a_newer_one() -> None:
    wang = Worker(1)
    ops = [wang.writes(put("summary", "a"), put("weather", "rain")), wang.writes(put("summary", "b"))]
    old, new = state_of(log_of(*ops[:1])), state_of(log_of(*ops))

    assert adopt(old, new) == new
    assert adopt(new, old) == new
    assert adopt(None, new) is new


def test_a_field_sent_whole_keeps_the_other_fields_and_the_origin() -> None:
    wang, liu = Worker(1), Worker(2)
    ops = [wang.creates(put("summary", "a")), liu.writes(put("weather", "rain"), seen=1)]
    held, whole = state_of(log_of(*ops[:1])), state_of(log_of(*ops))
    part = replace(whole, origin=None, fields={"weather": whole.fields["weather"]})

    assert adopt(held, part) == whole


def test_a_field_of_an_unknown_kind_merges_like_any_other() -> None:
    wang, liu = Worker(1, of="never heard of"), Worker(2, of="never heard of")
    entries = log_of(wang.writes(put("new", 1)), liu.writes(put("new", 2)), liu.writes(put("new", 3), seen=1))

    assert heads(state_of(entries), "new") == [3]


def test_nothing_folded_is_nothing() -> None:
    assert fold(None, []) is None
