"""The one store of the app: not there yet, locked, or open; locked by itself when nobody touches the phone.

The rule it keeps: whatever was shown or typed hangs on the store being open. Locking drops the pages' memory with it.

                    set up                     two minutes without a touch, or the button
    [no store] ───────────────► [open] ────────────────────────────────────────────────► [locked]
                                   ▲                        unlock                          │
                                   └────────────────────────────────────────────────────────┘
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from gridlog import (
    Credential,
    FieldStore,
    GridlogError,
    KdfProfile,
    LockedError,
    NotEnrolledError,
    Pin,
    SlotKind,
    SyncStatus,
)
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Violation

from .homes import Homes
from .news import News
from .synchronising import Synchronising
from .walking import Walk

IDLE_S = 120.0

_log = logging.getLogger("gridlog.agent")


class Phase(Enum):
    """What the app can show."""

    NO_STORE = "no-store"
    LOCKED = "locked"
    NOT_ENROLLED = "not-enrolled"
    OPEN = "open"


@dataclass(slots=True)
class Recalled:
    """What pages remember between two requests, so that no address has it. Dropped at every lock."""

    words: str = ""
    faults: dict[RecordId, tuple[Violation, ...]] = field(default_factory=dict)
    notices: list[tuple[str, str]] = field(default_factory=list)
    picking: dict[str, str] = field(default_factory=dict)
    names: dict[bytes, str] = field(default_factory=dict)
    homes: Homes | None = None

    def take_notices(self) -> list[tuple[str, str]]:
        """Return what is to be said once, and forget it."""
        taken, self.notices = self.notices, []
        return taken


class Phone:
    """The store, who may look into it just now, and what runs behind the pages."""

    def __init__(
        self,
        directory: Path,
        *,
        device_secret: bytes = b"",
        profile: KdfProfile = KdfProfile.STANDARD,
        idle_s: float = IDLE_S,
        every_s: float = 60.0,
    ) -> None:
        self.directory = directory
        self.device_secret = device_secret
        self.profile = profile
        self.idle_s = idle_s
        self.news = News()
        self.recalled = Recalled()
        self.synchronising = Synchronising(self.news, every_s=every_s)
        self.walk: Walk | None = None
        """The patrol that is being walked. It goes on while the store is locked: fixes are sealed."""
        self.me = b""
        """Who the worker is: what is typed into a locked store names him."""
        self.is_closing = False
        self.on_open: Callable[[FieldStore], Awaitable[None]] | None = None
        """What is done whenever the store opens, before the first page of it."""
        self._store: FieldStore | None = None
        self._is_enrolled = False
        self._touched_s = time.monotonic()
        self._changing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def phase(self) -> Phase:
        """What the app can show now."""
        if self._store is None:
            return Phase.LOCKED if FieldStore.is_made(self.directory) else Phase.NO_STORE
        if self._store.is_locked:
            return Phase.LOCKED
        return Phase.OPEN if self._is_enrolled else Phase.NOT_ENROLLED

    @property
    def store(self) -> FieldStore:
        """The store, which must be open. Raises LockedError."""
        if self._store is None or self._store.is_locked:
            raise LockedError
        return self._store

    @property
    def sealed(self) -> FieldStore:
        """The store, locked or not: a locked one takes what is typed. Raises LockedError if it never was open."""
        if self._store is None:
            raise LockedError
        return self._store

    @property
    def slots(self) -> frozenset[SlotKind]:
        """What opens the store."""
        return FieldStore.slots_at(self.directory)

    def pin(self, digits: str) -> Pin:
        """Return a PIN as this device uses it."""
        return Pin(digits, self.device_secret)

    def touch(self) -> None:
        """Note that a person is there."""
        self._touched_s = time.monotonic()

    async def make(self, passphrase: str) -> None:
        """Make the store, unless it is there. Raises as `FieldStore.make`."""
        async with self._changing:
            if self._store is None:
                self._store = await FieldStore.make(self.directory, passphrase, profile=self.profile)
                self._is_enrolled = False
                self.touch()

    async def enrol(self, code: str) -> SyncStatus:
        """Enrol, and begin to synchronise. Raises as `FieldStore.enrol`."""
        async with self._changing:
            status = await self.store.enrol(code)
            self._is_enrolled = True
            await self._begin()
            return status

    async def unlock(self, credential: Credential) -> None:
        """Open the store. Raises as `FieldStore.open` and `unlock`."""
        async with self._changing:
            if self._store is None:
                self._store = await FieldStore.open(self.directory, credential)
            else:
                await self._store.unlock(credential)
            self.touch()
            try:
                await self._store.status()
            except NotEnrolledError:
                self._is_enrolled = False
            else:
                self._is_enrolled = True
                await self._begin()
        self.news.tell()

    async def lock(self) -> None:
        """Forget everything that was read. What was saved stays."""
        async with self._changing:
            await self._rest()
            if self._store is not None and not self._store.is_locked:
                await self._store.lock()
        self.news.tell()

    async def forget(self) -> None:
        """Let go of a store that was wiped, and send what it left for its server, if the line allows."""
        async with self._changing:
            await self._rest()
            self._store, self._is_enrolled, self.walk, self.me = None, False, None, b""
        with suppress(GridlogError):
            await FieldStore.send_parting(self.directory)
        self.news.tell()

    async def close(self) -> None:
        """Let go of the store."""
        async with self._changing:
            await self._rest()
            if self._store is not None:
                with suppress(RuntimeError):
                    await self._store.close()
                self._store = None

    async def watch_over(self) -> None:
        """Lock the store when nobody has touched the phone for a while. Runs until it is cancelled."""
        while True:
            left_s = self._touched_s + self.idle_s - time.monotonic()
            if left_s > 0 or self.phase not in (Phase.OPEN, Phase.NOT_ENROLLED):
                await asyncio.sleep(max(left_s, min(1.0, self.idle_s)))
                continue
            try:
                await self.lock()
            except GridlogError as trouble:
                # Locked it is all the same; what the disk said must not end the watch.
                _log.warning("locking: %r", trouble)

    async def _begin(self) -> None:
        store = self.store
        self.me = bytes(store.user)
        self._tasks = [
            asyncio.create_task(self._follow(store)),
            asyncio.create_task(self.synchronising.keep(store)),
        ]
        if self.on_open is not None:
            await _quietly(self.on_open(store))

    async def _rest(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.recalled = Recalled()

    async def _follow(self, store: FieldStore) -> None:
        async for _ in store.watch():
            self.recalled.homes = None
            self.news.tell()


async def _quietly(work: Awaitable[None]) -> None:
    """Whoever works ahead stops when the store locks under it."""
    with suppress(GridlogError):
        await work
