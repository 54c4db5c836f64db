"""The drill: ten handhelds, a backup, an hour of work, a destroyed server, a restore; nothing is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from gridlog import FieldStore, KdfProfile, Record, RefusedError, Whereabouts
from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId
from gridlog_protocol.ids import shown as named
from tests.end_to_end.processes import GRID, ServerProcess

pytestmark = pytest.mark.long

PASSPHRASE = "grid-worker-7"
WEST = "42010600100102"
WHEN = "2026-11-22T09:10:00+08:00"


class Drill(NamedTuple):
    """What the test looks at when it is over."""

    server: ServerProcess
    stores: Sequence[FieldStore]
    acknowledged: Mapping[RecordId, Mapping[str, Value]]


async def enrolled(server: ServerProcess, folder: Path, number: int, *grids: str) -> FieldStore:
    store = await FieldStore.make(folder / f"store-{number}", PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS)
    code = await asyncio.to_thread(server.admin_enroll, f"W{number}", f"网格员{number}", *(grids or (GRID,)))
    await store.enrol(code)
    return store


async def write(store: FieldStore, summary: str, grid: str = GRID) -> Record:
    values = {"patrol_type": "daily", "grid_code": grid, "occurred_at": WHEN, "started_at": WHEN}
    return await store.create("patrol", values | {"leader": store.user, "summary": summary})


async def shown(store: FieldStore) -> dict[RecordId, Mapping[str, Value]]:
    return {each.id: each.values for each in await store.query("patrol", limit=1000)}


async def everybody_syncs(stores: Sequence[FieldStore], *, times: int = 1) -> None:
    for store in [*stores] * times:
        assert (await store.sync()).is_equal


def the_held_op(server: ServerProcess, record: RecordId) -> str:
    [found] = [each["op"] for each in server.command_json("held") if each["record"] == named(record)]
    return str(found)


async def drill(folder: Path, opened: AsyncExitStack, server: ServerProcess) -> Drill:
    """Play it up to the moment at which everybody has synchronised with the restored server."""
    stores = [await opened.enter_async_context(await enrolled(server, folder, number)) for number in range(9)]
    first = [await write(store, "备份之前") for store in stores]
    elsewhere = await write(stores[0], "别的网格", WEST)
    await everybody_syncs(stores, times=2)
    assert server.command("backup", str(folder / "nightly")).code == 0

    # An hour of work: new records, edits of each other's, a conflict, a decision, somebody new.
    stores.append(await opened.enter_async_context(await enrolled(server, folder, 9)))
    await stores[-1].sync()
    for number, store in enumerate(stores):
        await write(store, f"备份之后{number}")
        await store.edit(await store.get(first[number - 1].id), {"summary": f"改过{number}"})
    await everybody_syncs(stores, times=2)
    both = [await store.get(first[3].id) for store in stores[3:5]]
    for store, record in zip(stores[3:5], both, strict=True):
        await store.edit(record, {"summary": f"同时改{record.author == store.user}"})
    op = await asyncio.to_thread(the_held_op, server, elsewhere.id)
    released = await asyncio.to_thread(server.command, "release", op, "--by", "督导王")
    assert released.code == 0
    await everybody_syncs(stores, times=2)
    acknowledged = await shown(stores[-1])
    receipts = [await store.get(first[0].id) for store in stores]
    assert all(each.whereabouts is Whereabouts.RECEIVED for each in receipts)

    server.kill()
    for path in server.data_dir.glob("gridlog.db*"):
        path.unlink()
    done = await asyncio.to_thread(server.command, "restore", str(folder / "nightly"))
    assert (done.code, done.err) == (0, "")
    await asyncio.to_thread(server.start)
    await everybody_syncs(stores)
    return Drill(server, stores, acknowledged)


async def test_a_server_restored_from_an_old_backup_loses_nothing_that_a_device_still_has(tmp_path: Path) -> None:
    async with AsyncExitStack() as opened:
        server = opened.enter_context(ServerProcess(tmp_path / "data"))
        _, stores, acknowledged = await drill(tmp_path, opened, server)
        await everybody_syncs(stores, times=2)

        told = [await shown(store) for store in stores]
        assert acknowledged.keys() <= told[0].keys()
        assert all(each == told[-1] for each in told[1:])
        assert {record: told[-1][record] for record in acknowledged} == acknowledged
        # The decision was made after the backup: it is to be made again.
        assert server.command_json("held")
        assert not [each for store in stores for each in await store.pending()]
        checked = await asyncio.to_thread(server.command_json, "check")
        assert checked["findings"] == []


@pytest.mark.long
async def test_without_its_control_journal_a_restored_server_serves_nobody(tmp_path: Path) -> None:
    async with AsyncExitStack() as opened:
        server = opened.enter_context(ServerProcess(tmp_path / "data"))
        store = await opened.enter_async_context(await enrolled(server, tmp_path, 1))
        await write(store, "一")
        await store.sync()
        assert server.command("backup", str(tmp_path / "nightly")).code == 0
        assert server.stop() == 0
        (server.data_dir / "control.journal").unlink()

        refused = server.command("restore", str(tmp_path / "nightly"))
        assert (refused.code, "nobody knows which devices were revoked" in refused.err) == (1, True)
        assert server.command("restore", str(tmp_path / "nightly"), "--without-journal").code == 0
        await asyncio.to_thread(server.start)
        with pytest.raises(RefusedError, match="suspended"):
            await store.sync()

        [device] = [each["device"] for each in server.command_json("devices")]
        assert server.command("admin", "confirm", device).code == 0
        assert (await store.sync()).is_equal


@pytest.mark.long
async def test_an_older_database_that_somebody_puts_back_by_hand_is_not_served(tmp_path: Path) -> None:
    with ServerProcess(tmp_path / "data") as server:
        store = await enrolled(server, tmp_path, 1)
        assert server.stop() == 0
        before = (server.data_dir / "gridlog.db").read_bytes()
        server.start()
        await write(store, "一")
        await store.sync()
        await store.close()
        assert server.stop() == 0
        server.start()
        assert server.stop() == 0
        (server.data_dir / "gridlog.db").write_bytes(before)

        refused = server.command("run")

        assert (refused.code, "use gridlog-server restore" in refused.err) == (1, True)


@pytest.mark.long
async def test_what_only_a_colleague_still_holds_is_offered_for_review(tmp_path: Path) -> None:
    async with AsyncExitStack() as opened:
        server = opened.enter_context(ServerProcess(tmp_path / "data"))
        gone = await enrolled(server, tmp_path, 1)
        store = await opened.enter_async_context(await enrolled(server, tmp_path, 2))
        await everybody_syncs([gone, store])
        assert server.command("backup", str(tmp_path / "nightly")).code == 0
        lost, again = await write(gone, "手机后来丢了"), await write(gone, "又补上的")
        await everybody_syncs([gone, store])
        await gone.close()
        assert server.stop() == 0
        assert server.command("restore", str(tmp_path / "nightly")).code == 0
        server.start()

        await everybody_syncs([store], times=2)

        assert await shown(store) == {}
        held = {each["record"]: each["code"] for each in server.command_json("held")}
        assert held == {named(lost.id): "salvaged", named(again.id): "salvaged"}
        assert server.command("release", the_held_op(server, lost.id), "--by", "督导王").code == 0
        await everybody_syncs([store])
        assert {record: each["summary"] for record, each in (await shown(store)).items()} == {lost.id: "手机后来丢了"}

        # The phone is found: what nobody released gives way to the op itself.
        gone = await opened.enter_async_context(await FieldStore.open(tmp_path / "store-1", PASSPHRASE))
        await everybody_syncs([gone, store], times=2)
        assert {each["record"] for each in server.command_json("held")} == {named(lost.id)}
        assert (await shown(store))[again.id]["summary"] == "又补上的"
        assert server.command_json("check")["findings"] == []
