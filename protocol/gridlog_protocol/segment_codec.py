"""Segments: numbers that creep from op to op travel as differences, so that they cost one byte each, in columns.

The layout is section 5 of the wire specification. Nothing here is signed: signatures cover op hashes, which are made
over the restored ops.
"""

from __future__ import annotations

from dataclasses import dataclass

from .canonical import Value, is_nested_within, repacked, settled
from .clock import (
    BOOT_ID_BYTES,
    MILLISECONDS_MAX,
    ClockFacts,
    counter_of,
    milliseconds_of,
    reading,
)
from .columns import op_columns, read_op_columns
from .errors import ProtocolError
from .ids import DeviceId, Epoch, Incarnation, OpId, Position, RecordId, UserId, is_record_id
from .limits import (
    EDITS_MAX,
    ELEMENT_KEY_BYTES_MAX,
    FIELD_NAME_CHARACTERS_MAX,
    KIND_NAME_CHARACTERS_MAX,
    OP_BYTES_MAX,
    SALT_BLOCK_OPS,
    SEGMENT_OPS_MAX,
    SEQ_MAX,
    VALUE_DEPTH_MAX,
)
from .ops import SALT_BYTES, Action, Edit, Intent, Op, Seen, op_salt
from .rows import Row
from .rows import reading as row_reading
from .segment import Segment, salt_block
from .state import SENSITIVE

_ROOTS_MAX = SEGMENT_OPS_MAX // SALT_BLOCK_OPS + 2
_ACTIONS = {int(action): action for action in Action}
_INTENT_MAX = max(Intent)
_CODE_MAX = SENSITIVE << 4 | max(Action)


@dataclass(slots=True)
class _Previous:
    """What the next op's numbers are differences from."""

    position: int = 0
    hlc_ms: int = 0
    wall_ahead: int = 0
    monotonic_ahead: int = 0
    server_ms: int = 0


def segment_row(segment: Segment) -> Value:
    """Write a segment. The device is the sender of the message and is not repeated."""
    boots: list[bytes] = []
    records: dict[RecordId, int] = {}
    previous = _Previous()
    rows = [_op_row(op, index, previous, boots, records) for index, op in enumerate(segment.ops)]
    return [
        segment.incarnation,
        segment.first_seq,
        segment.chain_before,
        segment.epoch,
        segment.author,
        [[block, root] for block, root in sorted(segment.roots.items())],
        [*boots],
        op_columns(rows),
        segment.signature,
    ]


def read_segment(value: Value, device: DeviceId) -> Segment:
    """Read a segment sent by `device`. Raises ProtocolError `malformed`; the signature is not checked here."""
    with row_reading(value, "segment") as row:
        incarnation = Incarnation(row.blob(8))
        first_seq = row.whole(low=1)
        chain_before = row.blob(32)
        epoch = Epoch(row.blob(8))
        author = UserId(row.blob(16))
        roots = [_read_root(pair) for pair in row.rows("salt root", _ROOTS_MAX)]
        boots = [Row([boot], "boot id").blob(BOOT_ID_BYTES) for boot in row.items(SEGMENT_OPS_MAX)]
        rows = read_op_columns(row.value(), SEGMENT_OPS_MAX)
        signature = row.blob(64)
        last_seq = first_seq + len(rows) - 1
        if not rows or last_seq > SEQ_MAX:
            raise row.malformed("no ops, or beyond the highest seq")
        if [block for block, _ in roots] != [*range(salt_block(first_seq), salt_block(last_seq) + 1)]:
            raise row.malformed("not one salt root for each block")
        reader = _OpReader(device, incarnation, epoch, author, dict(roots), boots)
        ops = tuple(reader.read(item, first_seq + index) for index, item in enumerate(rows))
    return Segment(incarnation, first_seq, chain_before, epoch, author, dict(roots), ops, signature)


def edit_row(edit: Edit) -> list[Value]:
    """Write one edit: field, action and class, then key and value as the action needs them."""
    code = edit.code
    if _is_written_short(edit.action, edit.key, edit.value):
        return [edit.field, code, edit.key if edit.action is Action.REMOVE else settled(edit.value)]
    return [edit.field, code, edit.key, settled(edit.value)]


def read_edit(value: Value) -> Edit:
    """Read one edit. Raises ProtocolError `malformed`."""
    row = Row(value, "edit")
    field = row.text(4 * FIELD_NAME_CHARACTERS_MAX)
    code = row.whole(high=_CODE_MAX)
    action = _ACTIONS.get(code & 0x0F)
    if action is None:
        raise row.malformed("unknown action")
    is_short = isinstance(value, list) and len(value) == 3
    key, content = "", None
    if action is Action.REMOVE or not is_short:
        key = row.text(ELEMENT_KEY_BYTES_MAX)
    if action is not Action.REMOVE or not is_short:
        content = row.value()
    row.end()
    if isinstance(content, (list, dict)) and not is_nested_within(content, VALUE_DEPTH_MAX):
        raise row.malformed("a value nested too deep")
    if is_short != _is_written_short(action, key, content):
        raise row.malformed("an edit not in its shortest form")
    return Edit(field, action, key, content, code >> 4)


def _is_written_short(action: Action, key: str, content: Value) -> bool:
    return content is None if action is Action.REMOVE else key == "" and action is not Action.ADD


def _read_root(row: Row) -> tuple[int, bytes]:
    block, root = row.whole(), row.blob(SALT_BYTES)
    row.end()
    return block, root


def _op_row(op: Op, index: int, previous: _Previous, boots: list[bytes], records: dict[RecordId, int]) -> list[Value]:
    record: Value = records.get(op.record, op.record)
    records.setdefault(op.record, index)
    if op.clock.boot not in boots:
        boots.append(op.clock.boot)
    hlc_ms = milliseconds_of(op.clock.hlc)
    now = _Previous(
        op.seen.position,
        hlc_ms,
        op.clock.wall_ms - hlc_ms,
        op.clock.monotonic_ms - op.clock.wall_ms,
        op.clock.server_ms,
    )
    row: list[Value] = [
        record,
        op.kind,
        op.schema,
        int(op.intent),
        now.position - previous.position,
        op.id.seq - 1 - op.seen.own_seq,
        now.hlc_ms - previous.hlc_ms,
        counter_of(op.clock.hlc),
        now.wall_ahead - previous.wall_ahead,
        boots.index(op.clock.boot),
        now.monotonic_ahead - previous.monotonic_ahead,
        now.server_ms - previous.server_ms,
        [edit_row(edit) for edit in op.edits],
    ]
    for name in _Previous.__slots__:
        setattr(previous, name, getattr(now, name))
    return row


class _OpReader:
    """Restores ops from their differences, in order."""

    def __init__(
        self,
        device: DeviceId,
        incarnation: Incarnation,
        epoch: Epoch,
        author: UserId,
        roots: dict[int, bytes],
        boots: list[bytes],
    ) -> None:
        self._author = (device, incarnation, epoch, author)
        self._roots = roots
        self._boots = boots
        self._previous = _Previous()
        self._records: list[RecordId] = []

    def read(self, value: Value, seq: int) -> Op:
        device, incarnation, epoch, author = self._author
        if len(repacked(value)) > OP_BYTES_MAX:
            raise ProtocolError("too_large", detail=f"op {seq}")
        with row_reading(value, "op") as row:
            record = self._record(row)
            kind = row.text(KIND_NAME_CHARACTERS_MAX)
            schema = row.whole(low=1, high=1 << 31)
            intent = Intent(row.whole(high=_INTENT_MAX))
            position = self._bounded(row, self._previous.position + row.signed())
            own_seq = seq - 1 - row.whole(high=seq - 1)
            clock = self._clock(row)
            edits = tuple(read_edit(edit) for edit in row.items(EDITS_MAX))
        self._previous.position = position
        op_id = OpId(device, incarnation, seq)
        seen = Seen(epoch, Position(position), own_seq)
        salt = op_salt(self._roots[salt_block(seq)], seq)
        return Op(op_id, author, record, kind, schema, intent, seen, clock, edits, salt)

    def _record(self, row: Row) -> RecordId:
        value = row.value()
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(self._records):
            record = self._records[value]
        elif isinstance(value, bytes) and is_record_id(value):
            record = RecordId(value)
        else:
            raise row.malformed("no record id")
        self._records.append(record)
        return record

    def _clock(self, row: Row) -> ClockFacts:
        previous = self._previous
        previous.hlc_ms = self._bounded(row, previous.hlc_ms + row.signed())
        hlc = reading(previous.hlc_ms, row.whole(high=0xFFFF))
        previous.wall_ahead += row.signed()
        wall_ms = self._bounded(row, previous.hlc_ms + previous.wall_ahead)
        boot_index = row.whole()
        if boot_index >= len(self._boots):
            raise row.malformed("no such boot id")
        previous.monotonic_ahead += row.signed()
        monotonic_ms = self._bounded(row, wall_ms + previous.monotonic_ahead)
        previous.server_ms = self._bounded(row, previous.server_ms + row.signed())
        return ClockFacts(hlc, wall_ms, self._boots[boot_index], monotonic_ms, previous.server_ms)

    @staticmethod
    def _bounded(row: Row, number: int) -> int:
        if not 0 <= number <= MILLISECONDS_MAX:
            raise row.malformed("a number out of range")
        return number
