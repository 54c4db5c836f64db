"""What the console asks of SQLite. See `desk.Desk`.

The rule it keeps: every list goes along an index in its own order, and stops at its limit. Whether a record is in
somebody's grids is asked row by row on the way. Where the grids have few of a kind, it sorts those few instead.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from gridlog_protocol.canonical import pack, unpack
from gridlog_protocol.ids import OpId, Position, RecordId, ScopeId, UserId
from gridlog_protocol.state_codec import PackedRecord

from .contract import StoredOp
from .desk import ListedRow, ListingQuery, Place
from .sqlite_brief import Statements
from .sqlite_ledger import OP_COLUMNS, stored_op
from .sqlite_listing import PUT_LISTING, listing_row
from .stored_record import Listed, StoredRecord

_COLUMNS = "listing.record, listing.kind, listing.author, occurred_ms, review_state, stepped_ms, words"
# The plus keeps SQLite from searching the index once for each of somebody's grids: a record is in one or two.
_IN_GRIDS = (
    "EXISTS (SELECT 1 FROM record_scope WHERE record_scope.record = {record}"
    " AND +record_scope.scope IN (SELECT value FROM json_each({grids})))"
)
_OF_GRIDS = "FROM record_scope WHERE scope IN (SELECT value FROM json_each(?)) AND kind = ?"
_FILLED = "listing_filled"


class SqliteDesk:
    """Reads and writes in the transaction that the connection is in."""

    def __init__(self, connection: Statements) -> None:
        self._connection = connection

    async def received(self, segments: Collection[int]) -> dict[int, int]:
        """Return when segments came in, by their number (Unix ms)."""
        # One bound value for any number of them.
        rows = await self._all(
            "SELECT id, received_ms FROM segment WHERE id IN (SELECT value FROM json_each(?))",
            json.dumps(sorted(set(segments))),
        )
        return dict(rows)

    async def in_review(
        self, states: Collection[str], grids: Collection[ScopeId], after: Place | None, limit: int
    ) -> list[ListedRow]:
        """Return records whose review stands at these states, those that wait longest first."""
        # One ordered walk along the partial index for each state.
        found: list[ListedRow] = []
        for state in sorted(_REVIEWED.intersection(states)):
            rows = await self._all(
                f"SELECT {_COLUMNS}, conflicts, stepped_ms FROM listing JOIN record ON record.id = listing.record"
                f" WHERE {_IN_REVIEW} AND review_state = '{state}' AND (stepped_ms, listing.record) > (?1, ?2)"
                f" AND {_in_grids('listing.record', '?3')} ORDER BY stepped_ms, listing.record LIMIT ?4",
                after.number if after else -1,
                after.record if after else b"",
                _json(grids),
                limit,
            )
            found += [_row(row) for row in rows]
        found.sort(key=lambda each: (each.place.number, each.record))
        return found[:limit]

    async def in_conflict(self, grids: Collection[ScopeId], after: Place | None, limit: int) -> list[ListedRow]:
        """Return records in conflict, changed last first; their place's number is that position."""
        rows = await self._all(
            f"SELECT {_COLUMNS}, conflicts, changed FROM record JOIN listing ON listing.record = record.id"
            f" WHERE conflicts > 0 AND changed < ?1 AND {_in_grids('record.id', '?2')}"
            " ORDER BY changed DESC LIMIT ?3",
            after.number if after else 1 << 62,
            _json(grids),
            limit,
        )
        return [_row(row) for row in rows]

    async def held(self, grids: Collection[ScopeId], limit: int, op: OpId | None = None) -> list[StoredOp]:
        """Return held ops nobody has decided about, of records in these grids or of people who work there.

        With `op`, that one, if it is among them.
        """
        one = (op.device, op.incarnation, op.seq) if op else ()
        rows = await self._all(
            f"SELECT {OP_COLUMNS} FROM op WHERE hold_status = 'waiting' AND ({_in_grids('op.record', '?1')}"
            " OR EXISTS (SELECT 1 FROM device JOIN assignment ON assignment.person = device.person"
            " WHERE device.id = op.device AND assignment.scope IN (SELECT value FROM json_each(?1))))"
            f"{' AND device = ?3 AND incarnation = ?4 AND seq = ?5' if one else ''}"
            " ORDER BY segment DESC, device, seq DESC LIMIT ?2",
            _json(grids),
            limit,
            *one,
        )
        return [stored_op(row) for row in rows]

    async def listing(
        self, query: ListingQuery, after: Place | None, limit: int
    ) -> tuple[list[ListedRow], Place | None]:
        """Return records newest first, and how far it looked: None if it looked at all there are."""
        if not query.grids:
            return [], None
        source, values, edge = await self._way(query, after)
        rows = await self._all(
            f"SELECT {_COLUMNS}, conflicts, occurred_ms FROM {source} ORDER BY occurred_ms DESC, listing.record DESC"
            " LIMIT ?",
            *values,
            limit,
        )
        found = [_row(row) for row in rows]
        return found, found[-1].place if len(found) == limit else edge

    async def amount(self, query: ListingQuery, limit: int) -> tuple[int, bool]:
        """Count what `listing` would find, up to a limit, and tell whether it looked at all there are."""
        if not query.grids:
            return 0, True
        source, values, edge = await self._way(query, None)
        [[number]] = await self._all(f"SELECT count(*) FROM (SELECT 1 FROM {source} LIMIT ?)", *values, limit)
        return int(number), edge is None

    async def _way(self, query: ListingQuery, after: Place | None) -> tuple[str, list[Any], Place | None]:
        """Return what a list goes along and what it asks there, as SQL and its values; and where it has to stop."""
        where, values = _wanted(query, after)
        # CROSS: the order of the tables is ours, not the planner's guess.
        records = "listing CROSS JOIN record ON record.id = listing.record"
        if await self._can_be_sorted(query):
            source = f"(SELECT DISTINCT record {_OF_GRIDS}) AS own CROSS JOIN {records} AND own.record = id"
            return f"{source} WHERE {where}", [_json(query.grids), query.kind, *values], None
        edge = await self._edge(query, after)
        if edge is not None:
            where += " AND (occurred_ms, listing.record) >= (?, ?)"
            values += [edge.number, edge.record]
        return f"{records} WHERE {where} AND {_in_grids('id', '?')}", [*values, _json(query.grids)], edge

    async def _can_be_sorted(self, query: ListingQuery) -> bool:
        """Tell whether these grids have so few of the kind that all are looked at, wherever its index has them."""
        if len(query.grids) == 1:
            return True
        [[number]] = await self._all(
            f"SELECT count(*) FROM (SELECT 1 {_OF_GRIDS} LIMIT ?)",
            _json(query.grids),
            query.kind,
            query.sorted_max + 1,
        )
        return int(number) <= query.sorted_max

    async def _edge(self, query: ListingQuery, after: Place | None) -> Place | None:
        """Return the last record that a list may look at, going along the index; None if that is the end."""
        where, values = _span(query, after)
        rows = await self._all(
            f"SELECT occurred_ms, record FROM listing WHERE {where} ORDER BY occurred_ms DESC, record DESC"
            " LIMIT 1 OFFSET ?",
            *values,
            query.examined_max - 1,
        )
        return next((Place(number, RecordId(record)) for number, record in rows), None)

    async def listed(self, records: Collection[RecordId]) -> dict[RecordId, Listed]:
        """Return what lists ask of these records."""
        marks = ", ".join("?" * len(records))
        rows = await self._all(
            "SELECT record, author, occurred_ms, review_state, stepped_ms, words FROM listing"
            f" WHERE record IN ({marks})",
            *records,
        )
        return {RecordId(record): Listed(UserId(author), *rest) for record, author, *rest in rows}

    async def unlisted(self, after: RecordId, limit: int) -> list[StoredRecord]:
        """Return records behind an id, by id, to be filled in."""
        rows = await self._all(
            "SELECT id, kind, state, changed, conflicts FROM record WHERE id > ? ORDER BY id LIMIT ?", after, limit
        )
        return [
            StoredRecord(
                PackedRecord(state, RecordId(record), kind), Position(changed), conflicts, frozenset(), len(state)
            )
            for record, kind, state, changed, conflicts in rows
        ]

    async def put_listings(self, rows: Mapping[RecordId, tuple[str, Listed]]) -> None:
        """Write what lists ask of records, each with its kind."""
        await self._connection.executemany(
            PUT_LISTING, [listing_row(record, kind, each) for record, (kind, each) in rows.items()]
        )

    async def filled(self) -> tuple[int, RecordId | None]:
        """Return which layout of listings is here, 0 for none, and up to which record; None if up to the last."""
        rows: list[Any] = await self._all("SELECT value FROM meta WHERE name = ?", _FILLED)
        value: Any = unpack(rows[0][0]) if rows else [0, b""]
        layout, record = value
        return layout, None if record is None else RecordId(record)

    async def put_filled(self, layout: int, record: RecordId | None) -> None:
        """Write down how far listings are filled in."""
        await self._connection.execute(
            "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            (_FILLED, pack([layout, None if record is None else bytes(record)])),
        )

    async def _all(self, sql: str, *values: Any) -> Any:
        return await self._connection.execute_fetchall(sql, values)


_REVIEWED = frozenset({"submitted", "checked", "returned"})
# Word for word as the index has it.
_IN_REVIEW = "review_state IN ('submitted', 'checked', 'returned')"


def _span(query: ListingQuery, after: Place | None) -> tuple[str, list[Any]]:
    """Return the part of a kind's index that a list goes along, newest first."""
    bounds: dict[str, list[Any]] = {
        "listing.kind = ?": [query.kind],
        "occurred_ms >= ?": [query.from_ms] if query.from_ms is not None else [],
        "occurred_ms < ?": [query.until_ms] if query.until_ms is not None else [],
        "(occurred_ms, listing.record) < (?, ?)": [after.number, after.record] if after else [],
    }
    given = {bound: values for bound, values in bounds.items() if values}
    return " AND ".join(given), [value for values in given.values() for value in values]


def _wanted(query: ListingQuery, after: Place | None) -> tuple[str, list[Any]]:
    """Return what each record on the way is asked, the cheapest question first."""
    where, values = _span(query, after)
    asked = [where]
    for column, wanted in (("review_state", query.review_state), ("author", query.author)):
        if wanted is not None:
            asked.append(f"{column} = ?")
            values.append(wanted)
    asked += ["instr(words, ?) > 0"] * len(query.words)
    values += query.words
    if query.in_conflict:
        asked.append("conflicts > 0")
    return " AND ".join(asked), values


def _in_grids(record: str, grids: str) -> str:
    return _IN_GRIDS.format(record=record, grids=grids)


def _json(grids: Collection[ScopeId]) -> str:
    return json.dumps(sorted(grids))


def _row(row: Any) -> ListedRow:
    record, kind, author, occurred_ms, review_state, stepped_ms, words, conflicts, number = row
    listed = Listed(UserId(author), occurred_ms, review_state, stepped_ms, words)
    return ListedRow(RecordId(record), kind, listed, conflicts, Place(number, RecordId(record)))
