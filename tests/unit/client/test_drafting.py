"""Drafts of a whole store: kept over everything that happens to a phone, sent to nobody, finished as a whole."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from gridlog import (
    Add,
    Count,
    DraftTooLargeError,
    FieldStore,
    InvalidRecordError,
    LockedError,
    NotEnrolledError,
    Remove,
    UnknownDraftError,
    UnknownKindError,
    UnknownRecordError,
    Whereabouts,
)
from gridlog.entries import TakenAnswer
from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import Epoch, Position, RecordId, ScopeId
from gridlog_sync.session import Standing
from gridlog_sync.writing import Change
from tests.unit.client.stores import GRID, PASSPHRASE, USER, make_store
from tests.unit.sync.building import a_record


def now() -> str:
    return datetime.now(timezone(timedelta(hours=8))).isoformat(timespec="seconds")


def patrol(**more: Value) -> dict[str, Change]:
    filled: dict[str, Change] = {"patrol_type": "daily", "grid_code": GRID, "occurred_at": now(), "leader": USER}
    return {**filled, "started_at": now(), **more}


@asynccontextmanager
async def open_store(directory: Path) -> AsyncIterator[FieldStore]:
    async with await FieldStore.open(directory, PASSPHRASE) as store:
        yield store


async def test_a_half_typed_form_is_there_again_after_a_restart_as_it_was(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        draft = await store.begin_draft("patrol", {"grid_code": GRID})
        await store.save_draft(draft.id, {"summary": "青石巷十个"})
        saved = await store.save_draft(
            draft.id, {"started_at": "2026-11-", "handled_on_spot": Count(2), "tags": Add(("lamp",))}
        )
        assert saved.values["started_at"] == "2026-11-"
    async with open_store(enrolled) as store:
        again = await store.draft(draft.id)
        assert again == saved
        assert again.is_new
        assert await store.drafts() == [saved]
        assert again.changes["tags"] == Add(("lamp",))


async def test_a_draft_of_a_record_keeps_the_whole_form_as_it_was_opened(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol(summary="九个正常", tags=["lamp"]))
        draft = await store.begin_draft(record, {"summary": "八个正常"})
        assert (draft.id, draft.kind, draft.opened) == (record.id, "patrol", record)
    async with open_store(enrolled) as store:
        (again,) = await store.drafts()
        assert again.opened == record
        assert again.values == {**record.values, "summary": "八个正常"}


async def test_a_finished_draft_is_a_record_under_the_drafts_id_and_no_draft_any_more(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        draft = await store.begin_draft("patrol", patrol())
        await store.save_draft(draft.id, {"summary": "九个正常", "weather": None})
        record = await store.finalise(draft.id)
        assert (record.id, record.values["summary"]) == (draft.id, "九个正常")
        assert record.whereabouts is Whereabouts.ON_DEVICE
    async with open_store(enrolled) as store:
        assert await store.drafts() == []
        assert await store.get(draft.id) == record
        assert [each.record for each in await store.pending()] == [draft.id]


async def test_nothing_of_a_draft_waits_to_be_sent_and_the_status_counts_it(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol())
        await store.begin_draft("patrol", {"summary": "先记着"})
        await store.begin_draft(record, {"summary": "先记着"})
        standing = await store.status()
        assert (standing.drafts, standing.pending, standing.records) == (2, 1, 1)
        assert len(await store.query("patrol")) == 1


async def test_a_draft_that_is_wrong_is_refused_by_name_and_stays(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        draft = await store.begin_draft(
            "patrol", {**patrol(), "patrol_type": "sometimes", "handled_on_spot": "three"}
        )
        before = entries_in_store(store)
        with pytest.raises(InvalidRecordError) as wrong:
            await store.finalise(draft.id)
        assert sorted(each.field for each in wrong.value.violations) == ["handled_on_spot", "patrol_type"]
        assert await store.draft(draft.id) == draft
        assert entries_in_store(store) == before
        assert await store.pending() == []
        await store.save_draft(draft.id, {"patrol_type": "daily"}, without=["handled_on_spot"])
        assert (await store.finalise(draft.id)).values["patrol_type"] == "daily"


def entries_in_store(store: FieldStore) -> int:
    return store._journal.last_seq


async def test_what_is_missing_is_named_when_the_draft_is_finished_and_not_before(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        draft = await store.begin_draft("patrol")
        with pytest.raises(InvalidRecordError) as wrong:
            await store.finalise(draft.id)
        assert {each.field for each in wrong.value.violations} >= {"patrol_type", "leader", "started_at"}


async def test_what_a_form_had_not_shown_stands_beside_what_its_draft_says(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol(summary="九个正常"))
        draft = await store.begin_draft(record)
        await store.save_draft(draft.id, {"summary": "八个正常"})
        await store.edit(record, {"summary": "七个正常"})
    async with open_store(enrolled) as store:
        finished = await store.finalise(draft.id)
        assert finished.is_in_conflict
        (conflict,) = await store.conflicts()
        assert {head.value for head in conflict.heads} == {"八个正常", "七个正常"}


async def test_what_a_form_had_shown_is_replaced_however_often_the_store_was_opened(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol(summary="九个正常", tags=["lamp", "flood"]))
        await store.begin_draft(record, {"summary": "八个正常", "tags": Remove(("flood",))})
    for _ in range(2):
        async with open_store(enrolled) as store:
            await store.save_draft(record.id, {"weather": "rain"})
    async with open_store(enrolled) as store:
        finished = await store.finalise(record.id)
        assert not finished.is_in_conflict
        assert (finished.values["summary"], finished.values["tags"]) == ("八个正常", ["lamp"])
        assert len(await store.pending()) == 2


async def test_a_draft_outlives_a_new_incarnation_and_overwrites_nothing_unseen_then(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol(summary="九个正常"))
        edit = await store.begin_draft(record, {"summary": "八个正常"})
        fresh = await store.begin_draft("patrol", patrol(summary="新的一趟"))
        await store._renumber()
        assert [each.id for each in await store.drafts()] == [fresh.id, edit.id]
    async with open_store(enrolled) as store:
        assert (await store.finalise(fresh.id)).values["summary"] == "新的一趟"
        await store.finalise(edit.id)
        (conflict,) = await store.conflicts()
        assert {head.value for head in conflict.heads} == {"九个正常", "八个正常"}


async def test_drafts_are_gone_from_a_locked_store_and_there_when_it_is_unlocked(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        draft = await store.begin_draft("patrol", {"summary": "先记着"})
        await store.lock()
        for refused in (
            lambda: store.draft(draft.id),
            store.drafts,
            lambda: store.finalise(draft.id),
            lambda: store.discard_draft(draft.id),
        ):
            with pytest.raises(LockedError):
                await refused()
        await store.unlock(PASSPHRASE)
        assert await store.drafts() == [draft]


async def test_a_record_has_one_draft_which_goes_on_when_its_form_is_opened_again(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol(summary="九个正常"))
        await store.begin_draft(record, {"summary": "八个"})
        newer = await store.edit(record, {"weather": "rain"})
        again = await store.begin_draft(newer, {"shift": "early"})
        assert (again.opened, again.changes) == (record, {"summary": "八个", "shift": "early"})
        assert len(await store.drafts()) == 1


async def test_a_discarded_draft_is_gone_and_its_record_is_as_it_was(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol(summary="九个正常"))
        await store.begin_draft(record, {"summary": "八个"})
        await store.discard_draft(record.id)
    async with open_store(enrolled) as store:
        assert await store.drafts() == []
        assert (await store.get(record.id)).values["summary"] == "九个正常"
        for unknown in (store.draft, store.finalise, store.discard_draft):
            with pytest.raises(UnknownDraftError) as gone:
                await unknown(record.id)
        assert gone.value.text.zh
        assert gone.value.text.en
        with pytest.raises(UnknownDraftError):
            await store.save_draft(record.id, {"summary": "x"})


async def test_a_draft_of_nothing_ends_and_writes_nothing(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol(summary="九个正常"))
        await store.begin_draft(record, {"summary": "九个正常"})
        assert await store.finalise(record.id) == await store.get(record.id)
        assert (await store.drafts(), len(await store.pending())) == ([], 1)


async def test_a_save_that_changes_nothing_costs_no_write(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        draft = await store.begin_draft("patrol", {"summary": "先记着"})
        before = entries_in_store(store)
        assert await store.save_draft(draft.id, {"summary": "先记着"}, without=["weather"]) == draft
        assert entries_in_store(store) == before


async def test_lists_that_the_app_goes_on_changing_change_nothing_that_was_not_saved(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol(tags=["flood"]))
        tags: list[Value] = ["lamp"]
        draft = await store.begin_draft(record, {"tags": tags})
        kept = copy.deepcopy(draft)
        tags.append("typed")
        shown = draft.values["tags"]
        assert isinstance(shown, list)
        shown.append("typed")
        assert await store.draft(draft.id) == kept
        await store.save_draft(draft.id, {"tags": shown})
    async with open_store(enrolled) as store:
        assert (await store.draft(draft.id)).values["tags"] == ["lamp", "typed"]


async def test_what_is_no_value_or_too_much_is_refused_and_what_was_saved_before_stays(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        draft = await store.begin_draft("patrol", {"summary": "话" * 30_000})
        with pytest.raises(InvalidRecordError) as wrong:
            await store.save_draft(draft.id, {"weather": 1.5, "shift": "early"})  # type: ignore[dict-item]
        assert [(each.field, each.rule) for each in wrong.value.violations] == [("weather", "unwritable")]
        with pytest.raises(DraftTooLargeError) as large:
            await store.save_draft(draft.id, {"track": "话" * 30_000})
        assert "128" in large.value.text.zh
        assert await store.drafts() == [draft]


async def test_an_unknown_kind_and_a_store_that_belongs_to_nobody_begin_no_draft(
    enrolled: Path, tmp_path: Path
) -> None:
    async with open_store(enrolled) as store:
        with pytest.raises(UnknownKindError):
            await store.begin_draft("drone_flight")
        assert await store.drafts() == []
    make_store(tmp_path / "nobody")
    async with open_store(tmp_path / "nobody") as store:
        with pytest.raises(NotEnrolledError):
            await store.begin_draft("patrol")


async def test_a_draft_whose_record_left_this_device_is_finished_all_the_same(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol(summary="九个正常"))
        edit = await store.begin_draft(record, {"summary": "八个正常"})
        await leave(store, record.id)
        with pytest.raises(UnknownRecordError):
            await store.get(record.id)
        finished = await store.finalise(edit.id)
        assert (finished.id, finished.whereabouts) == (record.id, Whereabouts.ON_DEVICE)
        assert (await store.drafts(), len(await store.pending())) == ([], 1)


async def leave(store: FieldStore, record: RecordId) -> None:
    """Let the server take what is pending, and the record out of this device's grids."""
    (op,) = await store.pending()
    standing = Standing(Epoch(bytes(8)), Position(9), bytes(8), 1, (ScopeId(GRID),), ())
    settled = {(op.id.incarnation, op.id.seq): Position(9)}
    store._memory.take_answer(TakenAnswer(standing, 1, 0, 0, Stamp(0), (), (record,), settled, (), None))


async def test_a_draft_that_a_copy_of_this_store_has_finished_overwrites_nothing_of_it(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        draft = await store.begin_draft("patrol", patrol(summary="原机"))
        # What the copy made of it, as it comes down from the server.
        async with store._writing:
            await store._run(lambda: store._write(draft.id, "patrol", patrol(summary="拷贝"), None))
        finished = await store.finalise(draft.id)
        assert finished.is_in_conflict
        heads = {head.value for each in await store.conflicts() if each.field == "summary" for head in each.heads}
        assert heads == {"原机", "拷贝"}


async def test_saves_of_several_tasks_are_all_kept(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        draft = await store.begin_draft("patrol")
        names = ["summary", "weather", "shift", "patrol_type", "started_at"]
        await asyncio.gather(*(store.save_draft(draft.id, {name: name}) for name in names))
    async with open_store(enrolled) as store:
        assert (await store.draft(draft.id)).values == {name: name for name in names}


async def test_drafts_are_listed_by_their_last_save(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        first, second = await store.begin_draft("patrol"), await store.begin_draft("incident")
        await store.save_draft(first.id, {"summary": "先记着"})
    async with open_store(enrolled) as store:
        assert [(each.id, each.kind) for each in await store.drafts()] == [
            (first.id, "patrol"),
            (second.id, "incident"),
        ]


async def test_an_unknown_draft_is_said_to_be(enrolled: Path) -> None:
    async with open_store(enrolled) as store:
        with pytest.raises(UnknownDraftError):
            await store.draft(a_record())


def files_of(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in directory.iterdir()]


async def test_nothing_of_a_draft_stands_in_any_file_in_clear(enrolled: Path) -> None:
    sentence = "王秀兰家反映三楼漏水"
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol(summary=sentence))
        await store.begin_draft(record, {"weather": "rain"})
        await store.begin_draft("patrol", {"summary": sentence})
        files = files_of(enrolled)
    assert sum(map(len, files)) > 1000
    planted = [sentence.encode(encoding) for encoding in ("utf-8", "utf-16-le", "gb18030")]
    assert not [each for each in planted for content in files if each in content]


@pytest.mark.parametrize("how", ["_put_by", "_compact"])
async def test_drafts_are_the_same_from_a_snapshot_and_from_a_compacted_journal(enrolled: Path, how: str) -> None:
    async with open_store(enrolled) as store:
        record = await store.create("patrol", patrol(summary="九个正常", tags=["lamp"]))
        fresh = await store.begin_draft("patrol", {"summary": "先记着", "handled_on_spot": Count(2)})
        edit = await store.begin_draft(record, {"tags": Add(("flood",))})
        await store.discard_draft((await store.begin_draft("incident")).id)
        await store.save_draft(fresh.id, {"summary": "再记"})
        expected = await store.drafts()
        await store._run(lambda: store._put_by(0) if how == "_put_by" else store._compact())
    async with open_store(enrolled) as store:
        assert await store.drafts() == expected
        later = await store.save_draft(edit.id, {"weather": "rain"})
    async with open_store(enrolled) as store:
        assert await store.drafts() == [later, expected[0]]
        assert (await store.finalise(edit.id)).values["tags"] == ["flood", "lamp"]
