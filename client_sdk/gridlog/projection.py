"""What the device knows, in memory: rebuilt from the journal or its snapshot at every start, queried with SQL.

The rule it keeps: nothing here is the truth. Every change comes from a journal entry that is on the disk already, so
losing it costs only the time to read the journal again. It never touches the disk: what is queried is in clear.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from typing import Any, NamedTuple

from gridlog_protocol.ids import Position, RecordId, ScopeId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.state import RecordState
from gridlog_protocol.state_codec import unpack_record
from gridlog_sync.digest import EMPTY, SetDigest, combined
from gridlog_sync.reconcile import fingerprint

from .looking import SCHEMA, Lookup, Query, found_by, found_of
from .sights import Confirmed, Sight, confirmed_of, read_leaves, sight_of

_SETTINGS = """
PRAGMA page_size = 16384;
PRAGMA temp_store = MEMORY;
PRAGMA secure_delete = ON;
"""
# What is dropped is overwritten at once: the pages go into snapshots as they are.

_RECORDS = """
CREATE TABLE record (
    id        BLOB NOT NULL UNIQUE,  -- UUIDv7
    kind      TEXT NOT NULL,         -- kind of record
    conflicts INTEGER NOT NULL,      -- cells that contradict each other, as shown
    is_hidden INTEGER NOT NULL,      -- 1: withdrawn, and lists leave it out
    facts     BLOB NOT NULL,         -- author and rounds, packed, as shown
    shown     TEXT NOT NULL,         -- values as the screen shows them, JSON
    leaves    BLOB NOT NULL,         -- scopes and leaves of what is confirmed, packed; empty if nothing is
    confirmed BLOB                   -- state without pending ops, at rest; NULL if the server has not confirmed it
) STRICT;
CREATE INDEX record_by_kind ON record (kind, is_hidden, id);
CREATE INDEX record_in_conflict ON record (id) WHERE conflicts > 0;
"""
_SCHEMA = _RECORDS + SCHEMA

LAYOUT = hashlib.sha256(_SCHEMA.encode()).digest()[:8]
"""Stands for how records are laid out: an image of another layout is of no use."""

_COLUMNS = "id, kind, conflicts, is_hidden, facts, shown, leaves, confirmed"
_ROWS_AT_ONCE = 32
"""Records in one statement: SQLite keeps statements that it has seen, and these come in few lengths."""


@cache
def _confirming(count: int) -> str:
    rows = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?)"] * count)
    return (
        f"INSERT INTO record ({_COLUMNS}) VALUES {rows} ON CONFLICT (id) DO UPDATE SET"
        " conflicts = excluded.conflicts, is_hidden = excluded.is_hidden, facts = excluded.facts,"
        " shown = excluded.shown, leaves = excluded.leaves, confirmed = excluded.confirmed"
    )


class Row(NamedTuple):
    """One record as the projection keeps it."""

    id: RecordId
    kind: str
    conflicts: int
    is_hidden: int
    facts: bytes
    shown: str
    leaves: bytes
    confirmed: bytes | None


def confirmed_in(pages: bytes | bytearray) -> Iterator[RecordState]:
    """Yield the confirmed records in what some version's `serialized` returned: their columns keep their names."""
    with closing(sqlite3.connect(":memory:")) as older:
        older.deserialize(pages)
        for (packed,) in older.execute("SELECT confirmed FROM record WHERE confirmed IS NOT NULL"):
            yield unpack_record(packed)


class Projection:
    """Records as confirmed and as shown, and the digest of what is confirmed."""

    def __init__(self, kinds: KindSet) -> None:
        self._kinds = kinds
        self._scopes: frozenset[ScopeId] = frozenset()
        self._digests: dict[tuple[ScopeId, int], SetDigest] = {}
        self._connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._connection.executescript(_SETTINGS + _SCHEMA)
        self._lookup = Lookup(self._connection, kinds)

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()

    def hold_scopes(self, scopes: Iterable[ScopeId]) -> None:
        """Name the scopes that the digest counts. Call it before any record comes in."""
        self._scopes = frozenset(scopes)

    def confirmed(self, record: RecordId) -> RecordState | None:
        """Return a record without the pending ops."""
        found = self._one("SELECT confirmed FROM record WHERE id = ?", record)
        return unpack_record(found[0]) if found and found[0] is not None else None

    def has_confirmed(self, record: RecordId) -> bool:
        """Tell whether the server has confirmed anything of a record."""
        return self._one("SELECT 1 FROM record WHERE id = ? AND confirmed IS NOT NULL", record) is not None

    def changed_after(self, position: Position) -> list[RecordId]:
        """Return the confirmed records of which any field changed after a position. Looks at all of them."""
        rows = self._connection.execute("SELECT id, confirmed FROM record WHERE confirmed IS NOT NULL ORDER BY id")
        states = ((RecordId(record), unpack_record(packed)) for record, packed in rows)
        return [record for record, state in states if any(each.changed > position for each in state.fields.values())]

    def lacking(self, records: Collection[RecordId]) -> set[RecordId]:
        """Return those of the records of which the server has confirmed nothing."""
        rows = self._found("SELECT id FROM record WHERE confirmed IS NOT NULL AND id IN", records)
        return {*records}.difference(row[0] for row in rows)

    def sights(self, records: Collection[RecordId]) -> dict[RecordId, Sight]:
        """Return what the screen shows of records."""
        rows = self._found("SELECT id, shown, conflicts, is_hidden, facts FROM record WHERE id IN", records)
        return {row[0]: Sight(row[1], row[2], bool(row[3]), row[4]) for row in rows}

    def conflicts_of(self, records: Collection[RecordId]) -> dict[RecordId, int]:
        """Return how many cells of records contradict each other, as shown, of those that are here."""
        return dict(self._found("SELECT id, conflicts FROM record WHERE id IN", records))

    def confirm(self, record: Confirmed | RecordState) -> None:
        """Take in what the server confirmed, and show that. `show` follows if there are pending ops on top."""
        self.confirm_all([confirmed_of(record, self._kinds) if isinstance(record, RecordState) else record])

    def confirm_all(self, records: Sequence[Confirmed]) -> None:
        """Take in what the server confirmed of records, each named once: an answer brings hundreds."""
        self._recount(records)
        rows = [
            (each.id, each.kind, sight.conflicts, sight.is_hidden, sight.facts, sight.shown, each.leaves, each.packed)
            for each in records
            for sight in [each.sight]
        ]
        with self._lookup.changing([each.id for each in records]):
            # Each statement lets go of the interpreter and comes back for it: not for each record.
            at = 0
            for size in (_ROWS_AT_ONCE, 1):
                while len(rows) - at >= size:
                    values = [value for row in rows[at : at + size] for value in row]
                    self._connection.execute(_confirming(size), values)
                    at += size

    def drop(self, record: RecordId) -> None:
        """Forget a record's confirmed state: it left the scopes of this device. `show` follows."""
        self._count(self._leaves_of([record]), [])
        self._connection.execute("UPDATE record SET confirmed = NULL, leaves = x'' WHERE id = ?", (record,))

    def show(self, record: RecordId, state: RecordState | None) -> None:
        """Take in what the screen shows of a record: None if nothing of it is here any more."""
        if state is None:
            with self._lookup.changing([record]):
                self._connection.execute("DELETE FROM record WHERE id = ?", (record,))
            return
        sight = sight_of(state, self._kinds.get(state.kind))
        shown = (sight.conflicts, sight.is_hidden, sight.facts, sight.shown)
        with self._lookup.changing([record]):
            self._connection.execute(
                f"INSERT INTO record ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, x'', NULL) ON CONFLICT (id) DO UPDATE SET"
                " conflicts = excluded.conflicts, is_hidden = excluded.is_hidden, facts = excluded.facts,"
                " shown = excluded.shown",
                (record, state.kind, *shown),
            )

    def sight(self, record: RecordId) -> tuple[str, Sight, bool] | None:
        """Return the kind of a record, what the screen shows of it, and whether any of it is confirmed.

        None if it is not here.
        """
        found = self._one(
            "SELECT kind, shown, conflicts, is_hidden, facts, confirmed IS NOT NULL FROM record WHERE id = ?", record
        )
        return (found[0], Sight(found[1], found[2], bool(found[3]), found[4]), bool(found[5])) if found else None

    def digest(self) -> bytes:
        """Return the digest of all confirmed records in the device's scopes."""
        return combined(self._digests)

    def fingerprints(self) -> dict[RecordId, int]:
        """Return what stands for each confirmed record of the device's scopes in a repair."""
        found: dict[RecordId, int] = {}
        for record, packed in self._connection.execute("SELECT id, leaves FROM record WHERE confirmed IS NOT NULL"):
            scopes, leaves = read_leaves(packed)
            if scopes & self._scopes:
                found[RecordId(record)] = fingerprint(leaves)
        return found

    def matching(self, query: Query) -> list[RecordId]:
        """Return the ids of the records that a query asks for. Newest first unless it names an order."""
        return self._lookup.matching(query)

    def containing(self, words: str, *, kind: str | None, limit: int) -> list[RecordId]:
        """Return the ids of records whose texts contain each of the words, newest first."""
        return found_by(self._connection, words, kind=kind, limit=limit)

    def in_conflict(self) -> list[RecordId]:
        """Return the ids of records with contradicting values."""
        rows = self._connection.execute("SELECT id FROM record WHERE conflicts > 0 ORDER BY id DESC")
        return [RecordId(row[0]) for row in rows]

    def counts(self) -> tuple[int, int]:
        """Return how many records there are, and how many of them are in conflict."""
        records = self._one("SELECT count(*) FROM record")
        conflicts = self._one("SELECT count(*) FROM record WHERE conflicts > 0")
        assert records is not None
        assert conflicts is not None
        return records[0], conflicts[0]

    def rows(self) -> Iterator[Row]:
        """Yield everything that is here, by id. Nothing may change meanwhile."""
        for row in self._connection.execute(f"SELECT {_COLUMNS} FROM record ORDER BY id"):
            yield Row(*row)

    def digests(self) -> Iterator[tuple[ScopeId, int, int, int]]:
        """Yield scope, class, count and sum of each set that the digest covers: what a snapshot keeps of it."""
        for (scope, digest_class), digest in sorted(self._digests.items()):
            yield scope, digest_class, digest.count, digest.total

    def load_digest(self, scope: ScopeId, digest_class: int, count: int, total: int) -> None:
        """Take in one of `digests`."""
        self._digests[(scope, digest_class)] = SetDigest(count, total)

    @contextmanager
    def in_bulk(self) -> Iterator[None]:
        """Take many changes in one transaction, which is quicker. It is of no use after an error in the body."""
        self._connection.execute("BEGIN")
        yield
        self._connection.execute("COMMIT")

    def serialized(self) -> bytes:
        """Return the tables and their indexes as SQLite would write them to a file: what a snapshot keeps."""
        self._lookup.prepare()
        return self._connection.serialize()

    def deserialize(self, image: bytes | bytearray) -> None:
        """Put what `serialized` returned in the place of what is here; `hold_scopes` and `load_digest` are apart."""
        self._connection.deserialize(image)
        self._lookup.reload()

    def _recount(self, records: Sequence[Confirmed]) -> None:
        self._count(self._leaves_of([each.id for each in records]), [each.leaves for each in records])

    def _leaves_of(self, records: Collection[RecordId]) -> list[bytes]:
        return [row[0] for row in self._found("SELECT leaves FROM record WHERE id IN", records)]

    def _count(self, gone: Iterable[bytes], come: Iterable[bytes]) -> None:
        """Count leaves in the digests no more, and others from now on."""
        moved: dict[tuple[ScopeId, int], list[int]] = {}
        for sign, packed in [*((-1, each) for each in gone), *((1, each) for each in come)]:
            scopes, leaves = read_leaves(packed)
            for scope in scopes & self._scopes:
                for digest_class, leaf in leaves.items():
                    sums = moved.setdefault((scope, digest_class), [0, 0])
                    sums[0] += sign
                    sums[1] += sign * leaf
        for key, (count, total) in moved.items():
            self._digests[key] = self._digests.get(key, EMPTY).shifted(count, total)

    def _found(self, sql: str, records: Collection[RecordId]) -> Iterator[Any]:
        return found_of(self._connection, sql, records)

    def _one(self, sql: str, *values: object) -> Sequence[Any] | None:
        row: Sequence[Any] | None = self._connection.execute(sql, values).fetchone()
        return row
