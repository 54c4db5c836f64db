"""Everything that a check of the database reads, row by row: what follows from the log beside the log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from gridlog_protocol.ids import DeviceId, Incarnation, OpId, Position, RecordId, ScopeId
from gridlog_protocol.log_chain import Ruling
from gridlog_sync.changes import Movement, Touch

from .contract import StoredOp
from .sqlite_brief import Statements
from .sqlite_ledger import OP_COLUMNS, names_of, stored_op

_ROWS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class AuditedEntry:
    """A log entry as it stands, with what it is about: the op, if there is one, and the ruling of a decision."""

    position: Position
    hash: bytes
    entry_type: int
    op: OpId
    op_hash: bytes | None
    stamp: int | None
    ruling: Ruling | None


@dataclass(frozen=True, slots=True)
class AuditedSegment:
    """What is kept of a segment: who signed how many ops, between which chain values."""

    number: int
    device: DeviceId
    incarnation: Incarnation
    first_seq: int
    count: int
    chain_before: bytes
    chain_after: bytes
    signature: bytes


class SqliteAudit:
    """Reads in the transaction that the connection is in."""

    def __init__(self, connection: Statements) -> None:
        self._connection = connection

    async def entries(self) -> AsyncIterator[AuditedEntry]:
        """Yield the log, by position."""
        sql = (
            "SELECT log.position, log.hash, entry_type, log.device, log.incarnation, log.seq, op.hash, op.stamp,"
            " decided_by, decided_ms, reason, follows FROM log"
            " LEFT JOIN op ON (op.device, op.incarnation, op.seq) = (log.device, log.incarnation, log.seq)"
            " LEFT JOIN decision ON decision.position = log.position ORDER BY log.position"
        )
        async for row in self._each(sql):
            position, link, entry_type, device, incarnation, seq, hashed, stamp, by, at_ms, reason, follows = row
            ruling = None if by is None else Ruling(by, at_ms, reason, Position(follows))
            op = OpId(DeviceId(device), Incarnation(incarnation), seq)
            yield AuditedEntry(Position(position), link, entry_type, op, hashed, stamp, ruling)

    async def segments(self) -> AsyncIterator[AuditedSegment]:
        """Yield the segments, in the order of their arrival."""
        sql = (
            "SELECT id, device, incarnation, first_seq, count, chain_before, chain_after, signature FROM segment"
            " ORDER BY id"
        )
        async for number, device, incarnation, *rest in self._each(sql):
            yield AuditedSegment(number, DeviceId(device), Incarnation(incarnation), *rest)

    async def segment_after(self, device: DeviceId, incarnation: Incarnation, seq: int) -> bytes | None:
        """Return the chain value before the segment that begins behind a seq; None if there is none."""
        sql = "SELECT chain_before FROM segment WHERE device = ? AND incarnation = ? AND first_seq = ? ORDER BY id"
        return next((row[0] for row in await self._all(sql, device, incarnation, seq + 1)), None)

    async def last_before(self, device: DeviceId, incarnation: Incarnation, seq: int) -> int:
        """Return the last op of an incarnation up to a seq, 0 if there is none."""
        sql = "SELECT coalesce(max(seq), 0) FROM op WHERE device = ? AND incarnation = ? AND seq <= ?"
        [[last]] = await self._all(sql, device, incarnation, seq)
        return int(last)

    async def incarnations(self) -> list[tuple[DeviceId, Incarnation, int, bytes]]:
        """Return how far each incarnation is said to be held."""
        sql = "SELECT device, incarnation, known_seq, chain_head FROM incarnation ORDER BY device, incarnation"
        return [tuple(row) for row in await self._all(sql)]

    async def ops(self) -> AsyncIterator[tuple[OpId, RecordId, StoredOp]]:
        """Yield every op with the id and record that its row is found by, by id."""
        sql = f"SELECT device, incarnation, seq, record, {OP_COLUMNS} FROM op ORDER BY device, incarnation, seq"
        async for device, incarnation, seq, record, *rest in self._each(sql):
            yield OpId(DeviceId(device), Incarnation(incarnation), seq), RecordId(record), stored_op(rest)

    async def record_ids(self) -> list[RecordId]:
        """Return the ids of all records, and of all that an op which took effect names."""
        sql = "SELECT id FROM record UNION SELECT record FROM op WHERE position IS NOT NULL ORDER BY 1"
        return [RecordId(row[0]) for row in await self._all(sql)]

    async def histories(self, records: Sequence[RecordId]) -> dict[RecordId, list[StoredOp]]:
        """Return every op of a few hundred records that took effect, by position."""
        marks = ", ".join("?" * len(records))
        where = f"record IN ({marks}) AND position IS NOT NULL"
        sql = f"SELECT record, {OP_COLUMNS} FROM op WHERE {where} ORDER BY position"
        found: dict[RecordId, list[StoredOp]] = {record: [] for record in records}
        for record, *rest in await self._all(sql, *records):
            found[RecordId(record)].append(stored_op(rest))
        return found

    async def touches(self) -> AsyncIterator[Touch]:
        """Yield what the log did to records: by record, position and scope."""
        # Sorted, once: the table is in the order of its scopes, and has no index by record.
        sql = "SELECT record, position, scope, movement, fields FROM touch ORDER BY record, position, scope"
        async for record, position, scope, movement, fields in self._each(sql):
            yield Touch(Position(position), ScopeId(scope), RecordId(record), Movement(movement), names_of(fields))

    async def scopes(self) -> list[ScopeId]:
        """Return every scope that has a digest or a record."""
        sql = "SELECT scope FROM digest UNION SELECT scope FROM record_scope ORDER BY 1"
        return [ScopeId(row[0]) for row in await self._all(sql)]

    async def _each(self, sql: str) -> AsyncIterator[Any]:
        async with self._connection.execute(sql) as cursor:
            while rows := await cursor.fetchmany(_ROWS_AT_ONCE):
                for row in rows:
                    yield row

    async def _all(self, sql: str, *values: Any) -> Any:
        return await self._connection.execute_fetchall(sql, values)
