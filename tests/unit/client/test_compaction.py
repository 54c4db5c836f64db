"""A journal that is mostly history is compacted: what is true stays, and the history cannot be read any more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gridlog import image, keeping, sights
from gridlog.errors import StoreDamagedError
from gridlog.journal import JOURNAL_FILE
from gridlog.keydisk import KEYS_FILE, SNAPSHOT_FILE
from tests.unit.client.dying import cut_everywhere
from tests.unit.client.filled import PASSPHRASE, PATROL, known, make_filled, opened, read
from tests.unit.client.stores import change_log

RECORDS = 40
COMPACT = """
import asyncio
from gridlog import FieldStore
async def main():
    store = await FieldStore.open(directory, "grid-worker-7")
    await store.compact()
    await store.create("patrol", %r)
    await store.close()
asyncio.run(main())
"""


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    """Return a store with a snapshot, an op behind it, and a record that was edited forty times."""
    directory = tmp_path / "store"
    make_filled(directory, RECORDS)
    filled = await opened(directory)
    record = await filled.create("patrol", PATROL)
    for number in range(RECORDS):
        record = await filled.edit(record, {"summary": f"第{number}次改写"})
    await filled.lock()
    await filled.unlock("grid-worker-7")
    await filled.create("patrol", PATROL)
    await filled.close()
    return directory


async def compacted(directory: Path) -> None:
    filled = await opened(directory)
    await filled.compact()
    await filled.close()


async def test_a_compacted_store_knows_what_it_knew_and_goes_on(store: Path) -> None:
    before = known(store)
    await compacted(store)

    assert known(store) == before
    assert not (store / SNAPSHOT_FILE).exists()
    filled = await opened(store)
    record = await filled.create("patrol", PATROL)
    await filled.close()
    assert len(known(store)) == len(before) + 3  # The record, the op that waits, and whose it is.
    filled = await opened(store)
    assert (await filled.get(record.id)).values == record.values
    await filled.close()


async def test_it_is_compacted_again_and_again(store: Path) -> None:
    for _ in range(3):
        before = known(store)
        await compacted(store)
        assert known(store) == before


async def test_compaction_that_was_killed_leaves_the_old_journal_or_the_new(store: Path, tmp_path: Path) -> None:
    before = known(store)

    copies = cut_everywhere(store, COMPACT % PATROL, tmp_path / "copies")

    assert len(copies) > 10
    for copy in copies[:-1]:
        after = known(copy)
        assert after == before or len(after) == len(before) + 3
        # What was left in between is finished or given up, and nothing stands in the way of the next one.
        await compacted(copy)
        assert known(copy) == after
    assert len(known(copies[-1])) == len(before) + 3


async def test_the_old_journal_put_back_is_refused(store: Path, tmp_path: Path) -> None:
    shutil.copytree(store, tmp_path / "old")
    await compacted(store)

    shutil.copy(tmp_path / "old" / JOURNAL_FILE, store / JOURNAL_FILE)

    with pytest.raises(StoreDamagedError):
        read(store)


async def test_the_old_keys_are_gone(store: Path) -> None:
    await compacted(store)
    filled = await opened(store)

    assert len(filled._vault.bases) == 1
    with pytest.raises(KeyError):
        filled._vault.journal_key(1)
    await filled.close()


async def test_a_compacted_journal_that_lost_its_beginning_or_everything_is_refused(
    store: Path, tmp_path: Path
) -> None:
    await compacted(store)
    filled = await opened(store)
    first = filled._journal.first_seq
    await filled.create("patrol", PATROL)
    await filled.close()
    for number, loss in enumerate(("DELETE FROM log WHERE seq = ?", "DELETE FROM log WHERE seq >= ?")):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(store, copy)
        change_log(copy, loss, first)
        with pytest.raises(StoreDamagedError) as refused:
            read(copy)
        assert refused.value.position == first


@pytest.mark.parametrize("is_compacted", [True, False])
async def test_what_another_version_worked_out_is_worked_out_again(
    store: Path, monkeypatch: pytest.MonkeyPatch, *, is_compacted: bool
) -> None:
    if is_compacted:
        await compacted(store)
    before = known(store)
    monkeypatch.setattr(sights, "derivation", lambda: b"another1")
    monkeypatch.setattr(image, "derivation", lambda: b"another1")

    after = known(store)

    assert after[0] != before[0]  # The head names the version.
    assert after[1:] == before[1:]
    filled = await opened(store)
    record = await filled.create("patrol", PATROL)
    await filled.lock()
    await filled.unlock(PASSPHRASE)
    assert (await filled.get(record.id)).values == record.values
    assert (await filled.verify()).is_sound
    await filled.close()


async def test_a_snapshot_from_before_is_of_no_use(store: Path, tmp_path: Path) -> None:
    before = known(store)
    shutil.copy(store / SNAPSHOT_FILE, tmp_path / SNAPSHOT_FILE)
    await compacted(store)

    shutil.copy(tmp_path / SNAPSHOT_FILE, store / SNAPSHOT_FILE)

    assert known(store) == before


async def test_a_store_that_is_mostly_history_is_compacted_when_it_is_locked(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "_HISTORY_BYTES", 0)
    monkeypatch.setattr(keeping, "_HISTORY_TIMES", 1)
    before, keys = known(store), (store / KEYS_FILE).read_bytes()
    filled = await opened(store)
    await filled.lock()
    await filled.close()

    assert known(store) == before
    assert (store / KEYS_FILE).read_bytes() != keys
