"""The bad line between a real client and a real echo server."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress

import pytest

from tools.dice import dice
from tools.proxy import Direction, Faults, Link

QUICK_SECONDS = 0.3


class Echo:
    """Sends back what it hears, and keeps it."""

    def __init__(self) -> None:
        self.port = 0
        self.heard = bytearray()
        self.resets = 0
        self.closed = asyncio.Event()
        self.tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.tasks.add(asyncio.create_task(self.serve(reader, writer)))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while piece := await reader.read(1 << 16):
                self.heard += piece
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            self.resets += 1
        finally:
            await hang_up(writer)
            self.closed.set()


@asynccontextmanager
async def echo() -> AsyncIterator[Echo]:
    target = Echo()
    server = await asyncio.start_server(target.accept, "127.0.0.1", 0)
    target.port = server.sockets[0].getsockname()[1]
    async with server:
        yield target
        for task in target.tasks:
            task.cancel()
        await asyncio.gather(*target.tasks, return_exceptions=True)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def talk(port: int, said: bytes) -> bytes:
    """Say something, end, and return all that comes back. Raises ConnectionError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(said)
        writer.write_eof()
        return await reader.read()
    finally:
        await hang_up(writer)


async def raises_reset(answer: Awaitable[bytes]) -> None:
    with pytest.raises(ConnectionError):
        await answer


async def test_a_good_line_passes_everything_and_counts_it() -> None:
    said = bytes(range(256)) * 2000
    async with echo() as target, Link("127.0.0.1", target.port, Faults(), dice(1)) as link:
        assert await talk(link.port, said) == said
        assert (link.bytes_up, link.bytes_down) == (len(said), len(said))
        assert (link.connections, link.cuts) == (1, 0)


async def test_a_cut_upwards_lets_exactly_so_many_bytes_through() -> None:
    faults = Faults(cut_up_bytes=1000, is_reset=False)
    async with echo() as target, Link("127.0.0.1", target.port, faults, dice(1)) as link:
        await talk(link.port, b"x" * 50_000)
        await target.closed.wait()
        assert len(target.heard) == link.bytes_up == 1000
        assert link.cuts == 1


async def test_a_cut_downwards_lets_exactly_so_many_bytes_back() -> None:
    faults = Faults(cut_down_bytes=777, is_reset=False)
    async with echo() as target, Link("127.0.0.1", target.port, faults, dice(1)) as link:
        assert await talk(link.port, b"y" * 5000) == b"y" * 777
        assert (link.bytes_down, link.cuts) == (777, 1)


async def test_a_reset_is_seen_as_a_reset_at_both_ends() -> None:
    faults = Faults(cut_up_bytes=10)
    async with echo() as target, Link("127.0.0.1", target.port, faults, dice(1)) as link:
        await raises_reset(talk(link.port, b"z" * 5000))
        await target.closed.wait()
        assert target.resets == 1


async def test_a_line_may_be_dead_from_its_first_byte() -> None:
    faults = Faults(cut_up_bytes=0)
    async with echo() as target, Link("127.0.0.1", target.port, faults, dice(1)) as link:
        await raises_reset(talk(link.port, b"hello"))
        assert link.bytes_up == 0


async def place_of_random_cut(target: Echo, seed: int, number: int) -> tuple[Direction, int]:
    faults = Faults(cut_within_bytes=3000, is_reset=False)
    async with Link("127.0.0.1", target.port, faults, dice(seed, str(number))) as link:
        came = await talk(link.port, b"r" * 4000)
        assert link.cuts == 1
        assert len(came) == link.bytes_down
        # A cut downwards falls after everything, or nearly everything, went up at once.
        is_up = link.bytes_up <= 3000
        return (Direction.UP, link.bytes_up) if is_up else (Direction.DOWN, link.bytes_down)


async def test_random_cuts_fall_in_both_directions_and_the_same_seed_repeats_them() -> None:
    async with echo() as target:
        first = [await place_of_random_cut(target, 11, number) for number in range(12)]
        again = [await place_of_random_cut(target, 11, number) for number in range(12)]
    assert first == again
    assert {direction for direction, _ in first} == set(Direction)


async def test_after_the_last_cut_whoever_tries_again_gets_through() -> None:
    faults = Faults(cut_up_bytes=5, cuts_max=2)
    async with echo() as target, Link("127.0.0.1", target.port, faults, dice(1)) as link:
        for _ in range(2):
            await raises_reset(talk(link.port, b"again and again"))
        assert await talk(link.port, b"again and again") == b"again and again"
        assert (link.cuts, link.connections) == (2, 3)


async def test_slicing_changes_nothing_but_the_pieces() -> None:
    said = bytes(range(256)) * 20
    async with echo() as target, Link("127.0.0.1", target.port, Faults(piece_bytes_max=7), dice(1)) as link:
        assert await talk(link.port, said) == said


async def test_a_throttled_line_takes_its_time() -> None:
    faults = Faults(bytes_per_second=20_000)
    async with echo() as target, Link("127.0.0.1", target.port, faults, dice(1)) as link:
        start = time.monotonic()
        await talk(link.port, b"s" * 10_000)
        assert time.monotonic() - start > QUICK_SECONDS


async def test_a_delay_holds_every_piece_back_each_way() -> None:
    faults = Faults(delay_ms=200)
    async with echo() as target, Link("127.0.0.1", target.port, faults, dice(1)) as link:
        start = time.monotonic()
        assert await talk(link.port, b"d") == b"d"
        assert time.monotonic() - start > QUICK_SECONDS


@pytest.mark.parametrize("direction", list(Direction))
async def test_a_black_hole_swallows_one_direction_without_a_word(direction: Direction) -> None:
    faults = Faults(black_hole=direction)
    async with echo() as target, Link("127.0.0.1", target.port, faults, dice(1)) as link:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(QUICK_SECONDS):
                await talk(link.port, b"anybody there?")
        is_up = direction is Direction.UP
        assert bytes(target.heard) == (b"" if is_up else b"anybody there?")
        assert link.bytes_down == 0


async def test_a_line_heals_when_its_faults_are_taken_away() -> None:
    faults = Faults(cut_up_bytes=1)
    async with echo() as target, Link("127.0.0.1", target.port, faults, dice(1)) as link:
        await raises_reset(talk(link.port, b"hello"))
        link.faults = Faults()
        assert await talk(link.port, b"hello") == b"hello"


async def test_open_connections_can_all_be_dropped_at_once() -> None:
    async with echo() as target, Link("127.0.0.1", target.port, Faults(), dice(1)) as link:
        reader, writer = await asyncio.open_connection("127.0.0.1", link.port)
        writer.write(b"so far")
        assert await reader.readexactly(6) == b"so far"
        link.drop_all()
        await raises_reset(reader.read())
        await hang_up(writer)


async def test_a_target_that_is_not_there_is_a_reset() -> None:
    async with echo() as target:
        gone = target.port
    async with Link("127.0.0.1", gone, Faults(), dice(1)) as link:
        await raises_reset(talk(link.port, b"hello"))
