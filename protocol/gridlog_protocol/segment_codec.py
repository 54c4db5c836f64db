"""Segments: numbers that creep from op to op travel as differences, so that they cost one byte each, in columns.

The layout is section 5 of the wire specification. Nothing here is signed: signatures cover op hashes, which are made
over the restored ops.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import add
from typing import cast

from .canonical import INTEGER_MAX, INTEGER_MIN, Value, repacked
from .clock import (
    BOOT_ID_BYTES,
    MILLISECONDS_MAX,
    ClockFacts,
    counter_of,
    milliseconds_of,
    reading,
)
from .column_forms import Elements, apart
from .columns import op_columns, read_op_parts
from .edit_codec import Shape, edit_row, read_shape, read_shaped
from .errors import ProtocolError
from .ids import (
    REST_BYTES,
    TIME_BYTES,
    TIME_END,
    DeviceId,
    Epoch,
    Incarnation,
    OpId,
    Position,
    RecordId,
    UserId,
    is_record_id,
    milliseconds_of_record,
)
from .limits import (
    EDITS_MAX,
    KIND_NAME_CHARACTERS_MAX,
    OP_BYTES_MAX,
    SALT_BLOCK_OPS,
    SEGMENT_OPS_MAX,
    SEQ_MAX,
)
from .op_codec import pack_read
from .ops import SALT_BYTES, Edit, Intent, Op, Seen, op_salt
from .rows import Row
from .rows import reading as row_reading
from .segment import Segment, salt_block

_ROOTS_MAX = SEGMENT_OPS_MAX // SALT_BLOCK_OPS + 2
_INTENTS = {int(intent): intent for intent in Intent}
_INTENT_MAX = max(Intent)
_WHOLE: frozenset[type] = frozenset({int})
_TEXT: frozenset[type] = frozenset({str})


def segment_row(segment: Segment) -> Value:
    """Write a segment. The device is the sender of the message and is not repeated."""
    boots = [*dict.fromkeys(op.clock.boot for op in segment.ops)]
    edits = [[edit_row(edit) for edit in op.edits] for op in segment.ops]
    return [
        segment.incarnation,
        segment.first_seq,
        segment.chain_before,
        segment.epoch,
        segment.author,
        [[block, root] for block, root in sorted(segment.roots.items())],
        [*boots],
        op_columns(_columns(segment.ops, boots), edits),
        segment.signature,
    ]


def read_segment(value: Value, device: DeviceId, elements: Elements | None = None) -> Segment:
    """Read a segment sent by `device`. Raises ProtocolError `malformed`; the signature is not checked here.

    `elements` is what the columns of the same message may still have.
    """
    with row_reading(value, "segment") as row:
        incarnation = Incarnation(row.blob(8))
        first_seq = row.whole(low=1)
        chain_before = row.blob(32)
        epoch = Epoch(row.blob(8))
        author = UserId(row.blob(16))
        roots = [_read_root(pair) for pair in row.rows("salt root", _ROOTS_MAX)]
        boots = [Row([boot], "boot id").blob(BOOT_ID_BYTES) for boot in row.items(SEGMENT_OPS_MAX)]
        run = read_op_parts(row.value(), SEGMENT_OPS_MAX, elements or Elements())
        signature = row.blob(64)
        last_seq = first_seq + len(run[1]) - 1
        if not run[1] or last_seq > SEQ_MAX:
            raise row.malformed("no ops, or beyond the highest seq")
        if [block for block, _ in roots] != [*range(salt_block(first_seq), salt_block(last_seq) + 1)]:
            raise row.malformed("not one salt root for each block")
        ops, packed = _read_ops(*run, first_seq, _Writer(device, incarnation, epoch, author, dict(roots), boots))
    return Segment(incarnation, first_seq, chain_before, epoch, author, dict(roots), ops, signature, packed)


def _read_root(row: Row) -> tuple[int, bytes]:
    block, root = row.whole(), row.blob(SALT_BYTES)
    row.end()
    return block, root


def _columns(ops: Sequence[Op], boots: list[bytes]) -> list[list[Value]]:
    """Write what ops say besides their edits, column by column."""
    clocks = [op.clock for op in ops]
    hlcs_ms = [milliseconds_of(clock.hlc) for clock in clocks]
    numbers = {boot: number for number, boot in enumerate(boots)}
    first: dict[RecordId, int] = {}
    records: list[Value] = []
    aheads_ms: list[Value] = []
    for index, (op, hlc_ms) in enumerate(zip(ops, hlcs_ms, strict=True)):
        named = first.setdefault(op.record, index)
        is_new = named == index
        records.append(op.record[-REST_BYTES:] if is_new else named)
        aheads_ms.append(milliseconds_of_record(op.record) - hlc_ms if is_new else 0)
    return [
        records,
        aheads_ms,
        [op.kind for op in ops],
        [op.schema for op in ops],
        [int(op.intent) for op in ops],
        apart(op.seen.position for op in ops),
        [op.id.seq - 1 - op.seen.own_seq for op in ops],
        apart(hlcs_ms),
        [counter_of(clock.hlc) for clock in clocks],
        apart(clock.wall_ms - hlc_ms for clock, hlc_ms in zip(clocks, hlcs_ms, strict=True)),
        [numbers[clock.boot] for clock in clocks],
        apart(clock.monotonic_ms - clock.wall_ms for clock in clocks),
        apart(clock.server_ms for clock in clocks),
    ]


@dataclass(frozen=True, slots=True)
class _Writer:
    """What all ops of a segment have in common."""

    device: DeviceId
    incarnation: Incarnation
    epoch: Epoch
    author: UserId
    roots: dict[int, bytes]
    boots: list[bytes]


def _read_ops(
    columns: list[list[Value]], edits: list[list[list[Value]]], first_seq: int, writer: _Writer
) -> tuple[tuple[Op, ...], tuple[bytes, ...]]:
    """Restore ops from their differences, column by column, and return them with their bytes at rest."""
    kinds = _texts(columns[2], KIND_NAME_CHARACTERS_MAX)
    schemas = _wholes(columns[3], 1, 1 << 31)
    intents = _wholes(columns[4], 0, _INTENT_MAX)
    positions = _bounded(accumulate(_wholes(columns[5])))
    behind = _wholes(columns[6], 0)
    hlcs_ms = _bounded(accumulate(_wholes(columns[7])))
    counters = _wholes(columns[8], 0, 0xFFFF)
    walls_ms = _bounded(map(add, hlcs_ms, accumulate(_wholes(columns[9]))))
    boots = _wholes(columns[10], 0, len(writer.boots) - 1)
    monotonics_ms = _bounded(map(add, walls_ms, accumulate(_wholes(columns[11]))))
    servers_ms = _bounded(accumulate(_wholes(columns[12])))
    records = _records(columns[0], _wholes(columns[1]), hlcs_ms)
    shapes: dict[tuple[Value, Value, int], Shape] = {}
    ops: list[Op] = []
    packed: list[bytes] = []
    for index, rows in enumerate(edits):
        seq = first_seq + index
        if behind[index] > seq - 1:
            raise _malformed("saw an op of its own that was not written yet")
        op = Op(
            OpId(writer.device, writer.incarnation, seq),
            writer.author,
            records[index],
            kinds[index],
            schemas[index],
            _INTENTS[intents[index]],
            Seen(writer.epoch, Position(positions[index]), seq - 1 - behind[index]),
            ClockFacts(
                reading(hlcs_ms[index], counters[index]),
                walls_ms[index],
                writer.boots[boots[index]],
                monotonics_ms[index],
                servers_ms[index],
            ),
            _edits(rows, shapes),
            op_salt(writer.roots[salt_block(seq)], seq),
        )
        at_rest = pack_read(op, rows)
        # An op at rest takes more than its row, but for the differences, which may take a hundred bytes.
        if len(at_rest) > OP_BYTES_MAX - 256 and _row_bytes(columns, index, rows) > OP_BYTES_MAX:
            raise ProtocolError("too_large", detail=f"op {seq}")
        ops.append(op)
        packed.append(at_rest)
    return tuple(ops), tuple(packed)


def _row_bytes(columns: list[list[Value]], index: int, edits: list[list[Value]]) -> int:
    row: list[Value] = [column[index] for column in columns]
    return len(repacked([*row, [*edits]]))


def _edits(rows: list[list[Value]], shapes: dict[tuple[Value, Value, int], Shape]) -> tuple[Edit, ...]:
    if len(rows) > EDITS_MAX:
        raise _malformed("more edits than an op may have")
    edits = []
    for row in rows:
        named = row[0], row[1], len(row)
        shape = shapes.get(named)
        if shape is None:
            shape = shapes[named] = read_shape(row)
        edits.append(read_shaped(shape, row))
    return tuple(edits)


def _records(rests: list[Value], aheads_ms: list[int], hlcs_ms: list[int]) -> list[RecordId]:
    """Put record ids together, each from its rest and how far its time is ahead of the op's clock."""
    records: list[RecordId] = []
    for rest, ahead_ms, hlc_ms in zip(rests, aheads_ms, hlcs_ms, strict=True):
        if type(rest) is bytes:
            made_ms = hlc_ms + ahead_ms
            record = made_ms.to_bytes(TIME_BYTES, "big") + rest if 0 <= made_ms < TIME_END else b""
            if not is_record_id(record):
                raise _malformed("no record id")
            records.append(RecordId(record))
        elif type(rest) is int and 0 <= rest < len(records) and not ahead_ms:
            records.append(records[rest])
        else:
            raise _malformed("no record id")
    return records


def _wholes(column: list[Value], low: int = INTEGER_MIN, high: int = INTEGER_MAX) -> list[int]:
    # A column at once: types and bounds are looked at in C, where each by itself costs as much as reading an edit.
    if not _WHOLE.issuperset(map(type, column)):
        raise _malformed("not an integer")
    numbers = cast("list[int]", column)
    if numbers and (min(numbers) < low or max(numbers) > high):
        raise _malformed("an integer out of range")
    return numbers


def _texts(column: list[Value], bytes_max: int) -> list[str]:
    if not _TEXT.issuperset(map(type, column)):
        raise _malformed("not text")
    texts = cast("list[str]", column)
    if any(len(each.encode()) > bytes_max for each in set(texts)):
        raise _malformed("text beyond its limit")
    return texts


def _bounded(numbers: Iterable[int]) -> list[int]:
    listed = [*numbers]
    if listed and not 0 <= min(listed) <= max(listed) <= MILLISECONDS_MAX:
        raise _malformed("a number out of range")
    return listed


def _malformed(reason: str) -> ProtocolError:
    return ProtocolError("malformed", detail=f"op: {reason}")
