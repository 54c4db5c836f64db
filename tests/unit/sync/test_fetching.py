"""A first fetch: pages to the end, whatever changes, comes late or comes again meanwhile."""

from __future__ import annotations

from dataclasses import replace

from gridlog_protocol.ids import TENANT_SCOPE, Position
from tests.unit.sync.building import EAST, WEST, Phone, Server, a_record
from tests.unit.sync.meeting import OTHER, RECORD, THIRD, asked, assert_equal, two_phones_with_one_record


def test_pages_of_a_first_fetch_that_come_late_are_not_taken_for_what_changed_since() -> None:
    server, wang, _ = two_phones_with_one_record()
    leader = Phone(3, TENANT_SCOPE, EAST, WEST)
    leader.sync(server)
    fresh = Phone(4, TENANT_SCOPE, EAST)
    first = asked(server, fresh)
    leader.edit(RECORD, grid_code=WEST)
    leader.sync(server)
    second = asked(server, fresh)

    fresh.take(*first)
    fresh.take(*second)
    fresh.sync(server)

    assert fresh.confirmed == {}
    assert_equal(server, wang, leader, fresh)


def test_an_early_page_of_a_fetch_that_is_over_does_not_move_the_cursor() -> None:
    server, fresh, wang = Server(), Phone(4, TENANT_SCOPE, EAST), Phone(1, TENANT_SCOPE, EAST)
    first = asked(server, fresh)
    for record in (RECORD, OTHER, THIRD):
        wang.create(record, EAST)
    wang.sync(server)
    second = asked(server, fresh)

    fresh.take(*first)
    fresh.take(*second)

    assert fresh.standing.position == 0
    assert_equal(server, fresh, wang)


def test_a_page_of_an_earlier_round_does_not_end_the_fetch_that_follows_it() -> None:
    server, wang = Server(page_records=2), Phone(1, TENANT_SCOPE, EAST)
    for number in range(1, 6):
        wang.create(a_record(number), EAST)
    wang.sync(server)
    fresh, again = Phone(2, TENANT_SCOPE, EAST), Phone(2, TENANT_SCOPE, EAST)
    fresh.exchange(server)
    fresh.exchange(server)
    early = asked(server, fresh)
    wang.edit(RECORD, summary="a")
    wang.sync(server)
    again.exchange(server)
    before = replace(again.standing, position=early[1].from_position)
    again.standing = before

    again.take(*early)

    assert again.standing == before


def test_an_answer_to_an_older_first_fetch_does_not_stand_for_a_fetch_from_a_later_cursor() -> None:
    server, wang, liu = two_phones_with_one_record()
    older = asked(server, Phone(2, TENANT_SCOPE, EAST))
    fetches = Phone(2, TENANT_SCOPE, EAST).standing.fetches
    liu.standing = before = replace(liu.standing, fetches=fetches)

    liu.take(older[0], replace(older[1], to_position=Position(9)))

    assert liu.standing == before
    assert_equal(server, wang, liu)


def test_pages_are_fetched_to_the_end_and_changes_made_meanwhile_follow() -> None:
    server, wang = Server(page_records=2), Phone(1, TENANT_SCOPE, EAST)
    for number in range(1, 6):
        wang.create(a_record(number), EAST, summary="a")
    wang.sync(server)
    fresh = Phone(2, TENANT_SCOPE, EAST)

    fresh.exchange(server)
    assert fresh.standing.fetches != ()
    wang.edit(a_record(5), summary="b")
    wang.edit(a_record(1), summary="c")
    wang.sync(server)
    fresh.sync(server)

    assert [fresh.values(a_record(number))["summary"] for number in range(1, 6)] == ["c", "a", "a", "a", "b"]
    assert_equal(server, fresh)
