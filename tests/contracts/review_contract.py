"""What every store must do with held ops, decisions and waiting segments: part of the store contract."""

from __future__ import annotations

from dataclasses import replace

from gridlog_protocol.clock import Stamp
from gridlog_protocol.decisions import Decision, Verdict
from gridlog_protocol.ids import Position
from gridlog_protocol.log_chain import Ruling
from gridlog_server.store.contract import ClosedGap, Store, WaitingSegment
from tests.contracts.facts import (
    DEVICE,
    INCARNATION,
    OTHER_DEVICE,
    START_MS,
    a_commit,
    a_segment,
    accepted,
    an_op,
    counts,
    held,
    write,
)


class ReviewContract:
    """Tests of `Reviews`, for a class that provides `store`."""

    async def test_a_decided_op_waits_no_longer_and_its_decision_is_found(self, store: Store) -> None:
        ops = [held(an_op(1)), held(an_op(2)), held(an_op(3))]
        await write(store, a_commit(ops=ops))
        released = replace(ops[0], position=Position(1), stamp=Stamp(7), verdict=Verdict.RELEASED)
        rejected = replace(ops[1], verdict=Verdict.REJECTED)
        again = replace(ops[2], hold="out_of_scope", hold_field="")
        made = [
            Decision(ops[0].op.id, ops[0].hash, Verdict.RELEASED, Position(1), Stamp(7), Ruling("王", START_MS, "")),
            Decision(
                ops[1].op.id,
                ops[1].hash,
                Verdict.REJECTED,
                Position(2),
                Stamp(0),
                Ruling("李", START_MS, "不符", Position(1)),
            ),
        ]
        await write(store, replace(a_commit(), decided=[released, rejected, again], decisions=made))
        async with store.reading() as snapshot:
            assert await snapshot.ledger.ops(DEVICE, INCARNATION, 1, 3) == [released, rejected, again]
            assert await snapshot.reviews.waiting(9) == [again]
            assert await snapshot.reviews.numbered(2) == [rejected]
            assert await snapshot.reviews.decision(ops[1].op.id) == made[1]
            assert await snapshot.reviews.decision(ops[2].op.id) is None
            assert await snapshot.reviews.decisions(DEVICE, Position(0), Position(2), 9) == made
            assert await snapshot.reviews.decisions(DEVICE, Position(0), Position(2), 1) == made[:1]
            assert await snapshot.reviews.decisions(DEVICE, Position(1), Position(1), 9) == []
            assert await snapshot.reviews.decisions(OTHER_DEVICE, Position(0), Position(2), 9) == []
        assert (await counts(store))["held"] == 1

    async def test_held_ops_come_newest_first_by_device_and_reason_and_are_counted(self, store: Store) -> None:
        ops = [
            replace(held(an_op(1), "proposal"), segment=1),
            replace(held(an_op(2)), segment=1),
            replace(held(an_op(1, device=OTHER_DEVICE)), segment=2),
        ]
        await write(store, a_commit(ops=[*ops, accepted(an_op(3), 1)]))
        async with store.reading() as snapshot:
            assert await snapshot.reviews.waiting(9) == [ops[2], ops[1], ops[0]]
            assert await snapshot.reviews.waiting(1) == [ops[2]]
            assert await snapshot.reviews.waiting(9, device=DEVICE) == [ops[1], ops[0]]
            assert await snapshot.reviews.waiting(9, code="proposal") == [ops[0]]
            assert await snapshot.reviews.waiting(9, device=OTHER_DEVICE, code="proposal") == []
            assert await snapshot.reviews.held_by_device() == {DEVICE: 2, OTHER_DEVICE: 1}

    async def test_a_closed_gap_is_no_decision_about_an_op(self, store: Store) -> None:
        op = held(an_op(3))
        gap = ClosedGap(op.op.id, Position(1), Ruling("王", START_MS, "终端遗失"))
        await write(store, replace(a_commit(ops=[op]), closed=[gap]))
        async with store.reading() as snapshot:
            assert await snapshot.reviews.decision(op.op.id) is None
            assert await snapshot.reviews.decisions(DEVICE, Position(0), Position(9), 9) == []

    async def test_segments_wait_in_order_once_and_within_their_limit(self, store: Store) -> None:
        late, early = (WaitingSegment(DEVICE, a_segment(*seqs), Position(4), START_MS) for seqs in ((7, 8), (3,)))

        async def kept(waiting: WaitingSegment, bytes_max: int = 1 << 20, count_max: int = 9) -> bool:
            return await store.commit(
                lambda each: each.reviews.keep_waiting(waiting, bytes_max=bytes_max, count_max=count_max)
            )

        assert [await kept(late), await kept(early), await kept(late)] == [True] * 3
        assert not await kept(WaitingSegment(DEVICE, a_segment(9), Position(4), START_MS), bytes_max=100)
        assert not await kept(WaitingSegment(DEVICE, a_segment(9), Position(4), START_MS), count_max=2)
        async with store.reading() as snapshot:
            found = await snapshot.reviews.behind_gap(DEVICE, INCARNATION)
            assert [(each.segment.first_seq, len(each.segment.ops), each.served) for each in found] == [
                (3, 1, 4),
                (7, 2, 4),
            ]
            assert await snapshot.reviews.behind_gap(DEVICE, INCARNATION, reach=3) == found
            assert await snapshot.reviews.behind_gap(DEVICE, INCARNATION, reach=2) == []
            assert await snapshot.reviews.behind_gap(OTHER_DEVICE, INCARNATION) == []
            assert await snapshot.reviews.gaps(1) == found[:1]
        assert (await counts(store))["waiting"] == 2
        await store.commit(lambda each: each.reviews.wait_no_longer(found[0]))
        async with store.reading() as snapshot:
            assert await snapshot.reviews.gaps(9) == found[1:]
