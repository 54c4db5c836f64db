"""Two workers contradict each other; somebody decides, takes it back, withdraws. Stores and a server, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gridlog import FieldStore, InvalidRecordError, NothingToUndoError, Record
from gridlog_protocol.ids import RecordId
from tests.end_to_end.processes import ServerProcess
from tests.end_to_end.test_stores import PASSPHRASE, stores, write
from tools.dice import dice


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture
async def partners(running: ServerProcess, tmp_path: Path) -> AsyncIterator[tuple[FieldStore, FieldStore]]:
    grid = f"4201060010{dice(1, str(tmp_path)).randrange(10**4, 10**5)}"
    async with stores(running, tmp_path, grid, count=2) as (mine, theirs):
        yield mine, theirs


async def shared(mine: FieldStore, theirs: FieldStore) -> RecordId:
    """Return a record that both hold."""
    grid = next(scope for scope in (await mine.status()).scopes if scope != "tenant")
    [record] = await write(mine, grid, state="in_progress")
    await mine.sync()
    await theirs.sync()
    return record.id


async def told(*all_of_them: FieldStore) -> None:
    for _ in range(2):
        for store in all_of_them:
            await store.sync()


async def contested(mine: FieldStore, theirs: FieldStore) -> RecordId:
    record = await shared(mine, theirs)
    await mine.edit(await mine.get(record), {"summary": "甲的小结"})
    await theirs.edit(await theirs.get(record), {"summary": "乙的小结"})
    await told(mine, theirs)
    return record


async def conflicts_of(store: FieldStore, record: RecordId) -> dict[str, list[object]]:
    found = [each for each in await store.conflicts() if each.record == record]
    return {each.field: [head.value for head in each.heads] for each in found}


async def test_a_decision_ends_a_conflict_and_its_loser_is_told_until_he_writes_again(
    partners: tuple[FieldStore, FieldStore],
) -> None:
    mine, theirs = partners
    record = await contested(mine, theirs)
    await mine.resolve(await mine.get(record), {"summary": "甲的小结"})
    await told(mine, theirs)

    assert await conflicts_of(theirs, record) == {}
    [lost] = await theirs.overruled()
    assert (lost.field, lost.mine, lost.shown) == ("summary", "乙的小结", "甲的小结")
    assert await mine.overruled() == []

    await theirs.edit(await theirs.get(record), {"summary": "乙的小结"})
    assert await theirs.overruled() == []


async def test_who_was_overruled_still_knows_it_after_a_restart(
    partners: tuple[FieldStore, FieldStore], tmp_path: Path
) -> None:
    mine, theirs = partners
    record = await contested(mine, theirs)
    await mine.resolve(await mine.get(record), {"summary": "两人的小结"})
    await told(mine, theirs)
    before = await theirs.overruled()
    await theirs.close()

    async with await FieldStore.open(tmp_path / "store-0-1", PASSPHRASE) as again:
        assert await again.overruled() == before != []


async def test_a_decision_that_is_undone_brings_both_texts_back_everywhere(
    partners: tuple[FieldStore, FieldStore],
) -> None:
    mine, theirs = partners
    record = await contested(mine, theirs)
    before = await conflicts_of(mine, record)
    await mine.resolve(await mine.get(record), {"summary": "甲的小结"})
    await told(mine, theirs)

    undone = await mine.undo(record)
    await told(mine, theirs)

    assert undone.is_in_conflict
    assert await conflicts_of(mine, record) == await conflicts_of(theirs, record) == before
    assert (await mine.get(record)).values == (await theirs.get(record)).values
    with pytest.raises(NothingToUndoError):
        await mine.undo(record)


async def test_a_decision_can_be_undone_after_a_restart_but_not_over_what_somebody_wrote_since(
    partners: tuple[FieldStore, FieldStore], tmp_path: Path
) -> None:
    mine, theirs = partners
    record = await contested(mine, theirs)
    await mine.resolve(await mine.get(record), {"summary": "甲的小结"})
    await told(mine, theirs)
    await mine.close()
    async with await FieldStore.open(tmp_path / "store-0-0", PASSPHRASE) as again:
        await theirs.edit(await theirs.get(record), {"summary": "后来又改了"})
        await told(theirs, again)
        with pytest.raises(NothingToUndoError):
            await again.undo(record)
        assert (await again.get(record)).values["summary"] == "后来又改了"


async def test_what_nobody_contests_is_not_decided(partners: tuple[FieldStore, FieldStore]) -> None:
    mine, theirs = partners
    record = await contested(mine, theirs)
    with pytest.raises(InvalidRecordError) as wrong:
        await mine.resolve(await mine.get(record), {"weather": "rain"})
    assert [each.rule for each in wrong.value.violations] == ["not_in_conflict"]


async def listed(store: FieldStore, *, with_withdrawn: bool = False) -> set[RecordId]:
    return {each.id for each in await store.query("patrol", limit=1000, with_withdrawn=with_withdrawn)}


async def test_a_withdrawn_draft_leaves_the_lists_and_can_be_put_back(
    partners: tuple[FieldStore, FieldStore],
) -> None:
    mine, theirs = partners
    record = await shared(mine, theirs)
    gone = await mine.withdraw(await mine.get(record), "重复登记了")
    await told(mine, theirs)

    assert gone.is_withdrawn
    for store in partners:
        assert record not in await listed(store)
        assert record in await listed(store, with_withdrawn=True)
    await mine.restore(await mine.get(record))
    await told(mine, theirs)
    assert record in await listed(theirs)


async def test_a_withdrawal_that_met_an_unseen_edit_is_for_a_person_and_the_edit_stays(
    partners: tuple[FieldStore, FieldStore],
) -> None:
    mine, theirs = partners
    record = await shared(mine, theirs)
    await mine.withdraw(await mine.get(record), "重复登记了")
    await theirs.edit(await theirs.get(record), {"summary": "现场已复查"})
    await told(mine, theirs)

    for store in partners:
        [conflict] = [each for each in await store.conflicts() if each.record == record]
        assert conflict.field == "deleted"
        assert [(each.field, each.head.value) for each in conflict.unseen] == [("summary", "现场已复查")]
        assert record in await listed(store)
    await mine.resolve(await mine.get(record), {"deleted": None})
    await told(mine, theirs)
    kept: Record = await theirs.get(record)
    assert (kept.is_withdrawn, kept.is_in_conflict, kept.values["summary"]) == (False, False, "现场已复查")


async def test_a_reason_is_wanted_and_a_colleagues_record_waits_for_a_supervisor(
    partners: tuple[FieldStore, FieldStore],
) -> None:
    mine, theirs = partners
    record = await shared(mine, theirs)
    with pytest.raises(InvalidRecordError):
        await mine.withdraw(await mine.get(record), "错")
    await theirs.withdraw(await theirs.get(record), "不是我们网格的")
    await told(mine, theirs)

    assert [note.code for note in await theirs.held()] == ["not_a_draft"]
    assert record in await listed(mine)


async def test_of_a_step_back_and_a_step_on_the_round_decides_and_a_person_is_asked(
    partners: tuple[FieldStore, FieldStore],
) -> None:
    mine, theirs = partners
    record = await shared(mine, theirs)
    await mine.edit(await mine.get(record), {"state": "planned"})
    await theirs.edit(
        await theirs.get(record), {"state": "finished", "ended_at": (await mine.get(record)).values["started_at"]}
    )
    await told(mine, theirs)

    for store in partners:
        held = await store.get(record)
        assert (held.values["state"], held.rounds) == ("planned", {"state": {"": 1}})
        assert await conflicts_of(store, record) == {"state": [[1, "planned"], [0, "finished"]]}
    await theirs.resolve(await theirs.get(record), {"state": "finished"})
    await told(mine, theirs)
    assert (await mine.get(record)).values["state"] == "finished"
    assert await conflicts_of(mine, record) == {}
