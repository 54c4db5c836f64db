"""One op at rest: complete in itself, as journals and the server's op table keep it.

On the air ops travel in segments, as differences (`segment_codec`); both forms restore the same op.
"""

from __future__ import annotations

from collections.abc import Sequence

from .canonical import Value, pack_settled, unpack
from .clock import BOOT_ID_BYTES, ClockFacts, Hlc
from .edit_codec import edit_row, read_edit
from .ids import DeviceId, Epoch, Incarnation, OpId, Position, RecordId, UserId
from .limits import EDITS_MAX, KIND_NAME_CHARACTERS_MAX
from .ops import SALT_BYTES, Intent, Op, Seen
from .rows import reading

FORMAT = 1
"""Comes first in every stored op: a hash is made by the rules of its version."""
_INTENT_MAX = max(Intent)


def pack_op(op: Op) -> bytes:
    """Write an op with everything that its hash needs."""
    return pack_read(op, [*map(edit_row, op.edits)])


def pack_read(op: Op, edits: Sequence[Value]) -> bytes:
    """Write an op whose edits have just been read from these rows, and so are settled."""
    clock, seen = op.clock, op.seen
    return pack_settled(
        [
            FORMAT,
            op.id.device,
            op.id.incarnation,
            op.id.seq,
            op.author,
            op.record,
            op.kind,
            op.schema,
            int(op.intent),
            seen.epoch,
            seen.position,
            seen.own_seq,
            clock.hlc,
            clock.wall_ms,
            clock.boot,
            clock.monotonic_ms,
            clock.server_ms,
            [*edits],
            op.salt,
        ]
    )


def unpack_op(raw: bytes) -> Op:
    """Read what `pack_op` wrote. Raises ProtocolError `malformed` or NotCanonicalError on damage."""
    with reading(unpack(raw), "stored op") as row:
        if row.whole() != FORMAT:
            raise row.malformed("unknown format")
        return Op(
            OpId(DeviceId(row.blob(16)), Incarnation(row.blob(8)), row.whole(low=1)),
            UserId(row.blob(16)),
            RecordId(row.blob(16)),
            row.text(KIND_NAME_CHARACTERS_MAX),
            row.whole(low=1),
            Intent(row.whole(high=_INTENT_MAX)),
            Seen(Epoch(row.blob(8)), Position(row.whole()), row.whole()),
            ClockFacts(Hlc(row.whole()), row.whole(), row.blob(BOOT_ID_BYTES), row.whole(), row.whole()),
            tuple(read_edit(edit) for edit in row.items(EDITS_MAX)),
            row.blob(SALT_BYTES),
        )
