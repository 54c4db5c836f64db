"""A locked store takes notes and gives nothing out."""

from __future__ import annotations

import gc
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

import pytest

from gridlog import FieldStore, LockedError, WrongPassphraseError, keeping
from gridlog.drafts import Draft
from gridlog.errors import (
    DiskFailedError,
    NotEnrolledError,
    StoreDamagedError,
    StoreInUseError,
    UnknownDraftError,
    UnknownKindError,
)
from gridlog.journal import JOURNAL_FILE
from gridlog.vault import KdfProfile
from gridlog_sync.writing import InvalidRecordError
from tests.unit.client.filled import PASSPHRASE, PATROL, known, make_filled, opened, read
from tests.unit.client.stores import change_log, store_frame, stored_frame

RECORDS = 20
SENTENCE = "锁屏以后看见的：井盖松动。"


@pytest.fixture
async def store(tmp_path: Path) -> FieldStore:
    make_filled(tmp_path / "store", RECORDS)
    return await opened(tmp_path / "store")


async def test_what_was_written_while_locked_is_there_after_unlocking_in_its_order(store: FieldStore) -> None:
    first = await store.create("patrol", PATROL)
    await store.lock()
    locked = [await store.create("patrol", PATROL | {"summary": f"{SENTENCE}{number}"}) for number in range(3)]
    assert locked[0].values["summary"] == f"{SENTENCE}0"
    with pytest.raises(LockedError):
        await store.get(locked[0].id)

    await store.unlock(PASSPHRASE)
    last = await store.create("patrol", PATROL)

    assert [each.record for each in await store.pending()] == [first.id, *(each.id for each in locked), last.id]
    assert [each.id.seq for each in await store.pending()] == [1, 2, 3, 4, 5]
    assert [(await store.get(each.id)).values for each in locked] == [each.values for each in locked]
    assert [each.id for each in await store.search(SENTENCE)] == [each.id for each in reversed(locked)]
    assert (await store.verify()).is_sound
    await store.close()


async def test_it_is_on_the_disk_before_create_returns(store: FieldStore, tmp_path: Path) -> None:
    await store.lock()
    record = await store.create("patrol", PATROL)
    assert store._locked is not None
    store._locked._inbox.close()  # As a kill leaves it.
    store._locked.lock.release()

    memory, uncovered, _ = read(tmp_path / "store")

    assert record.id in {written.op.record for written in memory.pending.values()}
    assert uncovered == 1


async def test_forms_go_on_while_locked(store: FieldStore) -> None:
    record = await store.create("patrol", PATROL)
    older = await store.begin_draft("patrol", {"patrol_type": "daily", "summary": "早上写的"})
    await store.lock()

    edited = await store.begin_draft(record, {"summary": SENTENCE})
    newer = await store.begin_draft("patrol", {"weather": "rain"})
    told = await store.save_draft(older.id, {"weather": "fog"}, without=["summary"])
    await store.save_draft(newer.id, {"weather": "wind"})
    assert told.changes == {"weather": "fog"}
    with pytest.raises(LockedError):
        await store.drafts()
    with pytest.raises(LockedError):
        await store.finalise(newer.id)
    with pytest.raises(UnknownDraftError):
        await store.save_draft(bytes(16), {"weather": "fog"})  # type: ignore[arg-type]

    await store.unlock(PASSPHRASE)
    drafts: dict[bytes, Draft] = {each.id: each for each in await store.drafts()}
    assert drafts[older.id].changes == {"patrol_type": "daily", "weather": "fog"}
    assert drafts[newer.id].changes == {"weather": "wind"}
    assert drafts[edited.id].opened == record
    assert (await store.finalise(edited.id)).values["summary"] == SENTENCE
    await store.close()


async def test_what_no_form_allows_is_refused_as_ever(store: FieldStore) -> None:
    await store.lock()
    with pytest.raises(InvalidRecordError):
        await store.create("patrol", {"summary": "没有时间"})
    with pytest.raises(UnknownKindError):
        await store.create("nothing", PATROL)
    with pytest.raises(InvalidRecordError):
        await store.begin_draft("patrol", {"summary": 1.5})  # type: ignore[dict-item]
    await store.unlock(PASSPHRASE)
    assert await store.pending() == []
    assert await store.drafts() == []
    await store.close()


def reachable(root: object) -> list[object]:
    """Return everything that an object holds, directly or not, code aside."""
    found: dict[int, object] = {}
    waiting = [root]
    while waiting:
        each = waiting.pop()
        if id(each) not in found and not isinstance(each, (type, ModuleType, FunctionType, CodeType)):
            found[id(each)] = each
            waiting += gc.get_referents(each)
    return [*found.values()]


async def test_nothing_of_it_stays_in_the_objects_of_the_store(store: FieldStore) -> None:
    await store.create("patrol", PATROL | {"summary": "锁屏以前：" + SENTENCE})
    assert [each for each in reachable(store) if isinstance(each, str) and SENTENCE in each]
    await store.lock()
    await store.create("patrol", PATROL | {"summary": SENTENCE})
    await store.begin_draft("patrol", {"summary": SENTENCE})
    gc.collect()

    assert not [each for each in reachable(store) if isinstance(each, str) and SENTENCE in each]
    assert not [each for each in reachable(store) if isinstance(each, bytes) and SENTENCE.encode() in each]
    await store.close()


async def test_a_wrong_credential_leaves_it_locked_and_writing(store: FieldStore) -> None:
    await store.lock()
    with pytest.raises(WrongPassphraseError):
        await store.unlock("another passphrase")
    record = await store.create("patrol", PATROL)
    assert store.is_locked
    await store.unlock(PASSPHRASE)
    assert (await store.get(record.id)).id == record.id
    await store.close()


async def test_a_locked_store_is_still_in_use_until_it_is_closed_or_wiped(store: FieldStore, tmp_path: Path) -> None:
    await store.lock()
    with pytest.raises(StoreInUseError):
        await opened(tmp_path / "store")
    await store.close()
    with pytest.raises(RuntimeError):
        await store.create("patrol", PATROL)

    again = await opened(tmp_path / "store")
    await again.lock()
    await again.wipe()
    assert not (tmp_path / "store" / JOURNAL_FILE).exists()


async def test_a_journal_that_was_changed_behind_a_locked_store_takes_nothing(
    store: FieldStore, tmp_path: Path
) -> None:
    await store.lock()
    change_log(tmp_path / "store", "DELETE FROM log WHERE seq = (SELECT max(seq) FROM log)")
    with pytest.raises(StoreDamagedError):
        await store.create("patrol", PATROL)
    with pytest.raises(StoreDamagedError):
        await store.unlock(PASSPHRASE)
    assert store.is_locked
    await store.close()


async def test_a_disk_that_fails_while_it_is_being_locked_keeps_nothing_open(
    store: FieldStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> None:
        store._vault._disk._is_in_doubt = True
        raise DiskFailedError

    await store.create("patrol", PATROL)
    await store.lock()
    await store.unlock(PASSPHRASE)
    monkeypatch.setattr(keeping, "_HISTORY_TIMES", 0)
    monkeypatch.setattr(keeping, "_HISTORY_BYTES", 0)
    monkeypatch.setattr(store._vault, "begin_epoch", failing)
    await store.create("patrol", PATROL)
    await store.lock()

    for refused in (store.pending(), store.create("patrol", PATROL)):
        with pytest.raises(LockedError):
            await refused
    await store.unlock(PASSPHRASE)
    assert len(await store.pending()) == 2
    await store.close()


async def test_a_frame_written_while_locked_is_bound_to_its_place(store: FieldStore, tmp_path: Path) -> None:
    await store.lock()
    for _ in range(2):
        await store.create("patrol", PATROL)
    await store.close()
    directory = tmp_path / "store"
    everything, last = known(directory), read(directory)[2]
    (directory / "snapshot.gl").unlink()
    assert known(directory) == everything

    frames = [stored_frame(directory, seq) for seq in (last - 1, last)]
    store_frame(directory, last, frames[0])
    with pytest.raises(StoreDamagedError):
        read(directory)
    store_frame(directory, last, frames[1][:-1] + bytes([frames[1][-1] ^ 1]))
    with pytest.raises(StoreDamagedError) as refused:
        read(directory)
    assert refused.value.position == last
    store_frame(directory, last, frames[1])
    change_log(directory, "DELETE FROM log WHERE seq = ?", last - 1)
    with pytest.raises(StoreDamagedError):
        read(directory)


async def test_a_store_that_nobody_enrolled_writes_nothing(tmp_path: Path) -> None:
    fresh = await FieldStore.make(tmp_path / "fresh", PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS)
    await fresh.lock()
    with pytest.raises(NotEnrolledError):
        await fresh.create("patrol", PATROL)
    await fresh.close()
