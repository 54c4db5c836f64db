"""Records from a store to the air as they are at rest: a fetch of a thousand need not build a thousand states.

The rule it keeps: a row made here is the row that `state_codec.record_row` writes of the same record. A record that
ends is left to it, because what its end had not seen goes along.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .canonical import Value, glanced
from .columns import record_columns
from .ids import milliseconds_of_record
from .state import WITHDRAWN, RecordState
from .state_codec import Authors, record_row, unpack_record


def mixed_value(states: Sequence[RecordState], packed: Iterable[bytes], authors: Authors) -> Value:
    """Write records for the air, in columns: states first, then those that come as `pack_record` wrote them."""
    rows = [record_row(state, authors) for state in states]
    rows += [row_of(raw, authors) for raw in packed]
    return record_columns(rows)


def row_of(raw: bytes, authors: Authors) -> list[Value]:
    """Return the row of a record at rest. `raw` is this program's own: whoever reads the row checks everything."""
    # What `pack_record` writes, as far as it is looked at: shapes that a type would say ten times over.
    at_rest: Any = glanced(raw)
    _, table, (record, kind, schema, made, written, fields_at_rest) = at_rest
    fields: list[Value] = []
    base = authors.base_position
    for name, digest_class, minus_changed, cells in fields_at_rest:
        shown = cells[:2] if len(cells) == 3 else [each for at, each in enumerate(cells) if at % 3 != 2]
        minus_newest = 1
        for heads in shown[1::2]:
            for at in range(0, len(heads), 2):
                minus_newest = min(minus_newest, written[heads[at]][4])
                value = heads[at + 1]
                # An element's value may look so, too: those few are read as if they did end it.
                if (type(value) is list and len(value) == 3 and value[2] is True) or (
                    name == WITHDRAWN and value is not None
                ):
                    return record_row(unpack_record(raw), authors)
        if minus_changed == minus_newest:
            fields.append([name, digest_class, shown])
        else:
            fields.append([name, digest_class, shown, base + minus_changed])
    since_ms = milliseconds_of_record(record)
    writes: list[Value] = []
    for author, seq, minus_stamp_ms, counter, minus_position in written:
        who = authors.numbered(*table[author])
        writes.append([who, seq, -minus_stamp_ms - since_ms, counter, base + minus_position])
    return [record, kind, schema, _origin(made, table, written, authors, since_ms), writes, fields]


def _origin(made: Any, table: Any, written: Any, authors: Authors, since_ms: int) -> Value:
    if made is None:
        return None
    author, seq, wall_ms = made
    device, incarnation, user = table[author]
    for index, write in enumerate(written):
        if write[1] == seq and table[write[0]][:2] == [device, incarnation]:
            return [index, wall_ms - since_ms]
    return [authors.numbered(device, incarnation, user), seq, wall_ms - since_ms]
