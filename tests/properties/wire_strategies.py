"""Every message that version 1 can say, as hypothesis draws it."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TypeVar, cast

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import strategies as st

from gridlog_protocol.canonical import INTEGER_MAX, INTEGER_MIN, Value
from gridlog_protocol.clock import MILLISECONDS_MAX, ClockFacts, Stamp, reading
from gridlog_protocol.ids import (
    DeviceHandle,
    DeviceId,
    Epoch,
    Incarnation,
    OpId,
    RecordId,
    ScopeId,
    UserId,
    record_id,
)
from gridlog_protocol.messages import (
    Accepted,
    Directive,
    EnrolRequest,
    EnrolResponse,
    Fetch,
    HeldOp,
    Message,
    Page,
    ReceiptNote,
    Refused,
    SyncRequest,
    SyncResponse,
)
from gridlog_protocol.ops import Action, Edit, Intent, Op, Seen, op_salt
from gridlog_protocol.segment import Segment, salt_block
from gridlog_protocol.state import PENDING, Cell, Covered, FieldState, Head, Origin, RecordState
from tests.unit.protocol.samples import DEVICE, INCARNATION, root, signed

T = TypeVar("T")

MILLISECONDS = st.integers(0, MILLISECONDS_MAX)
POSITIONS = st.integers(0, MILLISECONDS_MAX)
NUMBERS = st.integers(0, INTEGER_MAX)
NAMES = st.text(max_size=64)
SEQS = st.integers(1, 1000) | st.integers(1, (1 << 53) - 8)


def blobs(size: int, made: Callable[[bytes], T]) -> st.SearchStrategy[T]:
    return st.binary(min_size=size, max_size=size).map(made)


DEVICES = blobs(16, DeviceId)
INCARNATIONS = blobs(8, Incarnation)
EPOCHS = blobs(8, Epoch)
USERS = blobs(16, UserId)
RECORDS = st.builds(record_id, st.integers(0, (1 << 48) - 1), st.binary(min_size=10, max_size=10))
SCOPES = NAMES.map(ScopeId)
CLOCKS = st.builds(
    ClockFacts,
    st.builds(reading, MILLISECONDS, st.integers(0, 0xFFFF)),
    MILLISECONDS,
    st.sampled_from([b"booted 1", b"booted 2", b"booted 3"]),
    MILLISECONDS,
    MILLISECONDS,
)

_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(INTEGER_MIN, INTEGER_MAX)
    | st.text(max_size=40)
    | st.binary(max_size=20)
    | st.sampled_from(["䶮𠮷㐂", "👨\u200d👩\u200d👧", "\u202egpj", "a\0b", "\ufeff", "é", "13800138000"])
)


def _nested(inner: st.SearchStrategy[Value]) -> st.SearchStrategy[Value]:
    return inner | st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)


VALUES: st.SearchStrategy[Value] = _nested(_nested(cast("st.SearchStrategy[Value]", _LEAVES)))
MAPS = st.dictionaries(st.text(max_size=8), VALUES, max_size=3)
EDITS = st.builds(Edit, NAMES, st.sampled_from(Action), st.just("") | NAMES, VALUES, st.integers(0, 2))


@st.composite
def runs(draw: st.DrawFn) -> tuple[Op, ...]:
    """Draw ops of one device, incarnation, author and epoch, one after the other."""
    incarnation, epoch, author = INCARNATION, draw(EPOCHS), draw(USERS)
    first_seq = draw(SEQS)
    records = draw(st.lists(RECORDS, min_size=1, max_size=3))
    ops = []
    for seq in range(first_seq, first_seq + draw(st.integers(1, 6))):
        seen = Seen(epoch, draw(POSITIONS), draw(st.integers(0, seq - 1)))  # type: ignore[arg-type]
        ops.append(
            Op(
                OpId(DEVICE, incarnation, seq),
                author,
                draw(st.sampled_from(records)),
                draw(st.text("abcdefgh_", max_size=64)),
                draw(st.integers(1, 1 << 31)),
                draw(st.sampled_from(Intent)),
                seen,
                draw(CLOCKS),
                tuple(draw(st.lists(EDITS, max_size=4))),
                op_salt(root(salt_block(seq)), seq),
            )
        )
    return tuple(ops)


SEGMENTS: st.SearchStrategy[Segment] = runs().map(signed)


@st.composite
def records(draw: st.DrawFn, *, at_rest: bool = False) -> RecordState:
    """Draw a record's state, whole or in part."""
    op_ids = st.builds(OpId, DEVICES, INCARNATIONS, SEQS)
    stamps = st.builds(reading, MILLISECONDS, st.integers(0, 0xFFFF)).map(Stamp)
    positions = POSITIONS | st.just(int(PENDING))
    writes = draw(
        st.lists(st.tuples(op_ids, USERS, stamps, positions), min_size=1, max_size=4, unique_by=lambda each: each[0])
    )

    def heads() -> st.SearchStrategy[tuple[Head, ...]]:
        some = st.lists(st.sampled_from(writes), max_size=3, unique_by=lambda each: each[0])
        made = some.map(lambda chosen: [Head(*write, draw(VALUES)) for write in chosen])  # type: ignore[arg-type]
        return made.map(lambda unordered: tuple(sorted(unordered, key=lambda head: head.order)))

    authors = st.tuples(DEVICES, INCARNATIONS)
    seen = st.dictionaries(authors, SEQS, max_size=2).map(MappingProxyType)
    covered = st.builds(Covered, POSITIONS, seen) if at_rest else st.just(Covered())
    cells = st.dictionaries(NAMES, st.builds(Cell, heads(), covered), max_size=3).map(MappingProxyType)
    fields = st.dictionaries(NAMES, st.builds(FieldState, st.integers(0, 2), positions, cells), max_size=4)
    return RecordState(
        draw(RECORDS),
        draw(st.text("abcdefgh_", max_size=64)),
        draw(st.integers(1, INTEGER_MAX)),
        draw(st.none() | st.builds(Origin, op_ids, USERS, st.integers(0, MILLISECONDS_MAX))),
        MappingProxyType(draw(fields)),
    )


@st.composite
def _accepted(draw: st.DrawFn) -> Accepted:
    count = draw(st.integers(1, 9))
    stamps = st.builds(reading, MILLISECONDS, st.integers(0, 0xFFFF)).map(Stamp)
    return Accepted(
        draw(SEQS),
        count,
        draw(st.integers(1, INTEGER_MAX)),  # type: ignore[arg-type]
        draw(st.dictionaries(st.integers(0, count - 1), stamps)),
    )


def _some(each: st.SearchStrategy[T], count_max: int = 2) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(each, max_size=count_max).map(tuple)


_AFTER = st.none() | RECORDS
_EXCHANGE_KEYS = blobs(32, lambda raw: X25519PrivateKey.from_private_bytes(raw).public_key().public_bytes_raw())
ENROL_REQUESTS = st.builds(EnrolRequest, blobs(16, bytes), DEVICES, blobs(32, bytes), _EXCHANGE_KEYS, NAMES, NAMES)
ENROL_RESPONSES = st.builds(
    EnrolResponse,
    *(blobs(8, DeviceHandle), NAMES, NAMES, USERS, NAMES, EPOCHS, _some(SCOPES), NUMBERS, NUMBERS),
    st.just(b"") | blobs(32, bytes),
)
SYNC_REQUESTS = st.builds(
    SyncRequest,
    st.integers(1, INTEGER_MAX),
    blobs(8, bytes),
    NUMBERS,
    NUMBERS,
    _some(SEGMENTS),
    _some(st.builds(Fetch, SCOPES, NUMBERS, _AFTER)),
    st.none() | MAPS,
    st.none() | CLOCKS,
)
SYNC_RESPONSES = st.builds(
    SyncResponse,
    MILLISECONDS,
    st.just(b"") | EPOCHS,
    blobs(8, bytes),
    NUMBERS,
    POSITIONS,
    NUMBERS,
    st.just(b"") | blobs(16, bytes),
    st.booleans(),
    NUMBERS,
    _some(_accepted()),
    _some(st.builds(HeldOp, SEQS, NAMES, NAMES)),
    _some(records()),
    _some(RECORDS.map(RecordId)),
    _some(st.builds(Page, SCOPES, NUMBERS, _AFTER, _some(records()))),
    st.none() | st.builds(ReceiptNote, NUMBERS, NUMBERS, blobs(32, bytes), NUMBERS, blobs(64, bytes)),
    _some(st.builds(Directive, NUMBERS, NAMES, MAPS)),
)
MESSAGES: st.SearchStrategy[Message] = (
    ENROL_REQUESTS | ENROL_RESPONSES | SYNC_REQUESTS | SYNC_RESPONSES | st.builds(Refused, NAMES, NAMES)
)
