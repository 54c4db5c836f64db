"""How much an answer may carry, and what goes ahead of its turn in it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import TENANT_SCOPE, Position, RecordId
from gridlog_protocol.lanes import ROOM, URGENT
from gridlog_protocol.messages import Fetch, Refused, SyncResponse
from gridlog_protocol.ops import Op
from gridlog_server.service import pulling
from tests.unit.server.building import EAST, WEST, Handset, Server, first_fetch, put

NOTE_BYTES = 900
ROOM_BYTES = 4_000


async def answer_to(
    server: Server, handset: Handset, extras: Mapping[str, Value], fetches: tuple[Fetch, ...] = ()
) -> SyncResponse:
    answer = await server.answered(handset, handset.request(fetches=fetches, extras=extras))
    assert isinstance(answer, SyncResponse), answer
    handset.take(answer)
    return answer


def notes(handset: Handset, count: int, *, kind: str = "patrol", scope: str = EAST) -> list[Op]:
    """Write records, each about NOTE_BYTES large."""
    return [handset.creates(put("summary", "长" * (NOTE_BYTES // 4)), kind=kind, scope=scope) for _ in range(count)]


async def two_of_which_one_was_away(server: Server) -> tuple[Handset, list[RecordId], list[RecordId]]:
    """Return who was away, the ordinary records in the order of their changes, and the urgent ones behind them."""
    one, away = await server.enrolled("W1", EAST, WEST), await server.enrolled("W2", EAST, WEST)
    await server.exchanged(away)
    ordinary, urgent = notes(one, 20), notes(one, 3, kind="task", scope=WEST)
    await server.exchanged(one, *ordinary, *urgent)
    return away, [each.record for each in ordinary], [each.record for each in urgent]


async def test_an_answer_stays_within_its_room(server: Server) -> None:
    away, *_ = await two_of_which_one_was_away(server)
    answer = await answer_to(server, away, {ROOM: 2_500})
    assert answer.has_more
    assert 1 <= len(answer.changes) <= 2_500 // NOTE_BYTES


async def test_one_record_always_goes_and_all_arrive(server: Server) -> None:
    away, ordinary, urgent = await two_of_which_one_was_away(server)
    positions = []
    while (answer := await answer_to(server, away, {ROOM: 1})).has_more:
        assert len(answer.changes) == 1
        positions.append(away.position)
    assert positions == sorted(set(positions))
    assert set(away.replica) == {*ordinary, *urgent}
    assert away.digest() == await server.recounted(away.scopes)


async def test_a_wrong_room_is_refused_and_nothing_stored(server: Server) -> None:
    one = await server.enrolled("W1")
    refused = await server.answered(one, one.request([one.segment([one.creates()])], extras={ROOM: 0}))
    assert isinstance(refused, Refused)
    assert refused.code == "malformed"
    async with server.store.reading() as snapshot:
        assert (await snapshot.counts())["ops"] == 0


async def test_what_a_device_sends_itself_takes_no_room_and_is_not_sent_back(server: Server) -> None:
    one = await server.enrolled("W1")
    ops = [one.creates() for _ in range(20)]
    answer = await server.answered(one, one.request([one.segment(ops)], extras={ROOM: 1}))
    assert isinstance(answer, SyncResponse)
    assert (answer.changes, answer.has_more, answer.to_position) == ((), False, 20)


async def test_urgent_records_come_with_the_first_cut_answer_and_once_ahead(server: Server) -> None:
    away, ordinary, urgent = await two_of_which_one_was_away(server)
    extras: dict[str, Value] = {ROOM: 8_000}
    came: list[list[RecordId]] = []
    while True:
        answer = await answer_to(server, away, extras)
        came.append([each.id for each in answer.changes])
        if not answer.has_more:
            break
        assert sorted(answer.extras) == [URGENT]
        extras[URGENT] = answer.extras[URGENT]
    assert len(came) > 2
    assert set(urgent) < set(came[0])
    assert came[0][0] == ordinary[0]
    # Ahead once, and again in their turn: the end of the log.
    assert [sum(record in each for each in came) for record in urgent] == [2, 2, 2]
    assert set(urgent) <= set(came[-1])
    assert away.digest() == await server.recounted(away.scopes)


async def test_what_is_ahead_moves_no_cursor_and_takes_half_the_room_at_most(server: Server) -> None:
    away, ordinary, urgent = await two_of_which_one_was_away(server)
    answer = await answer_to(server, away, {ROOM: ROOM_BYTES})
    ahead = [each.id for each in answer.changes if each.id in urgent]
    assert 1 <= len(ahead) <= ROOM_BYTES // 2 // NOTE_BYTES < len(urgent)
    assert len(answer.changes) > len(ahead)
    told = [each.id for each in answer.changes if each.id in ordinary]
    assert away.position == len(told)
    # The next answer goes on where this one stopped, in both lanes.
    following = await answer_to(server, away, {ROOM: ROOM_BYTES, URGENT: answer.extras[URGENT]})
    assert {each.id for each in following.changes}.isdisjoint(ahead)
    assert {each.id for each in following.changes} & set(urgent)


async def test_a_first_fetch_lists_urgent_records_of_all_scopes_first_and_each_once(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "_PAGE_RECORDS", 2)
    _, ordinary, urgent = await two_of_which_one_was_away(server)
    new = await server.enrolled("W3", EAST, WEST)
    fetches = tuple(first_fetch(TENANT_SCOPE, EAST, WEST))
    order: list[RecordId] = []
    while fetches:
        answer = await answer_to(server, new, {ROOM: ROOM_BYTES}, fetches)
        assert answer.pages
        after = {page.scope: Fetch(page.scope, page.as_of, page.after) for page in answer.pages}
        order += [each.id for page in answer.pages for each in page.records]
        fetches = tuple(after.get(each.scope, each) for each in fetches)
        fetches = tuple(each for each in fetches if each.scope not in after or each.after is not None)
    assert len(order) == len(set(order)) == len(ordinary) + len(urgent)
    # A query lists two at most here; one answer's other lane may come between.
    assert set(urgent) <= set(order[: len(urgent) + 4])
    assert [each for each in order if each in ordinary] == sorted(ordinary, reverse=True)
    assert (await server.caught_up(new)).digest == new.digest()


async def test_a_device_that_names_a_place_beyond_the_log_gets_everything_in_its_turn(server: Server) -> None:
    away, ordinary, urgent = await two_of_which_one_was_away(server)
    while (await answer_to(server, away, {ROOM: 8_000, URGENT: Position((1 << 63) - 1)})).has_more:
        pass
    assert set(away.replica) == {*ordinary, *urgent}
    assert away.digest() == await server.recounted(away.scopes)
