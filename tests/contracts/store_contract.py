"""What every database must do for the services: one suite, the same for each backend.

A backend's test module derives `StoreContract` and gives it a fixture `database`, a factory of stores as `Database`
says; nothing here is overridden or skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

import pytest

from gridlog_protocol.ids import Incarnation, Position
from gridlog_protocol.log_chain import log_start
from gridlog_protocol.segment import chain_start
from gridlog_server.store.contract import (
    LogHead,
    Person,
    Store,
    StoreUnavailableError,
    Transaction,
)
from gridlog_sync.admission import Chain
from gridlog_sync.changes import Movement
from gridlog_sync.clocks import Tier
from gridlog_sync.digest import SetDigest
from tests.contracts.durability_contract import DurabilityContract
from tests.contracts.facts import (
    DEVICE,
    EAST,
    INCARNATION,
    OTHER_DEVICE,
    START_MS,
    TENANCY,
    WEST,
    a_commit,
    a_device,
    a_person,
    a_record,
    a_segment,
    accepted,
    an_op,
    answering,
    counts,
    entry,
    held,
    page,
    people,
    putting,
    stored,
    touch,
    write,
)
from tests.contracts.log_contract import LogContract
from tests.contracts.registry_contract import RegistryContract
from tests.contracts.review_contract import ReviewContract


class Database(Protocol):
    """One database of a backend: empty at first, of the tenant in `facts`."""

    async def open(self) -> Store:
        """Open it. Opening it again, after `close`, shows what was committed."""
        ...

    def elsewhere(self) -> tuple[str, str]:
        """Return `module:function` and the argument with which any process opens this database."""
        ...

    async def fill_disk(self, store: Store) -> None:
        """Leave the open store no room to grow."""
        ...

    async def free_disk(self, store: Store) -> None:
        """Give the open store room again."""
        ...


class StoreContract(ReviewContract, RegistryContract, DurabilityContract, LogContract):
    """The suite."""

    @pytest.fixture
    async def store(self, database: Database) -> AsyncIterator[Store]:
        opened = await database.open()
        yield opened
        await opened.close()

    # Commits

    async def test_what_a_work_wrote_is_there_for_readers_when_its_result_comes(self, store: Store) -> None:
        assert await store.commit(answering(a_person(1), "done")) == "done"
        assert await people(store) == [a_person(1)]

    async def test_nothing_is_seen_by_others_before_the_commit(self, store: Store) -> None:
        async def work(transaction: Transaction) -> tuple[list[Person], list[Person]]:
            await transaction.registry.put_person(a_person(1))
            return await transaction.registry.people(), await people(store)

        assert await store.commit(work) == ([a_person(1)], [])

    async def test_a_failing_work_undoes_its_own_writes_and_nobody_elses(self, store: Store) -> None:
        works = [answering(a_person(number), number, fails=number == 3) for number in range(1, 6)]
        results = await asyncio.gather(*(store.commit(work) for work in works), return_exceptions=True)
        assert [str(each) for each in results] == ["1", "2", "work 3 failed", "4", "5"]
        assert await people(store) == [a_person(number) for number in (1, 2, 4, 5)]

    async def test_a_work_that_breaks_a_rule_of_the_database_fails_alone(self, store: Store) -> None:
        twice = a_commit(ops=[accepted(an_op(1), 1), accepted(an_op(1), 2)])
        results = await asyncio.gather(
            write(store, twice), store.commit(answering(a_person(1), "done")), return_exceptions=True
        )
        assert isinstance(results[0], Exception)
        assert results[1] == "done"
        assert (await counts(store))["ops"] == 0

    async def test_works_of_many_callers_follow_each_other_and_lose_no_update(self, store: Store) -> None:
        await store.commit(answering(a_person(1), None))
        await store.commit(putting(a_device()))

        async def work(transaction: Transaction) -> None:
            device = await transaction.registry.device(a_device().handle)
            assert device is not None
            await asyncio.sleep(0)
            await transaction.registry.put_device(replace(device, counter=device.counter + 1))

        await asyncio.gather(*(store.commit(work) for _ in range(150)))
        async with store.reading() as snapshot:
            assert await snapshot.registry.devices() == [a_device(counter=150)]

    async def test_a_caller_who_gives_up_stops_neither_his_commit_nor_the_others(self, store: Store) -> None:
        tasks = [asyncio.create_task(store.commit(answering(a_person(number), None))) for number in range(1, 9)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert len(await people(store)) == 8

    # Reading

    @pytest.mark.parametrize("briefly", [False, True])
    async def test_a_snapshot_stays_as_it_was_while_others_write(self, store: Store, *, briefly: bool) -> None:
        async with store.reading(briefly=briefly) as snapshot:
            assert await snapshot.registry.people() == []
            await store.commit(answering(a_person(1), None))
            assert await snapshot.registry.people() == []
        assert await people(store) == [a_person(1)]

    async def test_reading_goes_on_while_a_work_takes_its_time(self, store: Store) -> None:
        has_read = asyncio.Event()

        async def work(transaction: Transaction) -> None:
            await transaction.registry.put_person(a_person(1))
            await has_read.wait()

        committing = asyncio.create_task(store.commit(work))
        assert await people(store) == []
        has_read.set()
        await committing

    @pytest.mark.parametrize("briefly", [False, True])
    async def test_a_snapshot_cannot_write(self, store: Store, *, briefly: bool) -> None:
        with suppress(Exception):
            async with store.reading(briefly=briefly) as snapshot:
                await snapshot.registry.put_person(a_person(1))
        assert await people(store) == []

    async def test_however_many_read_at_once_each_gets_a_turn(self, store: Store) -> None:
        assert await asyncio.gather(*(people(store) for _ in range(40))) == [[]] * 40

    async def test_readers_who_are_cancelled_leave_no_old_snapshot_behind(self, store: Store) -> None:
        for steps in range(12):
            reading = asyncio.create_task(people(store))
            for _ in range(steps):
                await asyncio.sleep(0)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        await store.commit(answering(a_person(1), None))
        assert await asyncio.gather(*(people(store) for _ in range(4))) == [[a_person(1)]] * 4

    # Closing

    async def test_closing_finishes_what_was_begun_and_refuses_what_comes_after(self, database: Database) -> None:
        store = await database.open()
        begun = [asyncio.create_task(store.commit(answering(a_person(number), None))) for number in range(1, 100)]
        await asyncio.sleep(0)
        await store.close()
        await asyncio.gather(*begun)
        with pytest.raises(StoreUnavailableError):
            await store.commit(answering(a_person(100), None))
        again = await database.open()
        assert len(await people(again)) == 99
        await again.close()

    async def test_opened_again_it_has_everything(self, database: Database) -> None:
        store = await database.open()
        assert store.tenancy == TENANCY
        whole = a_commit(ops=[accepted(an_op(1), 1), held(an_op(2))], entries=[entry(1)], records=[stored(1, EAST)])
        await write(store, whole)
        before = await counts(store)
        await store.close()
        again = await database.open()
        assert again.tenancy == TENANCY
        assert await counts(again) == before
        await again.close()

    async def test_a_full_disk_refuses_and_stores_nothing_until_there_is_room(self, database: Database) -> None:
        store = await database.open()
        await store.commit(answering(a_person(1), None))
        await database.fill_disk(store)
        many = a_commit(ops=[accepted(an_op(seq), seq) for seq in range(1, 2000)])
        results = await asyncio.gather(
            write(store, many), store.commit(answering(a_person(2), None)), return_exceptions=True
        )
        assert [type(each) for each in results] == [StoreUnavailableError] * 2
        assert (await people(store), (await counts(store))["ops"]) == ([a_person(1)], 0)
        with pytest.raises(StoreUnavailableError):
            await write(store, many)
        await database.free_disk(store)
        await write(store, many)
        assert (await counts(store))["ops"] == 1999
        await asyncio.wait_for(store.close(), 10)
        again = await database.open()
        assert (await people(again), (await counts(again))["ops"]) == ([a_person(1)], 1999)
        await again.close()

    async def test_closing_on_a_full_disk_comes_to_an_end(self, database: Database) -> None:
        store = await database.open()
        await database.fill_disk(store)
        many = a_commit(ops=[accepted(an_op(seq), seq) for seq in range(1, 2000)])
        writing = asyncio.create_task(write(store, many))
        await asyncio.sleep(0)
        await asyncio.wait_for(store.close(), 10)
        with pytest.raises(StoreUnavailableError):
            await writing

    # Ledger

    async def test_an_empty_log_has_its_start_as_head(self, store: Store) -> None:
        start = log_start(TENANCY.tenant, TENANCY.epoch)
        async with store.reading() as snapshot:
            assert await snapshot.ledger.log_head() == LogHead(Position(0), start)
            assert await snapshot.ledger.log_hash(Position(0)) == start
            assert await snapshot.ledger.log_hash(Position(1)) is None

    async def test_the_log_ends_with_its_highest_position(self, store: Store) -> None:
        await write(store, a_commit(entries=[entry(1), entry(2), entry(3)]))
        async with store.reading() as snapshot:
            assert await snapshot.ledger.log_head() == LogHead(Position(3), b"\x03" * 32)
            assert await snapshot.ledger.log_hash(Position(2)) == b"\x02" * 32
            assert await snapshot.ledger.log_hash(Position((1 << 63) - 1)) is None

    async def test_a_chain_begins_at_its_start_and_goes_on_where_it_was(self, store: Store) -> None:
        async with store.reading() as snapshot:
            assert await snapshot.ledger.chain(DEVICE, INCARNATION) == Chain(0, chain_start(DEVICE, INCARNATION))
        await write(store, a_commit(chains={(DEVICE, INCARNATION): Chain(2, b"2" * 32)}))
        await write(store, a_commit(chains={(DEVICE, INCARNATION): Chain((1 << 53) - 1, b"9" * 32)}))
        async with store.reading() as snapshot:
            assert await snapshot.ledger.chain(DEVICE, INCARNATION) == Chain((1 << 53) - 1, b"9" * 32)
            other = Incarnation(b"2nd life")
            assert await snapshot.ledger.chain(DEVICE, other) == Chain(0, chain_start(DEVICE, other))

    async def test_ops_come_back_whole_in_order_with_both_ends(self, store: Store) -> None:
        ops = [accepted(an_op(1), 1), held(an_op(2)), accepted(an_op(3), 2, Tier.REVIEW), accepted(an_op(4), 4)]
        foreign = accepted(an_op(2, device=OTHER_DEVICE), 3)
        await write(store, a_commit(ops=[*reversed(ops), foreign]))
        async with store.reading() as snapshot:
            assert await snapshot.ledger.ops(DEVICE, INCARNATION, 1, 3) == ops[:3]
            assert await snapshot.ledger.ops(DEVICE, INCARNATION, 5, 9) == []
            assert await snapshot.ledger.ops(OTHER_DEVICE, INCARNATION, 1, 9) == [foreign]

    async def test_ops_of_a_record_come_by_position_and_held_ones_last(self, store: Store) -> None:
        first, second, waiting = accepted(an_op(3), 1), accepted(an_op(1), 2), held(an_op(2))
        await write(store, a_commit(ops=[waiting, second, first, accepted(an_op(4, 2), 3)]))
        async with store.reading() as snapshot:
            assert await snapshot.ledger.ops_of_record(a_record(1)) == [first, second, waiting]
            assert await snapshot.reviews.waiting(10) == [waiting]
            assert await snapshot.reviews.waiting(0) == []

    async def test_an_op_is_stored_once(self, store: Store) -> None:
        await write(store, a_commit(ops=[accepted(an_op(1), 1)]))
        with pytest.raises(Exception, match=r"."):
            await write(store, a_commit(ops=[accepted(an_op(1), 2)], entries=[entry(2)]))
        async with store.reading() as snapshot:
            assert await snapshot.ledger.ops(DEVICE, INCARNATION, 1, 1) == [accepted(an_op(1), 1)]
            assert (await snapshot.ledger.log_head()).position == 0

    async def test_records_are_those_that_exist_with_their_scopes(self, store: Store) -> None:
        one, two = stored(1, EAST, WEST, conflicts=2), stored(2, WEST, changed=9)
        await write(store, a_commit(records=[one, two]))
        async with store.reading() as snapshot:
            found = await snapshot.ledger.records([a_record(1), a_record(2), a_record(3)])
        assert found == {a_record(1): one, a_record(2): two}

    async def test_records_that_any_op_names_are_known_by_name_held_or_not(self, store: Store) -> None:
        await write(store, a_commit(ops=[accepted(an_op(1, 1), 1), held(an_op(2, 2)), held(an_op(3, 2))]))
        async with store.reading() as snapshot:
            asked = [a_record(number) for number in (1, 2, 3)]
            assert await snapshot.ledger.named(asked) == {a_record(1), a_record(2)}
            assert await snapshot.ledger.named(asked[1:2]) == {a_record(2)}
            assert await snapshot.ledger.named([]) == set()

    async def test_a_record_written_again_replaces_itself_and_leaves_the_scopes_named(self, store: Store) -> None:
        await write(store, a_commit(records=[stored(1, EAST)]))
        moved = stored(1, WEST, changed=5)
        await write(store, a_commit(records=[moved], left=[(EAST, a_record(1))]))
        assert await page(store, EAST) == []
        assert await page(store, WEST) == [a_record(1)]
        async with store.reading() as snapshot:
            assert await snapshot.ledger.records([a_record(1)]) == {a_record(1): moved}

    async def test_a_page_lists_a_scope_newest_first_below_the_last_one(self, store: Store) -> None:
        records = [stored(number, EAST) for number in (3, 1, 5, 2, 4)]
        await write(store, a_commit(records=[*records, stored(9, WEST)]))
        assert await page(store, EAST, limit=2) == [a_record(5), a_record(4)]
        assert await page(store, EAST, after=a_record(4), limit=2) == [a_record(3), a_record(2)]
        assert await page(store, EAST, after=a_record(1)) == []

    async def test_a_page_keeps_to_the_kinds_asked_for(self, store: Store) -> None:
        records = [stored(number, EAST, kind=("task", "patrol")[number % 2]) for number in range(1, 7)]
        await write(store, a_commit(records=[*records, stored(9, WEST, kind="task")]))
        async with store.reading() as snapshot:
            ledger = snapshot.ledger
            assert await ledger.page(EAST, None, 2, of={"task", "notice"}) == [a_record(6), a_record(4)]
            assert await ledger.page(EAST, a_record(4), 9, of={"task"}) == [a_record(2)]
            assert await ledger.page(EAST, a_record(5), 9, but={"task", "notice"}) == [a_record(3), a_record(1)]
            assert await ledger.page(EAST, None, 9, of=()) == []
            assert len(await ledger.page(EAST, None, 9, but=())) == 6

    async def test_changed_records_of_some_kinds_come_by_their_last_change(self, store: Store) -> None:
        one, two = stored(1, EAST, kind="task", changed=7), stored(2, WEST, EAST, kind="notice", changed=5)
        others = [
            stored(3, EAST, changed=6),
            stored(4, WEST, kind="task", changed=8),
            stored(5, kind="task", changed=4),
        ]
        await write(store, a_commit(records=[one, two, *others]))
        async with store.reading() as snapshot:
            assert await snapshot.changed([EAST], {"task", "notice"}, Position(4), 9) == [two, one]
            assert await snapshot.changed([EAST], {"task", "notice"}, Position(4), 1) == [two]
            assert await snapshot.changed([EAST], (), Position(0), 9) == []

    async def test_touches_come_by_position_from_the_scopes_asked_for(self, store: Store) -> None:
        moved = [touch(3, EAST, movement=Movement.LEFT), touch(3, WEST, movement=Movement.ENTERED)]
        await write(store, a_commit(touches=[touch(4), *moved, touch(1), touch(2, WEST, 2)]))
        async with store.reading() as snapshot:
            assert await snapshot.ledger.touches([EAST], Position(1), 9) == [moved[0], touch(4)]
            assert await snapshot.ledger.touches([EAST, WEST], Position(1), 3) == [touch(2, WEST, 2), *moved]
            assert await snapshot.ledger.touches([EAST, WEST], Position(4), 9) == []

    async def test_digests_are_kept_by_scope_and_class_and_the_last_stands(self, store: Store) -> None:
        highest = SetDigest(1 << 40, (1 << 256) - 1)
        await write(store, a_commit(digests={(EAST, 0): SetDigest(1, 5), (EAST, 1): highest, (WEST, 0): highest}))
        await write(store, a_commit(digests={(EAST, 0): SetDigest(0, 0)}))
        async with store.reading() as snapshot:
            assert await snapshot.ledger.digests([EAST]) == {(EAST, 0): SetDigest(0, 0), (EAST, 1): highest}
            assert await snapshot.ledger.scopes() == {EAST, WEST}

    async def test_a_list_has_what_changed_last_first(self, store: Store) -> None:
        one, two = stored(1, changed=3), stored(2, changed=7, conflicts=1)
        three = stored(3, changed=5, kind="mediation", conflicts=2)
        await write(store, a_commit(records=[one, two, three]))
        async with store.reading() as snapshot:
            assert await snapshot.listed(kind=None, in_conflict=False, limit=9) == [two, three, one]
            assert await snapshot.listed(kind="patrol", in_conflict=False, limit=9) == [two, one]
            assert await snapshot.listed(kind=None, in_conflict=True, limit=1) == [two]

    # Registry and evidence

    async def test_segments_are_numbered_as_they_come(self, store: Store) -> None:
        async def kept(*seqs: int) -> int:
            segment = a_segment(*seqs)
            return await store.commit(lambda each: each.put_segment(segment, DEVICE, b"a" * 32, now_ms=START_MS))

        assert await kept(1, 2) < await kept(3) < await kept(4, 5, 6)

    async def test_counts_count(self, store: Store) -> None:
        await store.commit(answering(a_person(1), None))
        ops = [accepted(an_op(1), 1), held(an_op(2)), held(an_op(3))]
        await write(store, a_commit(ops=ops, records=[stored(1), stored(2, conflicts=3)]))
        clocks = {"clock_corrected": 0, "clock_review": 0}
        expected = {"records": 2, "ops": 3, "held": 2, "in_conflict": 1, "people": 1, "devices": 0, "quarantine": 0}
        assert await counts(store) == expected | clocks | {"waiting": 0}
