"""Find records in the projection: by the values of their fields, and by what their texts contain.

An index over a field is made when somebody first asks about it, and kept up from then on: lists ask about a few
fields over and over, and an index over all of them would double what an open store takes. The fields that any list
asks about are indexed before the first snapshot. Snapshots have the indexes, so a store that opens has them at once.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Kind, KindSet, Moment

from .sights import shown_values, sql_value

SCHEMA = """
CREATE TABLE lookup (
    number INTEGER PRIMARY KEY,  -- of the index
    kind   TEXT NOT NULL,        -- kind of record
    field  TEXT NOT NULL         -- "=" and a name for what a field is or contains; "<" and a name for its order
) STRICT;
CREATE TABLE value_of (
    lookup INTEGER,  -- number of the index
    value  ANY,      -- as SQLite reads it from JSON; in an order, below everything else for a field without a value
    id     BLOB,     -- the record
    PRIMARY KEY (lookup, value, id)
) STRICT, WITHOUT ROWID;
"""
"""Stands beside the table `record` of the projection."""

# Of bytes, which are `{"#": hex}`, SQL would see the inside.
_EACH = "CASE e.key WHEN '#' THEN json_object('#', e.value) ELSE e.value END"
_ALL, _ONE = "(SELECT id, shown FROM record WHERE kind = ?4)", "(SELECT ?4 AS id, ?5 AS shown)"
# Asked of the index that leads, before the record itself is looked at.
_HAS = "EXISTS (SELECT 1 FROM value_of v WHERE v.lookup = ? AND v.value = ? AND v.id = o.id)"
_CONTAINS = f"EXISTS (SELECT 1 FROM json_each(r.shown, ?) e WHERE {_EACH} = ?)"
_ABSENT = -math.inf
_NAMED_AT_ONCE = 256
_TRIED = 1_000
"""How many records of a list are read for a value before an index over all is made: about 5 ms on an office PC."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which records: of a kind, whose fields equal or contain these values, in which order."""

    kind: str
    where: Mapping[str, Value]
    order: str | None
    limit: int
    offset: int
    with_withdrawn: bool = False


class Lookup:
    """The indexes over the table `record` of one projection."""

    def __init__(self, connection: sqlite3.Connection, kinds: KindSet) -> None:
        self._connection = connection
        self._kinds = kinds
        self._indexed: dict[str, dict[str, int]] = {}

    def reload(self) -> None:
        """Find out which indexes there are: the tables were replaced."""
        self._indexed = {}
        for number, kind, field in self._connection.execute("SELECT number, kind, field FROM lookup"):
            self._indexed.setdefault(kind, {})[field] = number

    def prepare(self) -> None:
        """Index what any list asks about: where a record belongs, and the time in its title."""
        for (name,) in self._connection.execute("SELECT DISTINCT kind FROM record").fetchall():
            kind = self._kinds.get(name)
            for field in _listed_by(kind) if kind else ():
                self._index(name, field)

    def matching(self, query: Query) -> list[RecordId]:
        """Return the ids of the records that a query asks for."""
        conditions: dict[str, object] = {}
        for field, wanted in query.where.items():
            if isinstance(wanted, (list, dict)):
                raise TypeError(f"where asks for one plain value; {field!r} got several")
            conditions["=" + field] = sql_value(wanted)
        found = self._among_the_first(query, conditions)
        if found is not None:
            return found
        sql, values = self._select(query, conditions)
        rows = self._connection.execute(f"{sql} LIMIT ? OFFSET ?", (*values, query.limit, query.offset))
        return [RecordId(row[0]) for row in rows]

    @contextmanager
    def changing(self, records: Collection[RecordId]) -> Iterator[None]:
        """Keep the indexes right while the body changes the rows of records."""
        if not self._indexed:
            yield
            return
        before = self._shown(records)
        yield
        after = self._shown(records)
        # What the server confirms is mostly what is shown already.
        changed = [record for record in {**before, **after} if before.get(record) != after.get(record)]
        self._write("DELETE FROM value_of WHERE lookup = ? AND value = ? AND id = ?", changed, before)
        self._write("INSERT OR IGNORE INTO value_of VALUES (?, ?, ?)", changed, after)

    def _shown(self, records: Collection[RecordId]) -> dict[RecordId, tuple[str, str]]:
        rows = found_of(self._connection, "SELECT id, kind, shown FROM record WHERE id IN", records)
        return {row[0]: (row[1], row[2]) for row in rows}

    def _write(self, sql: str, records: Iterable[RecordId], shown: Mapping[RecordId, tuple[str, str]]) -> None:
        for record in records:
            kind, text = shown.get(record, ("", ""))
            for field, number in self._indexed.get(kind, {}).items():
                # By its whole key: of a set of keys SQLite would use the first column, and read an index for each.
                entries = self._connection.execute(_entries(field, _ONE), (number, *_bound(field), record, text))
                self._connection.executemany(sql, entries.fetchall())

    def _among_the_first(self, query: Query, conditions: Mapping[str, object]) -> list[RecordId] | None:
        """Return what a query asks for by reading the first records for the fields that have no index.

        None if all fields have one, or if the first records are not enough.
        """
        indexed = self._indexed.get(query.kind, {})
        others = {field: value for field, value in conditions.items() if field not in indexed}
        if not others:
            return None
        sql, values = self._select(query, {field: conditions[field] for field in conditions if field in indexed})
        values.append(_TRIED)
        wanted: list[object] = []
        for field, value in others.items():
            wanted += [_path(field), value]
        holds = " AND ".join([_CONTAINS] * len(others))
        seen, found, end = 0, [], query.offset + query.limit
        # Only ids are sorted: carrying the texts of all records through it would take longer than reading these.
        rows = self._connection.execute(
            f"SELECT r.id, {holds} FROM ({sql} LIMIT ?) AS first CROSS JOIN record r ON r.id = first.id",
            (*wanted, *values),
        )
        for record, is_wanted in rows:
            seen += 1
            if is_wanted:
                found.append(RecordId(record))
            if len(found) >= end:
                break
        return found[query.offset : end] if seen < _TRIED or len(found) >= end else None

    def _select(self, query: Query, conditions: Mapping[str, object]) -> tuple[str, list[object]]:
        """Return the SQL that finds the ids of a list by indexes, and its values."""
        asked = [(self._index(query.kind, field), value) for field, value in conditions.items()]
        tables, clauses, order = ["record r"], ["r.kind = ?"], "r.id DESC"
        values: list[object] = [query.kind]
        if query.order:
            # CROSS JOIN keeps the order in which tables are read: the sorted one leads, and the limit ends it early.
            tables.insert(0, "value_of o")
            clauses = ["o.lookup = ? AND r.id = o.id"]
            values = [self._index(query.kind, "<" + query.order.lstrip("-"))]
            order = f"o.value {'DESC' if query.order.startswith('-') else 'ASC'}, o.id DESC"
        elif asked:
            tables.insert(0, "value_of o")
            clauses, order = ["o.lookup = ? AND o.value = ? AND r.id = o.id"], "o.id DESC"
            values = [*asked.pop(0)]
        for number, value in asked:
            clauses.append(_HAS)
            values += [number, value]
        if not query.with_withdrawn:
            clauses.append("r.is_hidden = 0")
        return (
            f"SELECT r.id FROM {' CROSS JOIN '.join(tables)} WHERE {' AND '.join(clauses)} ORDER BY {order}",
            values,
        )

    def _index(self, kind: str, field: str) -> int:
        indexed = self._indexed.setdefault(kind, {})
        if field not in indexed:
            indexed[field] = self._make_index(kind, field)
        return indexed[field]

    def _make_index(self, kind: str, field: str) -> int:
        number = self._connection.execute("INSERT INTO lookup (kind, field) VALUES (?, ?)", (kind, field)).lastrowid
        assert number is not None
        self._connection.execute(
            f"INSERT OR IGNORE INTO value_of {_entries(field, _ALL)}", (number, *_bound(field), kind)
        )
        return number


def _listed_by(kind: Kind) -> Iterator[str]:
    if kind.scope_field:
        yield "=" + kind.scope_field
    for name in kind.title_fields:
        if isinstance(kind.fields[name].type, Moment):
            yield "<" + name
            return


def found_of(connection: sqlite3.Connection, sql: str, records: Collection[RecordId]) -> Iterator[Any]:
    """Yield the rows of a statement that ends with the records it is about."""
    wanted = [*records]
    for at in range(0, len(wanted), _NAMED_AT_ONCE):
        named = wanted[at : at + _NAMED_AT_ONCE]
        yield from connection.execute(f"{sql} ({', '.join('?' * len(named))})", named)


def found_by(connection: sqlite3.Connection, words: str, *, kind: str | None, limit: int) -> list[RecordId]:
    """Return the ids of records whose texts contain each of the words, whatever the case of Latin letters."""
    wanted = words.split()
    if not wanted:
        return []
    clauses = ["is_hidden = 0"]
    values: list[object] = []
    for word in wanted:
        # Chinese has no case, and is found a fifth sooner by its bytes.
        has_case = word.lower() != word.upper()
        clauses.append("shown LIKE ? ESCAPE '!'" if has_case else "instr(shown, ?)")
        values.append(f"%{_literally(word)}%" if has_case else _quoted(word))
    if kind is not None:
        clauses.append("kind = ?")
        values.append(kind)
    found: list[RecordId] = []
    sql = f"SELECT id, shown FROM record WHERE {' AND '.join(clauses)} ORDER BY id DESC"
    for record, shown in connection.execute(sql, values):
        if len(found) == limit:
            break
        # The names of fields are in the JSON too; nobody looks for them.
        if _contains(shown_values(shown), wanted):
            found.append(RecordId(record))
    return found


def _contains(values: Mapping[str, Value], wanted: list[str]) -> bool:
    texts = [text.lower() for text in _texts(values)]
    return all(any(word.lower() in text for text in texts) for word in wanted)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)[1:-1]


def _literally(word: str) -> str:
    return "".join("!" + each if each in "!%_" else each for each in _quoted(word))


def _entries(field: str, rows: str) -> str:
    """Return the SQL for what an index has of rows: ?1 its number, ?2 and ?3 are `_bound`."""
    if field.startswith("="):
        return f"SELECT ?1, {_EACH}, r.id FROM {rows} r, json_each(r.shown, ?2) e WHERE e.value IS NOT NULL"
    return f"SELECT ?1, coalesce(json_extract(r.shown, ?2), ?3), r.id FROM {rows} r"


def _bound(field: str) -> tuple[object, ...]:
    return _path(field), _ABSENT


def _path(field: str) -> str:
    return '$."' + field[1:].replace('"', "") + '"'
