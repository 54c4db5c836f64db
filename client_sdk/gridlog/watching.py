"""Tell a screen that records changed, so that it need not ask again and again.

The rule it keeps: nobody who is slow makes anybody wait, or memory grow. A watch has one set of ids; what changes
while nobody reads it joins the set. It holds ids only, never what is in a record.

A locked store tells nothing, and the watches stay: nothing changes while it is locked, and a screen behind the lock
goes on with what it was doing. A store that is closed or wiped ends them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Self, TypeVar
from weakref import WeakSet

from gridlog_protocol.ids import RecordId

from .errors import UnknownKindError, WipedByOrderError
from .guarding import Guarding

T = TypeVar("T")


class Watch:
    """Yields the ids of the records that changed since it last did. For `async for`; leaving the loop ends it."""

    def __init__(self, kind: str | None) -> None:
        self._kind = kind
        self._touched: set[RecordId] = set()
        self._has_news = asyncio.Event()
        self._is_over = False
        self._why: Exception | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> frozenset[RecordId]:
        while not self._touched:
            if self._why is not None:
                raise self._why
            if self._is_over:
                raise StopAsyncIteration
            self._has_news.clear()
            await self._has_news.wait()
        touched, self._touched = frozenset(self._touched), set()
        return touched

    def tell(self, touched: Mapping[RecordId, str]) -> None:
        """Let it know of records and their kinds. The kind of one that is gone is empty: everybody hears of it."""
        self._touched.update(each for each, kind in touched.items() if self._kind in (None, kind) or not kind)
        if self._touched:
            self._has_news.set()

    def end(self, why: Exception | None = None) -> None:
        """Let it end, or raise `why`. What it has not told is of no use: nobody can read those records any more."""
        self._is_over, self._why = True, why
        self._touched.clear()
        self._has_news.set()


class Watches:
    """All watches that somebody still holds. Whoever lets go of one has left it."""

    def __init__(self) -> None:
        self._held: WeakSet[Watch] = WeakSet()

    def __len__(self) -> int:
        return len(self._held)

    def begin(self, kind: str | None) -> Watch:
        """Return a watch of one kind, or of all."""
        watch = Watch(kind)
        self._held.add(watch)
        return watch

    def tell(self, touched: Mapping[RecordId, str]) -> None:
        """Let all of them know."""
        for watch in self._held:
            watch.tell(touched)

    def end(self, why: Exception | None = None) -> None:
        """End all of them, or let them raise `why`. What is told later reaches nobody."""
        held, self._held = self._held, WeakSet()
        for watch in held:
            watch.end(why)


class Watching(Guarding):
    """The part of a `FieldStore` that tells what changed, once it is on the disk and in memory."""

    @cached_property
    def _watches(self) -> Watches:
        return Watches()

    def watch(self, kind: str | None = None) -> Watch:
        """Return what yields, from now on, the ids of the records that were written here or came with an exchange.

        `async for changed in store.watch("patrol")` yields a frozenset of ids whenever there is something new: all
        that changed since the last one, however long that took. Ids of records that left this device are among them,
        of any kind. Drafts are no records: they come when they are finished. Leaving the loop, or cancelling its
        task, ends the watch; `close` and `wipe` end the loop; while the store is locked, nothing is told. If the
        server orders the store to be wiped, the loop raises WipedByOrderError. Raises UnknownKindError, LockedError.
        """
        self._refuse_if_shut()
        if kind is not None and self._memory.kinds.get(kind) is None:
            raise UnknownKindError(kind)
        return self._watches.begin(kind)

    async def close(self) -> None:
        """See Guarding. Watches end."""
        try:
            await super().close()
        finally:
            self._end_watches()

    async def wipe(self) -> None:
        """See Guarding. Watches end."""
        try:
            await super().wipe()
        finally:
            self._end_watches()

    def _end_watches(self) -> None:
        # Not if it was cancelled while it waited: then the store is open still.
        if self._shut is not None and not self.is_locked:
            why = self._shut()
            self._watches.end(why if isinstance(why, WipedByOrderError) else None)

    async def _run(self, work: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()

        def telling() -> T:
            try:
                return work()
            finally:
                self._hand_over(loop)

        return await super()._run(telling)

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell on the loop what was touched on the store's thread: whoever asked for it may have been cancelled."""
        if self._in_hand is None:
            # The work was to wipe the store.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._end_watches)
            return
        memory = self._memory
        touched, memory.touched = memory.touched, {}
        if touched:
            # A loop that was closed meanwhile has nobody who watches.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._watches.tell, touched)
