"""Tell open pages that something changed, never what: they ask for it themselves, if the store is open."""

from __future__ import annotations

import asyncio


class News:
    """A number that grows. Any number of pages wait for it to pass the one that they know."""

    def __init__(self) -> None:
        self.number = 0
        self._changed = asyncio.Event()

    def tell(self) -> None:
        """Wake whoever waits."""
        self.number += 1
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def after(self, known: int, *, within_s: float) -> int:
        """Return the number once it is not `known` any more, or as it is after so many seconds."""
        if self.number == known:
            try:
                async with asyncio.timeout(within_s):
                    await self._changed.wait()
            except TimeoutError:
                pass
        return self.number
