"""When an op happened is worked out once, as it comes in; and what the server knows of each device's clock."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from gridlog_protocol.clock import ClockFacts
from gridlog_protocol.ids import RecordId
from gridlog_protocol.messages import SyncResponse
from gridlog_protocol.ops import Op
from gridlog_server.store.contract import StoredOp
from gridlog_sync.clocks import Estimate, Tier
from tests.unit.server.building import START_MS, Handset, Server, put

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


def said(op: Op, *, wall_off_ms: int = 0, since_boot_ms: int = 0) -> ClockFacts:
    """Return facts of `since_boot_ms` after an op's own, on its boot, by a clock that is wrong."""
    monotonic_ms = op.clock.monotonic_ms + since_boot_ms
    return replace(op.clock, wall_ms=START_MS + wall_off_ms, monotonic_ms=monotonic_ms)


async def sent(server: Server, handset: Handset, ops: list[Op], clock: ClockFacts) -> None:
    answer = await server.answered(handset, handset.request([handset.segment(ops)], clock=clock))
    assert isinstance(answer, SyncResponse), answer


async def kept(server: Server, record: RecordId) -> list[StoredOp]:
    async with server.store.reading() as snapshot:
        return await snapshot.ledger.ops_of_record(record)


async def test_ops_accepted_or_held_keep_the_estimate_of_their_first_arrival(server: Server) -> None:
    handset = await server.enrolled("W1")
    creation = handset.creates(put("summary", "甲"))
    ops = [creation, handset.writes(creation.record, put("patrol_type", "picnic"))]
    server.clock.now_ms = START_MS + HOUR_MS
    await sent(server, handset, ops, said(ops[-1], since_boot_ms=HOUR_MS - 5))
    before = await kept(server, creation.record)

    server.clock.now_ms = START_MS + 9 * HOUR_MS
    await sent(server, handset, ops, said(ops[-1], wall_off_ms=-DAY_MS))

    assert [(each.hold, each.when.at_ms, each.when.tier) for each in before] == [
        (None, START_MS + 4, Tier.FINE),
        ("invalid_value", START_MS + 5, Tier.FINE),
    ]
    assert await kept(server, creation.record) == before


async def test_a_wrong_clock_is_flagged_and_changes_nobody_elses_estimate(server: Server) -> None:
    wrong, right = await server.enrolled("W1"), await server.enrolled("W2")
    mine, theirs = wrong.creates(), right.creates()
    ahead = replace(mine, clock=replace(mine.clock, wall_ms=START_MS + 3 * DAY_MS))
    wrong.written[1] = ahead
    await sent(server, wrong, [ahead], said(ahead, wall_off_ms=3 * DAY_MS))
    await sent(server, right, [theirs], said(theirs))
    [flagged], [fine] = await kept(server, mine.record), await kept(server, theirs.record)

    assert flagged.position is not None
    assert flagged.when == Estimate(START_MS, 0, Tier.REVIEW)
    assert fine.when == Estimate(START_MS, 0, Tier.FINE)
    assert [line.tier for line in await server.inspection.records()] == [Tier.FINE, Tier.REVIEW]
    found = await server.inspection.record(mine.record)
    assert found is not None
    assert found[0].tier is Tier.REVIEW
    assert (await server.inspection.counts())["clock_review"] == 1


async def test_time_that_runs_backwards_between_two_requests_is_noticed(server: Server) -> None:
    handset = await server.enrolled("W1")
    first, second = handset.creates(), handset.creates()
    second = replace(second, clock=replace(second.clock, monotonic_ms=0))
    handset.written[2] = second
    await sent(server, handset, [first], said(first))
    await sent(server, handset, [second], said(first))
    assert [each.when.tier for op in (first, second) for each in await kept(server, op.record)] == [
        Tier.FINE,
        Tier.REVIEW,
    ]


async def test_what_the_server_writes_itself_happened_now(server: Server) -> None:
    await server.importing.write([])
    handset = await server.enrolled("W1")
    op = handset.creates()
    server.clock.now_ms = START_MS + DAY_MS
    answer = await server.answered(handset, handset.request([handset.segment([op])]))
    assert isinstance(answer, SyncResponse)
    [stored] = await kept(server, op.record)
    assert stored.when == Estimate(START_MS + DAY_MS, 0, Tier.CORRECTED)


async def test_a_devices_clock_is_kept_as_of_its_newest_request_that_names_it(server: Server) -> None:
    handset = await server.enrolled("W1")
    [line] = await server.inspection.devices()
    assert (line.holder, line.device.clock_ahead_ms, line.held) == ("网格员W1", None, 0)
    op = handset.creates(put("patrol_type", "picnic"))
    older = handset.request(status={"unsent": 7}, clock=said(op, wall_off_ms=DAY_MS))
    newer = handset.request([handset.segment([op])], clock=said(op, wall_off_ms=-HOUR_MS))
    for raw in (newer, older):
        await server.exchange.answer(raw)
    [line] = await server.inspection.devices()
    assert (line.device.clock_ahead_ms, line.held, line.device.report) == (-HOUR_MS, 1, {})


async def test_more_repairs_than_a_device_named_before_are_logged_with_its_name(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    handset = await server.enrolled("W1")
    with caplog.at_level(logging.WARNING, "gridlog_server.service.contact"):
        for repairs in (0, 3, 3, 5):
            await server.answered(handset, handset.request(status={"repairs": repairs}))
    assert [record.getMessage().split(" repaired ")[1].split(",")[0] for record in caplog.records] == [
        "3 records",
        "2 records",
    ]
    assert all(str(handset.device.hex()[:8]) in record.getMessage() for record in caplog.records)
