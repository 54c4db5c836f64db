"""Tell devices that something changed for them: that, and up to which position, but never what.

The rule it keeps: the log is the truth, and this is a hint. Whoever misses one synchronises a little later. So the
log is looked at a few times a second while anybody listens, whoever wrote to it, and no writer has to think of it.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridlog_protocol.envelope import Purpose, open_sealed, read_header
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import TENANT_SCOPE, DeviceHandle, Position, ScopeId
from gridlog_server.store.contract import Store

from .keys import ServerKeys

log = logging.getLogger(__name__)
_LOOK_EVERY_S = 0.25
_LOOK_AGAIN_S = 5.0
_GOODBYE_S = 1.0
_TOUCHES_MAX = 1000
_SCOPES_MAX = 500


class Ear:
    """One device that listens: its scopes, and the newest position that it has to hear of."""

    def __init__(self, handle: DeviceHandle, scopes: frozenset[ScopeId]) -> None:
        self.handle = handle
        self.scopes = scopes
        self._position = Position(0)
        self._is_over = False
        self._has_news = asyncio.Event()

    def tell(self, position: Position) -> None:
        """Let it hear of a position. What it has not heard yet is in it."""
        self._position = position
        self._has_news.set()

    def end(self) -> None:
        """Let it hear that nothing comes any more."""
        self._is_over = True
        self._has_news.set()

    async def hear(self) -> Position | None:
        """Wait, and return the newest position. None: it is over."""
        await self._has_news.wait()
        self._has_news.clear()
        return None if self._is_over else self._position


class Live:
    """The use case behind `GET /v1/live`."""

    def __init__(self, store: Store, keys: ServerKeys) -> None:
        self._store = store
        self._keys = keys
        self._ears: dict[DeviceHandle, Ear] = {}
        self._seen = Position(0)
        self._is_quiet = asyncio.Event()
        self._is_quiet.set()

    async def admit(self, raw: bytes, challenge: bytes) -> Ear:
        """Open the sealed hello that answers a challenge, and return its device's ear. Raises ProtocolError."""
        header = read_header(raw)
        if header.purpose is not Purpose.LIVE_HELLO:
            raise ProtocolError("malformed", detail="not a hello")
        opened = open_sealed(raw, reader=self._keys.reader(header.key_id), context=challenge)
        async with self._store.reading() as snapshot:
            device = await snapshot.registry.device(DeviceHandle(header.address))
            person = await snapshot.registry.person(device.person) if device else None
        if device is None or person is None:
            raise ProtocolError("unknown_device")
        opened.verify(Ed25519PublicKey.from_public_bytes(device.signing_key))
        if opened.body:
            raise ProtocolError("malformed", detail="a hello has no body")
        if device.status != "active" or person.status != "active":
            raise ProtocolError("revoked")
        return Ear(device.handle, frozenset({TENANT_SCOPE, *person.scopes}))

    @contextmanager
    def listening(self, ear: Ear) -> Iterator[None]:
        """Tell an ear how far the log goes, and from now on. A device has one: the one before ends."""
        before = self._ears.pop(ear.handle, None)
        if before is not None:
            before.end()
        self._ears[ear.handle] = ear
        self._is_quiet.clear()
        # Whoever synchronised before somebody else's commit has not heard of that.
        ear.tell(self._seen)
        try:
            yield
        finally:
            if self._ears.get(ear.handle) is ear:
                del self._ears[ear.handle]
            if not self._ears:
                self._is_quiet.set()

    def end(self) -> None:
        """End all ears: the server stops."""
        for ear in self._ears.values():
            ear.end()

    async def ended(self) -> None:
        """Wait, not for long, until nobody listens any more."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._is_quiet.wait(), _GOODBYE_S)

    async def look_forever(self) -> NoReturn:
        """Look at the log again and again, and tell whom it concerns."""
        while True:
            try:
                await self._look()
            except sqlite3.Error:
                log.exception("nobody is told of changes")
                await asyncio.sleep(_LOOK_AGAIN_S)
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look(self) -> None:
        ears = [*self._ears.values()]
        async with self._store.reading() as snapshot:
            head = (await snapshot.ledger.log_head()).position
            if head == self._seen or not ears:
                self._seen = head
                return
            wanted = frozenset[ScopeId]().union(*(ear.scopes for ear in ears))
            touches = (
                await snapshot.ledger.touches(wanted, self._seen, _TOUCHES_MAX) if len(wanted) <= _SCOPES_MAX else []
            )
        is_told_in_part = len(wanted) > _SCOPES_MAX or len(touches) >= _TOUCHES_MAX
        newest = {touch.scope: touch.position for touch in touches}
        for ear in ears:
            concerned = [newest[scope] for scope in ear.scopes if scope in newest]
            if is_told_in_part:
                ear.tell(head)
            elif concerned:
                ear.tell(max(concerned))
        self._seen = head
