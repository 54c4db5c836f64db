"""Record states as rows: on the air (heads only) and at rest (with what each cell's writes had seen).

On the air, authors are named once per message in a table, positions are distances from the message's own and times
from the record's id, so that most of them are 0 and cost next to nothing. The layout is section 6 of the wire
specification.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .canonical import Value, glanced, pack_settled, settled, unpack
from .clock import counter_of, milliseconds_of
from .column_forms import Elements
from .columns import read_record_columns, record_columns
from .ids import OpId, RecordId, UserId, milliseconds_of_record
from .limits import BODY_BYTES_MAX
from .rows import reading
from .state import Covered, Head, Origin, RecordState, is_ended, is_ending
from .state_reading import COUNT_MAX, Authors, are_ending, newest, read_record

__all__ = [
    "FORMAT",
    "Authors",
    "PackedRecord",
    "pack_record",
    "read_record",
    "read_records",
    "record_row",
    "records_value",
    "stored_row",
    "unpack_record",
]

FORMAT = 1
"""Comes first in every stored record."""


def record_row(record: RecordState, authors: Authors, *, at_rest: bool = False) -> list[Value]:
    """Write a record, or a part of it. `at_rest` keeps what each cell's writes had seen.

    On the air only a cell that ends the record has that: to tell what whoever ended it did not know.
    """
    since_ms = None if at_rest else milliseconds_of_record(record.id)
    covered: list[Value] = []
    writes: dict[OpId, int] = {}
    rows: list[Value] = []
    fields: list[Value] = []
    # Most cells of a record were last written by the same op.
    seen: Covered | None = None
    seen_row: Value = None
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
                if cell.covered is not seen:
                    seen, seen_row = cell.covered, _covered_row(cell.covered, authors)
                cells.append(seen_row)
            elif not key and are_ending(name, key, cell.heads):
                covered.append(_covered_row(cell.covered, authors))
        changed = authors.base_position - state.changed
        if at_rest:
            fields.append([name, state.digest_class, changed, cells])
        elif state.changed == newest(state.cells):
            fields.append([name, state.digest_class, cells])
        else:
            fields.append([name, state.digest_class, cells, changed])
    origin = None if record.origin is None else _origin_row(record.origin, writes, authors, since_ms)
    row: list[Value] = [record.id, record.kind, record.schema, origin, rows, fields]
    return [*row, covered] if covered else row


def records_value(records: Iterable[RecordState], authors: Authors) -> Value:
    """Write records for the air, in columns."""
    return record_columns([record_row(record, authors) for record in records])


def read_records(value: Value, authors: Authors, elements: Elements | None = None) -> tuple[RecordState, ...]:
    """Read what `records_value` wrote. `elements` is what the columns of the same message may still have.

    Raises ProtocolError `malformed`.
    """
    rows = read_record_columns(value, COUNT_MAX, elements or Elements())
    return tuple(read_record(row, authors) for row in rows)


def pack_record(record: RecordState) -> bytes:
    """Write a record for a store: self-contained, with everything that its merging needs."""
    return pack_settled(stored_row(record))


def stored_row(record: RecordState) -> list[Value]:
    """Return what `pack_record` writes: the format, the authors, the record's row."""
    authors = Authors()
    row = record_row(record, authors, at_rest=True)
    return [FORMAT, authors.table(), row]


def unpack_record(raw: bytes) -> RecordState:
    """Read what `pack_record` wrote. Raises ProtocolError `malformed` or NotCanonicalError on damage."""
    with reading(unpack(raw, items_max=BODY_BYTES_MAX), "stored record") as row:
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


def _origin_row(made: Origin, writes: Mapping[OpId, int], authors: Authors, since_ms: int | None) -> Value:
    if since_ms is None:
        return [authors.index(made.op, made.author), made.op.seq, made.wall_ms]
    if made.op in writes:
        return [writes[made.op], made.wall_ms - since_ms]
    return [authors.index(made.op, made.author), made.op.seq, made.wall_ms - since_ms]


def _covered_row(covered: Covered, authors: Authors) -> Value:
    if not covered.own:
        return [covered.position]
    own: list[Value] = []
    for (device, incarnation), seq in sorted(covered.own.items()):
        own += [authors.index(OpId(device, incarnation, seq), UserId(bytes(16))), seq]
    return [covered.position, *own]
