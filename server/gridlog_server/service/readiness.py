"""Say whether the database answers and takes writes: what a load balancer asks before it sends anybody."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from dataclasses import dataclass

from gridlog_server.store.contract import Store, StoreUnavailableError, Transaction

log = logging.getLogger(__name__)
_PATIENCE_S = 3.0
_FRESH_S = 1.0
"""Whoever asks more often hears the same again: asking must not be a way to keep the writer busy."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What the database can do, and the log's last entry."""

    readable: bool
    writable: bool
    log_position: int


class Readiness:
    """The use case behind `GET /readyz`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._asking = asyncio.Lock()
        self._last = (float("-inf"), Ready(readable=False, writable=False, log_position=0))

    async def ask(self) -> Ready:
        """Read the log's head, and commit nothing: a store that has failed refuses even that."""
        async with self._asking:
            asked_s, known = self._last
            if time.monotonic() - asked_s < _FRESH_S:
                return known
            position = await self._position()
            ready = Ready(position is not None, await self._is_writable(), position or 0)
            self._last = time.monotonic(), ready
            return ready

    async def _position(self) -> int | None:
        try:
            async with asyncio.timeout(_PATIENCE_S), self._store.reading() as snapshot:
                return (await snapshot.ledger.log_head()).position
        except (TimeoutError, sqlite3.Error):
            log.exception("the database does not answer")
            return None

    async def _is_writable(self) -> bool:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await self._store.commit(_nothing)
        except (TimeoutError, StoreUnavailableError):
            return False
        return True


async def _nothing(_: Transaction) -> None:
    """Commit without a change: the writer's transaction begins and ends, and nothing is written."""
