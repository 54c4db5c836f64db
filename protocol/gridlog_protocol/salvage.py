"""What a device still has of others' ops that a restored server may lack: their writes, as they stood in a record.

The author's own phone offers the op itself, signed. Of a phone that is gone only this is left: values without a
signature, vouched for by whoever held them. So the server keeps them apart, for a person to look at.

They travel in `extras`: `salvage` in a request, and in the answer how many of them the server has now.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .canonical import Value
from .clock import Stamp
from .ids import DeviceId, Incarnation, OpId, RecordId, UserId
from .limits import (
    EDITS_MAX,
    ELEMENT_KEY_BYTES_MAX,
    FIELD_NAME_CHARACTERS_MAX,
    KIND_NAME_CHARACTERS_MAX,
    SALVAGE_MAX,
    SEQ_MAX,
)
from .rows import Row
from .state import CLASSES

SALVAGE = "salvage"
"""Request: writes of others. Answer: how many of those rows, from the first on, the server need not be told again."""

_UTF8_BYTES_MAX = 4


@dataclass(frozen=True, slots=True)
class SalvagedWrite:
    """One standing write: its field, key and class, and the value."""

    field: str
    key: str
    digest_class: int
    value: Value


@dataclass(frozen=True, slots=True)
class Salvage:
    """What is left of one op in one record. `is_creation` says that the record began with it."""

    op: OpId
    author: UserId
    stamp: Stamp
    record: RecordId
    kind: str
    schema: int
    is_creation: bool
    writes: tuple[SalvagedWrite, ...]


def salvage_row(salvage: Salvage) -> Value:
    """Write what is left of one op."""
    writes: list[Value] = [[each.field, each.key, each.digest_class, each.value] for each in salvage.writes]
    return [
        *salvage.op,
        salvage.author,
        salvage.stamp,
        salvage.record,
        salvage.kind,
        salvage.schema,
        salvage.is_creation,
        writes,
    ]


def read_salvage(extras: Mapping[str, Value]) -> tuple[Salvage, ...]:
    """Read what a request offers. Raises ProtocolError `malformed`."""
    return tuple(salvage_of(row) for row in Row([extras.get(SALVAGE, [])], SALVAGE).rows("op", SALVAGE_MAX))


def salvage_of(row: Row) -> Salvage:
    """Read what `salvage_row` wrote. Raises ProtocolError `malformed`."""
    op = OpId(DeviceId(row.blob(16)), Incarnation(row.blob(8)), row.whole(low=1, high=SEQ_MAX))
    author, stamp, record = UserId(row.blob(16)), Stamp(row.whole()), RecordId(row.blob(16))
    kind, schema = row.text(KIND_NAME_CHARACTERS_MAX), row.whole()
    is_creation = row.flag()
    writes = []
    for each in row.rows("write", EDITS_MAX):
        field, key = each.text(_UTF8_BYTES_MAX * FIELD_NAME_CHARACTERS_MAX), each.text(ELEMENT_KEY_BYTES_MAX)
        writes.append(SalvagedWrite(field, key, each.whole(high=max(CLASSES)), each.value()))
        each.end()
    row.end()
    return Salvage(op, author, stamp, record, kind, schema, is_creation, tuple(writes))


def taken_of(extras: Mapping[str, Value]) -> int:
    """Return how many rows the server has now. Raises ProtocolError `malformed`."""
    return Row([extras.get(SALVAGE, 0)], SALVAGE).whole(high=SALVAGE_MAX)
