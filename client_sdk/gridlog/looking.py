"""Find records in the projection: by the values of their fields, and by what their texts contain.

An index over a field is made when somebody first asks about it, and kept up from then on: lists ask about a few
fields over and over, and an index over all of them would double what an open store takes. It stands in a database of
its own, so that no snapshot has it.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId

from .sights import shown_values, sql_value

_SCHEMA = """
ATTACH ':memory:' AS lookup;
CREATE TABLE lookup.value_of (
    kind  TEXT,  -- kind of record
    field TEXT,  -- "=" and a field's name for what it is or contains; "<" and the name for what it is sorted by
    value ANY,   -- as SQLite reads it from JSON; sorted by, below everything else for a field without a value
    id    BLOB,  -- the record
    PRIMARY KEY (kind, field, value, id)
) STRICT, WITHOUT ROWID;
"""

# Of bytes, which are `{"#": hex}`, SQL would see the inside.
_EACH = "CASE e.key WHEN '#' THEN json_object('#', e.value) ELSE e.value END"
_CONTAINED = f"SELECT r.kind, ?1, {_EACH}, r.id FROM record r, json_each(r.shown, ?2) e WHERE e.value IS NOT NULL"
_SORTED = "SELECT r.kind, ?1, coalesce(json_extract(r.shown, ?2), ?3), r.id FROM record r WHERE 1"
# Asked of the index that leads, before the record itself is looked at.
_HAS = "EXISTS (SELECT 1 FROM value_of v WHERE v.kind = ? AND v.field = ? AND v.value = ? AND v.id = o.id)"
_ABSENT = -math.inf


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

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._indexed: dict[str, set[str]] = {}
        connection.executescript(_SCHEMA)

    def matching(self, query: Query) -> list[RecordId]:
        """Return the ids of the records that a query asks for."""
        conditions: list[tuple[str, object]] = []
        for field, wanted in query.where.items():
            if isinstance(wanted, (list, dict)):
                raise TypeError(f"where asks for one plain value; {field!r} got several")
            conditions.append((self._index(query.kind, "=" + field), sql_value(wanted)))
        values: list[object] = []
        tables, clauses, order = ["record r"], ["r.kind = ?"], "r.id DESC"
        if query.order:
            by = self._index(query.kind, "<" + query.order.lstrip("-"))
            # CROSS JOIN keeps the order in which tables are read: the sorted one leads, and the limit ends it early.
            tables.insert(0, "value_of o")
            clauses = ["o.kind = ? AND o.field = ? AND r.id = o.id"]
            values = [query.kind, by]
            order = f"o.value {'DESC' if query.order.startswith('-') else 'ASC'}, o.id DESC"
        elif conditions:
            by, value = conditions.pop(0)
            tables.insert(0, "value_of o")
            clauses, order = ["o.kind = ? AND o.field = ? AND o.value = ? AND r.id = o.id"], "o.id DESC"
            values = [query.kind, by, value]
        else:
            values = [query.kind]
        for by, value in conditions:
            clauses.append(_HAS)
            values += [query.kind, by, value]
        if not query.with_withdrawn:
            clauses.append("r.is_hidden = 0")
        rows = self._connection.execute(
            f"SELECT r.id FROM {' CROSS JOIN '.join(tables)} WHERE {' AND '.join(clauses)}"
            f" ORDER BY {order} LIMIT ? OFFSET ?",
            (*values, query.limit, query.offset),
        )
        return [RecordId(row[0]) for row in rows]

    @contextmanager
    def changing(self, record: RecordId, kind: str | None) -> Iterator[None]:
        """Keep the indexes right while the body changes a record's row; `kind` is None if it may go."""
        if not self._indexed:
            yield
            return
        found = self._connection.execute("SELECT kind FROM record WHERE id = ?", (record,)).fetchone()
        for field in self._indexed.get(found[0], ()) if found else ():
            self._connection.execute(
                f"DELETE FROM value_of WHERE (kind, field, value, id) IN ({_rows_of(field)} AND r.id = ?4)",
                _bound(field, record),
            )
        yield
        for field in self._indexed.get(kind, ()) if kind else ():
            self._connection.execute(
                f"INSERT OR IGNORE INTO value_of {_rows_of(field)} AND r.id = ?4", _bound(field, record)
            )

    def _index(self, kind: str, field: str) -> str:
        indexed = self._indexed.setdefault(kind, set())
        if field not in indexed:
            self._connection.execute(
                f"INSERT OR IGNORE INTO value_of {_rows_of(field)} AND r.kind = ?4", _bound(field, kind)
            )
            indexed.add(field)
        return field


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


def _rows_of(field: str) -> str:
    return _CONTAINED if field.startswith("=") else _SORTED


def _bound(field: str, which: object) -> tuple[object, ...]:
    return field, '$."' + field[1:].replace('"', "") + '"', _ABSENT, which
