"""Read record states as rows: each element in its type and bound, none missing or left over.

A first fetch is thousands of records, and each change of a record begins with reading it: so elements are looked at
where they stand, without a reader for each row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from .canonical import INTEGER_MAX, Value
from .clock import COUNTER_BITS, MILLISECONDS_MAX, Stamp
from .edit_codec import is_too_deep
from .errors import ProtocolError
from .ids import DeviceId, Incarnation, OpId, Position, RecordId, UserId, is_record_id, milliseconds_of_record
from .limits import ELEMENT_KEY_BYTES_MAX, FIELD_NAME_CHARACTERS_MAX, KIND_NAME_CHARACTERS_MAX
from .rows import Row
from .rows import reading as row_reading
from .state import (
    NOTHING_COVERED,
    PENDING,
    SENSITIVE,
    WITHDRAWN,
    Cell,
    Covered,
    FieldState,
    Head,
    Origin,
    RecordState,
    is_ending,
)
from .written_at_once import WrittenAtOnce, rows_of

COUNT_MAX = 1 << 17
_COUNTER_MAX = (1 << COUNTER_BITS) - 1

# A named tuple's own constructor is Python, and takes twice as long.
_made = tuple.__new__


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
        for each in row.rows("author", COUNT_MAX):
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


def read_record(value: Any, authors: Authors, *, at_rest: bool = False) -> RecordState:
    """Read what `record_row` wrote, or `read_record_columns` restored. Raises ProtocolError `malformed`."""
    # A first fetch is thousands of these: each element is looked at where it stands, without a reader for each row.
    if type(value) is not list or not (len(value) == 6 or (len(value) == 7 and not at_rest)):
        raise _malformed("record: not an array of its length")
    record, kind, schema, made, write_rows, field_rows, *rest = value
    if type(record) is not bytes or not is_record_id(record):
        raise _malformed("record: not a record id")
    if type(kind) is not str or not _is_short(kind, KIND_NAME_CHARACTERS_MAX):
        raise _malformed("record: kind is not text within its limit")
    if type(schema) is not int or not 1 <= schema <= INTEGER_MAX:
        raise _malformed("record: schema is not an integer in range")
    since_ms = None if at_rest else milliseconds_of_record(RecordId(record))
    writes = [_read_write(each, authors, since_ms) for each in _listed(write_rows, "writes")]
    origin = _read_origin(made, writes, authors, since_ms)
    if type(field_rows) is tuple:
        if len(writes) == 1 and not rest:
            return RecordState(RecordId(record), kind, schema, origin, WrittenAtOnce(writes[0], field_rows))
        field_rows = rows_of(field_rows)
    reader = _CellReader(writes, authors, rest[0] if rest else [], at_rest=at_rest)
    fields: dict[str, FieldState] = {}
    for row in _listed(field_rows, "fields"):
        name, state = _read_field(row, reader)
        if name in fields:
            raise _malformed("field: occurs twice")
        fields[name] = state
    reader.end()
    return RecordState(RecordId(record), kind, schema, origin, MappingProxyType(fields))


def _read_write(row: Value, authors: Authors, since_ms: int | None) -> Head:
    """Read what all that one op wrote in a record has in common: a head without a value."""
    if type(row) is not list or len(row) != 5:
        raise _malformed("write: not an array of its length")
    index, seq, distance, count, behind = row
    if not type(index) is type(seq) is type(distance) is type(count) is int:
        raise _malformed("write: not integers")
    if not (0 <= index < len(authors.rows) and 1 <= seq <= INTEGER_MAX):
        raise _malformed("write: no such author, or no seq")
    device, incarnation, author = authors.rows[index]
    stamp_ms = -distance if since_ms is None else since_ms + distance
    if not (0 <= stamp_ms <= MILLISECONDS_MAX and 0 <= count <= _COUNTER_MAX):
        raise _malformed("write: stamp out of range")
    op = OpId(device, incarnation, seq)
    return Head(op, author, Stamp(stamp_ms << COUNTER_BITS | count), _position(behind, authors), None)


def _position(behind: Value, authors: Authors) -> Position:
    if type(behind) is not int or not 0 <= authors.base_position - behind <= PENDING:
        raise _malformed("position out of range")
    return Position(authors.base_position - behind)


def newest(cells: Mapping[str, Cell]) -> int:
    """Return the highest position among the heads: that of a field's last change, unless it was a removal."""
    return max((head.position for cell in cells.values() for head in cell.heads), default=-1)


def _read_field(row: Value, reader: _CellReader) -> tuple[str, FieldState]:
    if type(row) is not list or not (len(row) == 4 or (len(row) == 3 and not reader.at_rest)):
        raise _malformed("field: not an array of its length")
    name, digest_class = row[0], row[1]
    if type(name) is not str or not _is_short(name, 4 * FIELD_NAME_CHARACTERS_MAX):
        raise _malformed("field: name is not text within its limit")
    if type(digest_class) is not int or not 0 <= digest_class <= SENSITIVE:
        raise _malformed("field: no class")
    if (plain := reader.plain(name, digest_class, row)) is not None:
        return name, plain
    if reader.at_rest:
        changed = _position(row[2], reader.authors)
        return name, FieldState(digest_class, changed, reader.cells(name, row[3]))
    cells = reader.cells(name, row[2])
    last = newest(cells)
    if len(row) == 4:
        changed = _position(row[3], reader.authors)
        if changed == last:
            raise _malformed("field: not in its shortest form")
        return name, FieldState(digest_class, changed, cells)
    if last < 0:
        raise _malformed("field: no position of the last change")
    return name, FieldState(digest_class, Position(last), cells)


class _CellReader:
    """Reads the cells of one record's fields, in their order.

    `ends` has what the writes of each ending cell had seen; at rest each cell has that beside it.
    """

    __slots__ = ("_ends", "_writes", "at_rest", "authors")

    def __init__(self, writes: list[Head], authors: Authors, ends: Value, *, at_rest: bool) -> None:
        self._writes = writes
        self._ends = iter(_listed(ends, "ends"))
        self.authors = authors
        self.at_rest = at_rest

    def plain(self, name: str, digest_class: int, row: list[Value]) -> FieldState | None:
        """Read a field of one write, as nearly all are; None if it is another, or not right."""
        flat, writes = row[-1], self._writes
        if type(flat) is not list or len(flat) != len(row) - 1 or flat[0] != "":
            return None
        pair, covered = flat[1], NOTHING_COVERED
        if type(pair) is not list or len(pair) != 2:
            return None
        index, value = pair
        if type(index) is not int or not 0 <= index < len(writes):
            return None
        if is_too_deep(value):
            return None
        op, author, stamp, position, _ = writes[index]
        changed = position
        if self.at_rest:
            changed, covered = _position(row[2], self.authors), self.authors.covered(flat[2])
        elif (type(value) is list or name == WITHDRAWN) and is_ending(name, "", value):
            covered = self._end_covered()
        cell = _made(Cell, ((_made(Head, (op, author, stamp, position, value)),), covered))
        return _made(FieldState, (digest_class, changed, MappingProxyType({"": cell})))

    def cells(self, name: str, flat: Value) -> Mapping[str, Cell]:
        items, step = _listed(flat, "cells"), 3 if self.at_rest else 2
        if len(items) % step:
            raise _malformed("cells: too short")
        cells: dict[str, Cell] = {}
        for at in range(0, len(items), step):
            key = items[at]
            if type(key) is not str or not _is_short(key, ELEMENT_KEY_BYTES_MAX):
                raise _malformed("cells: key is not text within its limit")
            if key in cells:
                raise _malformed("cells: an element occurs twice")
            heads = self._heads(items[at + 1])
            if self.at_rest:
                covered = self.authors.covered(items[at + 2])
            elif key or not are_ending(name, key, heads):
                covered = NOTHING_COVERED
            else:
                covered = self._end_covered()
            cells[key] = Cell(heads, covered)
        return MappingProxyType(cells)

    def end(self) -> None:
        """Check that nothing is left over."""
        if next(self._ends, self) is not self:
            raise _malformed("ends: too long")

    def _heads(self, pairs: Value) -> tuple[Head, ...]:
        """Read pairs of a write's number and what it said."""
        flat = _listed(pairs, "heads")
        if len(flat) == 2:
            return (self._head(flat[0], flat[1]),)
        if len(flat) % 2:
            raise _malformed("heads: too short")
        heads = [self._head(flat[at], flat[at + 1]) for at in range(0, len(flat), 2)]
        return tuple(sorted(heads, key=lambda head: head.order))

    def _head(self, index: Value, value: Value) -> Head:
        if type(index) is not int or not 0 <= index < len(self._writes):
            raise _malformed("heads: no such write")
        if is_too_deep(value):
            raise _malformed("heads: a value nested too deep")
        op, author, stamp, position, _ = self._writes[index]
        return Head(op, author, stamp, position, value)

    def _end_covered(self) -> Covered:
        for value in self._ends:
            return _read_covered(value, self.authors)
        raise _malformed("ends: too short")


def _listed(value: Value, what: str) -> list[Value]:
    if type(value) is not list or len(value) > COUNT_MAX:
        raise _malformed(f"{what}: not an array within its limit")
    return value


def _is_short(text: str, bytes_max: int) -> bool:
    return len(text) <= bytes_max // 4 or len(text.encode()) <= bytes_max


def _malformed(detail: str) -> ProtocolError:
    return ProtocolError("malformed", detail=detail)


def are_ending(name: str, key: str, heads: tuple[Head, ...]) -> bool:
    """Tell whether a write of a cell ends its record."""
    return any(is_ending(name, key, head.value) for head in heads)


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


def _read_covered(value: Value, authors: Authors) -> Covered:
    row = Row(value, "covered")
    position = row.whole(high=PENDING)
    own: dict[tuple[DeviceId, Incarnation], int] = {}
    while row.has_more:
        device, incarnation, _ = authors.author(row)
        own[(device, incarnation)] = row.whole()
    return Covered(position, MappingProxyType(own)) if own or position else NOTHING_COVERED
