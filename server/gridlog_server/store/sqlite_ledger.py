"""Ops, log, records and digests in SQLite. See `contract.Ledger`."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any

from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.clock import Stamp
from gridlog_protocol.decisions import Verdict
from gridlog_protocol.ids import DeviceId, Incarnation, OpId, Position, RecordId, ScopeId
from gridlog_protocol.log_chain import Ruling
from gridlog_protocol.op_codec import pack_op, unpack_op
from gridlog_protocol.segment import chain_start
from gridlog_protocol.state_codec import PackedRecord
from gridlog_sync.admission import Chain
from gridlog_sync.changes import Movement, Touch
from gridlog_sync.clocks import Estimate, Tier
from gridlog_sync.digest import SetDigest

from .contract import Commit, Logged, LoggedEntry, LogHead, StoredOp, StoredRecord
from .sqlite_brief import Statements
from .sqlite_listing import PUT_LISTING, listing_row
from .tenancy import Tenancy

OP_COLUMNS = (
    "hash, body, segment, named, position, stamp, hold, hold_field, hold_status, happened_ms, within_ms, tier"
)
_WAITING = "waiting"
_VALUES_MAX = 10_000
"""Values bound in one statement: SQLite's own limit begins at 32,766."""
_RECORD_COLUMNS = (
    "record.id, record.kind, state, changed, conflicts,"
    " (SELECT json_group_array(scope) FROM record_scope WHERE record_scope.record = record.id)"
)


class SqliteLedger:
    """Reads and writes in the transaction that the connection is in."""

    def __init__(self, connection: Statements, tenancy: Tenancy) -> None:
        self._connection = connection
        self._tenancy = tenancy

    async def log_head(self) -> LogHead:
        """Return the last log entry's position and hash."""
        rows = await self._all("SELECT position, hash FROM log ORDER BY position DESC LIMIT 1")
        for position, hashed in rows:
            return LogHead(Position(position), hashed)
        return LogHead(Position(0), self._tenancy.log_start)

    async def log_hash(self, position: Position) -> bytes | None:
        """Return the log hash at a position, or None beyond the head."""
        if position == 0:
            return self._tenancy.log_start
        rows = await self._all("SELECT hash FROM log WHERE position = ?", position)
        return next((row[0] for row in rows), None)

    async def chain(self, device: DeviceId, incarnation: Incarnation) -> Chain:
        """Return how far an incarnation is held."""
        rows = await self._all(
            "SELECT known_seq, chain_head FROM incarnation WHERE device = ? AND incarnation = ?", device, incarnation
        )
        for known_seq, head in rows:
            return Chain(known_seq, head)
        return Chain(0, chain_start(device, incarnation))

    async def ops(self, device: DeviceId, incarnation: Incarnation, first: int, last: int) -> list[StoredOp]:
        """Return the ops of an incarnation in a range of seq, both ends included, in order."""
        rows = await self._all(
            f"SELECT {OP_COLUMNS} FROM op WHERE device = ? AND incarnation = ? AND seq BETWEEN ? AND ? ORDER BY seq",
            device,
            incarnation,
            first,
            last,
        )
        return [stored_op(row) for row in rows]

    async def ops_of_record(self, record: RecordId) -> list[StoredOp]:
        """Return every op of a record: accepted ones by position, then held ones."""
        rows = await self._all(
            f"SELECT {OP_COLUMNS} FROM op WHERE record = ? ORDER BY position IS NULL, position, seq", record
        )
        return [stored_op(row) for row in rows]

    async def named(self, ids: Collection[RecordId]) -> set[RecordId]:
        """Return those among `ids` that any op names, held ones too."""
        rows = await self._all(f"SELECT DISTINCT record FROM op WHERE record IN ({_marks(ids)})", *ids) if ids else []
        return {RecordId(row[0]) for row in rows}

    async def records(self, ids: Collection[RecordId]) -> dict[RecordId, StoredRecord]:
        """Return the records that exist among `ids`."""
        rows = await self._all(
            f"SELECT {_RECORD_COLUMNS} FROM record WHERE id IN ({_marks(ids)})",
            *ids,
        )
        return {RecordId(row[0]): _stored_record(row) for row in rows}

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
        below = after if after is not None else b"\xff" * 17
        only = f"kind IN ({_marks(of)}) AND " if of is not None else ""
        rows = await self._all(
            f"SELECT record FROM record_scope WHERE scope = ? AND record < ? AND {only} kind NOT IN ({_marks(but)})"
            " ORDER BY record DESC LIMIT ?",
            scope,
            below,
            *(of or ()),
            *but,
            limit,
        )
        return [RecordId(row[0]) for row in rows]

    async def touches(self, scopes: Collection[ScopeId], since: Position, limit: int) -> list[Touch]:
        """Return what log entries after `since` did in these scopes, by position."""
        rows = await self._all(
            "SELECT position, scope, record, movement, fields FROM touch"
            f" WHERE scope IN ({_marks(scopes)}) AND position > ? ORDER BY position, scope LIMIT ?",
            *scopes,
            since,
            limit,
        )
        return [
            Touch(Position(position), ScopeId(scope), RecordId(record), Movement(movement), names_of(fields))
            for position, scope, record, movement, fields in rows
        ]

    async def digests(self, scopes: Collection[ScopeId]) -> dict[tuple[ScopeId, int], SetDigest]:
        """Return the digests of these scopes, by scope and class."""
        rows = await self._all(
            f"SELECT scope, class, count, total FROM digest WHERE scope IN ({_marks(scopes)})", *scopes
        )
        return {
            (ScopeId(scope), digest_class): SetDigest(count, int.from_bytes(total, "big"))
            for scope, digest_class, count, total in rows
        }

    async def scopes(self) -> set[ScopeId]:
        """Return every scope that ever had a record."""
        return {ScopeId(row[0]) for row in await self._all("SELECT DISTINCT scope FROM digest")}

    async def write(self, commit: Commit) -> None:
        """Write what one push or decision changes."""
        await self._many(
            "INSERT INTO op (device, incarnation, seq, record, hash, body, segment, named, position, stamp, hold,"
            " hold_field, hold_status, happened_ms, within_ms, tier)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (_op_row(each) for each in commit.ops),
        )
        await self._write_decisions(commit)
        await self._many(
            "INSERT INTO log (position, hash, entry_type, device, incarnation, seq) VALUES (?, ?, ?, ?, ?, ?)",
            ((each.position, each.hash, each.entry_type, *each.op) for each in commit.entries),
        )
        await self._many(
            "INSERT INTO touch (scope, position, record, movement, fields) VALUES (?, ?, ?, ?, ?)",
            (
                (each.scope, each.position, each.record, int(each.movement), _packed_names(each.fields))
                for each in commit.touches
            ),
        )
        await self._write_records(commit)
        await self._many(
            "INSERT INTO digest (scope, class, count, total) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET count = excluded.count, total = excluded.total",
            ((*key, each.count, each.total.to_bytes(32, "big")) for key, each in commit.digests.items()),
        )
        await self._many(
            "INSERT INTO incarnation (device, incarnation, known_seq, chain_head) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET known_seq = excluded.known_seq, chain_head = excluded.chain_head",
            ((*key, chain.known_seq, chain.head) for key, chain in commit.chains.items()),
        )

    async def listed(
        self, *, kind: str | None, in_conflict: bool, limit: int, scope: ScopeId | None = None
    ) -> list[StoredRecord]:
        """Return records by their last change, newest first."""
        # Only what is asked for is in the statement: so SQLite can use the index that fits.
        conditions = {
            "kind = ?": kind,
            "EXISTS (SELECT 1 FROM record_scope WHERE scope = ? AND record_scope.record = record.id)": scope,
        }
        wanted = {condition: value for condition, value in conditions.items() if value is not None}
        where = " AND ".join([*wanted, *(["conflicts > 0"] if in_conflict else [])])
        rows = await self._all(
            f"SELECT {_RECORD_COLUMNS} FROM record {f'WHERE {where}' if where else ''} ORDER BY changed DESC LIMIT ?",
            *wanted.values(),
            limit,
        )
        return [_stored_record(row) for row in rows]

    async def logged(self, after: Position, limit: int) -> list[Logged]:
        """Return the log entries after a position, in order."""
        columns = ", ".join(f"op.{each.strip()}" for each in OP_COLUMNS.split(","))
        rows = await self._all(
            "SELECT log.position, log.hash, log.entry_type, log.device, log.incarnation, log.seq, decided_by,"
            f" decided_ms, reason, follows, {columns} FROM log LEFT JOIN op USING (device, incarnation, seq)"
            " LEFT JOIN decision ON decision.position = log.position WHERE log.position > ? ORDER BY log.position"
            " LIMIT ?",
            after,
            limit,
        )
        return [_logged(row) for row in rows]

    async def changed(
        self, scopes: Collection[ScopeId], kinds: Collection[str], since: Position, limit: int
    ) -> list[StoredRecord]:
        """Return the records of some kinds in some scopes that changed after `since`, by their last change."""
        if not kinds:
            return []
        # One ordered, limited search for each kind: over several at once SQLite would sort all that there is.
        one_kind = (
            "SELECT * FROM (SELECT id, changed FROM record WHERE kind = ? AND changed > ? AND EXISTS"
            f" (SELECT 1 FROM record_scope WHERE scope IN ({_marks(scopes)}) AND record_scope.record = record.id)"
            " ORDER BY changed LIMIT ?)"
        )
        values = (value for kind in kinds for value in (kind, since, *scopes, limit))
        rows = await self._all(
            f"{' UNION ALL '.join(one_kind for _ in kinds)} ORDER BY changed LIMIT ?", *values, limit
        )
        ids = [RecordId(row[0]) for row in rows]
        found = await self.records(ids) if ids else {}
        return [found[record] for record in ids]

    async def _write_decisions(self, commit: Commit) -> None:
        await self._many(
            "UPDATE op SET position = ?, stamp = ?, hold = ?, hold_field = ?, hold_status = ?"
            " WHERE device = ? AND incarnation = ? AND seq = ?",
            (
                (each.position, each.stamp, each.hold, each.hold_field, _hold_status(each), *each.op.id)
                for each in commit.decided
            ),
        )
        await self._many(
            "INSERT INTO decision (position, device, incarnation, seq, verdict, stamp, decided_by, decided_ms,"
            " reason, follows) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    each.position,
                    *each.op,
                    each.verdict.value,
                    each.stamp,
                    each.ruling.by,
                    each.ruling.at_ms,
                    each.ruling.reason,
                    each.ruling.follows,
                )
                for each in commit.decisions
            ),
        )
        await self._many(
            "INSERT INTO decision (position, device, incarnation, seq, verdict, stamp, decided_by, decided_ms,"
            " reason, follows) VALUES (?, ?, ?, ?, 'gap_closed', 0, ?, ?, ?, 0)",
            (
                (each.position, *each.last, each.ruling.by, each.ruling.at_ms, each.ruling.reason)
                for each in commit.closed
            ),
        )

    async def flagged(self, records: Collection[RecordId]) -> dict[RecordId, Tier]:
        """Return the worst tier among each record's ops, for those records in which it is not FINE."""
        wanted, found = [*records], dict[RecordId, Tier]()
        for first in range(0, len(wanted), _VALUES_MAX):
            some = wanted[first : first + _VALUES_MAX]
            rows = await self._all(
                f"SELECT record, max(tier) FROM op WHERE tier > 0 AND record IN ({_marks(some)}) GROUP BY record",
                *some,
            )
            found |= {RecordId(record): Tier(tier) for record, tier in rows}
        return found

    async def _write_records(self, commit: Commit) -> None:
        await self._many(
            "INSERT INTO record (id, kind, changed, conflicts, state) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET changed = excluded.changed, conflicts = excluded.conflicts,"
            " state = excluded.state",
            ((each.id, each.kind, each.changed, each.conflicts, each.packed) for each in commit.records),
        )
        await self._many(
            PUT_LISTING,
            (listing_row(each.id, each.kind, each.listed) for each in commit.records if each.listed),
        )
        await self._many(
            "INSERT OR IGNORE INTO record_scope (scope, record, kind) VALUES (?, ?, ?)",
            ((scope, each.id, each.kind) for each in commit.records for scope in each.scopes),
        )
        await self._many("DELETE FROM record_scope WHERE scope = ? AND record = ?", commit.left)

    async def _all(self, sql: str, *values: Any) -> Iterable[Any]:
        return await self._connection.execute_fetchall(sql, values)

    async def _many(self, sql: str, rows: Iterable[Any]) -> None:
        listed = [*rows]
        if listed:
            await self._connection.executemany(sql, listed)


def _marks(items: Collection[Any]) -> str:
    return ", ".join("?" * len(items))


def _op_row(stored: StoredOp) -> tuple[Any, ...]:
    return (
        *stored.op.id,
        stored.op.record,
        stored.hash,
        stored.packed or pack_op(stored.op),
        stored.segment,
        stored.named,
        stored.position,
        stored.stamp,
        stored.hold,
        stored.hold_field,
        _hold_status(stored),
        stored.when.at_ms,
        stored.when.within_ms,
        int(stored.when.tier),
    )


def _hold_status(stored: StoredOp) -> str | None:
    if stored.hold is None:
        return None
    return stored.verdict.value if stored.verdict else _WAITING


def stored_op(row: Any) -> StoredOp:
    """Read a row of `OP_COLUMNS`."""
    hashed, body, segment, named, position, stamp, hold, hold_field, hold_status, happened_ms, within_ms, tier = row
    return StoredOp(
        unpack_op(body),
        hashed,
        segment,
        Position(named),
        None if position is None else Position(position),
        None if stamp is None else Stamp(stamp),
        hold,
        hold_field,
        None if hold_status in (None, _WAITING) else Verdict(hold_status),
        when=Estimate(happened_ms, within_ms, Tier(tier)),
    )


def _logged(row: Any) -> Logged:
    position, hashed, entry_type, device, incarnation, seq, by, at_ms, reason, follows, *op = row
    entry = LoggedEntry(Position(position), hashed, entry_type, OpId(DeviceId(device), Incarnation(incarnation), seq))
    ruling = None if by is None else Ruling(by, at_ms, reason, Position(follows))
    return Logged(entry, stored_op(op) if op[0] is not None else None, ruling)


def _stored_record(row: Any) -> StoredRecord:
    record, kind, state, changed, conflicts, scopes = row
    packed = PackedRecord(state, RecordId(record), kind)
    return StoredRecord(packed, Position(changed), conflicts, _scopes_of(scopes), len(state))


@lru_cache(maxsize=1024)
def _scopes_of(listed: str) -> frozenset[ScopeId]:
    # Thousands of records are in the same few grids.
    return frozenset(json.loads(listed))


@lru_cache(maxsize=1024)
def _packed_names(names: tuple[str, ...]) -> bytes:
    # Records of one kind are filled in alike.
    return pack([*names])


@lru_cache(maxsize=1024)
def names_of(raw: bytes) -> tuple[str, ...]:
    """Read the names of the fields that an entry touched."""
    names: Value = unpack(raw)
    return tuple(str(name) for name in names) if isinstance(names, list) else ()
