"""Digests of sets of records: equal content, equal digest; and nothing else counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from gridlog_protocol.state import PERSONAL, PLAIN, RecordState
from gridlog_sync.digest import EMPTY, SetDigest, combined, leaves
from gridlog_sync.merge import Entry
from tests.unit.sync.building import (
    EAST,
    WEST,
    Worker,
    a_record,
    add,
    as_sent,
    digest_of,
    log_of,
    logged,
    put,
    remove,
    state_of,
)


def summed(records: Iterable[RecordState]) -> SetDigest:
    digest = EMPTY
    for record in records:
        for leaf in leaves(record).values():
            digest = digest.plus(leaf)
    return digest


def numbered(number: int, text: str = "a") -> RecordState:
    worker = Worker(number, record=a_record(number))
    return state_of(log_of(worker.creates(put("grid_code", EAST), put("summary", text))))


def test_the_order_of_records_makes_no_difference() -> None:
    records = [numbered(number) for number in (1, 2, 3)]

    assert summed(records) == summed(records[::-1])


def test_a_leaf_added_and_taken_away_leaves_no_trace() -> None:
    before, record = summed([numbered(1)]), numbered(2)
    digest = before
    for leaf in leaves(record).values():
        digest = digest.plus(leaf).minus(leaf)

    assert digest == before
    assert EMPTY.minus(5).plus(5) == EMPTY
    assert EMPTY.minus(5).total > 0


def test_positions_and_what_was_seen_do_not_count() -> None:
    wang = Worker(1)
    op = wang.creates(put("summary", "a"))
    state = state_of([logged(op, 5)])

    assert leaves(state_of([logged(op, 900)])) == leaves(state)
    assert leaves(as_sent(state)) == leaves(state)


def test_value_stamp_author_number_element_and_field_count() -> None:
    op = Worker(1, seq=1).writes(put("summary", "a"))
    others: list[Entry] = [
        logged(Worker(1, seq=1).writes(put("summary", "b")), 1),
        logged(Worker(1, seq=1).writes(put("weather", "a")), 1),
        logged(Worker(1, seq=1).writes(put("summary", "a", key="k")), 1),
        logged(Worker(1, seq=2).writes(put("summary", "a")), 1),
        logged(Worker(2, seq=1).writes(put("summary", "a")), 1),
        logged(Worker(1, restored=1, seq=1).writes(put("summary", "a")), 1),
        logged(Worker(1, seq=1, record=a_record(2)).writes(put("summary", "a")), 1),
        logged(op, 1, stamp=int(op.clock.hlc) + 1),
    ]

    seen = {leaves(state_of([entry]))[PLAIN] for entry in (logged(op, 1), *others)}

    assert len(seen) == len(others) + 1


def test_a_superseded_write_and_an_empty_element_do_not_count() -> None:
    wang = Worker(1)
    gone = state_of(log_of(wang.writes(add("tags", "flood")), wang.writes(remove("tags", "flood"))))
    never = state_of([logged(Worker(1, seq=1).writes(remove("tags", "flood")), 1)])

    assert leaves(gone) == leaves(never)


def test_an_element_or_field_that_was_emptied_counts_like_one_that_never_was() -> None:
    wang = Worker(1)
    ops = wang.creates(put("summary", "a"), add("attachments", "kept")), wang.writes(add("attachments", "gone"))
    emptied = wang.writes(remove("attachments", "gone"), remove("tags", "never"))

    assert leaves(state_of(log_of(*ops, emptied))) == leaves(state_of(log_of(*ops[:1])))


def test_each_class_of_fields_has_a_leaf_of_its_own() -> None:
    wang, liu = Worker(1), Worker(2)
    plain = state_of(log_of(wang.creates(put("result", "met"))))
    both = state_of(
        [*log_of(Worker(1).creates(put("result", "met"))), logged(liu.writes(put("content", "x", digest_class=1)), 2)]
    )

    assert set(leaves(plain)) == {PLAIN}
    assert set(leaves(both)) == {PLAIN, PERSONAL}
    assert leaves(both)[PLAIN] == leaves(plain)[PLAIN]


def test_a_field_is_counted_in_the_most_sensitive_class_that_any_of_its_writers_signed() -> None:
    entries = log_of(
        Worker(1).writes(put("content", "x", digest_class=1)), Worker(2).writes(put("content", "y", digest_class=0))
    )

    assert set(leaves(state_of(entries))) == set(leaves(state_of(entries[::-1]))) == {PERSONAL}


def test_the_combination_tells_scopes_and_classes_apart_and_ignores_empty_sets() -> None:
    digest = SetDigest(1, 7)

    assert combined({(EAST, 0): digest}) == combined(
        {(EAST, 0): digest, (WEST, 0): EMPTY, (WEST, 1): SetDigest(0, 0)}
    )
    assert (
        len(
            {
                combined({}),
                combined({(EAST, 0): digest}),
                combined({(EAST, 1): digest}),
                combined({(WEST, 0): digest}),
            }
        )
        == 4
    )
    assert combined({(EAST, 0): digest, (WEST, 0): EMPTY.plus(9)}) == combined(
        {(WEST, 0): EMPTY.plus(9), (EAST, 0): digest}
    )
    assert len(combined({})) == 16


def test_a_record_in_two_scopes_counts_in_both() -> None:
    claimed = state_of(log_of(Worker(1).writes(put("grid_code", EAST)), Worker(2).writes(put("grid_code", WEST))))

    assert digest_of([claimed], [EAST]) != digest_of([], [EAST])
    assert digest_of([claimed], [WEST]) != digest_of([], [WEST])
    assert digest_of([claimed], [EAST]) != digest_of([claimed], [WEST])


def test_who_created_a_record_and_its_schema_do_not_count() -> None:
    state = numbered(1)

    assert leaves(replace(state, origin=None, schema=9)) == leaves(state)
