"""Fill in what lists of the office ask of records that were written before there were such lists.

The rule it keeps: in steps, each a short commit of its own, so that nobody waits; and from where it was interrupted.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import KindSet
from gridlog_server.store.desk import DeskStore, DeskTransaction

from . import Unavailable
from .listed import listed

LAYOUT: Final = 1
"""Raised when `listed` says something else of the same record: then all are filled in again."""
_RECORDS_PER_STEP: Final = 200
_PAUSE_S: Final = 0.02
_PATIENCE_S: Final = 30.0

log = logging.getLogger(__name__)


class Filling:
    """Fills in listings. Restarted, it goes on where it was."""

    def __init__(self, store: DeskStore, kinds: KindSet) -> None:
        self._store = store
        self._kinds = kinds

    async def is_done(self) -> bool:
        """Tell whether lists have all there is."""
        async with self._store.reading() as snapshot:
            return await snapshot.desk.filled() == (LAYOUT, None)

    async def run(self, *, pause_s: float = _PAUSE_S) -> int:
        """Fill in all that is missing, and return how many records that were. Raises StoreUnavailableError."""
        filled = 0
        while not await self.is_done():
            filled += await self._store.commit(self._step)
            # Exchanges go first: between two steps there is room for many.
            await asyncio.sleep(pause_s)
        return filled

    async def run_until_done(self) -> None:
        """Fill in all that is missing, and wait while nothing can be written."""
        while True:
            try:
                filled = await self.run()
            except Unavailable:
                await asyncio.sleep(_PATIENCE_S)
                continue
            if filled:
                log.info("lists of the office have %d older records now", filled)
            return

    async def _step(self, transaction: DeskTransaction) -> int:
        layout, after = await transaction.desk.filled()
        if layout != LAYOUT or after is None:
            after = RecordId(b"")
        stored = await transaction.desk.unlisted(after, _RECORDS_PER_STEP)
        rows = {}
        for each in stored:
            found = listed(each.state, self._kinds.get(each.state.kind))
            if found is not None:
                rows[each.state.id] = (each.state.kind, found)
        await transaction.desk.put_listings(rows)
        is_last = len(stored) < _RECORDS_PER_STEP
        await transaction.desk.put_filled(LAYOUT, None if is_last else stored[-1].state.id)
        return len(rows)
