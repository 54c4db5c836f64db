"""What a lost device still sent comes in held, op by op, or is dismissed: nothing takes effect, nothing is lost."""

from __future__ import annotations

import pytest

from gridlog_protocol.ids import Position
from gridlog_protocol.messages import SyncResponse
from gridlog_protocol.ops import Op
from gridlog_server.service.checking import check
from gridlog_server.service.deciding import name_of
from gridlog_server.service.quarantine import Quarantine
from gridlog_server.service.refusing import RefusedError
from gridlog_server.service.standing import Step
from gridlog_server.store.sqlite import SqliteStore
from tests.unit.server.building import KINDS, TENANCY, Handset, Server, put

BY, WHY = "王督导", "核对过，是本人写的"


@pytest.fixture
def quarantine(server: Server) -> Quarantine:
    return Quarantine(server.store, KINDS, now_ms=server.clock)


async def lost(server: Server, *before: str) -> Handset:
    handset = await server.enrolled("W1")
    if before:
        await server.exchanged(handset, *(handset.creates(put("summary", each)) for each in before))
    await server.standing.change(handset.device.hex(), Step.LOST, by="root", reason="遗失")
    return handset


async def sends(server: Server, handset: Handset, *ops: Op) -> int:
    """Let a lost handset push, and return the number under which it was kept."""
    await server.answered(handset, handset.request([handset.segment(ops)]))
    return (await server.inspection.quarantined())[0].kept.number


async def held(server: Server) -> dict[int, str | None]:
    return {each.op.id.seq: each.hold for each in await server.inspection.held()}


async def shown(server: Server) -> list[object]:
    return [line.values.get("summary") for line in await server.inspection.records()]


async def assert_sound(server: Server) -> None:
    assert isinstance(server.store, SqliteStore)
    async with server.store.reading() as snapshot:
        assert (await check(snapshot, TENANCY, KINDS)).findings == []


async def test_what_is_taken_in_is_held_and_then_decided_as_any(server: Server, quarantine: Quarantine) -> None:
    handset = await lost(server, "遗失之前")
    mine, thiefs = handset.creates(put("summary", "写好没发的")), handset.creates(put("summary", "别人写的"))
    number = await sends(server, handset, mine, thiefs)

    taken = await quarantine.take_in(number, by=BY, reason=WHY)

    assert (taken.held, taken.known, taken.behind_gap) == ((mine.id, thiefs.id), 0, 0)
    assert await held(server) == {2: "quarantined", 3: "quarantined"}
    assert await shown(server) == ["遗失之前"]
    await server.deciding.release(name_of(mine.id), by=BY)
    await server.deciding.reject(name_of(thiefs.id), by=BY, reason="不是本人写的")
    assert await shown(server) == ["写好没发的", "遗失之前"]
    [line] = await server.inspection.quarantined()
    assert line.kept.outcome == "taken_in"
    assert line.kept.ruling is not None
    assert (line.kept.ruling.by, line.kept.ruling.reason, len(line.ops)) == (BY, WHY, 2)
    assert (await server.inspection.counts())["quarantine"] == 0
    assert (await server.inspection.acts())[0].what == "quarantine.take_in"
    await assert_sound(server)


async def test_what_is_dismissed_stays_with_its_reason_and_is_asked_about_no_more(
    server: Server, quarantine: Quarantine
) -> None:
    handset = await lost(server)
    number = await sends(server, handset, handset.creates(put("summary", "乱写的")))
    with pytest.raises(RefusedError, match="reason has 5 to"):
        await quarantine.dismiss(number, by=BY, reason="")
    await quarantine.dismiss(number, by=BY, reason="不是本人写的")
    assert await server.inspection.quarantined(is_waiting=True) == []
    [line] = await server.inspection.quarantined(device=handset.device.hex()[:8])
    assert (line.kept.outcome, len(line.ops)) == ("dismissed", 1)
    with pytest.raises(RefusedError, match=f"dismissed already, by {BY}"):
        await quarantine.take_in(number, by=BY)
    # The phone sends it again and again: it was decided once.
    assert await sends(server, handset, handset.written[1]) == number


async def test_a_later_one_takes_in_what_comes_before_it(server: Server, quarantine: Quarantine) -> None:
    handset = await lost(server)
    numbers = [await sends(server, handset, handset.creates()) for _ in range(3)]
    taken = await quarantine.take_in(numbers[1], by=BY)
    assert taken.numbers == tuple(numbers[:2])
    assert [each.seq for each in taken.held] == [1, 2]
    assert [line.kept.number for line in await server.inspection.quarantined(is_waiting=True)] == numbers[2:]
    with pytest.raises(RefusedError, match="taken in already"):
        await quarantine.take_in(numbers[0], by=BY)
    await assert_sound(server)


async def test_what_lies_behind_a_gap_waits_until_the_gap_is_closed_or_filled(
    server: Server, quarantine: Quarantine
) -> None:
    handset = await lost(server)
    missing, late, last = handset.creates(), handset.creates(), handset.creates()
    taken = await quarantine.take_in(await sends(server, handset, late), by=BY)
    assert (taken.held, taken.behind_gap) == ((), 1)
    assert len(await server.inspection.waiting()) == 1

    filled = await quarantine.take_in(await sends(server, handset, missing), by=BY)

    assert filled.held == (missing.id, late.id)
    assert await server.inspection.waiting() == []
    await quarantine.take_in(await sends(server, handset, last), by=BY)
    assert [*(await held(server)).values()] == ["quarantined"] * 3
    await assert_sound(server)


async def test_a_gap_that_nobody_can_fill_is_closed_as_any(server: Server, quarantine: Quarantine) -> None:
    handset = await lost(server)
    handset.creates()
    await quarantine.take_in(await sends(server, handset, handset.creates()), by=BY)
    place = handset.device.hex(), handset.incarnation.hex()
    closed = await server.gaps.close(*place, by=BY, reason="手机没有送来")
    assert (closed.first_seq, closed.last_seq, closed.held) == (1, 1, 1)
    await assert_sound(server)


async def test_a_device_that_is_found_sends_the_rest_itself_and_counts_nothing_twice(
    server: Server, quarantine: Quarantine
) -> None:
    handset = await lost(server)
    first, second = handset.creates(put("summary", "一")), handset.creates(put("summary", "二"))
    number = await sends(server, handset, first, second)
    other = await sends(server, handset, first)
    await quarantine.take_in(other, by=BY)
    await server.standing.change(handset.device.hex(), Step.FOUND, by="root", reason="在家里找到")

    answer = await server.answered(handset, handset.request([handset.segment([first, second])]))

    assert isinstance(answer, SyncResponse)
    assert [(each.seq, each.code) for each in answer.held] == [(1, "quarantined")]
    assert await shown(server) == ["二"]
    taken = await quarantine.take_in(number, by=BY)
    assert (taken.held, taken.known) == ((), 2)
    await assert_sound(server)


async def test_what_a_device_was_never_served_its_quarantined_ops_have_not_seen(
    server: Server, quarantine: Quarantine
) -> None:
    handset, partner = await server.enrolled("W1"), await server.enrolled("W2")
    created = partner.creates(put("summary", "同事写的"))
    await server.exchanged(partner, created)
    await server.caught_up(handset)
    served = handset.position
    await server.exchanged(partner, partner.writes(created.record, put("summary", "同事改过的")))
    await server.standing.change(handset.device.hex(), Step.LOST, by="root", reason="遗失")
    boast = handset.writes(created.record, put("summary", "小偷写的"), seen=served + 1)

    await quarantine.take_in(await sends(server, handset, boast), by=BY)

    [waiting] = await server.inspection.held()
    assert waiting.named == served
    await server.deciding.release(name_of(boast.id), by=BY)
    [line] = await server.inspection.records()
    assert [len(each.heads) for each in line.conflicts] == [2]


async def test_an_op_kept_with_a_cursor_that_is_not_ours_has_seen_nothing(
    server: Server, quarantine: Quarantine
) -> None:
    handset = await lost(server, "遗失之前")
    edit = handset.writes(handset.written[1].record, put("summary", "改"))
    await server.answered(handset, handset.request([handset.segment([edit])], token=bytes(8)))
    [line] = await server.inspection.quarantined()
    assert line.kept.served == Position(0)
    await quarantine.take_in(line.kept.number, by=BY)
    assert [each.named for each in await server.inspection.held()] == [0]


async def test_a_fork_is_not_taken_in_and_neither_is_what_is_not_there(
    server: Server, quarantine: Quarantine
) -> None:
    handset = await server.enrolled("W1")
    await server.exchanged(handset, handset.creates())
    handset.seq = 0
    await server.answered(handset, handset.request([handset.segment([handset.creates(put("summary", "副本"))])]))
    [line] = await server.inspection.quarantined()
    assert line.kept.code == "fork"
    with pytest.raises(RefusedError, match="is not from a device that was lost"):
        await quarantine.take_in(line.kept.number, by=BY)
    with pytest.raises(RefusedError, match="Nothing in quarantine has the number 99"):
        await quarantine.take_in(99, by=BY)
    await quarantine.dismiss(line.kept.number, by=BY, reason="换号后已经重发")


async def test_ops_that_contradict_what_came_before_the_loss_are_not_taken_in(
    server: Server, quarantine: Quarantine
) -> None:
    handset = await lost(server, "遗失之前")
    handset.seq = 0
    number = await sends(server, handset, handset.creates(put("summary", "另一个")))
    with pytest.raises(RefusedError, match="contradict"):
        await quarantine.take_in(number, by=BY)
    assert (await server.inspection.counts())["quarantine"] == 1
