"""Tell a supervisor that something arrived in his grids: how much, and never what."""

from __future__ import annotations

from typing import Final

from gridlog_protocol.ids import Position
from gridlog_server.store.contract import Store

from .permitting import Caller, Role, require

_TOUCHES_MAX: Final = 1000


class News:
    """The use case behind the hint that a page is not the newest."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def position(self, *, by: Caller) -> Position:
        """Return how far the log goes: what a page shows. Raises ForbiddenError, as `since` does."""
        require(by, Role.SUPERVISOR)
        async with self._store.reading() as snapshot:
            return (await snapshot.ledger.log_head()).position

    async def since(self, position: Position, *, by: Caller) -> int:
        """Return how many records of the caller's grids changed after a position, 1000 at most."""
        require(by, Role.SUPERVISOR)
        async with self._store.reading() as snapshot:
            if (await snapshot.ledger.log_head()).position <= position:
                return 0
            touches = await snapshot.ledger.touches(by.grids, position, _TOUCHES_MAX)
        return len({each.record for each in touches})

    async def hash_at(self, position: Position, *, by: Caller) -> bytes | None:
        """Return the log's hash at a position: what receipts sign. None beyond its end."""
        require(by, Role.SUPERVISOR)
        async with self._store.reading() as snapshot:
            return await snapshot.ledger.log_hash(position)
