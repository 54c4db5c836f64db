"""Who watches hears of every record that changed, once, however slow he is; and who has left costs nothing."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

import pytest

from gridlog import FieldStore, LockedError, UnknownKindError, Watch
from gridlog.watching import Watches
from gridlog_protocol.ids import RecordId
from tests.unit.client.stores import PASSPHRASE
from tests.unit.client.test_drafting import leave, open_store, patrol
from tests.unit.sync.building import a_record

T = TypeVar("T")
ONE, TWO, THREE = a_record(1), a_record(2), a_record(3)


async def soon(awaited: Awaitable[T]) -> T:
    return await asyncio.wait_for(awaited, 10)


async def is_silent(watch: Watch) -> bool:
    """Tell whether nothing has been told to a watch by the time that everything which was begun is done."""
    reading = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0.01)
    is_waiting = not reading.done()
    reading.cancel()
    return is_waiting


async def test_what_changes_while_nobody_reads_comes_as_one_set() -> None:
    watches = Watches()
    watch = watches.begin(None)
    for touched in ({ONE: "patrol"}, {TWO: "patrol"}, {ONE: "patrol", THREE: "incident"}):
        watches.tell(touched)

    assert await soon(anext(watch)) == {ONE, TWO, THREE}
    assert await is_silent(watch)


async def test_a_watch_of_one_kind_hears_of_that_kind_and_of_what_is_gone() -> None:
    watches = Watches()
    patrols, incidents = watches.begin("patrol"), watches.begin("incident")
    watches.tell({ONE: "patrol", TWO: ""})

    assert await soon(anext(patrols)) == {ONE, TWO}
    assert await soon(anext(incidents)) == {TWO}
    watches.tell({ONE: "patrol"})
    assert await is_silent(incidents)


async def test_a_reader_who_waits_is_woken() -> None:
    watches = Watches()
    watch = watches.begin(None)
    reading = asyncio.create_task(anext(watch))
    await asyncio.sleep(0)
    watches.tell({ONE: "patrol"})

    assert await soon(reading) == {ONE}


async def test_the_end_wakes_who_waits_and_ends_every_loop_once_and_for_all() -> None:
    watches = Watches()
    waiting, behind = watches.begin(None), watches.begin(None)
    loop = asyncio.create_task(all_of(waiting))
    await asyncio.sleep(0)
    behind.tell({ONE: "patrol"})
    watches.end()

    assert await soon(loop) == []
    assert await soon(all_of(behind)) == []
    watches.tell({ONE: "patrol"})
    assert await soon(all_of(behind)) == []


async def all_of(watch: Watch) -> list[frozenset[RecordId]]:
    return [changed async for changed in watch]


async def test_who_leaves_the_loop_or_is_cancelled_is_forgotten(enrolled: Path) -> None:
    async with open_store(enrolled) as store:

        async def first() -> frozenset[RecordId]:
            async for changed in store.watch():
                return changed
            raise AssertionError("the store is open")

        leaving, staying = asyncio.create_task(first()), asyncio.create_task(all_of(store.watch()))
        await asyncio.sleep(0)
        assert len(store._watches) == 2
        record = await store.create("patrol", patrol())
        assert await soon(leaving) == {record.id}
        gc.collect()
        assert len(store._watches) == 1
        staying.cancel()
        await asyncio.gather(staying, return_exceptions=True)
        del staying
        # The loop lets go of what it has just handed out, and with it of where the cancelled task stood.
        await asyncio.sleep(0)
        gc.collect()
        assert len(store._watches) == 0


async def test_every_way_to_write_is_told_and_reading_or_a_draft_is_not(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        watch = store.watch("patrol")
        record = await store.create("patrol", patrol(summary="a"))
        assert await soon(anext(watch)) == {record.id}
        record = await store.edit(record, {"summary": "b"})
        assert await soon(anext(watch)) == {record.id}
        draft = await store.begin_draft("patrol", patrol())
        await store.save_draft(draft.id, {"summary": "c"})
        await store.query("patrol")
        await store.edit(record, {"summary": "b"})
        assert await is_silent(watch)
        await store.finalise(draft.id)
        assert await soon(anext(watch)) == {draft.id}
        await leave_all(store, watch, record.id, draft.id)


async def leave_all(store: FieldStore, watch: Watch, first: RecordId, second: RecordId) -> None:
    await store._renumber()
    assert await soon(anext(watch)) == {first, second}


async def test_what_an_exchange_brought_is_told_and_what_left_too(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol())
        patrols, incidents = store.watch("patrol"), store.watch("incident")
        await store._run(lambda: None)
        await leave(store, record.id)
        await store._run(lambda: None)
        assert await soon(anext(patrols)) == {record.id}
        # Of what kind it was, nobody can tell any more.
        assert await soon(anext(incidents)) == {record.id}


async def test_what_was_there_when_the_store_was_opened_or_unlocked_is_no_news(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        await store.create("patrol", patrol())
    async with open_store(enrolled) as store:
        watch = store.watch()
        await store.status()
        await store.lock()
        await store.unlock(PASSPHRASE)
        await store.status()
        assert await is_silent(watch)


async def test_a_lock_ends_no_watch_and_what_is_written_after_it_is_told(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        told = asyncio.create_task(anext(store.watch()))
        await store.lock()
        with pytest.raises(LockedError):
            store.watch()
        await asyncio.sleep(0.01)
        assert not told.done()
        await store.unlock(PASSPHRASE)
        record = await store.create("patrol", patrol())
        assert await soon(told) == {record.id}


@pytest.mark.parametrize("end", ["close", "wipe"])
async def test_a_store_that_is_closed_or_wiped_ends_its_watches_without_an_error(enrolled: Path, end: str) -> None:
    store = await FieldStore.open(enrolled, PASSPHRASE)
    loops = [asyncio.create_task(all_of(store.watch())) for _ in range(3)]
    await asyncio.sleep(0)
    await getattr(store, end)()
    assert await soon(asyncio.gather(*loops)) == [[], [], []]


async def test_a_write_whose_caller_was_cancelled_is_told_all_the_same(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        watch = store.watch()
        is_running, is_cancelled = threading.Event(), threading.Event()

        def write() -> None:
            is_running.set()
            is_cancelled.wait()
            store._write(ONE, "patrol", patrol(), None)

        writing = asyncio.create_task(store._run(write))
        await asyncio.to_thread(is_running.wait)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        is_cancelled.set()
        assert await soon(anext(watch)) == {ONE}


async def test_a_kind_that_nobody_knows_is_not_watched(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        with pytest.raises(UnknownKindError):
            store.watch("drone_flight")
