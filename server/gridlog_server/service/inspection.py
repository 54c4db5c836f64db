"""Look at what the server holds: for `status`, `records`, `conflicts`, `held` and `devices`. Reads only."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId, UserId, shown
from gridlog_protocol.kinds import KindSet
from gridlog_server.store.contract import Device, Readable, StoredOp, StoredRecord, Transaction, WaitingSegment
from gridlog_sync.clocks import Tier
from gridlog_sync.view import Conflict, conflicts_of, values_of


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One record as a list shows it: as the database has it, its values, its conflicts, its author's name.

    `tier` is the worst among its ops.
    """

    stored: StoredRecord
    values: dict[str, Value]
    conflicts: list[Conflict]
    author: str
    tier: Tier


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One device as a list shows it: as the database has it, its holder's name, how many of its ops are held."""

    device: Device
    holder: str
    held: int


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
            flagged = await snapshot.flagged([each.state.id for each in found])
        return [self._line(each, names, flagged.get(each.state.id, Tier.FINE)) for each in found]

    async def record(self, record: RecordId) -> tuple[RecordLine, list[StoredOp]] | None:
        """Return one record with every op that touched it."""
        async with self._store.reading() as snapshot:
            found = (await snapshot.ledger.records({record})).get(record)
            history = await snapshot.ledger.ops_of_record(record)
            names = await _names(snapshot)
        worst = max((each.when.tier for each in history), default=Tier.FINE)
        return (self._line(found, names, worst), history) if found else None

    async def held(self, limit: int = 50) -> list[StoredOp]:
        """Return ops that wait for a person."""
        async with self._store.reading() as snapshot:
            return await snapshot.reviews.waiting(limit)

    async def waiting(self, limit: int = 50) -> list[WaitingSegment]:
        """Return segments that wait for what is missing before them."""
        async with self._store.reading() as snapshot:
            return await snapshot.reviews.gaps(limit)

    async def devices(self) -> list[DeviceLine]:
        """Return all devices, in the order of enrolment."""
        async with self._store.reading() as snapshot:
            devices = await snapshot.registry.devices()
            names = await _names(snapshot)
            waiting = await snapshot.reviews.waiting((await snapshot.counts())["held"])
            held = Counter(each.op.id.device for each in waiting)
        return [DeviceLine(each, names[each.person], held[each.id]) for each in devices]

    async def names(self) -> dict[UserId, str]:
        """Return everybody's name."""
        async with self._store.reading() as snapshot:
            return await _names(snapshot)

    def _line(self, stored: StoredRecord, names: dict[UserId, str], tier: Tier) -> RecordLine:
        kind = self._kinds.get(stored.state.kind)
        origin = stored.state.origin
        author = names.get(origin.author, shown(origin.author)[:8]) if origin else ""
        return RecordLine(stored, values_of(stored.state, kind), conflicts_of(stored.state, kind), author, tier)


async def _names(snapshot: Transaction) -> dict[UserId, str]:
    return {each.id: each.name for each in await snapshot.registry.people()}
