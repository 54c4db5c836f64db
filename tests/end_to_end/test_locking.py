"""Lock, unlock and wipe a whole store: while something runs, while it is locked, and after a disk that refused."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gridlog import (
    FieldStore,
    KdfProfile,
    LockedError,
    Pin,
    SlotKind,
    StoreInUseError,
    StoreWipedError,
    WrongPassphraseError,
    WrongPinError,
)
from tests.end_to_end.processes import ServerProcess
from tests.end_to_end.test_stores import PASSPHRASE, everything, line, stores, write
from tools.proxy import Faults

GRID = "420106001001001"
WEAK = KdfProfile.WEAK_FOR_TESTS
PIN = Pin("280417", b"of this handheld")
OTHER = "another long passphrase"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


async def test_a_locked_store_reads_and_sends_nothing_until_it_is_unlocked_and_then_is_what_it_was(
    running: ServerProcess, tmp_path: Path
) -> None:
    async with stores(running, tmp_path, GRID) as [store]:
        [record] = await write(store, GRID)
        before = await everything(store)
        await store.lock()
        await store.lock()
        refused: list[Callable[[], Awaitable[object]]] = [
            lambda: store.edit(record, {"summary": "换一个说法"}),
            lambda: store.get(record.id),
            lambda: store.query("patrol"),
            store.pending,
            store.held,
            store.conflicts,
            store.overruled,
            store.receipts,
            store.status,
            store.sync,
            lambda: store.set_pin(PIN, current=PASSPHRASE, profile=WEAK),
        ]
        for each in refused:
            with pytest.raises(LockedError):
                await each()
        locked = [store.is_locked]
        with pytest.raises(WrongPassphraseError):
            await store.unlock("not the passphrase")
        locked.append(store.is_locked)
        await store.unlock(PASSPHRASE)
        locked.append(store.is_locked)
        assert locked == [True, True, False]
        await store.unlock("harmless when it is open")
        assert await everything(store) == before
        await write(store, GRID)
        assert (await store.sync()).sent == 2


async def test_locking_leaves_no_keys_and_no_records_in_hand(running: ServerProcess, tmp_path: Path) -> None:
    async with stores(running, tmp_path, GRID) as [store]:
        await write(store, GRID)
        dropped: list[weakref.ref[object]] = [
            weakref.ref(store._vault),
            weakref.ref(store._journal),
            weakref.ref(store._memory),
        ]
        await store.lock()
        gc.collect()
        assert [each() for each in dropped] == [None, None, None]


async def test_a_pin_unlocks_and_its_attempts_count_as_they_do_at_the_door(
    running: ServerProcess, tmp_path: Path
) -> None:
    async with stores(running, tmp_path, GRID) as [store]:
        await store.set_pin(PIN, current=PASSPHRASE, profile=WEAK)
        await store.lock()
        assert FieldStore.slots_at(tmp_path / "store-0-0") == {SlotKind.PASSPHRASE, SlotKind.PIN}
        with pytest.raises(WrongPinError) as refused:
            await store.unlock(Pin("280418", PIN.device_secret))
        assert refused.value.left == 9
        await store.unlock(PIN)
        assert not store.has_plain_pin
        await store.change_passphrase(OTHER, current=PIN, profile=WEAK)
    async with await FieldStore.open(tmp_path / "store-0-0", OTHER) as again:
        assert (await again.status()).pending == 0


async def test_a_lock_does_not_wait_for_a_sync_which_ends_with_it_and_loses_nothing(
    running: ServerProcess, tmp_path: Path
) -> None:
    async with line(running) as link, stores(running, tmp_path, GRID, port=link.port) as [store]:
        written = await write(store, GRID, count=3)
        link.faults = Faults(delay_ms=1500)
        before = link.bytes_up
        syncing = asyncio.create_task(store.sync())
        while link.bytes_up == before:  # noqa: ASYNC110 - a relay counts, and tells nobody
            await asyncio.sleep(0.01)
        await store.lock()
        assert not syncing.done()
        # Its answer comes to a store that has no keys.
        with pytest.raises(LockedError):
            await syncing

        link.faults = Faults()
        await store.unlock(PASSPHRASE)
        assert (await store.status()).pending == 3
        await store.sync()
        assert (await store.status()).pending == 0
        assert {record.id for record in written} <= set(await everything(store))


async def test_a_wiped_store_says_so_whatever_is_asked_of_it(running: ServerProcess, tmp_path: Path) -> None:
    directory = tmp_path / "store-0-0"
    async with stores(running, tmp_path, GRID) as [store]:
        await write(store, GRID)
        with pytest.raises(StoreInUseError):
            await FieldStore.wipe_at(directory)
        await store.wipe()
        with pytest.raises(StoreWipedError):
            await store.query("patrol")
        with pytest.raises(StoreWipedError):
            await store.sync()
    assert {path.name for path in directory.iterdir()} == {"keys.gl", "lock"}
    assert not FieldStore.is_made(directory)
    with pytest.raises(StoreWipedError):
        await FieldStore.open(directory, PASSPHRASE)


async def test_a_locked_store_can_be_wiped(running: ServerProcess, tmp_path: Path) -> None:
    async with stores(running, tmp_path, GRID) as [store]:
        await store.lock()
        await store.wipe()
    with pytest.raises(StoreWipedError):
        FieldStore.slots_at(tmp_path / "store-0-0")
