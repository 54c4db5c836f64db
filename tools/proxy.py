"""A bad line: a TCP relay on this machine that counts, cuts, delays, slices, throttles and swallows.

    client ---- up --->  Link  ---- up --->  target
           <-- down ---        <-- down ---

What is cut is cut at an exact byte, and chance comes from the dice that are handed in, so that a
failing exchange can be played again.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from random import Random
from types import TracebackType
from typing import Self

READ_BYTES_MAX = 64 << 10
THROTTLE_STEPS_PER_SECOND = 20
_PIECES_ON_THE_WAY_MAX = 256
_LINGER_NOT = struct.pack("ii", 1, 0)


class Direction(Enum):
    """Which way bytes travel."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with the line. By default nothing is."""

    cut_up_bytes: int | None = None
    """Cut each connection when so many bytes have gone up."""
    cut_down_bytes: int | None = None
    """Cut each connection when so many bytes have come down."""
    cut_within_bytes: int | None = None
    """Cut each connection at a random byte up to this one, in a random direction."""
    cuts_max: int | None = None
    """After so many cuts the line holds: whoever tries again gets through."""
    is_reset: bool = True
    """A cut is a TCP reset, and what was on its way may be lost with it; otherwise it is an orderly end."""
    delay_ms: int = 0
    """Every piece arrives so much later than it was sent; others follow meanwhile, as on a long way."""
    piece_bytes_max: int | None = None
    """Slice what passes into random pieces up to this size."""
    bytes_per_second: int | None = None
    """Throttle each direction of each connection."""
    up_bytes_per_second: int | None = None
    """Throttle what goes up, of each connection, and leave alone what comes down."""
    black_hole: Direction | None = None
    """Swallow everything that travels this way, without a word."""

    def rate(self, direction: Direction) -> int | None:
        """Return how many bytes a second travel this way; None if as many as come."""
        if direction is Direction.UP and self.up_bytes_per_second is not None:
            return self.up_bytes_per_second
        return self.bytes_per_second


class _CutError(Exception):
    """The planned byte was reached."""


@dataclass(frozen=True, slots=True)
class _Cut:
    direction: Direction
    after_bytes: int


@dataclass(frozen=True, slots=True)
class _Travelling:
    """A piece, and when it arrives by the loop's clock. An empty one is the end."""

    due_s: float
    piece: bytes


class Link:
    """A relay to one target. `faults` may be replaced at any time; cuts are planned per connection.

    What waits inside the relay has not been carried yet: `waiting_bytes_max` bounds it roughly, upwards, so that a
    slow line looks slow to whoever sends. Then a cut is never orderly, because something is left unread.
    `heard` is told of each piece that was handed on: the number of its connection, its direction, its bytes.
    """

    def __init__(
        self,
        target_host: str,
        target_port: int,
        faults: Faults,
        rng: Random,
        *,
        waiting_bytes_max: int = 64 << 10,
        heard: Callable[[int, Direction, bytes], None] | None = None,
    ) -> None:
        self._waiting_bytes_max = waiting_bytes_max
        self._heard = heard
        self.faults = faults
        self.port = 0
        self.connections = 0
        self.cuts = 0
        self._target = (target_host, target_port)
        self._rng = rng
        self._passed = dict.fromkeys(Direction, 0)
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()

    @property
    def bytes_up(self) -> int:
        """Bytes handed to the target, over all connections."""
        return self._passed[Direction.UP]

    @property
    def bytes_down(self) -> int:
        """Bytes handed to clients, over all connections."""
        return self._passed[Direction.DOWN]

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=self._waiting_bytes_max)
        self._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._waiting_bytes_max)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        reason: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.drop_all()
        await asyncio.gather(*self._relays, return_exceptions=True)
        await self._server.wait_closed()

    def drop_all(self) -> None:
        """Reset every open connection now: the worker walked into the cellar."""
        for relay in self._relays:
            relay.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        relay = asyncio.create_task(self._relay(self.connections, reader, writer))
        self._relays.add(relay)
        relay.add_done_callback(self._relays.discard)

    async def _relay(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            target_reader, target_writer = await asyncio.open_connection(*self._target)
        except OSError:
            await _end(writer, is_reset=True)
            return
        cut = self._planned_cut()
        is_reset = True
        try:
            async with asyncio.TaskGroup() as pumps:
                for direction, source, sink in (
                    (Direction.UP, reader, target_writer),
                    (Direction.DOWN, target_reader, writer),
                ):
                    on_the_way = asyncio.Queue[_Travelling](_PIECES_ON_THE_WAY_MAX)
                    left = cut.after_bytes if cut is not None and cut.direction is direction else None
                    pumps.create_task(self._take_in(source, on_the_way, direction, left))
                    pumps.create_task(self._hand_on(on_the_way, sink, number, direction, left))
            is_reset = False
        except* _CutError:
            self.cuts += 1
            is_reset = self.faults.is_reset
        except* ConnectionError:
            pass  # One end went away by itself; the other hears of it as a reset.
        finally:
            await asyncio.gather(_end(writer, is_reset=is_reset), _end(target_writer, is_reset=is_reset))

    def _planned_cut(self) -> _Cut | None:
        faults = self.faults
        if faults.cuts_max is not None and self.cuts >= faults.cuts_max:
            return None
        if faults.cut_up_bytes is not None:
            return _Cut(Direction.UP, faults.cut_up_bytes)
        if faults.cut_down_bytes is not None:
            return _Cut(Direction.DOWN, faults.cut_down_bytes)
        if faults.cut_within_bytes is not None:
            direction = self._rng.choice((Direction.UP, Direction.DOWN))
            return _Cut(direction, self._rng.randint(1, faults.cut_within_bytes))
        return None

    async def _take_in(
        self,
        reader: asyncio.StreamReader,
        on_the_way: asyncio.Queue[_Travelling],
        direction: Direction,
        left: int | None,
    ) -> None:
        """Take pieces up to the cut, as fast as the line carries them, and send each on its way."""
        loop = asyncio.get_running_loop()
        while left != 0 and (piece := await self._take(reader, direction, left)):
            left = None if left is None else left - len(piece)
            await on_the_way.put(_Travelling(loop.time() + self.faults.delay_ms / 1000, piece))
            rate = self.faults.rate(direction)
            if rate is not None:
                await asyncio.sleep(len(piece) / rate)
        if left != 0:
            await on_the_way.put(_Travelling(0, b""))

    async def _hand_on(
        self,
        on_the_way: asyncio.Queue[_Travelling],
        writer: asyncio.StreamWriter,
        number: int,
        direction: Direction,
        left: int | None,
    ) -> None:
        """Hand each piece on when it has come, until the end or the cut."""
        loop = asyncio.get_running_loop()
        if left == 0:
            raise _CutError
        while piece := (travelling := await on_the_way.get()).piece:
            if (early_s := travelling.due_s - loop.time()) > 0:
                await asyncio.sleep(early_s)
            writer.write(piece)
            await writer.drain()
            self._passed[direction] += len(piece)
            if self._heard is not None:
                self._heard(number, direction, piece)
            if left is not None:
                left -= len(piece)
                if left == 0:
                    raise _CutError
        with suppress(OSError):
            # The other end may be gone meanwhile: then there is nobody to tell.
            writer.write_eof()

    async def _take(self, reader: asyncio.StreamReader, direction: Direction, left: int | None) -> bytes:
        """Return the next piece to pass on, or nothing at the end. A black hole never returns."""
        while True:
            try:
                piece = await reader.read(self._piece_bytes(direction, left))
            except ConnectionError:
                if self.faults.black_hole is not direction:
                    raise
                piece = b""
            if self.faults.black_hole is not direction:
                return piece
            if not piece:
                # Not even the end of the connection comes out of it.
                await asyncio.Event().wait()

    def _piece_bytes(self, direction: Direction, left: int | None) -> int:
        """Choose how much to take at once: never past the cut, nor more than the line carries."""
        most = READ_BYTES_MAX if left is None else min(left, READ_BYTES_MAX)
        if (rate := self.faults.rate(direction)) is not None:
            most = min(most, max(1, rate // THROTTLE_STEPS_PER_SECOND))
        if self.faults.piece_bytes_max is not None:
            most = min(most, self._rng.randint(1, self.faults.piece_bytes_max))
        return most


@asynccontextmanager
async def cut_again_and_again(link: Link, between_s: tuple[float, float], rng: Random) -> AsyncIterator[None]:
    """Reset every connection of a link after random times, each between the least and the most."""

    async def cut() -> None:
        while True:
            await asyncio.sleep(rng.uniform(*between_s))
            link.drop_all()

    cutting = asyncio.create_task(cut())
    try:
        yield
    finally:
        cutting.cancel()
        await asyncio.wait([cutting])


async def _end(writer: asyncio.StreamWriter, *, is_reset: bool) -> None:
    if is_reset:
        # Linger for no time: closing then sends a reset instead of an orderly end.
        with suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        writer.transport.abort()
    else:
        writer.close()
    with suppress(OSError):
        await writer.wait_closed()
