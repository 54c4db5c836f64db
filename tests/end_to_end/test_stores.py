"""Whole stores against a running server, over lines that break: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import aiohttp
import pytest

from gridlog import (
    Count,
    FieldStore,
    KdfProfile,
    Record,
    RefusedError,
    UnreachableError,
    Whereabouts,
    transport,
)
from gridlog_protocol.canonical import Value
from gridlog_protocol.invitation import read_invitation
from tests.end_to_end.processes import ServerProcess
from tools.dice import dice
from tools.proxy import Direction, Faults, Link

PASSPHRASE = "grid-worker-7"
CLEAN = Faults()
WRITER = """
import asyncio, sys
from gridlog import FieldStore

async def main():
    store = await FieldStore.open(sys.argv[1], sys.argv[2])
    values = dict(patrol_type="daily", grid_code=sys.argv[3], occurred_at=sys.argv[4], started_at=sys.argv[4])
    for number in range(100_000):
        record = await store.create("patrol", values | dict(leader=store.user, summary=f"第{number}趟"))
        print(record.id.hex(), flush=True)

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture
def grid(request: pytest.FixtureRequest) -> str:
    """Return a grid that no other test uses."""
    return f"{dice(1, request.node.nodeid).randrange(10**14, 10**15)}"


def now() -> str:
    return datetime.now(timezone(timedelta(hours=8))).isoformat(timespec="seconds")


async def code_for(server: ServerProcess, grid: str, *, port: int | None = None) -> str:
    """Return an enrolment code for somebody new, for the server itself or for the line at `port`."""
    connector = aiohttp.UnixConnector(str(server.data_dir / "admin.sock"))
    facts = {"staff_no": f"W{len(_CODES)}", "name": "张三", "grids": [grid]}
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post("http://localhost/enroll", json=facts) as answer,
    ):
        code = str((await answer.json())["code"])
    _CODES.append(code)
    invitation = read_invitation(code)
    return (replace(invitation, address=f"http://127.0.0.1:{port}") if port else invitation).code()


_CODES: list[str] = []


@asynccontextmanager
async def stores(
    server: ServerProcess, folder: Path, grid: str, *, count: int = 1, port: int | None = None
) -> AsyncIterator[list[FieldStore]]:
    """Make enrolled, empty stores."""
    async with AsyncExitStack() as opened:
        made = []
        for number in range(count):
            directory = folder / f"store-{port or 0}-{number}"
            store = await FieldStore.make(directory, PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS)
            made.append(await opened.enter_async_context(store))
            await made[-1].enrol(await code_for(server, grid, port=port))
        yield made


async def closed_store(server: ServerProcess, folder: Path, grid: str) -> tuple[Path, Record]:
    """Make an enrolled store with one record that the server has, and close it."""
    async with stores(server, folder, grid) as [store]:
        [record] = await write(store, grid)
        await store.sync()
    return folder / "store-0-0", record


@asynccontextmanager
async def line(server: ServerProcess) -> AsyncIterator[Link]:
    async with Link("127.0.0.1", server.port, CLEAN, dice(7)) as link:
        yield link


async def write(store: FieldStore, grid: str, count: int = 1, **values: Value) -> list[Record]:
    given: dict[str, Value] = {"patrol_type": "daily", "grid_code": grid, "occurred_at": now(), "started_at": now()}
    return [
        await store.create("patrol", given | {"leader": store.user, "summary": f"第{number}趟"} | values)
        for number in range(count)
    ]


async def everything(store: FieldStore) -> dict[bytes, Mapping[str, Value]]:
    return {record.id: record.values for record in await store.query("patrol", limit=10_000)}


async def seen_by_server(server: ServerProcess, folder: Path, grid: str) -> dict[bytes, Mapping[str, Value]]:
    """Return what a fresh store is told of a grid."""
    async with stores(server, folder / f"fresh-{len(_CODES)}", grid) as [fresh]:
        report = await fresh.sync()
        assert report.is_equal
        return await everything(fresh)


async def persist(store: FieldStore, tries: int = 30) -> int:
    """Synchronise until it works, and return how often it did not."""
    for failed in range(tries):
        try:
            await store.sync()
        except UnreachableError:
            continue
        return failed
    raise AssertionError(f"still unreachable after {tries} tries")


@pytest.mark.parametrize(
    "faults",
    [
        *(Faults(cut_up_bytes=place, cuts_max=2) for place in (1, 150, 400, 600)),
        *(Faults(cut_down_bytes=place, cuts_max=2) for place in (1, 100, 200, 300, 420)),
        Faults(cut_down_bytes=250, cuts_max=2, is_reset=False),
        Faults(cut_up_bytes=500, cuts_max=2, is_reset=False),
        Faults(cut_within_bytes=500, cuts_max=8),
        Faults(piece_bytes_max=9),
        Faults(bytes_per_second=20_000, delay_ms=5),
    ],
    ids=range(14),
)
async def test_over_a_line_that_breaks_nothing_is_lost_or_counted_twice(
    running: ServerProcess, tmp_path: Path, grid: str, faults: Faults
) -> None:
    async with line(running) as link, stores(running, tmp_path, grid, port=link.port) as [store]:
        await store.sync()
        link.faults = faults
        records = await write(store, grid, 3)
        for record in records:
            await persist(store)
            await store.edit(record, {"handled_on_spot": Count(2)})
            await store.edit(record, {"handled_on_spot": Count(3)})
        await persist(store)
        assert faults.cuts_max is None or link.cuts == faults.cuts_max
        assert await store.pending() == []
        mine = await everything(store)
        assert [values["handled_on_spot"] for values in mine.values()] == [5, 5, 5]
        assert {(await store.get(record.id)).whereabouts for record in records} == {Whereabouts.RECEIVED}
        assert list((await store.receipts()).values()) == [9]
        assert await seen_by_server(running, tmp_path, grid) == mine
        assert not await store.held()


async def test_two_who_edit_apart_see_the_same_values_and_the_same_conflicts(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    async with stores(running, tmp_path, grid, count=2) as [one, two]:
        [record] = await write(one, grid, handled_on_spot=3)
        for store in (one, two):
            await store.sync()
        await one.edit(record, {"summary": "甲", "handled_on_spot": Count(5), "companions": ["王五"]})
        await two.edit(
            await two.get(record.id), {"summary": "乙", "handled_on_spot": Count(3), "companions": ["赵六"]}
        )
        for store in (one, two, one):
            assert (await store.sync()).is_equal
        values = (await one.get(record.id)).values
        assert values == (await two.get(record.id)).values
        assert (values["handled_on_spot"], values["companions"]) == (11, ["王五", "赵六"])
        [conflict] = await one.conflicts()
        assert [conflict] == await two.conflicts()
        assert {head.value for head in conflict.heads} == {"甲", "乙"}


async def test_a_server_that_is_killed_while_it_stores_loses_nothing(tmp_path: Path, grid: str) -> None:
    with ServerProcess(tmp_path / "data") as server:
        async with line(server) as link, stores(server, tmp_path, grid, count=2, port=link.port) as made:
            for wait_ms in (10, 60):
                for store in made:
                    await write(store, grid, 15, handled_on_spot=1)
                link.faults = Faults(delay_ms=2)
                syncing = [asyncio.create_task(store.sync()) for store in made]
                await asyncio.sleep(wait_ms / 1000)
                server.kill()
                results = await asyncio.gather(*syncing, return_exceptions=True)
                assert all(
                    isinstance(each, UnreachableError) or not isinstance(each, BaseException) for each in results
                )
                await asyncio.to_thread(server.start)
                link.faults = CLEAN
            for store in [*made, *made]:
                await persist(store)
            assert [await store.pending() for store in made] == [[], []]
            told = await seen_by_server(server, tmp_path, grid)
            assert len(told) == 60
            assert [await everything(store) for store in made] == [told] * 2
            assert "Traceback" not in server.log


async def test_a_copy_of_a_store_is_noticed_and_both_branches_arrive(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    directory, _ = await closed_store(running, tmp_path, grid)
    shutil.copytree(directory, tmp_path / "copy")
    for place, incarnations in ((directory, 1), (tmp_path / "copy", 2)):
        async with await FieldStore.open(place, PASSPHRASE) as branch:
            await write(branch, grid, 2, handled_on_spot=1, summary=place.name)
            await branch.sync()
            assert await branch.pending() == []
            assert len(await branch.receipts()) == incarnations
    async with await FieldStore.open(directory, PASSPHRASE) as original:
        await original.sync()
        told = await everything(original)
    summaries = sorted(str(values["summary"]) for values in told.values())
    assert summaries == ["copy", "copy", "store-0-0", "store-0-0", "第0趟"]
    assert await seen_by_server(running, tmp_path, grid) == told
    counts = await asyncio.to_thread(running.command_json, "status")
    assert counts["quarantine"] == 1


async def test_a_copy_made_while_something_was_pending_counts_nothing_twice(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    directory, record = await closed_store(running, tmp_path, grid)
    async with await FieldStore.open(directory, PASSPHRASE) as store:
        await store.edit(record.id, {"handled_on_spot": Count(5)})
    shutil.copytree(directory, tmp_path / "copy")
    async with await FieldStore.open(directory, PASSPHRASE) as original:
        await original.edit(record.id, {"handled_on_spot": Count(1)})
        await original.sync()
    async with await FieldStore.open(tmp_path / "copy", PASSPHRASE) as copy:
        await copy.sync()
        assert await copy.pending() == []
        await copy.edit(record.id, {"handled_on_spot": Count(2)})
        await copy.sync()
        assert (await copy.get(record.id)).values["handled_on_spot"] == 8
        assert await copy.held() == []


async def test_a_server_that_is_away_is_said_to_be_and_nothing_is_lost(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    async with line(running) as link, stores(running, tmp_path, grid, port=link.port) as [store]:
        link.faults = Faults(cut_up_bytes=0)
        await write(store, grid, 2)
        for _ in range(3):
            with pytest.raises(UnreachableError) as away:
                await store.sync()
            assert "本机" in away.value.text.zh
        assert len(await store.pending()) == 2
        link.faults = CLEAN
        assert (await store.sync()).sent == 2


@pytest.mark.parametrize("direction", [Direction.UP, Direction.DOWN])
async def test_a_line_that_swallows_everything_is_given_up(
    running: ServerProcess, tmp_path: Path, grid: str, direction: Direction, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with line(running) as link, stores(running, tmp_path, grid, port=link.port) as [store]:
        monkeypatch.setattr(transport, "STALL_SECONDS", 0.3)
        link.faults = Faults(black_hole=direction)
        await write(store, grid)
        with pytest.raises(UnreachableError):
            await store.sync()
        assert len(await store.pending()) == 1
        link.faults = CLEAN
        assert (await store.sync()).is_equal
        assert len(await seen_by_server(running, tmp_path, grid)) == 1


async def test_an_unsigned_refusal_is_advice_and_renames_nothing(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    problem = b'{"code": "fork", "status": 409}'
    head = b"HTTP/1.1 409 Conflict\r\nContent-Type: application/problem+json\r\nConnection: close\r\nContent-Length: "

    async def lie(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        writer.write(head + str(len(problem)).encode() + b"\r\n\r\n" + problem)
        await writer.drain()
        writer.close()

    async with line(running) as link, stores(running, tmp_path, grid, port=link.port) as [store]:
        await write(store, grid)
        before = await store.pending()
        liar = await asyncio.start_server(lie, "127.0.0.1", 0)
        async with liar:
            link._target = ("127.0.0.1", liar.sockets[0].getsockname()[1])
            with pytest.raises(RefusedError) as refused:
                await store.sync()
            assert refused.value.code == "fork"
        assert await store.pending() == before
        link._target = ("127.0.0.1", running.port)
        await store.sync()
        assert len(await store.receipts()) == 1


async def test_a_dozen_who_write_at_once_end_up_with_the_same(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    async with stores(running, tmp_path, grid, count=12) as made:
        [shared] = await write(made[0], grid)
        await made[0].sync()

        async def day(store: FieldStore, number: int) -> None:
            await store.sync()
            for _ in range(2):
                await write(store, grid, 2, handled_on_spot=1)
                opened = await store.get(shared.id)
                await store.edit(opened, {"handled_on_spot": Count(1), "companions": [f"第{number}人"]})
                await asyncio.gather(store.sync(), store.sync())

        await asyncio.gather(*(day(store, number) for number, store in enumerate(made, start=1)))
        reports = await asyncio.gather(*(store.sync() for store in made))
        assert all(report.is_equal for report in reports)
        told = await everything(made[0])
        assert len(told) == 49
        assert [await everything(store) for store in made] == [told] * 12
        assert told[shared.id]["handled_on_spot"] == 24
        assert await made[0].conflicts() == await made[11].conflicts()


async def test_a_store_whose_process_was_killed_has_all_that_was_saved(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    directory, _ = await closed_store(running, tmp_path, grid)
    for saved_min in (1, 12):
        saved = await killed_after(saved_min, directory, grid)
        async with await FieldStore.open(directory, PASSPHRASE) as opened:
            shown = {record.id.hex(): record.whereabouts for record in await opened.query("patrol", limit=10_000)}
            pending = [op.record.hex() for op in await opened.pending()]
            assert {shown[record] for record in saved} == {Whereabouts.ON_DEVICE}
            # At most one more was on the disk before anybody could be told.
            assert pending[: len(saved)] == saved
            assert len(pending) - len(saved) in (0, 1)
            await opened.sync()
            assert await opened.pending() == []
            mine = await everything(opened)
    assert await seen_by_server(running, tmp_path, grid) == mine


async def killed_after(saved_min: int, directory: Path, grid: str) -> list[str]:
    """Run a process that writes records, kill it, and return the ids of those it had called saved."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(directory), PASSPHRASE, grid, now(), stdout=asyncio.subprocess.PIPE
    )
    assert writer.stdout is not None
    saved = [(await writer.stdout.readline()).decode().strip() for _ in range(saved_min)]
    writer.kill()
    rest = (await writer.stdout.read()).decode()
    await writer.wait()
    return [*saved, *(each for each in rest.splitlines() if len(each) == 32)]
