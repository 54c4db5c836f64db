"""Verifying reads everything again, and names what is not what was written."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridlog import FieldStore
from gridlog.errors import StorePart
from gridlog.keydisk import SNAPSHOT_FILE
from tests.unit.client.filled import PASSPHRASE, PATROL, make_filled, opened

RECORDS = 30


@pytest.fixture
async def store(tmp_path: Path) -> FieldStore:
    make_filled(tmp_path / "store", RECORDS, per_answer=5)
    store = await opened(tmp_path / "store")
    await store.create("patrol", PATROL)
    await store.lock()
    await store.unlock(PASSPHRASE)
    return store


async def test_a_store_as_it_was_written_is_sound(store: FieldStore) -> None:
    found = await store.verify()

    assert (found.is_sound, found.entries, found.last_entry, found.records) == (True, 8, 8, RECORDS + 1)
    await store.compact()
    await store.create("patrol", PATROL)
    found = await store.verify()
    assert (found.is_sound, found.last_entry > 9, found.records) == (True, True, RECORDS + 2)
    await store.close()


@pytest.mark.parametrize("position", [1, 4, 8])
async def test_a_frame_that_was_changed_behind_its_back_is_named(store: FieldStore, position: int) -> None:
    connection = store._journal._connection
    (frame,) = connection.execute("SELECT frame FROM log WHERE seq = ?", (position,)).fetchone()
    connection.execute("UPDATE log SET frame = ? WHERE seq = ?", (frame[:-1] + bytes([frame[-1] ^ 1]), position))

    found = await store.verify()

    assert [(each.where, each.position) for each in found.findings] == [(StorePart.JOURNAL, position)]
    assert str(position) in found.findings[0].text.zh
    await store.close()


async def test_a_damaged_snapshot_is_named_and_harms_nothing(store: FieldStore, tmp_path: Path) -> None:
    path = tmp_path / "store" / SNAPSHOT_FILE
    whole = path.read_bytes()
    for at in (3, 70, len(whole) - 40):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        found = await store.verify()
        assert [each.where for each in found.findings] == [StorePart.SNAPSHOT]
        assert found.records == RECORDS + 1
    path.write_bytes(whole)
    assert (await store.verify()).is_sound
    await store.close()


async def test_memory_that_differs_from_the_journal_is_named(store: FieldStore) -> None:
    projection = store._memory.projection
    projection._connection.execute("UPDATE record SET shown = replace(shown, 'daily', 'night')")

    found = await store.verify()

    assert [(each.where, each.position) for each in found.findings] == [(StorePart.MEMORY, 0)]
    await store.close()
