"""A snapshot makes opening quick and changes nothing else, whatever happens to it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gridlog import keeping
from gridlog.errors import StoreDamagedError, StorePart
from gridlog.keydisk import SNAPSHOT_FILE
from tests.unit.client.dying import cut_everywhere
from tests.unit.client.filled import PATROL, known, make_filled, opened, read
from tests.unit.client.stores import change_log

RECORDS = 60


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """Return a store with a snapshot, and an op behind it."""
    directory = tmp_path / "store"
    make_filled(directory, RECORDS)
    filled = await opened(directory)
    await filled.create("patrol", PATROL)
    await filled.lock()
    await filled.unlock("grid-worker-7")
    await filled.create("patrol", PATROL)
    await filled.close()
    return directory


async def test_locking_leaves_a_snapshot_that_covers_everything(store: Path) -> None:
    filled = await opened(store)
    await filled.lock()
    await filled.close()

    memory, uncovered, _ = read(store)

    assert uncovered == 0
    assert memory.projection.counts() == (RECORDS + 2, 0)
    assert len(memory.pending) == 2


async def test_a_store_is_the_same_from_its_snapshot_and_without(store: Path) -> None:
    with_it = known(store)
    (store / SNAPSHOT_FILE).unlink()

    assert known(store) == with_it


async def test_a_snapshot_with_any_byte_changed_or_cut_anywhere_changes_nothing(store: Path) -> None:
    path, everything = store / SNAPSHOT_FILE, known(store)
    whole = path.read_bytes()
    for at in [*range(150), *range(150, len(whole), 997)]:
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        assert known(store) == everything
    for length in [*range(0, 150, 7), *range(150, len(whole), 1777)]:
        path.write_bytes(whole[:length])
        assert known(store) == everything
    path.write_bytes(whole + b"\0\0\0\5later")
    assert known(store) == everything


async def test_an_older_snapshot_is_taken_as_far_as_it_goes(store: Path) -> None:
    shutil.copy(store / SNAPSHOT_FILE, store / "old")
    filled = await opened(store)
    await filled.create("patrol", PATROL)
    await filled.lock()
    await filled.close()
    everything = known(store)

    shutil.copy(store / "old", store / SNAPSHOT_FILE)

    assert read(store)[1] == 2
    assert known(store) == everything


async def test_a_snapshot_of_another_store_is_not_taken(store: Path, tmp_path: Path) -> None:
    everything = known(store)
    make_filled(tmp_path / "other", RECORDS)
    other = await opened(tmp_path / "other")
    await other.lock()
    await other.close()

    shutil.copy(tmp_path / "other" / SNAPSHOT_FILE, store / SNAPSHOT_FILE)

    assert known(store) == everything


async def test_a_journal_that_lost_what_the_snapshot_has_is_refused_with_the_position(store: Path) -> None:
    filled = await opened(store)
    await filled.lock()
    await filled.close()
    last = read(store)[2]

    change_log(store, "DELETE FROM log WHERE seq > ?", last - 2)

    with pytest.raises(StoreDamagedError) as refused:
        read(store)
    assert (refused.value.where, refused.value.position) == (StorePart.JOURNAL, last - 1)


async def test_a_snapshot_is_written_now_and_then(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "SNAPSHOT_EVERY", 3)
    filled = await opened(store)
    for _ in range(20):
        await filled.create("patrol", PATROL)
    filled._journal.close()  # As a kill leaves it.
    filled._vault.close()

    assert 0 <= read(store)[1] < 20


async def test_a_snapshot_that_was_killed_on_its_way_leaves_the_old_one_or_the_new(
    store: Path, tmp_path: Path
) -> None:
    everything = known(store)
    action = """
import asyncio
from gridlog import FieldStore
async def main():
    store = await FieldStore.open(directory, "grid-worker-7")
    await store.lock()
asyncio.run(main())
"""
    copies = cut_everywhere(store, action, tmp_path / "copies")

    assert len(copies) > 3
    assert {read(copy)[1] for copy in copies} == {0, 1}
    assert all(known(copy) == everything for copy in copies)
