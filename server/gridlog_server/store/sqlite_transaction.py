"""One open transaction in SQLite: its parts, and what is kept beside them. See `contract.Transaction`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType

from gridlog_protocol.ids import DeviceId, Position, RecordId, ScopeId
from gridlog_protocol.segment import Segment
from gridlog_server.control import ControlAct
from gridlog_sync.clocks import Tier

from .contract import START, Logged, Quarantined, StoredRecord
from .sqlite_accounts import SqliteAccounts
from .sqlite_audit import SqliteAudit
from .sqlite_brief import Statements
from .sqlite_desk import SqliteDesk
from .sqlite_ledger import SqliteLedger
from .sqlite_registry import SqliteRegistry
from .sqlite_reviews import SqliteReviews
from .tenancy import Tenancy


class SqliteTransaction:
    """One open transaction. See `contract.Transaction`."""

    def __init__(
        self,
        connection: Statements,
        tenancy: Tenancy,
        noted: Mapping[DeviceId, ControlAct] = MappingProxyType({}),
    ) -> None:
        self._connection = connection
        self.ledger = SqliteLedger(connection, tenancy)
        self.registry = SqliteRegistry(connection, noted)
        self.accounts = SqliteAccounts(connection, self.registry.for_control)
        self.reviews = SqliteReviews(connection)
        self.audit = SqliteAudit(connection)
        self.desk = SqliteDesk(connection)

    async def put_segment(self, segment: Segment, device: DeviceId, chain_after: bytes, *, now_ms: int) -> int:
        """Keep a segment's signature as evidence, and return its number."""
        cursor = await self._connection.execute(
            "INSERT INTO segment (device, incarnation, first_seq, count, chain_before, chain_after, signature,"
            " received_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                device,
                segment.incarnation,
                segment.first_seq,
                len(segment.ops),
                segment.chain_before,
                chain_after,
                segment.signature,
                now_ms,
            ),
        )
        return int(cursor.lastrowid)

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
        # Anybody who heard a refused request can send it again: that must not fill the disk.
        await self._connection.execute(
            "INSERT INTO quarantine (device, received_ms, code, body, served) SELECT ?1, ?2, ?3, ?4, ?6"
            " WHERE NOT EXISTS (SELECT 1 FROM quarantine WHERE device = ?1 AND code = ?3 AND body = ?4)"
            " AND (?5 IS NULL OR length(?4) + (SELECT coalesce(sum(length(body)), 0) FROM quarantine"
            " WHERE device = ?1 AND code = ?3) <= ?5)",
            (device, now_ms, code, body, bytes_max, served),
        )

    async def quarantined(
        self, limit: int, *, device: DeviceId | None = None, is_waiting: bool = False
    ) -> list[Quarantined]:
        """Return what could not be taken in, newest first; only of a device, only what nobody has decided about."""
        return await self.reviews.quarantined(limit, device=device, is_waiting=is_waiting)

    async def logged(self, after: Position, limit: int) -> list[Logged]:
        """Return the log entries after a position, in order."""
        return await self.ledger.logged(after, limit)

    async def listed(
        self, *, kind: str | None, in_conflict: bool, limit: int, scope: ScopeId | None = None
    ) -> list[StoredRecord]:
        """Return records by their last change, newest first."""
        return await self.ledger.listed(kind=kind, in_conflict=in_conflict, limit=limit, scope=scope)

    async def changed(
        self, scopes: Collection[ScopeId], kinds: Collection[str], since: Position, limit: int
    ) -> list[StoredRecord]:
        """Return the records of some kinds in some scopes that changed after `since`, by their last change."""
        return await self.ledger.changed(scopes, kinds, since, limit)

    async def flagged(self, records: Collection[RecordId]) -> dict[RecordId, Tier]:
        """Return the worst tier among each record's ops, for those records in which it is not FINE."""
        return await self.ledger.flagged(records)

    async def counts(self) -> dict[str, int]:
        """Return how much there is of each: records, ops, ops undecided or with a wrong clock, people, and so on."""
        wanted = {
            "records": "record",
            "ops": "op",
            "held": "op WHERE hold_status = 'waiting'",
            "in_conflict": "record WHERE conflicts > 0",
            "clock_corrected": "op WHERE tier > 0 AND tier = 1",
            "clock_review": "op WHERE tier > 0 AND tier = 2",
            "people": "person",
            "devices": "device",
            "quarantine": "quarantine WHERE verdict IS NULL",
            "waiting": "waiting",
        }
        counts = ", ".join(f"(SELECT count(*) FROM {each})" for each in wanted.values())
        row = next(iter(await self._connection.execute_fetchall(f"SELECT {counts}")))
        return dict(zip(wanted, row, strict=True))
