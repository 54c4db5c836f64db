from __future__ import annotations

from typing import Any

import pytest

from gridlog_protocol.ids import TENANT_SCOPE, Position, ScopeId
from gridlog_protocol.messages import Fetch, SyncResponse
from gridlog_server.service import pulling
from gridlog_server.service.deciding import name_of
from gridlog_sync.view import values_of
from tests.unit.server.building import EAST, KINDS, WEST, Handset, Server, count, first_fetch, put


async def fetched(server: Server, handset: Handset, *scopes: str) -> int:
    """Fetch scopes to their end, as a new handset does, and return the round trips."""
    fetches, trips = first_fetch(*scopes), 0
    while True:
        answer = await server.exchanged(handset, fetches=fetches)
        trips += 1
        after = {page.scope: Fetch(page.scope, page.as_of, page.after) for page in answer.pages}
        fetches = [after.get(each.scope, each) for each in fetches]
        fetches = [each for each in fetches if each.scope not in after or each.after is not None]
        if not fetches and not answer.has_more:
            assert answer.digest == handset.digest()
            return trips


async def test_a_new_handset_gets_everything_in_its_scopes_in_one_round_trip(server: Server) -> None:
    one = await server.enrolled("W1")
    await server.exchanged(one, *(one.creates(put("summary", f"第{number}趟")) for number in range(20)))
    two = await server.enrolled("W2")
    assert await fetched(server, two, TENANT_SCOPE, EAST) == 1
    assert two.replica == {record: two.replica[record] for record in one.replica}
    assert two.digest() == one.digest() == await server.recounted(two.scopes)


async def test_a_large_first_fetch_comes_in_pages_newest_first_and_loses_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "_PAGE_RECORDS", 7)
    one, two = await server.enrolled("W1", EAST, WEST), await server.enrolled("W2", EAST, WEST)
    await server.exchanged(one, *(one.creates(scope=(EAST, WEST)[number % 2]) for number in range(40)))
    [page, *_] = (await server.exchanged(two, fetches=first_fetch(EAST, WEST))).pages
    assert [each.id for each in page.records] == sorted((each.id for each in page.records), reverse=True)
    assert page.after == page.records[-1].id
    three = await server.enrolled("W3", EAST, WEST)
    assert await fetched(server, three, TENANT_SCOPE, EAST, WEST) > 3
    assert len(three.replica) == 40


async def test_pages_are_cut_by_their_size_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "PAGE_BYTES", 2000)
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    await server.exchanged(one, *(one.creates(put("summary", "长" * 300)) for _ in range(12)))
    assert await fetched(server, two, TENANT_SCOPE, EAST) > 4
    assert len(two.replica) == 12


async def test_what_is_written_while_a_handset_fetches_reaches_it_too(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "_PAGE_RECORDS", 4)
    one, two = await server.enrolled("W1", EAST, WEST), await server.enrolled("W2", EAST)
    ops = [one.creates(put("summary", f"第{number}趟")) for number in range(10)]
    await server.exchanged(one, *ops)
    first = await server.exchanged(two, fetches=first_fetch(EAST))
    changed = [
        one.creates(put("summary", "新的")),
        one.writes(ops[0].record, put("summary", "改了")),
        one.writes(ops[9].record, put("summary", "也改了")),
        one.writes(ops[1].record, put("grid_code", WEST)),
        one.writes(ops[8].record, put("grid_code", WEST)),
    ]
    await server.exchanged(one, *changed)
    fetch = Fetch(EAST, first.pages[0].as_of, first.pages[0].after)
    while fetch.after is not None:
        answer = await server.exchanged(two, fetches=[fetch])
        fetch = Fetch(EAST, answer.pages[0].as_of, answer.pages[0].after)
    assert (await server.caught_up(two)).digest == two.digest()
    assert len(two.replica) == 9


@pytest.mark.parametrize(("name", "limit"), [("_TOUCHES_MAX", 5), ("PAGE_BYTES", 1500)])
async def test_a_large_delta_comes_in_parts_and_loses_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str, limit: int
) -> None:
    monkeypatch.setattr(pulling, name, limit)
    one, two = await server.enrolled("W1", EAST, WEST), await server.enrolled("W2", EAST, WEST)
    creations = [one.creates(put("summary", "长" * 100), scope=(EAST, WEST)[number % 2]) for number in range(17)]
    edits = [one.writes(each.record, count("handled_on_spot", 1)) for each in creations for _ in range(3)]
    moves = [one.writes(each.record, put("grid_code", WEST)) for each in creations]
    await server.exchanged(one, *creations, *edits, *moves)
    positions = [two.position]
    while (await server.exchanged(two)).has_more:
        positions.append(two.position)
    assert positions == sorted(set(positions))
    assert len(positions) > 3
    assert two.digest() == await server.recounted(two.scopes)


async def test_nobody_is_told_his_own_push_again(server: Server) -> None:
    handset = await server.enrolled("W1")
    creation = handset.creates(put("summary", "甲"))
    answer = await server.exchanged(handset, creation, handset.writes(creation.record, put("summary", "乙")))
    assert (answer.changes, answer.pages, answer.left) == ((), (), ())
    assert answer.digest == handset.digest()


async def test_a_first_fetch_leaves_out_what_the_same_request_brought(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    await server.exchanged(one, *(one.creates(put("summary", f"第{number}趟")) for number in range(3)))
    mine = [two.creates(put("summary", f"新的{number}")) for number in range(3)]
    edited = two.writes(mine[1].record, put("summary", "又改了"))
    answer = await server.exchanged(two, *mine, edited, fetches=first_fetch(TENANT_SCOPE, EAST))
    sent = {record.id for page in answer.pages for record in page.records}
    assert sent == {*one.replica, mine[1].record}
    assert len(two.replica) == 6
    assert answer.digest == two.digest()


async def test_a_first_fetch_goes_on_past_pages_of_ones_own(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulling, "_PAGE_RECORDS", 4)
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    await server.exchanged(one, *(one.creates(put("summary", f"第{number}趟")) for number in range(6)))
    mine = [two.creates(put("summary", f"新的{number}")) for number in range(12)]
    answer = await server.exchanged(two, *mine, fetches=first_fetch(EAST))
    fetches = [Fetch(page.scope, page.as_of, page.after) for page in answer.pages]
    assert [(page.records, page.after is None) for page in answer.pages] == [((), False)]
    while fetches[0].after is not None:
        answer = await server.exchanged(two, fetches=fetches)
        fetches = [Fetch(page.scope, page.as_of, page.after) for page in answer.pages]
    assert (await server.caught_up(two)).digest == two.digest()
    assert len(two.replica) == 18


async def test_a_first_fetch_has_what_waited_for_the_same_request(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates(put("summary", f"第{number}趟")) for number in range(6)]
    await server.answered(handset, handset.request([handset.segment(ops[2:])]))
    answer = await server.exchanged(handset, *ops[:2], fetches=first_fetch(TENANT_SCOPE, EAST))
    assert {record.id for page in answer.pages for record in page.records} == {op.record for op in ops[2:]}
    assert len(handset.replica) == 6
    assert answer.digest == handset.digest()


async def test_a_first_fetch_has_what_somebody_touched_between_commit_and_answer(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    mine = [two.creates(put("summary", f"第{number}趟")) for number in range(3)]
    push = server.exchange._push

    async def pushed(*facts: Any) -> Any:
        monkeypatch.undo()
        result = await push(*facts)
        await server.exchanged(one, one.writes(mine[1].record, put("summary", "别人改了"), seen=0))
        return result

    monkeypatch.setattr(server.exchange, "_push", pushed)
    answer = await server.exchanged(two, *mine, fetches=first_fetch(TENANT_SCOPE, EAST))
    assert {record.id for page in answer.pages for record in page.records} == {mine[1].record}
    assert (await server.caught_up(two)).digest == two.digest()


async def test_only_the_fields_that_changed_come_down(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    creation = one.creates(put("summary", "甲"), put("weather", "rain"))
    await server.exchanged(one, creation)
    await server.caught_up(two)
    await server.exchanged(one, one.writes(creation.record, put("weather", "sunny")))
    [change] = (await server.exchanged(two)).changes
    assert (set(change.fields), change.origin) == ({"weather"}, None)
    assert two.digest() == one.digest()


async def test_one_field_edited_by_two_comes_down_to_both(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    creation = one.creates(put("summary", "甲"))
    await server.exchanged(one, creation)
    await server.caught_up(two)
    await server.exchanged(one, one.writes(creation.record, put("summary", "甲二")))
    await server.exchanged(two, two.writes(creation.record, put("summary", "乙")))
    await server.caught_up(one)
    assert one.replica == two.replica
    assert (await server.inspection.counts())["in_conflict"] == 1


async def test_a_record_that_changes_grid_leaves_one_and_enters_the_other_whole(server: Server) -> None:
    both, east, west = [await server.enrolled(f"W{i}", *g) for i, g in enumerate([(EAST, WEST), (EAST,), (WEST,)])]
    creation = both.creates(put("summary", "甲"))
    await server.exchanged(both, creation)
    await server.caught_up(east)
    await server.exchanged(both, both.writes(creation.record, put("grid_code", WEST)))
    told = await server.caught_up(west)
    assert told.changes[0].origin is not None
    assert values_of(west.replica[creation.record], KINDS.get("patrol"))["summary"] == "甲"
    assert (await server.caught_up(east)).left == (creation.record,)
    assert east.replica == {}
    for handset in (both, east, west):
        answer = await server.exchanged(handset)
        assert answer.digest == handset.digest() == await server.recounted(handset.scopes)


async def test_the_grid_that_a_record_left_is_told_nothing_of_it_any_more(server: Server) -> None:
    both, east, late = [await server.enrolled(f"W{i}", *g) for i, g in enumerate([(EAST, WEST), (EAST,), (EAST,)])]
    creation = both.creates(put("summary", "甲"))
    await server.exchanged(both, creation)
    await server.caught_up(east)
    move = both.writes(creation.record, put("grid_code", WEST), put("summary", "秘密"))
    await server.exchanged(both, move, both.writes(creation.record, put("summary", "更秘密")))
    await server.caught_up(east)
    await server.exchanged(both, both.writes(creation.record, put("summary", "最秘密")))
    answer = await server.exchanged(east)
    assert (answer.changes, answer.left) == ((), ())
    assert (await server.exchanged(late)).changes == ()
    assert (await server.exchanged(late, fetches=first_fetch(EAST))).pages[0].records == ()
    stale = await server.exchanged(east, east.writes(creation.record, put("summary", "晚到")))
    assert [each.code for each in stale.held] == ["out_of_scope"]
    assert (stale.changes, stale.pages) == ((), ())


async def test_whoever_brings_a_record_into_his_grids_that_he_has_nothing_of_is_sent_it_whole(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    nowhere = one.creates(put("summary", "没有写网格"), scope=None)
    await server.exchanged(one, nowhere)
    await server.deciding.release(name_of(nowhere.id), by="督导")
    await server.caught_up(two)
    assert nowhere.record not in two.replica

    answer = await server.exchanged(two, two.writes(nowhere.record, put("grid_code", EAST)))

    assert [each.id for each in answer.changes] == [nowhere.record]
    assert two.replica[nowhere.record].fields.keys() == {"summary", "grid_code"}
    assert answer.digest == two.digest()


async def test_a_record_that_comes_back_is_sent_whole_again(server: Server) -> None:
    both, east = await server.enrolled("W1", EAST, WEST), await server.enrolled("W2", EAST)
    creation = both.creates(put("summary", "甲"))
    await server.exchanged(both, creation)
    await server.caught_up(east)
    await server.exchanged(both, both.writes(creation.record, put("grid_code", WEST)))
    await server.caught_up(east)
    await server.exchanged(both, both.writes(creation.record, put("grid_code", EAST)))
    assert (await server.caught_up(east)).digest == east.digest()
    assert set(east.replica) == {creation.record}


async def test_while_two_grids_are_claimed_for_a_record_both_hold_it(server: Server) -> None:
    one, two = await server.enrolled("W1", EAST, WEST), await server.enrolled("W2", EAST, WEST)
    creation = one.creates()
    await server.exchanged(one, creation)
    await server.caught_up(two)
    await server.exchanged(one, one.writes(creation.record, put("grid_code", WEST)))
    await server.exchanged(two, two.writes(creation.record, put("grid_code", EAST)))
    for grid in (EAST, WEST):
        handset = await server.enrolled(f"of {grid}", grid)
        assert (await server.caught_up(handset)).digest == handset.digest()
        assert set(handset.replica) == {creation.record}


@pytest.mark.parametrize("scope", [WEST, "nowhere"])
async def test_another_grids_records_look_like_none_at_all(server: Server, scope: str) -> None:
    west, east = await server.enrolled("W1", WEST), await server.enrolled("W2", EAST)
    assert (await server.exchanged(west, west.creates(put("summary", "秘密"), scope=WEST))).accepted
    raw = east.request(fetches=[Fetch(ScopeId(scope), Position(0), None), *first_fetch(TENANT_SCOPE, EAST)])
    answer = await server.answered(east, raw)
    assert isinstance(answer, SyncResponse)
    pages = [(page.scope, page.records, page.after) for page in answer.pages]
    assert pages == [(scope, (), None), (TENANT_SCOPE, (), None), (EAST, (), None)]
    assert answer.digest == await server.recounted(east.scopes)
