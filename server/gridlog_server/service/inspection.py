"""Look at what the server holds: for the commands `status`, `records`, `conflicts` and `held`. Reads only."""

from __future__ import annotations

from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId, UserId, shown
from gridlog_protocol.kinds import KindSet
from gridlog_server.store.contract import Readable, StoredOp, StoredRecord, Transaction, WaitingSegment
from gridlog_sync.view import Conflict, conflicts_of, values_of


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One record as a list shows it: as the database has it, its values, its conflicts, its author's name."""

    stored: StoredRecord
    values: dict[str, Value]
    conflicts: list[Conflict]
    author: str


class Inspection:
    """Reads for people at a terminal."""

    def __init__(self, store: Readable, kinds: KindSet) -> None:
        self._store = store
        self._kinds = kinds

    async def counts(self) -> dict[str, int]:
        """Return how much there is of everything, and the log's head position."""
        async with self._store.reading() as snapshot:
            head = await snapshot.ledger.log_head()
            return {"log_position": head.position, **await snapshot.counts()}

    async def records(
        self, *, kind: str | None = None, in_conflict: bool = False, limit: int = 50
    ) -> list[RecordLine]:
        """Return the records changed last."""
        async with self._store.reading() as snapshot:
            found = await snapshot.listed(kind=kind, in_conflict=in_conflict, limit=limit)
            names = await _names(snapshot)
        return [self._line(each, names) for each in found]

    async def record(self, record: RecordId) -> tuple[RecordLine, list[StoredOp]] | None:
        """Return one record with every op that touched it."""
        async with self._store.reading() as snapshot:
            found = (await snapshot.ledger.records({record})).get(record)
            history = await snapshot.ledger.ops_of_record(record)
            names = await _names(snapshot)
        return (self._line(found, names), history) if found else None

    async def held(self, limit: int = 50) -> list[StoredOp]:
        """Return ops that wait for a person."""
        async with self._store.reading() as snapshot:
            return await snapshot.reviews.waiting(limit)

    async def waiting(self, limit: int = 50) -> list[WaitingSegment]:
        """Return segments that wait for what is missing before them."""
        async with self._store.reading() as snapshot:
            return await snapshot.reviews.gaps(limit)

    async def names(self) -> dict[UserId, str]:
        """Return everybody's name."""
        async with self._store.reading() as snapshot:
            return await _names(snapshot)

    def _line(self, stored: StoredRecord, names: dict[UserId, str]) -> RecordLine:
        kind = self._kinds.get(stored.state.kind)
        origin = stored.state.origin
        author = names.get(origin.author, shown(origin.author)[:8]) if origin else ""
        return RecordLine(stored, values_of(stored.state, kind), conflicts_of(stored.state, kind), author)


async def _names(snapshot: Transaction) -> dict[UserId, str]:
    return {each.id: each.name for each in await snapshot.registry.people()}
