"""Read the bodies of requests: as much as one message, as long as it comes, and all of them in bounded memory.

A slow link is a link: what ends a reading is a stall, or a trickle that no link explains. aiohttp has a limit for
neither. When all bodies together are too much, whoever has been sending for longest makes room: an honest handheld
sends again, in smaller pieces, and who sends slowly on purpose is always the one.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

BODIES_BYTES_MAX = 64 << 20
"""Bodies being read, together. Sixty-four of the largest, or a thousand of the usual ones."""

RATE_MIN = 100
"""Bytes a second, on average, after the first stall's time: a handheld gives up below 160."""


class TooSlowError(Exception):
    """The body did not come in time."""


class TooLargeError(Exception):
    """The body is, or says it is, larger than a message."""


class CrowdedError(Exception):
    """The body had to make room for others."""


class Intake:
    """All bodies that are being read."""

    def __init__(self, *, message_bytes_max: int, stall_s: float, bodies_bytes_max: int = BODIES_BYTES_MAX) -> None:
        self._message_bytes_max = message_bytes_max
        self._stall_s = stall_s
        self._bodies_bytes_max = bodies_bytes_max
        self._held_bytes = 0
        self._readings: dict[object, asyncio.Timeout] = {}

    async def read(self, request: web.Request) -> bytes:
        """Return a request's body. Raises TooLargeError, TooSlowError, CrowdedError, ConnectionError."""
        if (request.content_length or 0) > self._message_bytes_max:
            raise TooLargeError
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        reading, body = object(), bytearray()
        try:
            async with asyncio.timeout_at(begun_s + self._stall_s) as deadline:
                # In the order in which they began.
                self._readings[reading] = deadline
                while chunk := await request.content.readany():
                    body += chunk
                    self._held_bytes += len(chunk)
                    if len(body) > self._message_bytes_max:
                        raise TooLargeError
                    if self._held_bytes > self._bodies_bytes_max:
                        self._make_room(loop.time())
                    elif reading in self._readings:
                        slowest_s = begun_s + self._stall_s + len(body) / RATE_MIN
                        deadline.reschedule(min(loop.time() + self._stall_s, slowest_s))
        except TimeoutError:
            raise (TooSlowError if reading in self._readings else CrowdedError) from None
        finally:
            self._held_bytes -= len(body)
            self._readings.pop(reading, None)
        return bytes(body)

    def _make_room(self, now_s: float) -> None:
        longest = next(iter(self._readings), None)
        if longest is not None:
            self._readings.pop(longest).reschedule(now_s)
