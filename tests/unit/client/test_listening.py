"""What is written or heard at any moment ends a rest: no moment is between two questions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gridlog.listening import Listening
from gridlog.watching import Watch
from gridlog_protocol.ids import RecordId


async def test_what_is_written_while_a_hint_is_looked_into_is_not_forgotten_with_it() -> None:
    watch, is_asked, may_answer = Watch(None), asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def channel() -> AsyncIterator[AsyncIterator[int]]:
        async def positions() -> AsyncIterator[int]:
            yield 7
            await asyncio.Event().wait()

        yield positions()

    async def is_news(_: int) -> bool:
        is_asked.set()
        await may_answer.wait()
        return False

    async def has_pending() -> bool:
        return True

    listening = Listening(channel, watch, is_news=is_news, has_pending=has_pending)
    async with listening.running():
        rest = asyncio.create_task(listening.rest(3600.0))
        await is_asked.wait()
        watch.tell({RecordId(bytes(16)): "patrol"})
        # Whoever watches runs now, and the answer comes after it.
        for _ in range(10):
            await asyncio.sleep(0)
        may_answer.set()
        await asyncio.wait_for(rest, 30)
