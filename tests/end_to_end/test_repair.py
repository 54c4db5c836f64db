"""A replica that went wrong is made right again, and nothing that the worker wrote is touched."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from gridlog import FieldStore
from gridlog_protocol.ids import RecordId, record_id, shown
from tests.end_to_end.processes import ServerProcess
from tests.end_to_end.test_stores import everything, seen_by_server, stores, write

GRID = "420106001001777"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


async def spoil(store: FieldStore, changed: RecordId, dropped: RecordId) -> RecordId:
    """Do to a replica what a bug would: one record wrong, one missing, one that nobody else has."""
    memory = store._memory
    state = memory.projection.confirmed(changed)
    assert state is not None
    wrong = replace(state, fields=MappingProxyType({**state.fields, "summary": state.fields["grid_code"]}))
    foreign = replace(state, id=record_id(1_795_000_000_000, bytes(10)))

    def work() -> None:
        memory.projection.drop(dropped)
        memory.projection.show(dropped, None)
        for each in (wrong, foreign):
            memory.projection.confirm(each)
            memory.projection.show(each.id, each)

    await store._run(work)
    return foreign.id


async def test_a_replica_that_differs_is_repaired_within_three_round_trips(
    running: ServerProcess, tmp_path: Path
) -> None:
    async with stores(running, tmp_path, GRID) as [store]:
        records = await write(store, GRID, 40)
        assert (await store.sync()).is_equal
        foreign = await spoil(store, records[3].id, records[7].id)
        unsent = await write(store, GRID)

        report = await store.sync()

        assert report.is_equal
        assert report.round_trips <= 3
        told = await everything(store)
        assert foreign not in told
        assert {records[3].id, records[7].id, unsent[0].id} <= told.keys()
        assert told == await seen_by_server(running, tmp_path, GRID)
    assert "differs from us in" in running.log


async def test_each_repaired_record_names_what_differed_and_the_server_hears_how_many(
    running: ServerProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    grid = GRID.replace("777", "779")
    async with stores(running, tmp_path, grid) as [store]:
        records = await write(store, grid, 5)
        await store.sync()
        foreign = await spoil(store, records[0].id, records[1].id)

        with caplog.at_level(logging.WARNING, "gridlog.repairs"):
            await store.sync()
        await store.sync()
        me = shown(store._memory.device)

    assert {record.getMessage() for record in caplog.records} == {
        f"repaired {shown(records[0].id)}: summary differs, equally new",
        f"repaired {shown(records[1].id)}: missing here",
        f"repaired {shown(foreign)}: not at the server",
    }
    assert f"device {me} repaired 3 records" in running.log
    lines = {line["device"]: line for line in running.command_json("devices")}
    assert (lines[me]["repairs"], lines[me]["unsent"], lines[me]["held"]) == (3, 0, 0)
    async with await FieldStore.open(tmp_path / "store-0-0", "grid-worker-7") as again:
        assert again._memory.repaired == 3


async def test_what_a_repair_brought_is_still_there_after_opening_the_store_again(
    running: ServerProcess, tmp_path: Path
) -> None:
    grid = GRID.replace("777", "778")
    async with stores(running, tmp_path, grid) as [store]:
        records = await write(store, grid, 5)
        await store.sync()
        await spoil(store, records[0].id, records[1].id)
        await store.sync()
        told = await everything(store)
    async with await FieldStore.open(tmp_path / "store-0-0", "grid-worker-7") as again:
        assert await everything(again) == told
        assert (await again.sync()).is_equal
