"""Bodies in bounded memory: over real connections, since what is tested is who is cut when there is no more room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from gridlog_server.door.intake import CrowdedError, Intake, TooLargeError

MESSAGE, TOGETHER = 1000, 2500


@pytest.fixture
async def address() -> AsyncIterator[str]:
    intake = Intake(message_bytes_max=MESSAGE, stall_s=60, bodies_bytes_max=TOGETHER)

    async def take(request: web.Request) -> web.Response:
        try:
            return web.Response(text=str(len(await intake.read(request))))
        except TooLargeError:
            return web.Response(text="too large")
        except CrowdedError:
            return web.Response(text="crowded")

    app = web.Application()
    app.router.add_post("/", take)
    # Whoever is refused is closed at once: what he goes on sending is of no interest here.
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


class Sender:
    """Sends a body piece by piece, as told, and never ends by itself."""

    def __init__(self, session: ClientSession, address: str) -> None:
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._taken = asyncio.Event()
        self.answer = asyncio.create_task(self._ask(session, address))

    async def send(self, piece: bytes) -> None:
        self._taken.clear()
        self._pieces.put_nowait(piece)
        await self._taken.wait()

    async def end(self) -> str:
        self._pieces.put_nowait(None)
        return await self.answer

    async def _ask(self, session: ClientSession, address: str) -> str:
        async with session.post(address, data=self._body()) as answer:
            return await answer.text()

    async def _body(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            yield piece
            self._taken.set()


async def test_of_many_slow_bodies_the_longest_makes_room(address: str) -> None:
    async with ClientSession() as session:
        first = Sender(session, address)
        await first.send(bytes(900))
        second = Sender(session, address)
        await second.send(bytes(900))
        third = Sender(session, address)
        await third.send(bytes(900))
        assert await first.answer == "crowded"
        assert await third.end() == "900"
        assert await second.end() == "900"
        # All of it was given back.
        again = [Sender(session, address) for _ in range(2)]
        for each in again:
            await each.send(bytes(1000))
        assert [await each.end() for each in again] == ["1000", "1000"]


async def test_a_body_is_cut_at_the_limit_whether_it_says_so_or_not(address: str) -> None:
    async with ClientSession() as session:
        for body, said in ((bytes(1000), "1000"), (bytes(1001), "too large"), (b"", "0")):
            async with session.post(address, data=body) as answer:
                assert await answer.text() == said
        endless = Sender(session, address)
        await endless.send(bytes(1001))
        assert await endless.answer == "too large"
