"""Drafts and watches beside a real server: what others write meanwhile, what a copy does, what is told."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gridlog import FieldStore, Whereabouts
from tests.end_to_end.processes import ServerProcess
from tests.end_to_end.test_stores import PASSPHRASE, closed_store, now, stores, write

GRID = "420106001001009"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


async def test_news_that_came_while_a_draft_waited_stand_beside_it(running: ServerProcess, tmp_path: Path) -> None:
    async with stores(running, tmp_path, GRID, count=2) as [mine, partner]:
        [record] = await write(mine, GRID, summary="九个正常", weather="sunny")
        draft = await mine.begin_draft(record, {"summary": "八个正常", "weather": "rain"})
        assert (await mine.sync()).sent == 1
        await partner.sync()
        await partner.edit(await partner.get(record.id), {"summary": "七个正常"})
        await partner.sync()
        await mine.sync()
        assert (await mine.get(record.id)).values["summary"] == "七个正常"
        assert (await mine.draft(draft.id)).values["summary"] == "八个正常"

        await mine.finalise(draft.id)
        assert (await mine.sync()).is_equal
        (conflict,) = await mine.conflicts()
        assert conflict.field == "summary"
        assert {head.value for head in conflict.heads} == {"八个正常", "七个正常"}


async def test_a_draft_that_two_copies_of_a_store_finish_is_there_twice_and_overwrites_nothing(
    running: ServerProcess, tmp_path: Path
) -> None:
    directory, _ = await closed_store(running, tmp_path, GRID)
    async with await FieldStore.open(directory, PASSPHRASE) as store:
        given = {"patrol_type": "daily", "grid_code": GRID, "occurred_at": now(), "started_at": now()}
        draft = await store.begin_draft("patrol", {**given, "leader": store.user})
    for name in ("early", "late"):
        shutil.copytree(directory, tmp_path / name)
    async with await FieldStore.open(directory, PASSPHRASE) as original:
        await original.save_draft(draft.id, {"summary": "原机"})
        await original.finalise(draft.id)
        await original.sync()

        # One copy finishes it before it hears of the other's record, one after that.
        async with await FieldStore.open(tmp_path / "early", PASSPHRASE) as copy:
            await copy.save_draft(draft.id, {"summary": "早"})
            await copy.finalise(draft.id)
            await copy.sync()
            assert [each.code for each in await copy.held()] == ["record_exists"]
            assert (await copy.get(draft.id)).whereabouts is Whereabouts.HELD
        async with await FieldStore.open(tmp_path / "late", PASSPHRASE) as copy:
            await copy.sync()
            assert (await copy.get(draft.id)).values["summary"] == "原机"
            await copy.save_draft(draft.id, {"summary": "晚"})
            assert (await copy.finalise(draft.id)).is_in_conflict
            await copy.sync()
            assert await copy.held() == []
        await original.sync()
        (conflict,) = [
            each for each in await original.conflicts() if (each.record, each.field) == (draft.id, "summary")
        ]
        assert {head.value for head in conflict.heads} == {"原机", "晚"}


async def test_what_an_exchange_brings_is_told_to_who_watches(running: ServerProcess, tmp_path: Path) -> None:
    async with stores(running, tmp_path, "420106001001010", count=2) as [mine, partner]:
        written = await write(mine, "420106001001010", 3)
        own, news = mine.watch("patrol"), partner.watch()
        await mine.sync()
        # Received: a screen says so, though nothing in the records is other than before.
        assert await asyncio.wait_for(anext(own), 10) == {record.id for record in written}
        await partner.sync()
        assert await asyncio.wait_for(anext(news), 10) == {record.id for record in written}
