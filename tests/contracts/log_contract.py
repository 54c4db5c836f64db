"""What every store must show of its log, and of what was kept apart from it: part of the store contract."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from gridlog_protocol.clock import Stamp
from gridlog_protocol.decisions import Decision, Verdict
from gridlog_protocol.ids import DeviceId, Position
from gridlog_protocol.log_chain import EntryType, Ruling
from gridlog_server.store.contract import ClosedGap, Logged, Outcome, Store, Transaction
from tests.contracts.facts import (
    DEVICE,
    EAST,
    OTHER_DEVICE,
    START_MS,
    WEST,
    a_commit,
    accepted,
    an_op,
    counts,
    entry,
    held,
    stored,
    write,
)


async def _kept(transaction: Transaction, *, body: bytes, now_ms: int) -> None:
    await transaction.quarantine(DEVICE, "fork", body, now_ms=now_ms)


async def _lost(transaction: Transaction, *, device: DeviceId, body: bytes) -> None:
    await transaction.quarantine(device, "lost", body, now_ms=START_MS, served=Position(5))


class LogContract:
    """Tests of log entries and of quarantine, for a class that provides `store`."""

    async def test_log_entries_come_in_order_with_their_op_and_who_decided(self, store: Store) -> None:
        op, waited = accepted(an_op(1), 1), held(an_op(2))
        await write(store, a_commit(ops=[op, waited], entries=[entry(1)]))
        ruling = Ruling("王", START_MS, "情况属实")
        released = replace(waited, position=Position(2), stamp=Stamp(7), verdict=Verdict.RELEASED)
        decision = Decision(waited.op.id, waited.hash, Verdict.RELEASED, Position(2), Stamp(7), ruling)
        second = replace(entry(2, 2), entry_type=int(EntryType.RELEASED))
        await write(store, replace(a_commit(entries=[second]), decided=[released], decisions=[decision]))
        third = replace(entry(3, 9), entry_type=int(EntryType.GAP_CLOSED))
        gap = ClosedGap(third.op, Position(3), Ruling("李", START_MS, "终端遗失"))
        await write(store, replace(a_commit(entries=[third]), closed=[gap]))
        whole = [Logged(entry(1), op, None), Logged(second, released, ruling), Logged(third, None, gap.ruling)]
        async with store.reading() as snapshot:
            assert await snapshot.logged(Position(0), 9) == whole
            assert await snapshot.logged(Position(1), 1) == whole[1:2]
            assert await snapshot.logged(Position(3), 9) == []

    async def test_a_list_keeps_to_a_scope(self, store: Store) -> None:
        one, two = stored(1, EAST, changed=3), stored(2, WEST, EAST, changed=7, conflicts=1)
        await write(store, a_commit(records=[one, two, stored(3, WEST, changed=5, kind="mediation")]))
        async with store.reading() as snapshot:
            assert await snapshot.listed(kind=None, in_conflict=False, limit=9, scope=EAST) == [two, one]
            assert await snapshot.listed(kind="patrol", in_conflict=True, limit=9, scope=WEST) == [two]

    async def test_many_records_can_be_asked_about_at_once(self, store: Store) -> None:
        await write(store, a_commit(ops=[accepted(an_op(1), 1)]))
        async with store.reading() as snapshot:
            many = [stored(number % 250).state.id for number in range(100)] * 400
            assert await snapshot.flagged(many) == {}

    async def test_what_cannot_be_taken_in_is_kept_once(self, store: Store) -> None:
        async def kept(device: DeviceId, body: bytes) -> None:
            await store.commit(lambda each: each.quarantine(device, "fork", body, now_ms=START_MS))

        for _ in range(3):
            await kept(DEVICE, b"a branch")
        await kept(DEVICE, b"another branch")
        await kept(OTHER_DEVICE, b"a branch")
        assert (await counts(store))["quarantine"] == 3

    async def test_what_was_kept_apart_comes_newest_first_with_what_it_says(self, store: Store) -> None:
        for number, body in enumerate((b"a branch", b"another branch", b"a branch")):
            await store.commit(partial(_kept, body=body, now_ms=number))
        async with store.reading() as snapshot:
            found = await snapshot.quarantined(9)
            assert [(each.device, each.received_ms, each.code, each.body) for each in found] == [
                (DEVICE, 1, "fork", b"another branch"),
                (DEVICE, 0, "fork", b"a branch"),
            ]
            assert await snapshot.quarantined(1) == found[:1]
        assert found[0].number > found[1].number

    async def test_what_was_kept_apart_stays_with_what_somebody_decided_about_it(self, store: Store) -> None:
        for device, body in ((DEVICE, b"one"), (DEVICE, b"two"), (OTHER_DEVICE, b"three")):
            await store.commit(partial(_lost, device=device, body=body))
        ruling = Ruling("王督导", START_MS + 1, "不是本人写的", Position(0))
        async with store.reading() as snapshot:
            three, two, one = await snapshot.quarantined(9)
        await store.commit(lambda each: each.reviews.decide_apart(two.number, Outcome.DISMISSED, ruling))
        async with store.reading() as snapshot:
            decided = replace(two, outcome=Outcome.DISMISSED, ruling=ruling)
            assert await snapshot.reviews.apart(two.number) == decided
            assert await snapshot.reviews.apart(99) is None
            assert await snapshot.quarantined(9) == [three, decided, one]
            assert await snapshot.quarantined(9, device=DEVICE) == [decided, one]
            assert await snapshot.quarantined(9, is_waiting=True) == [three, one]
        assert (one.served, one.outcome) == (5, None)
        assert (await counts(store))["quarantine"] == 2
        # What comes again was decided about already.
        await store.commit(lambda each: each.quarantine(DEVICE, "lost", b"two", now_ms=START_MS))
        assert (await counts(store))["quarantine"] == 2

    async def test_a_bound_on_what_is_kept_apart_is_of_one_device_and_one_reason(self, store: Store) -> None:
        async def kept(device: DeviceId, code: str, body: bytes) -> int:
            await store.commit(lambda each: each.quarantine(device, code, body, now_ms=START_MS, bytes_max=20))
            return (await counts(store))["quarantine"]

        assert await kept(DEVICE, "revoked", b"x" * 12) == 1
        assert await kept(DEVICE, "revoked", b"y" * 9) == 1
        assert await kept(DEVICE, "fork", b"y" * 9) == 2
        assert await kept(OTHER_DEVICE, "revoked", b"y" * 9) == 3
        assert await kept(DEVICE, "revoked", b"z" * 8) == 4
        assert await kept(DEVICE, "revoked", b"") == 5
