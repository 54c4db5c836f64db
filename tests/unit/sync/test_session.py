"""An exchange from the device's side: both ends in memory, and a network that loses, delays and repeats."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridlog_protocol.clock import Stamp
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import TENANT_SCOPE, Epoch, Position
from gridlog_protocol.messages import Accepted
from gridlog_protocol.ops import Intent
from gridlog_sync.writing import Add, Count, Remove
from tests.unit.sync.building import (
    EAST,
    START_MS,
    WEST,
    Phone,
    Server,
    as_sent,
    put,
)
from tests.unit.sync.meeting import OTHER, RECORD, asked, assert_equal, two_phones_with_one_record


def test_what_one_writes_the_other_reads() -> None:
    server, wang, liu = two_phones_with_one_record()

    assert liu.values(RECORD) == {"grid_code": EAST, "summary": "a", "tags": ["flood"]}
    assert_equal(server, wang, liu)


def test_own_writes_are_read_back_before_during_and_after_an_exchange() -> None:
    server, wang, _ = two_phones_with_one_record()
    wang.edit(RECORD, summary="b")
    shown_before = wang.values(RECORD)["summary"]

    assert shown_before == "b"
    assert {wang.values(RECORD)["summary"] for _ in wang.syncing(server)} == {"b"}


def test_an_answer_that_is_lost_is_made_up_for_by_the_next() -> None:
    server, wang, liu = two_phones_with_one_record()
    wang.edit(RECORD, summary="b", handled_on_spot=Count(2))
    asked(server, wang)

    assert_equal(server, wang, liu)
    assert liu.values(RECORD)["handled_on_spot"] == 2


def test_an_answer_that_comes_twice_is_taken_once() -> None:
    server, wang, liu = two_phones_with_one_record()
    wang.edit(RECORD, handled_on_spot=Count(2))
    request, response = asked(server, wang)
    wang.take(request, response)
    wang.take(request, response)

    assert wang.values(RECORD)["handled_on_spot"] == 2
    assert_equal(server, wang, liu)


def test_a_late_answer_does_not_bring_back_a_write_that_somebody_has_replaced() -> None:
    server, wang, liu = two_phones_with_one_record()
    wang.edit(RECORD, summary="old")
    late = asked(server, wang)
    wang.sync(server)
    liu.sync(server)
    liu.edit(RECORD, summary="new")
    liu.sync(server)
    wang.sync(server)

    wang.take(*late)

    assert wang.values(RECORD)["summary"] == "new"
    assert_equal(server, wang, liu)


def test_an_acknowledgement_brings_nothing_back_into_a_field_that_came_ahead_of_its_turn() -> None:
    server, wang, liu = two_phones_with_one_record()
    wang.edit(RECORD, summary="b")
    request, response = asked(server, wang)
    liu.sync(server)
    liu.edit(RECORD, summary="c")
    liu.sync(server)
    wang.confirmed[RECORD] = as_sent(liu.confirmed[RECORD])

    wang.take(request, response)

    assert [head.value for head in wang.confirmed[RECORD].fields["summary"].cells[""].heads] == ["c"]


def test_a_late_answer_does_not_bring_back_a_record_that_has_left() -> None:
    server, wang, _ = two_phones_with_one_record()
    leader = Phone(3, TENANT_SCOPE, EAST, WEST)
    leader.sync(server)
    wang.edit(RECORD, summary="b")
    late = asked(server, wang)
    leader.edit(RECORD, grid_code=WEST)
    leader.sync(server)
    wang.sync(server)

    wang.take(*late)

    assert wang.confirmed == {}
    assert_equal(server, wang, leader)


def test_an_edit_that_was_released_after_its_record_left_makes_no_new_record_here() -> None:
    server, wang, _ = two_phones_with_one_record()
    leader = Phone(3, TENANT_SCOPE, EAST, WEST)
    leader.sync(server)
    leader.edit(RECORD, grid_code=WEST)
    leader.sync(server)
    wang.sync(server)
    held = wang.write(RECORD, (put("summary", "b"),))
    asked(server, wang)
    server.release(held.id)

    request, response = asked(server, wang)
    wang.take(request, replace(response, left=()))

    assert wang.pending == []
    assert wang.confirmed == {}
    assert_equal(server, wang, leader)
    assert leader.values(RECORD)["summary"] == "b"


def test_each_op_of_a_run_gets_its_own_position_and_stamp() -> None:
    server, wang, _ = two_phones_with_one_record()
    ops = [wang.edit(RECORD, summary="b"), wang.edit(RECORD, weather="rain")]
    request, response = asked(server, wang)
    stamp = Stamp(int(ops[1].clock.hlc) + 5)

    answer = wang.take(request, replace(response, accepted=(Accepted(2, 2, Position(7), {1: stamp}),)))

    assert answer.settled == {ops[0].id: 7, ops[1].id: 8}
    heads = [wang.confirmed[RECORD].fields[name].cells[""].heads[0] for name in ("summary", "weather")]
    assert [(head.position, head.stamp) for head in heads] == [(7, ops[0].clock.hlc), (8, stamp)]


def test_a_removal_by_somebody_else_reaches_who_touched_the_same_element_in_the_same_exchange() -> None:
    server, wang, liu = two_phones_with_one_record()
    liu.edit(RECORD, tags=Remove(("flood",)))
    liu.sync(server)
    wang.write(RECORD, (put("summary", "b"),))
    wang.edit(RECORD, tags=Add(("dry",)))

    wang.sync(server)

    assert wang.values(RECORD)["tags"] == ["dry"]
    assert_equal(server, wang, liu)


def test_what_a_device_wrote_is_not_sent_back_to_it() -> None:
    server, wang, _ = two_phones_with_one_record()
    wang.edit(RECORD, summary="b", weather="rain")
    wang.create(OTHER, EAST, summary="new")

    _, response = asked(server, wang)

    assert response.changes == ()
    assert response.from_position < response.to_position


def test_the_stamp_that_the_server_gave_is_the_one_the_device_keeps() -> None:
    server, wang, liu = two_phones_with_one_record()
    ahead = 3 * 86_400_000
    wang.write(RECORD, (put("summary", "fast clock"),), at=ahead)
    answer = wang.exchange(server)

    assert wang.confirmed[RECORD].fields["summary"].cells[""].heads[0].stamp >> 16 == START_MS + 60_000
    assert answer.highest_stamp >> 16 == START_MS + 60_000
    assert_equal(server, wang, liu)


def test_a_held_op_leaves_the_pending_ones_and_the_ops_behind_it_go_on() -> None:
    server, wang, liu = two_phones_with_one_record()
    wang.write(RECORD, (put("weather", "hail"),))
    wang.edit(RECORD, summary="behind")

    answer = wang.exchange(server)

    assert [(held.seq, held.code, held.field) for held in answer.held] == [(2, "invalid_value", "weather")]
    assert wang.pending == []
    assert_equal(server, wang, liu)
    assert liu.values(RECORD)["summary"] == "behind"


def test_an_op_that_is_released_comes_down_to_everybody() -> None:
    server, wang, liu = two_phones_with_one_record()
    held = wang.write(RECORD, (put("weather", "hail"),))
    wang.sync(server)
    server.release(held.id)

    assert_equal(server, wang, liu)
    assert wang.values(RECORD)["weather"] == liu.values(RECORD)["weather"] == "hail"


def test_a_record_that_leaves_is_dropped_and_one_that_enters_comes_whole() -> None:
    server, wang, _ = two_phones_with_one_record()
    west, leader = Phone(4, TENANT_SCOPE, WEST), Phone(3, TENANT_SCOPE, EAST, WEST)
    west.sync(server)
    leader.sync(server)
    leader.edit(RECORD, grid_code=WEST)
    leader.sync(server)

    answer = wang.exchange(server)
    west.sync(server)

    assert answer.dropped == (RECORD,)
    assert wang.confirmed == {}
    assert west.values(RECORD) == {"grid_code": WEST, "summary": "a", "tags": ["flood"]}
    assert west.confirmed[RECORD].origin == server.records[RECORD].origin
    assert_equal(server, wang, west, leader)


def test_a_record_that_left_is_dropped_though_the_same_answer_acknowledges_an_edit_of_it() -> None:
    server, wang, _ = two_phones_with_one_record()
    leader = Phone(3, TENANT_SCOPE, EAST, WEST)
    leader.sync(server)
    wang.edit(RECORD, summary="b")
    asked(server, wang)
    leader.edit(RECORD, grid_code=WEST)
    leader.sync(server)

    answer = wang.exchange(server)

    assert len(answer.settled) == 1
    assert answer.dropped == (RECORD,)
    assert answer.records == {}


def test_an_answer_for_other_scopes_only_settles_what_it_names() -> None:
    server, wang, liu = two_phones_with_one_record()
    liu.edit(RECORD, weather="rain")
    liu.sync(server)
    op = wang.edit(RECORD, summary="b")
    request, response = asked(server, wang)
    before = wang.standing

    answer = wang.take(request, replace(response, generation=2))

    assert answer.standing == before
    assert set(answer.settled) == {op.id}
    assert answer.digest == b""
    assert "weather" not in wang.values(RECORD)
    assert_equal(server, wang, liu)


def test_an_answer_from_another_epoch_moves_nothing() -> None:
    server, wang, liu = two_phones_with_one_record()
    liu.edit(RECORD, weather="rain")
    liu.sync(server)
    op = wang.edit(RECORD, summary="b")
    request, response = asked(server, wang)

    answer = wang.take(request, replace(response, epoch=Epoch(b"restored")))

    assert set(answer.settled) == {op.id}
    assert answer.records == {}
    assert answer.standing == wang.standing
    assert not answer.is_unfinished


def test_an_op_that_names_a_position_of_another_epoch_supersedes_nothing_on_either_side() -> None:
    server, wang, liu = two_phones_with_one_record()
    op = wang.edit(RECORD, summary="b")
    wang.pending = [replace(op, seen=replace(op.seen, epoch=Epoch(b"restored"), own_seq=0))]

    assert_equal(server, wang, liu)
    assert len(liu.confirmed[RECORD].fields["summary"].cells[""].heads) == 2


def test_an_answer_from_beyond_the_cursor_moves_nothing() -> None:
    server, wang, liu = two_phones_with_one_record()
    liu.edit(RECORD, weather="rain")
    liu.sync(server)
    request, response = asked(server, wang)

    answer = wang.take(request, replace(response, from_position=Position(2), to_position=Position(2)))

    assert answer.records == {}
    assert wang.standing.position == 1


def test_a_digest_counts_only_after_an_answer_that_began_at_the_cursor() -> None:
    server, wang, _ = two_phones_with_one_record()
    request, response = asked(server, wang)
    first = wang.take(request, replace(response, from_position=Position(0)))
    second = wang.take(request, response)

    assert (first.digest, second.digest) == (b"", response.digest)


def test_an_acknowledgement_of_something_that_was_not_sent_is_refused() -> None:
    server, wang, _ = two_phones_with_one_record()
    request, response = asked(server, wang)

    with pytest.raises(ProtocolError) as refused:
        wang.take(request, replace(response, accepted=(Accepted(7, 1, Position(1), {}),)))
    assert refused.value.code == "malformed"


def test_an_exchange_goes_on_while_the_server_has_more_or_the_device_has() -> None:
    server, wang, liu = two_phones_with_one_record()
    for text in "bcdef":
        wang.edit(RECORD, summary=text)

    assert wang.exchange(server, ops_max=2).is_unfinished
    assert wang.exchange(server, ops_max=2).is_unfinished
    assert not wang.exchange(server, ops_max=2).is_unfinished
    assert liu.exchange(server).is_unfinished
    assert not liu.exchange(server).is_unfinished


def test_an_exchange_ends_when_the_server_takes_nothing_of_what_is_pending() -> None:
    server, wang, _ = two_phones_with_one_record()
    wang.edit(RECORD, summary="b")
    request, response = asked(server, wang)
    wang.edit(RECORD, summary="c")

    assert not wang.take(request, replace(response, accepted=(), held=())).is_unfinished


def test_overlaid_ops_show_what_they_will_show_when_they_are_accepted() -> None:
    server, wang, _ = two_phones_with_one_record()
    wang.edit(RECORD, summary="b", tags=["dry"])
    wang.edit(RECORD, handled_on_spot=Count(3))
    before = wang.values(RECORD)

    wang.sync(server)

    assert wang.values(RECORD) == before
    assert wang.shown(RECORD) == wang.confirmed[RECORD]


def test_a_new_record_is_shown_though_only_its_creation_was_named() -> None:
    server, wang = Server(), Phone(1, TENANT_SCOPE, EAST)
    wang.write(RECORD, (put("grid_code", EAST),), Intent.CREATE)
    wang.sync(server)

    assert wang.values(RECORD) == {"grid_code": EAST}
    assert wang.confirmed[RECORD].origin == server.records[RECORD].origin
    assert Stamp(0) < server.entries[0].stamp
