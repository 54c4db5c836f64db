"""The server's store in memory: see `gridlog_server.store.contract`.

A commit is atomic and durable, as SQLite's is; that SQLite keeps this promise is attacked elsewhere. What can go
wrong here is the moment: `fate` says before each commit whether the server dies before it, after it, or has no space.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from enum import Enum
from typing import TypeVar

from gridlog_protocol.ids import (
    DeviceId,
    Incarnation,
    OpId,
    Position,
    RecordId,
    ScopeId,
)
from gridlog_protocol.segment import Segment, chain_start
from gridlog_server.store.contract import (
    START,
    Commit,
    Logged,
    LogHead,
    Quarantined,
    StoredOp,
    StoredRecord,
    StoreUnavailableError,
)
from gridlog_server.store.tenancy import Tenancy
from gridlog_sync.admission import Chain
from gridlog_sync.changes import Touch
from gridlog_sync.clocks import Tier
from gridlog_sync.digest import SetDigest
from tools.simulate.memory_accounts import MemoryAccounts
from tools.simulate.memory_tables import MemoryRegistry, MemoryReviews, Tables

T = TypeVar("T")


class CommitFate(Enum):
    """What becomes of one commit."""

    DONE = "done"
    DIES_BEFORE = "dies before the commit"
    DIES_AFTER = "dies after the commit"
    NO_SPACE = "no space"


class ServerDiedError(Exception):
    """The server process is gone: nobody gets an answer."""


class MemoryLedger:
    """Ops, log, records and digests. See `contract.Ledger`."""

    def __init__(self, tables: Tables, tenancy: Tenancy) -> None:
        self.tables = tables
        self._start = LogHead(Position(0), tenancy.log_start)

    async def log_head(self) -> LogHead:
        """Return the last log entry's position and hash."""
        return self.tables.log[-1] if self.tables.log else self._start

    async def log_hash(self, position: Position) -> bytes | None:
        """Return the log hash at a position, or None beyond the head."""
        if position > len(self.tables.log):
            return None
        return self.tables.log[position - 1].hash if position else self._start.hash

    async def chain(self, device: DeviceId, incarnation: Incarnation) -> Chain:
        """Return how far an incarnation is held."""
        place = (device, incarnation)
        return self.tables.chains.get(place, Chain(0, chain_start(*place)))

    async def ops(self, device: DeviceId, incarnation: Incarnation, first: int, last: int) -> list[StoredOp]:
        """Return the ops of an incarnation in a range of seq, both ends included, in order."""
        named = (OpId(device, incarnation, seq) for seq in range(first, last + 1))
        return [self.tables.ops[op] for op in named if op in self.tables.ops]

    async def ops_of_record(self, record: RecordId) -> list[StoredOp]:
        """Return every op of a record: accepted ones by position, then held ones."""
        own = [each for each in self.tables.ops.values() if each.op.record == record]
        return sorted(own, key=lambda each: (each.position is None, each.position or 0, each.op.id.seq))

    async def named(self, ids: Collection[RecordId]) -> set[RecordId]:
        """Return those among `ids` that any op names, held ones too."""
        return {each.op.record for each in self.tables.ops.values()} & {*ids}

    async def records(self, ids: Collection[RecordId]) -> dict[RecordId, StoredRecord]:
        """Return the records that exist among `ids`."""
        return {record: self.tables.records[record] for record in sorted(ids) if record in self.tables.records}

    async def page(
        self,
        scope: ScopeId,
        after: RecordId | None,
        limit: int,
        *,
        of: Collection[str] | None = None,
        but: Collection[str] = (),
    ) -> list[RecordId]:
        """Return ids of records in a scope, newest first, below `after`; only `of` these kinds, all `but` those."""
        there = [
            record
            for record, each in self.tables.records.items()
            if scope in each.scopes and (of is None or each.state.kind in of) and each.state.kind not in but
        ]
        return sorted((each for each in there if after is None or each < after), reverse=True)[:limit]

    async def touches(self, scopes: Collection[ScopeId], since: Position, limit: int) -> list[Touch]:
        """Return what log entries after `since` did in these scopes, by position."""
        found = [each for each in self.tables.touches if each.position > since and each.scope in scopes]
        return sorted(found, key=lambda each: (each.position, each.scope))[:limit]

    async def digests(self, scopes: Collection[ScopeId]) -> dict[tuple[ScopeId, int], SetDigest]:
        """Return the digests of these scopes, by scope and class."""
        return {key: digest for key, digest in self.tables.digests.items() if key[0] in scopes}

    async def scopes(self) -> set[ScopeId]:
        """Return every scope that ever had a record."""
        return {scope for scope, _ in self.tables.digests}

    async def write(self, commit: Commit) -> None:
        """Write what one push or decision changes."""
        tables = self.tables
        tables.ops |= {each.op.id: each for each in (*commit.ops, *commit.decided)}
        tables.decisions += commit.decisions
        tables.closed += commit.closed
        tables.log += [LogHead(each.position, each.hash) for each in commit.entries]
        tables.entries += commit.entries
        tables.touches += commit.touches
        for each in commit.records:
            before = tables.records.get(each.state.id)
            kept = before.scopes if before else frozenset()
            gone = {scope for scope, record in commit.left if record == each.state.id}
            tables.records[each.state.id] = replace(each, scopes=(kept | each.scopes) - gone)
        tables.digests |= commit.digests
        tables.chains |= commit.chains


class MemoryTransaction:
    """One consistent view. See `contract.Transaction`."""

    def __init__(self, tables: Tables, tenancy: Tenancy) -> None:
        self.tables = tables
        self.ledger = MemoryLedger(tables, tenancy)
        self.registry = MemoryRegistry(tables)
        self.reviews = MemoryReviews(tables)
        self.accounts = MemoryAccounts(tables)

    async def put_segment(self, segment: Segment, device: DeviceId, chain_after: bytes, *, now_ms: int) -> int:
        """Keep a segment's signature as evidence, and return its number."""
        del chain_after, now_ms
        self.tables.segments.append((device, segment))
        return len(self.tables.segments)

    async def quarantine(
        self,
        device: DeviceId,
        code: str,
        body: bytes,
        *,
        now_ms: int,
        served: Position = START,
        bytes_max: int | None = None,
    ) -> None:
        """Keep what could not be taken in: once, however often it comes."""
        kept = [each.body for each in self.tables.quarantine if (each.device, each.code) == (device, code)]
        if body in kept or (bytes_max is not None and sum(map(len, kept)) + len(body) > bytes_max):
            return
        number = len(self.tables.quarantine) + 1
        self.tables.quarantine.append(Quarantined(number, device, now_ms, code, body, served))

    async def quarantined(
        self, limit: int, *, device: DeviceId | None = None, is_waiting: bool = False
    ) -> list[Quarantined]:
        """Return what could not be taken in, newest first; only of a device, only what nobody has decided about."""
        found = [
            each
            for each in self.tables.quarantine
            if device in (None, each.device) and (each.outcome is None or not is_waiting)
        ]
        return found[::-1][:limit]

    async def logged(self, after: Position, limit: int) -> list[Logged]:
        """Return the log entries after a position, in order."""
        tables = self.tables
        rulings = {each.position: each.ruling for each in tables.decisions}
        rulings |= {each.position: each.ruling for each in tables.closed}
        return [
            Logged(each, tables.ops.get(each.op), rulings.get(each.position))
            for each in tables.entries[after : after + limit]
        ]

    async def listed(
        self, *, kind: str | None, in_conflict: bool, limit: int, scope: ScopeId | None = None
    ) -> list[StoredRecord]:
        """Return records by their last change, newest first."""
        wanted = [
            each
            for each in self.tables.records.values()
            if kind in (None, each.state.kind)
            and (each.conflicts or not in_conflict)
            and (scope is None or scope in each.scopes)
        ]
        return sorted(wanted, key=lambda each: each.changed, reverse=True)[:limit]

    async def changed(
        self, scopes: Collection[ScopeId], kinds: Collection[str], since: Position, limit: int
    ) -> list[StoredRecord]:
        """Return the records of some kinds in some scopes that changed after `since`, by their last change."""
        wanted = [
            each
            for each in self.tables.records.values()
            if each.state.kind in kinds and each.changed > since and not each.scopes.isdisjoint(scopes)
        ]
        return sorted(wanted, key=lambda each: each.changed)[:limit]

    async def flagged(self, records: Collection[RecordId]) -> dict[RecordId, Tier]:
        """Return the worst tier among each record's ops, for those records in which it is not FINE."""
        worst: dict[RecordId, Tier] = {}
        for each in self.tables.ops.values():
            if each.op.record in records and each.when.tier is not Tier.FINE:
                worst[each.op.record] = max(each.when.tier, worst.get(each.op.record, Tier.FINE))
        return worst

    async def counts(self) -> dict[str, int]:
        """Return how many of everything there are."""
        tables = self.tables
        return {
            "records": len(tables.records),
            "ops": len(tables.ops),
            "held": sum(each.is_waiting for each in tables.ops.values()),
            "in_conflict": sum(each.conflicts > 0 for each in tables.records.values()),
            "clock_corrected": sum(each.when.tier is Tier.CORRECTED for each in tables.ops.values()),
            "clock_review": sum(each.when.tier is Tier.REVIEW for each in tables.ops.values()),
            "people": len(tables.people),
            "devices": len(tables.devices),
            "quarantine": sum(each.outcome is None for each in tables.quarantine),
            "waiting": len(tables.waiting),
        }


class MemoryStore:
    """See `contract.Store`."""

    def __init__(
        self,
        tenancy: Tenancy,
        *,
        pause: Callable[[], Awaitable[None]],
        fate: Callable[[], CommitFate],
        committed: Callable[[], None],
    ) -> None:
        self.tenancy = tenancy
        self.tables = Tables()
        self._pause = pause
        self._fate = fate
        self._committed = committed

    @asynccontextmanager
    async def reading(self, *, briefly: bool = False) -> AsyncIterator[MemoryTransaction]:
        """Open a snapshot, after a while: other requests overtake this one here."""
        del briefly
        await self._pause()
        yield MemoryTransaction(self.tables.copied(), self.tenancy)

    async def commit(self, work: Callable[[MemoryTransaction], Awaitable[T]]) -> T:
        """Run `work`, and return its result after the commit. Raises StoreUnavailableError or ServerDiedError."""
        await self._pause()
        transaction = MemoryTransaction(self.tables.copied(), self.tenancy)
        result = await work(transaction)
        match self._fate():
            case CommitFate.NO_SPACE:
                raise StoreUnavailableError("no space")
            case CommitFate.DIES_BEFORE:
                raise ServerDiedError
            case fate:
                self.tables = transaction.tables
                self._committed()
        if fate is CommitFate.DIES_AFTER:
            raise ServerDiedError
        return result

    async def close(self) -> None:
        """Do nothing: what is committed stays."""
