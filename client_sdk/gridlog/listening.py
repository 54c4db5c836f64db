"""Hear from the server that there is something, instead of asking it every minute.

The rule it keeps: what is heard is a hint. Whoever forges one causes an exchange, whoever swallows one causes a wait:
`sync_forever` goes on at its own pace whatever happens here. Nothing is asked while the link is down.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TypeAlias

from .errors import UnreachableError
from .watching import Watch

HEARD_PAUSE_S = 0.3
"""At most so long after a hint an exchange begins, drawn anew each time: colleagues do not all come at once."""

_AGAIN_S = (5.0, 60.0)
"""After a channel broke it is tried again, some time between these."""

Channel: TypeAlias = Callable[[], AbstractAsyncContextManager[AsyncIterator[int]]]


class Listening:
    """One channel to the server, made again when it breaks, and what is written here meanwhile."""

    def __init__(
        self,
        channel: Channel,
        watch: Watch,
        *,
        is_news: Callable[[int], Awaitable[bool]],
        has_pending: Callable[[], Awaitable[bool]],
    ) -> None:
        self._channel = channel
        self._watch = watch
        self._is_news = is_news
        self._has_pending = has_pending
        self._has_heard = asyncio.Event()
        self._is_open = False
        self._newest = 0
        self._has_written = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Listen meanwhile."""
        tasks = [asyncio.create_task(work) for work in (self._listen_forever(), self._watch_own())]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def rest(self, pause_s: float) -> None:
        """Wait for so many seconds, or until there is something to exchange."""
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                while True:
                    # Before asking: what is heard while the answer is worked out must not be forgotten with it.
                    self._has_heard.clear()
                    if await self._is_due():
                        break
                    await self._has_heard.wait()
                await asyncio.sleep(random.uniform(0, HEARD_PAUSE_S))  # noqa: S311 - no secret.
        # Forgotten even if the exchange that follows changes nothing: one hint, one exchange.
        self._newest, self._has_written = 0, False

    async def _is_due(self) -> bool:
        """Ask again what was heard while an exchange went on: it may have settled that."""
        # Without a channel the link may be down: then what is written waits for its turn.
        if self._has_written and self._is_open and await self._has_pending():
            return True
        return self._newest > 0 and await self._is_news(self._newest)

    async def _listen_forever(self) -> None:
        while True:
            with suppress(UnreachableError):
                async with self._channel() as positions:
                    self._is_open = True
                    async for position in positions:
                        self._newest = position
                        self._has_heard.set()
            self._is_open = False
            await asyncio.sleep(random.uniform(*_AGAIN_S))  # noqa: S311 - no secret.

    async def _watch_own(self) -> None:
        async for _ in self._watch:
            self._has_written = True
            self._has_heard.set()
