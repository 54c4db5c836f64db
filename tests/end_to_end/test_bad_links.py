"""Stores on links that are slow, cut or dead, against a running server: all arrives, and little of it twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gridlog import FieldStore, RefusedError, SyncTurn, UnreachableError, store, transport
from gridlog.transport import Delivered, HttpTransport
from gridlog_sync import pacing
from gridlog_sync.pacing import Broken
from tests.end_to_end.processes import ServerProcess
from tests.end_to_end.test_stores import CLEAN, everything, line, seen_by_server, stores, write
from tools.dice import dice
from tools.proxy import Faults, Link, cut_again_and_again

pytestmark = pytest.mark.long

NEVER_S = 60
"""Long enough for any machine; only a bug waits for its end."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


@pytest.fixture
def grid(request: pytest.FixtureRequest) -> str:
    return f"{dice(2, request.node.nodeid).randrange(10**14, 10**15)}"


@asynccontextmanager
async def narrow_line(server: ServerProcess) -> AsyncIterator[Link]:
    """Open a line that holds as little back as a radio does."""
    async with Link("127.0.0.1", server.port, CLEAN, dice(7), waiting_bytes_max=8 << 10) as link:
        yield link


async def write_notes(field_store: FieldStore, grid: str, count: int) -> None:
    """Write notes that are no more alike than notes are."""
    chance = dice(13)
    for _ in range(count):
        text = "".join(chr(chance.randrange(0x4E00, 0x9FA5)) for _ in range(40))
        await write(field_store, grid, summary=text)


async def until_all_is_sent(field_store: FieldStore) -> int:
    """Synchronise for ever, stop when nothing waits, and return how many turns a cut ended."""
    cuts = 0
    is_done = asyncio.Event()

    def look(turn: SyncTurn) -> None:
        nonlocal cuts
        cuts += turn.trouble is not None
        if turn.trouble is None:
            is_done.set()

    syncing = asyncio.create_task(field_store.sync_forever(every_s=NEVER_S, on_report=look))
    await asyncio.wait_for(is_done.wait(), NEVER_S)
    syncing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await syncing
    return cuts


async def test_a_slow_upload_that_still_moves_is_not_cut(
    running: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "STALL_SECONDS", 0.7)
    async with narrow_line(running) as link:
        link.faults = Faults(bytes_per_second=200_000)
        sender = HttpTransport(f"http://127.0.0.1:{link.port}")
        # It takes twice the patience, and arrives: the server answers that it is nonsense.
        with pytest.raises(RefusedError):
            await sender.post("/v1/sync", bytes(300_000))
        await sender.close()


async def test_a_dead_upload_is_given_up(running: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "STALL_SECONDS", 0.3)
    async with narrow_line(running) as link:
        link.faults = Faults(bytes_per_second=1)
        sender = HttpTransport(f"http://127.0.0.1:{link.port}")
        with pytest.raises(UnreachableError) as dead:
            await asyncio.wait_for(sender.post("/v1/sync", bytes(300_000)), NEVER_S)
        assert dead.value.how is Broken.ASKING
        await sender.close()


async def test_where_an_exchange_broke_is_told(running: ServerProcess) -> None:
    async with line(running) as link:
        sender = HttpTransport(f"http://127.0.0.1:{link.port}")
        cuts = ((Faults(cut_up_bytes=500), Broken.ASKING), (Faults(cut_down_bytes=300), Broken.ANSWERING))
        for faults, how in cuts:
            link.faults = faults
            with pytest.raises(UnreachableError) as cut:
                await sender.post("/v1/sync", bytes(100_000))
            assert cut.value.how is how
        await sender.close()
        nobody = HttpTransport("http://127.0.0.1:9")
        with pytest.raises(UnreachableError) as away:
            await nobody.post("/v1/sync", b"x")
        assert away.value.how is Broken.BEFORE
        await nobody.close()


async def test_over_a_link_that_is_slow_and_cut_all_gets_through_and_little_goes_twice(
    running: ServerProcess, tmp_path: Path, grid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 5 KB/s, cut every 20 to 40 s, in a twentieth of the time: the aims are scaled with it.
    for name in ("BRISK_S", "SLOW_S", "BACKOFF_BASE_S"):
        monkeypatch.setattr(pacing, name, getattr(pacing, name) / 20)
    async with line(running) as link, stores(running, tmp_path, grid, port=link.port) as [good]:
        await good.sync()
        before = link.bytes_up
        await write_notes(good, grid, 300)
        await good.sync()
        needed_bytes = link.bytes_up - before
    async with narrow_line(running) as link, stores(running, tmp_path / "bad", grid, port=link.port) as [bad]:
        await bad.sync()
        before = link.bytes_up
        await write_notes(bad, grid, 300)
        link.faults = Faults(bytes_per_second=20_000)
        async with cut_again_and_again(link, (0.4, 1.2), dice(11)):
            cuts = await until_all_is_sent(bad)
        link.faults = CLEAN
        spent_bytes = link.bytes_up - before
        assert await bad.pending() == []
        mine = await everything(bad)
    assert cuts > 0
    # A cut costs the request that was on its way, which aims at 0.4 s of the link: nothing else goes twice.
    assert spent_bytes <= needed_bytes + cuts * 8_000, (needed_bytes, spent_bytes, cuts)
    assert len(mine) == 600
    assert await seen_by_server(running, tmp_path, grid) == mine


async def test_a_budget_is_kept_and_what_waits_goes_the_next_time(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    async with stores(running, tmp_path, grid, count=2) as [one, two]:
        await write_notes(one, grid, 120)
        sent = 0
        for field_store in (one, two):
            for _ in range(40):
                report = await field_store.sync(budget_bytes=6_000)
                assert report.bytes_up + report.bytes_down <= 6_000
                sent += report.sent
                if not report.more_waits:
                    break
                assert report.round_trips
        assert (sent, report.is_equal) == (120, True)
        nothing = await one.sync(budget_bytes=300)
        assert (nothing.round_trips, nothing.more_waits) == (0, True)
        assert await everything(two) == await everything(one)


async def test_an_idle_exchange_stays_small_though_it_names_its_room(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    async with stores(running, tmp_path, grid) as [field_store]:
        await field_store.sync()
        idle = await field_store.sync()
        assert idle.round_trips == 1
        assert idle.bytes_up + idle.bytes_down <= 400


async def test_whoever_takes_less_on_the_way_gets_smaller_batches_down_to_one_op(
    running: ServerProcess, tmp_path: Path, grid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    most_bytes = 1_000

    class NarrowTransport(HttpTransport):
        async def post(self, path: str, body: bytes) -> Delivered:
            if len(body) > most_bytes:
                raise RefusedError("too_large")
            return await super().post(path, body)

    async with stores(running, tmp_path, grid) as [field_store]:
        await write(field_store, grid, 30)
        monkeypatch.setattr(store, "_transport", NarrowTransport)
        await field_store.sync()
        assert await field_store.pending() == []
        await write(field_store, grid, 2)
        most_bytes = 300
        with pytest.raises(RefusedError) as refused:
            await field_store.sync()
        assert refused.value.code == "too_large"
        assert len(await field_store.pending()) == 2


async def test_a_lasting_synchronisation_goes_on_after_a_server_was_away(tmp_path: Path, grid: str) -> None:
    turns: list[SyncTurn] = []
    has_failed, is_back = asyncio.Event(), asyncio.Event()

    def look(turn: SyncTurn) -> None:
        turns.append(turn)
        (is_back if turn.trouble is None else has_failed).set()

    with ServerProcess(tmp_path / "data") as server:
        async with stores(server, tmp_path, grid) as [field_store]:
            await asyncio.to_thread(server.stop)
            await write(field_store, grid, 3)
            syncing = asyncio.create_task(field_store.sync_forever(every_s=0.1, on_report=look))
            await asyncio.wait_for(has_failed.wait(), NEVER_S)
            await asyncio.to_thread(server.start)
            await asyncio.wait_for(is_back.wait(), NEVER_S)
            syncing.cancel()
            await asyncio.gather(syncing, return_exceptions=True)
            assert await field_store.pending() == []
    assert isinstance(turns[0].trouble, UnreachableError)
    assert sum(turn.report.sent for turn in turns) == 3


async def test_a_lasting_synchronisation_ends_when_a_person_must_act(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    async with line(running) as link, stores(running, tmp_path, grid, port=link.port) as [field_store]:
        with ServerProcess(tmp_path / "other") as other:
            link._target = ("127.0.0.1", other.port)
            with pytest.raises(RefusedError) as stopped:
                await asyncio.wait_for(field_store.sync_forever(), NEVER_S)
            assert stopped.value.code == "unknown_key"


async def test_a_busy_servers_wish_is_obeyed(running: ServerProcess, tmp_path: Path, grid: str) -> None:
    problem = b'{"code": "unavailable", "status": 503}'
    head = (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nConnection: close\r\n"
        b"Retry-After: 40\r\nContent-Length: "
    )

    async def busy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1 << 16)
        writer.write(head + str(len(problem)).encode() + b"\r\n\r\n" + problem)
        await writer.drain()
        writer.close()

    turns: asyncio.Queue[SyncTurn] = asyncio.Queue()
    async with line(running) as link, stores(running, tmp_path, grid, port=link.port) as [field_store]:
        server = await asyncio.start_server(busy, "127.0.0.1", 0)
        link._target = ("127.0.0.1", server.sockets[0].getsockname()[1])
        syncing = asyncio.create_task(field_store.sync_forever(on_report=turns.put_nowait))
        turn = await asyncio.wait_for(turns.get(), NEVER_S)
        syncing.cancel()
        await asyncio.gather(syncing, return_exceptions=True)
        server.close()
    assert isinstance(turn.trouble, RefusedError)
    assert 40 <= turn.pause_s <= 40 + pacing.BACKOFF_BASE_S


async def test_cancelled_at_any_moment_a_store_has_lost_nothing_and_goes_on(
    running: ServerProcess, tmp_path: Path, grid: str
) -> None:
    async with stores(running, tmp_path, grid) as [field_store]:
        for steps in range(0, 60, 3):
            await write(field_store, grid, 1)
            syncing = asyncio.create_task(field_store.sync_forever())
            for _ in range(steps):
                await asyncio.sleep(0.0005)
            syncing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await syncing
        report = await field_store.sync()
        assert report.is_equal
        assert await field_store.pending() == []
        mine = await everything(field_store)
    assert len(mine) == 20
    assert await seen_by_server(running, tmp_path, grid) == mine
