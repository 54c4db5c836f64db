from __future__ import annotations

from dataclasses import replace

import pytest

from gridlog_protocol.ids import Position
from gridlog_protocol.log_chain import EntryType, Ruling, decided_hash, gap_hash, log_next, log_start
from gridlog_protocol.messages import Refused, SyncResponse
from gridlog_protocol.ops import Op, op_hash
from gridlog_protocol.segment import chain_start, chain_through
from gridlog_server.service import pushing
from gridlog_server.service.deciding import DecisionError, name_of
from tests.unit.server.building import START_MS, TENANCY, Handset, Server, put

REASON = "终端遗失，无法补交"


async def sent(server: Server, handset: Handset, *ops: Op) -> SyncResponse:
    answer = await server.answered(handset, handset.request([handset.segment(ops)]))
    assert isinstance(answer, SyncResponse)
    return answer


async def count(server: Server, name: str) -> int:
    return (await server.inspection.counts())[name]


async def test_what_comes_before_its_turn_waits_and_follows_in_the_same_commit(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates(put("summary", f"第{number}趟")) for number in range(6)]
    for run in (ops[4:], ops[2:4], ops[4:]):
        answer = await sent(server, handset, *run)
        assert (answer.accepted, answer.held, answer.known_seq) == ((), (), 0)
    assert (await count(server, "waiting"), await count(server, "ops")) == (2, 0)

    answer = await sent(server, handset, *ops[:2])

    assert answer.known_seq == 6
    assert [(run.first_seq, run.count) for run in answer.accepted] == [(1, 2)]
    # What waited is news to its own device: it has no answer for these ops yet.
    assert {each.id for each in answer.changes} == {op.record for op in ops[2:]}
    assert (await count(server, "waiting"), await count(server, "ops")) == (0, 6)
    again = await sent(server, handset, *ops[2:])
    assert [(run.first_seq, run.count, run.first_position) for run in again.accepted] == [(3, 4, 3)]


async def test_ops_that_came_another_way_meanwhile_are_no_fork(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates() for _ in range(6)]
    await sent(server, handset, *ops[2:6])
    await sent(server, handset, *ops[3:5])
    answer = await sent(server, handset, *ops[:4])
    assert answer.known_seq == 6
    assert (await count(server, "waiting"), await count(server, "quarantine"), await count(server, "ops")) == (
        0,
        0,
        6,
    )


async def test_what_waited_names_no_more_than_its_device_had_been_served_when_it_came(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    creation = one.creates(put("summary", "甲"))
    await server.exchanged(one, creation)
    first = two.creates()
    liar = two.writes(creation.record, put("summary", "乙"), seen=1_000_000)
    await sent(server, two, liar)
    await server.caught_up(two)
    await server.exchanged(two, first)
    [line] = await server.inspection.records(in_conflict=True)
    assert {head.value for head in line.conflicts[0].heads} == {"甲", "乙"}


async def test_a_branch_that_waited_is_kept_apart_when_another_one_came_first(server: Server) -> None:
    handset = await server.enrolled("W1")
    twin = replace(handset, written={})
    ours = [handset.creates(put("summary", "原件")) for _ in range(2)]
    theirs = [twin.creates(put("summary", "副本")) for _ in range(2)]
    await sent(server, handset, ours[1])
    twin.counter = 10
    answer = await sent(server, twin, theirs[0])
    assert answer.known_seq == 1
    assert (await count(server, "waiting"), await count(server, "quarantine"), await count(server, "ops")) == (
        0,
        1,
        1,
    )


async def test_what_is_beyond_the_limit_stays_with_the_device(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "WAITING_BYTES_MAX", 100)
    handset = await server.enrolled("W1")
    ops = [handset.creates() for _ in range(2)]
    answer = await sent(server, handset, ops[1])
    assert (answer.known_seq, await count(server, "waiting")) == (0, 0)
    assert (await sent(server, handset, *ops)).known_seq == 2


async def test_closing_a_gap_lets_what_waited_come_in_held_and_the_log_says_who_did(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates() for _ in range(6)]
    await sent(server, handset, ops[3], ops[4])
    device, incarnation = handset.device.hex()[:8], handset.incarnation.hex()[:8]

    closed = await server.gaps.close(device, incarnation, by="督导王", reason=REASON)

    assert (closed.first_seq, closed.last_seq, closed.held) == (1, 3, 2)
    assert [(each.op.id.seq, each.hold) for each in await server.inspection.held()] == [
        (5, "after_gap"),
        (4, "after_gap"),
    ]
    hashes = [op_hash(op) for op in ops[:3]]
    after = chain_through(chain_start(handset.device, handset.incarnation), hashes)
    ruling = Ruling("督导王", START_MS, REASON)
    link = log_next(
        log_start(TENANCY.tenant, TENANCY.epoch),
        position=Position(1),
        entry_type=EntryType.GAP_CLOSED,
        op=ops[2].id,
        op_hash=decided_hash(gap_hash(1, 3, after), ruling),
        stamp=type(ops[0].clock.hlc)(0),  # type: ignore[arg-type]
    )
    async with server.store.reading() as snapshot:
        assert await snapshot.ledger.log_hash(Position(1)) == link
    assert (await sent(server, handset, ops[5])).known_seq == 6
    decided = await server.deciding.release(name_of(ops[3].id), by="督导王")
    assert decided.decisions[0].position == 3


async def test_missing_ops_that_come_after_all_are_quarantined(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates() for _ in range(3)]
    await sent(server, handset, ops[2])
    await server.gaps.close(handset.device.hex(), handset.incarnation.hex(), by="督导王", reason=REASON)
    answer = await server.answered(handset, handset.request([handset.segment(ops[:2])]))
    assert isinstance(answer, Refused)
    assert (answer.code, await count(server, "quarantine")) == ("fork", 1)


async def test_only_a_gap_can_be_closed(server: Server) -> None:
    handset = await server.enrolled("W1")
    await server.exchanged(handset, handset.creates())
    for device in (handset.device.hex(), "", "ff"):
        with pytest.raises(DecisionError):
            await server.gaps.close(device, handset.incarnation.hex(), by="督导王", reason=REASON)
    assert await count(server, "log_position") == 1


async def test_other_cuts_of_the_same_ops_come_in_with_the_gap(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates() for _ in range(10)]
    await sent(server, handset, *ops[4:8])
    await sent(server, handset, *ops[6:10])
    device, incarnation = handset.device.hex(), ops[0].id.incarnation.hex()

    closed = await server.gaps.close(device, incarnation, by="王", reason=REASON)

    assert (closed.first_seq, closed.last_seq, closed.held) == (1, 4, 6)
    assert (await count(server, "waiting"), await count(server, "quarantine")) == (0, 0)
    with pytest.raises(DecisionError):
        await server.gaps.close(device, incarnation, by="王", reason=REASON)


async def test_a_rejected_creation_from_behind_a_gap_takes_its_edits_with_it(server: Server) -> None:
    handset = await server.enrolled("W1")
    handset.creates()
    creation = handset.creates(put("summary", "甲"))
    edit = handset.writes(creation.record, put("summary", "乙"))
    await sent(server, handset, creation, edit)
    await server.gaps.close(handset.device.hex(), creation.id.incarnation.hex(), by="王", reason=REASON)

    decided = await server.deciding.reject(name_of(creation.id), by="王", reason=REASON)

    assert [each.op for each in decided.decisions] == [creation.id, edit.id]
    assert await count(server, "held") == 0
