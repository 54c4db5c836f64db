"""What the device knows, in memory: rebuilt from the journal at every start, queried with SQL.

The rule it keeps: nothing here is the truth. Every change comes from a journal entry that is on the disk already, so
losing it costs only the time to read the journal again. It never touches the disk: what is queried is in clear.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId, ScopeId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.state import WITHDRAWN, RecordState
from gridlog_protocol.state_codec import pack_record, unpack_record
from gridlog_sync.digest import EMPTY, SetDigest, combined, leaves
from gridlog_sync.reconcile import fingerprint
from gridlog_sync.scope import scopes_of_record
from gridlog_sync.view import conflicts_of, values_of

_SCHEMA = """
CREATE TABLE record (
    id        BLOB PRIMARY KEY,  -- UUIDv7
    kind      TEXT NOT NULL,     -- kind of record
    confirmed BLOB,              -- state without pending ops, at rest; NULL if the server has not confirmed it
    shown     TEXT NOT NULL,     -- values as the screen shows them, JSON, bytes as hex
    conflicts INTEGER NOT NULL   -- cells that contradict each other
) STRICT, WITHOUT ROWID;
CREATE INDEX record_by_kind ON record (kind);
"""


@dataclass(frozen=True, slots=True)
class Query:
    """Which records: of a kind, whose fields equal or contain these values, in which order."""

    kind: str
    where: Mapping[str, Value]
    order: str | None
    limit: int
    offset: int
    with_withdrawn: bool = False


class Projection:
    """Records as confirmed and as shown, and the digest of what is confirmed."""

    def __init__(self, kinds: KindSet) -> None:
        self._kinds = kinds
        self._scopes: frozenset[ScopeId] = frozenset()
        self._digests: dict[tuple[ScopeId, int], SetDigest] = {}
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA temp_store=MEMORY")
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def hold_scopes(self, scopes: Iterable[ScopeId]) -> None:
        """Name the scopes that the digest counts. Call it before any record comes in."""
        self._scopes = frozenset(scopes)

    def confirmed(self, record: RecordId) -> RecordState | None:
        """Return a record without the pending ops."""
        row = self._one("SELECT confirmed FROM record WHERE id = ?", record)
        return unpack_record(row[0]) if row and row[0] is not None else None

    def confirm(self, state: RecordState) -> None:
        """Take in a confirmed state. `show` follows for what the screen shows."""
        self._count(self.confirmed(state.id), sign=-1)
        self._count(state, sign=1)
        self._connection.execute(
            "INSERT INTO record (id, kind, confirmed, shown, conflicts) VALUES (?, ?, ?, '{}', 0)"
            " ON CONFLICT DO UPDATE SET confirmed = excluded.confirmed",
            (state.id, state.kind, pack_record(state)),
        )

    def drop(self, record: RecordId) -> None:
        """Forget a record's confirmed state: it left the scopes of this device."""
        self._count(self.confirmed(record), sign=-1)
        self._connection.execute("UPDATE record SET confirmed = NULL WHERE id = ?", (record,))

    def show(self, record: RecordId, state: RecordState | None) -> None:
        """Take in what the screen shows of a record: None if nothing of it is here any more."""
        if state is None:
            self._connection.execute("DELETE FROM record WHERE id = ?", (record,))
            return
        kind = self._kinds.get(state.kind)
        shown = json.dumps({name: _plain(value) for name, value in values_of(state, kind).items()})
        conflicts = len(conflicts_of(state, kind))
        self._connection.execute(
            "INSERT INTO record (id, kind, shown, conflicts) VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET shown = excluded.shown, conflicts = excluded.conflicts",
            (record, state.kind, shown, conflicts),
        )

    def digest(self) -> bytes:
        """Return the digest of all confirmed records in the device's scopes."""
        return combined(self._digests)

    def fingerprints(self) -> dict[RecordId, int]:
        """Return what stands for each confirmed record of the device's scopes in a repair."""
        found: dict[RecordId, int] = {}
        for (raw,) in self._connection.execute("SELECT confirmed FROM record WHERE confirmed IS NOT NULL"):
            state = unpack_record(raw)
            kind = self._kinds.get(state.kind)
            if kind is not None and scopes_of_record(state, kind) & self._scopes:
                found[state.id] = fingerprint(leaves(state))
        return found

    def matching(self, query: Query) -> list[RecordId]:
        """Return the ids of the records that a query asks for. Newest first unless it names an order."""
        clauses = ["kind = ?"]
        if not query.with_withdrawn:
            # One that somebody still has to decide about stays in sight.
            clauses.append(f"(json_extract(shown, '{_path(WITHDRAWN)}') IS NULL OR conflicts > 0)")
        values: list[object] = [query.kind]
        for field, value in query.where.items():
            if isinstance(value, (list, dict)):
                raise TypeError(f"where asks for one plain value; {field!r} got several")
            # json_each yields one row for a plain value and one for each element of a list.
            clauses.append("EXISTS (SELECT 1 FROM json_each(shown, ?) WHERE value = ?)")
            values += [_path(field), _plain(value)]
        order = "id DESC"
        if query.order:
            direction = "DESC" if query.order.startswith("-") else "ASC"
            order = f"json_extract(shown, ?) {direction}, id DESC"
            values.append(_path(query.order.lstrip("-")))
        rows = self._connection.execute(
            f"SELECT id FROM record WHERE {' AND '.join(clauses)} ORDER BY {order} LIMIT ? OFFSET ?",
            (*values, query.limit, query.offset),
        )
        return [RecordId(row[0]) for row in rows]

    def in_conflict(self) -> list[RecordId]:
        """Return the ids of records with contradicting values."""
        rows = self._connection.execute("SELECT id FROM record WHERE conflicts > 0 ORDER BY id DESC")
        return [RecordId(row[0]) for row in rows]

    def counts(self) -> tuple[int, int]:
        """Return how many records there are, and how many of them are in conflict."""
        row = self._one("SELECT count(*), coalesce(sum(conflicts > 0), 0) FROM record")
        return (row[0], row[1]) if row else (0, 0)

    def _count(self, state: RecordState | None, *, sign: int) -> None:
        kind = self._kinds.get(state.kind) if state else None
        if state is None or kind is None:
            return
        for scope in scopes_of_record(state, kind) & self._scopes:
            for digest_class, leaf in leaves(state).items():
                before = self._digests.get((scope, digest_class), EMPTY)
                after = before.plus(leaf) if sign > 0 else before.minus(leaf)
                self._digests[(scope, digest_class)] = after

    def _one(self, sql: str, *values: object) -> Sequence[Any] | None:
        row: Sequence[Any] | None = self._connection.execute(sql, values).fetchone()
        return row


def _path(field: str) -> str:
    return '$."' + field.replace('"', "") + '"'


def _plain(value: Value) -> object:
    match value:
        case bytes():
            return value.hex()
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case _:
            return value
