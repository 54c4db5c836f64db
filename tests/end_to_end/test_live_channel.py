"""Two phones that do not ask: what one saves is on the other at once, or after its interval if nobody can tell it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from gridlog import FieldStore, SyncTurn
from tests.end_to_end.doors import Door
from tests.end_to_end.processes import ServerProcess
from tests.end_to_end.test_stores import everything, line, stores, write
from tools.dice import dice

PATIENCE_S = 60
NEVER_S = 3600.0
"""A pause between two turns: whatever arrives within a test was not waited for."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture
def grid(request: pytest.FixtureRequest) -> str:
    return f"{dice(2, request.node.nodeid).randrange(10**14, 10**15)}"


@asynccontextmanager
async def synchronising(
    *opened: FieldStore, every_s: float = NEVER_S
) -> AsyncIterator[list[asyncio.Queue[SyncTurn]]]:
    """Let stores synchronise for ever, and be past their first turn."""
    queues = [asyncio.Queue[SyncTurn]() for _ in opened]
    tasks = [
        asyncio.create_task(each.sync_forever(every_s=every_s, on_report=queue.put_nowait))
        for each, queue in zip(opened, queues, strict=True)
    ]
    try:
        for queue in queues:
            assert (await asyncio.wait_for(queue.get(), PATIENCE_S)).trouble is None
        yield queues
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended)


async def live_connections(door: Door, number: int) -> None:
    for _ in range(PATIENCE_S * 20):
        if door.metrics()["gridlog_live_connections",] == number:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(door.metrics())


async def arrived(at: FieldStore, count: int) -> None:
    """Wait until a store has so many records."""
    async with asyncio.timeout(PATIENCE_S):
        watch = at.watch()
        while len(await everything(at)) < count:
            await anext(watch)


async def test_what_one_phone_saves_is_on_the_other_without_anybody_asking(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    door = Door(running)
    async with stores(running, tmp_path, grid, count=2) as [one, other]:
        async with synchronising(one, other):
            await live_connections(door, 2)
            await write(one, grid)
            await arrived(other, 1)
            await write(other, grid)
            await arrived(one, 2)
        await live_connections(door, 0)
        assert await everything(one) == await everything(other)


async def test_a_note_of_ones_own_causes_one_exchange_and_not_two(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    door = Door(running)
    async with (
        stores(running, tmp_path, grid, count=2) as [one, other],
        synchronising(one, other) as [turns, others],
    ):
        await live_connections(door, 2)
        await write(one, grid)
        assert (await asyncio.wait_for(turns.get(), PATIENCE_S)).report.sent == 1
        # The server has told both of it when the other one has it.
        assert (await asyncio.wait_for(others.get(), PATIENCE_S)).report.received == 1
        await write(other, grid)
        assert (await asyncio.wait_for(turns.get(), PATIENCE_S)).report.received == 1, "and not a turn for nothing"


async def test_a_channel_that_was_cut_leaves_the_interval(running: ServerProcess, tmp_path: Path, grid: str) -> None:
    door = Door(running)
    async with line(running) as link, stores(running, tmp_path, grid, port=link.port) as [cut]:
        (tmp_path / "colleague").mkdir()
        async with (
            stores(running, tmp_path / "colleague", grid) as [colleague],
            synchronising(cut, every_s=0.5),
        ):
            await live_connections(door, 1)
            link.drop_all()
            await live_connections(door, 0)
            await write(colleague, grid)
            await colleague.sync()
            await arrived(cut, 1)


async def test_a_stopped_server_ends_its_channels_in_order(tmp_path: Path, grid: str) -> None:
    with ServerProcess(tmp_path / "data") as server:
        door = Door(server)
        async with stores(server, tmp_path, grid) as [store], synchronising(store):
            await live_connections(door, 1)
            assert await asyncio.to_thread(server.stop) == 0
    assert "Traceback" not in server.log


@pytest.mark.parametrize("said", [b"nonsense", b"", "text"])
async def test_whoever_says_something_else_is_shown_the_door(running: ServerProcess, said: bytes | str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"{running.address}/v1/live") as channel,
    ):
        assert len(await channel.receive_bytes()) == 16
        await (channel.send_str(said) if isinstance(said, str) else channel.send_bytes(said))
        answer = await asyncio.wait_for(channel.receive(), PATIENCE_S)
        assert (answer.type, answer.data) == (aiohttp.WSMsgType.CLOSE, aiohttp.WSCloseCode.POLICY_VIOLATION)
        assert answer.extra in ("malformed", "unsupported_version")


async def test_a_channel_without_an_upgrade_is_refused(running: ServerProcess) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{running.address}/v1/live") as answer:
        assert (answer.status, answer.content_type) == (400, "application/problem+json")
