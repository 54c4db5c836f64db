"""Record states as rows: on the air (heads only) and at rest (with what each cell's writes had seen).

On the air, authors are named once per message in a table, positions are distances from the message's own and times
from the record's id, so that most of them are 0 and cost next to nothing. The layout is section 6 of the wire
specification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from .canonical import Value, glanced, pack_settled, settled, unpack
from .clock import MILLISECONDS_MAX, Stamp, counter_of, milliseconds_of, reading
from .columns import read_record_columns, record_columns
from .errors import ProtocolError
from .ids import DeviceId, Incarnation, OpId, Position, RecordId, UserId, is_record_id, milliseconds_of_record
from .limits import (
    BODY_BYTES_MAX,
    ELEMENT_KEY_BYTES_MAX,
    FIELD_NAME_CHARACTERS_MAX,
    KIND_NAME_CHARACTERS_MAX,
)
from .rows import Row
from .rows import reading as row_reading
from .state import (
    NOTHING_COVERED,
    PENDING,
    SENSITIVE,
    Cell,
    Covered,
    FieldState,
    Head,
    Origin,
    RecordState,
    is_ended,
    is_ending,
)

FORMAT = 1
"""Comes first in every stored record."""
_COUNT_MAX = 1 << 17


@dataclass(slots=True)
class Authors:
    """The table of who wrote: one row for each device, incarnation and person of a message."""

    base_position: int = 0
    rows: list[tuple[DeviceId, Incarnation, UserId]] = field(default_factory=list)
    _index: dict[tuple[DeviceId, Incarnation, UserId], int] = field(default_factory=dict)
    _covered: tuple[Value, Covered] | None = None

    def index(self, op: OpId, author: UserId) -> int:
        """Return the row of an author, added if new."""
        return self.numbered(op.device, op.incarnation, author)

    def numbered(self, device: DeviceId, incarnation: Incarnation, author: UserId) -> int:
        """Return the row of who is named by three ids, added if new."""
        key = (device, incarnation, author)
        if key not in self._index:
            self._index[key] = len(self.rows)
            self.rows.append(key)
        return self._index[key]

    def table(self) -> Value:
        """Write the table. Call it last: writing states fills it."""
        return [[device, incarnation, author] for device, incarnation, author in self.rows]

    @staticmethod
    def read(row: Row, *, base_position: int) -> Authors:
        """Read the table that `table` wrote. Raises ProtocolError `malformed`."""
        authors = Authors(base_position)
        for each in row.rows("author", _COUNT_MAX):
            key = (DeviceId(each.blob(16)), Incarnation(each.blob(8)), UserId(each.blob(16)))
            each.end()
            authors.rows.append(key)
        return authors

    def covered(self, value: Value) -> Covered:
        """Read what a cell's writes had seen. Most cells of a record were last written by the same op."""
        if self._covered is None or self._covered[0] != value:
            self._covered = value, _read_covered(value, self)
        return self._covered[1]

    def author(self, row: Row) -> tuple[DeviceId, Incarnation, UserId]:
        """Read a reference to the table."""
        index = row.whole()
        if index >= len(self.rows):
            raise row.malformed("no such author")
        return self.rows[index]


def record_row(record: RecordState, authors: Authors, *, at_rest: bool = False) -> list[Value]:
    """Write a record, or a part of it. `at_rest` keeps what each cell's writes had seen.

    On the air only a cell that ends the record has that: to tell what whoever ended it did not know.
    """
    since_ms = None if at_rest else milliseconds_of_record(record.id)
    covered: list[Value] = []
    writes: dict[OpId, int] = {}
    rows: list[Value] = []
    fields: list[Value] = []
    for name, state in sorted(record.fields.items()):
        cells: list[Value] = []
        for key, cell in sorted(state.cells.items()):
            heads: list[Value] = []
            for head in cell.heads:
                index = writes.get(head.op)
                if index is None:
                    index = writes[head.op] = len(rows)
                    rows.append(_write_row(head, authors, since_ms))
                heads += (index, settled(head.value))
            cells += (key, heads)
            if at_rest:
                cells.append(_covered_row(cell.covered, authors))
            elif _is_end(name, key, cell):
                covered.append(_covered_row(cell.covered, authors))
        changed = authors.base_position - state.changed
        if at_rest:
            fields.append([name, state.digest_class, changed, cells])
        elif state.changed == _newest(state.cells):
            fields.append([name, state.digest_class, cells])
        else:
            fields.append([name, state.digest_class, cells, changed])
    origin = None if record.origin is None else _origin_row(record.origin, writes, authors, since_ms)
    row: list[Value] = [record.id, record.kind, record.schema, origin, rows, fields]
    return [*row, covered] if covered else row


def read_record(value: Value, authors: Authors, *, at_rest: bool = False) -> RecordState:
    """Read what `record_row` wrote. Raises ProtocolError `malformed`."""
    with row_reading(value, "record") as row:
        record = row.blob(16)
        if not is_record_id(record):
            raise row.malformed("not a record id")
        kind = row.text(KIND_NAME_CHARACTERS_MAX)
        schema = row.whole(low=1)
        since_ms = None if at_rest else milliseconds_of_record(RecordId(record))
        made = row.value()
        writes = [_read_write(each, authors, since_ms) for each in row.rows("write", _COUNT_MAX)]
        origin = _read_origin(made, writes, authors, since_ms)
        fields: dict[str, FieldState] = {}
        for each in row.rows("field", _COUNT_MAX):
            name = each.text(4 * FIELD_NAME_CHARACTERS_MAX)
            if name in fields:
                raise each.malformed("occurs twice")
            fields[name] = _read_field(each, writes, authors, at_rest=at_rest)
            each.end()
        if not at_rest:
            ends = row.items(_COUNT_MAX) if row.has_more else []
            fields = _with_ends(fields, Row(ends, "ends"), authors)
    return RecordState(RecordId(record), kind, schema, origin, MappingProxyType(fields))


def records_value(records: Iterable[RecordState], authors: Authors) -> Value:
    """Write records for the air, in columns."""
    return record_columns([record_row(record, authors) for record in records])


def read_records(value: Value, authors: Authors) -> tuple[RecordState, ...]:
    """Read what `records_value` wrote. Raises ProtocolError `malformed`."""
    return tuple(read_record(row, authors) for row in read_record_columns(value, _COUNT_MAX))


def pack_record(record: RecordState) -> bytes:
    """Write a record for a store: self-contained, with everything that its merging needs."""
    authors = Authors()
    row = record_row(record, authors, at_rest=True)
    return pack_settled([FORMAT, authors.table(), row])


def unpack_record(raw: bytes) -> RecordState:
    """Read what `pack_record` wrote. Raises ProtocolError `malformed` or NotCanonicalError on damage."""
    with row_reading(unpack(raw, items_max=BODY_BYTES_MAX), "stored record") as row:
        if row.whole() != FORMAT:
            raise row.malformed("unknown format")
        authors = Authors.read(row, base_position=0)
        return read_record(row.value(), authors, at_rest=True)


class PackedRecord:
    """A record at rest, which is unpacked when somebody asks for its state: most that is loaded is only counted."""

    __slots__ = ("_raw", "_state", "id", "kind")

    def __init__(self, raw: bytes, record: RecordId, kind: str) -> None:
        self.id = record
        self.kind = kind
        self._raw = raw
        self._state: RecordState | None = None

    def __eq__(self, other: object) -> bool:
        return self.state == (other.state if isinstance(other, PackedRecord) else other)

    def __hash__(self) -> int:
        return hash(self._raw)

    @property
    def raw(self) -> bytes:
        """What `pack_record` wrote."""
        return self._raw

    @property
    def state(self) -> RecordState:
        """The record. Raises ProtocolError `malformed` or NotCanonicalError on damage."""
        if self._state is None:
            self._state = unpack_record(self._raw)
        return self._state

    @property
    def is_ended(self) -> bool:
        """Tell whether a write that ends the record stands. Needs bytes that `pack_record` wrote."""
        if self._state is not None:
            return is_ended(self._state)
        # Only values are looked at; whoever takes the state has everything checked.
        rows: Any = glanced(self._raw)
        return any(
            is_ending(name, cells[at], value)
            for name, _, _, cells in rows[2][5]
            for at in range(0, len(cells), 3)
            for value in cells[at + 1][1::2]
        )


def _write_row(head: Head, authors: Authors, since_ms: int | None) -> Value:
    stamp_ms = milliseconds_of(head.stamp)
    return [
        authors.index(head.op, head.author),
        head.op.seq,
        # A store keeps the negative: so its format began.
        -stamp_ms if since_ms is None else stamp_ms - since_ms,
        counter_of(head.stamp),
        authors.base_position - head.position,
    ]


def _read_write(row: Row, authors: Authors, since_ms: int | None) -> Head:
    device, incarnation, author = authors.author(row)
    seq = row.whole(low=1)
    distance = row.signed()
    try:
        stamp = Stamp(reading(-distance if since_ms is None else since_ms + distance, row.whole(high=0xFFFF)))
    except ValueError:
        raise row.malformed("stamp out of range") from None
    position = _read_position(row, authors)
    row.end()
    return Head(OpId(device, incarnation, seq), author, stamp, position, None)


def _read_position(row: Row, authors: Authors) -> Position:
    position = authors.base_position - row.signed()
    if not 0 <= position <= PENDING:
        raise row.malformed("position out of range")
    return Position(position)


def _newest(cells: Mapping[str, Cell]) -> int:
    """Return the highest position among the heads: that of a field's last change, unless it was a removal."""
    return max((head.position for cell in cells.values() for head in cell.heads), default=-1)


def _read_field(row: Row, writes: list[Head], authors: Authors, *, at_rest: bool) -> FieldState:
    digest_class = row.whole(high=SENSITIVE)
    if at_rest:
        changed = _read_position(row, authors)
        return FieldState(digest_class, changed, _read_cells(row, writes, authors, at_rest=True))
    cells = _read_cells(row, writes, authors, at_rest=False)
    newest = _newest(cells)
    if row.has_more:
        changed = _read_position(row, authors)
        if changed == newest:
            raise row.malformed("a field not in its shortest form")
        return FieldState(digest_class, changed, cells)
    if newest < 0:
        raise row.malformed("no position of the last change")
    return FieldState(digest_class, Position(newest), cells)


def _read_cells(row: Row, writes: list[Head], authors: Authors, *, at_rest: bool) -> MappingProxyType[str, Cell]:
    cells: dict[str, Cell] = {}
    items = Row(row.items(_COUNT_MAX), "cells")
    while items.has_more:
        key = items.text(ELEMENT_KEY_BYTES_MAX)
        if key in cells:
            raise items.malformed("an element occurs twice")
        heads = _read_heads(items.items(_COUNT_MAX), writes)
        covered = authors.covered(items.value()) if at_rest else NOTHING_COVERED
        cells[key] = Cell(heads, covered)
    return MappingProxyType(cells)


def _read_heads(pairs: list[Value], writes: list[Head]) -> tuple[Head, ...]:
    """Read pairs of a write's number and what it said."""
    heads: list[Head] = []
    for at in range(0, len(pairs), 2):
        index = pairs[at]
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(writes):
            raise ProtocolError("malformed", detail="heads: no such write")
        if at + 1 == len(pairs):
            raise ProtocolError("malformed", detail="heads: too short")
        write = writes[index]
        heads.append(Head(write.op, write.author, write.stamp, write.position, pairs[at + 1]))
    if len(heads) > 1:
        heads.sort(key=lambda head: head.order)
    return tuple(heads)


def _with_ends(fields: dict[str, FieldState], rows: Row, authors: Authors) -> dict[str, FieldState]:
    """Return the fields with what the writes of each ending cell had seen; it follows in the order of the cells."""
    for name, state in fields.items():
        ends = {
            key: Cell(cell.heads, _read_covered(rows.value(), authors))
            for key, cell in state.cells.items()
            if _is_end(name, key, cell)
        }
        if ends:
            fields[name] = replace(state, cells=MappingProxyType({**state.cells, **ends}))
    rows.end()
    return fields


def _is_end(name: str, key: str, cell: Cell) -> bool:
    return any(is_ending(name, key, head.value) for head in cell.heads)


def _origin_row(made: Origin, writes: Mapping[OpId, int], authors: Authors, since_ms: int | None) -> Value:
    if since_ms is None:
        return [authors.index(made.op, made.author), made.op.seq, made.wall_ms]
    if made.op in writes:
        return [writes[made.op], made.wall_ms - since_ms]
    return [authors.index(made.op, made.author), made.op.seq, made.wall_ms - since_ms]


def _read_origin(value: Value, writes: list[Head], authors: Authors, since_ms: int | None) -> Origin | None:
    if value is None:
        return None
    with row_reading(value, "origin") as row:
        if since_ms is not None and isinstance(value, list) and len(value) == 2:
            index = row.whole()
            if index >= len(writes):
                raise row.malformed("no such write")
            op, author = writes[index].op, writes[index].author
        else:
            device, incarnation, author = authors.author(row)
            op = OpId(device, incarnation, row.whole(low=1))
        wall_ms = row.signed() + (since_ms or 0)
        if not 0 <= wall_ms <= MILLISECONDS_MAX:
            raise row.malformed("a time out of range")
        return Origin(op, author, wall_ms)


def _covered_row(covered: Covered, authors: Authors) -> Value:
    if not covered.own:
        return [covered.position]
    own: list[Value] = []
    for (device, incarnation), seq in sorted(covered.own.items()):
        own += [authors.index(OpId(device, incarnation, seq), UserId(bytes(16))), seq]
    return [covered.position, *own]


def _read_covered(value: Value, authors: Authors) -> Covered:
    row = Row(value, "covered")
    position = row.whole(high=PENDING)
    own: dict[tuple[DeviceId, Incarnation], int] = {}
    while row.has_more:
        device, incarnation, _ = authors.author(row)
        own[(device, incarnation)] = row.whole()
    return Covered(position, MappingProxyType(own)) if own or position else NOTHING_COVERED
