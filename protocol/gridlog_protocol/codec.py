"""Bytes to messages and back: positional msgpack, compressed where that helps, strict about everything.

Limits are checked before memory is taken. Unknown, missing or oversized parts of a message are refused; unknown
*fields of records* are content, and survive.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from .canonical import NotCanonicalError, Value, pack, unpack
from .clock import ClockFacts, Hlc, Stamp, counter_of, milliseconds_of, reading
from .column_forms import Elements
from .compression import Effort, shipped
from .errors import ProtocolError
from .ids import DeviceHandle, DeviceId, Epoch, Position, RecordId, ScopeId, TenantId, UserId
from .limits import (
    SCOPES_MAX,
    SEGMENT_OPS_MAX,
    SEGMENTS_MAX,
    STATUS_BYTES_MAX,
)
from .messages import (
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
from .record_rows import mixed_value
from .rows import Row
from .segment_codec import read_segment, segment_row
from .state_codec import Authors, read_records

_ENROL_REQUEST, _ENROL_RESPONSE, _SYNC_REQUEST, _SYNC_RESPONSE, _REFUSED = 1, 2, 3, 4, 9
_NAME_BYTES_MAX = 256
_COUNT_MAX = 1 << 17
_PROBE = X25519PrivateKey.from_private_bytes(bytes(32))


def encode(message: Message) -> bytes:
    """Write a message as a body."""
    # A first fetch is asked for once, and is most of what a phone ever receives. What is long is squeezed quickly.
    is_worth_it = isinstance(message, SyncRequest) or (isinstance(message, SyncResponse) and bool(message.pages))
    effort = Effort.THOROUGH if is_worth_it else Effort.QUICK
    return shipped().squeeze(packed(message), effort)


def packed(message: Message) -> bytes:
    """Return a message as it is before compression."""
    return pack(_message_row(message))


def decode(body: bytes, *, device: DeviceId | None = None) -> Message:
    """Read a body. `device` is the sender whose ops the message may carry.

    Raises ProtocolError `malformed`, `too_large` or `unsupported_version`.
    """
    try:
        value = unpack(shipped().expand(body))
    except NotCanonicalError as reason:
        raise ProtocolError("malformed", detail=str(reason)) from None
    row = Row(value, "message")
    tag = row.whole()
    match tag:
        case 1:
            message: Message = _read_enrol_request(row)
        case 2:
            message = _read_enrol_response(row)
        case 3 if device is not None:
            message = _read_sync_request(row, device)
        case 4:
            message = _read_sync_response(row)
        case 9:
            message = Refused(row.text(_NAME_BYTES_MAX), row.text(_NAME_BYTES_MAX))
        case _:
            raise row.malformed("unknown message")
    row.end()
    return message


def _message_row(message: Message) -> Value:
    match message:
        case EnrolRequest():
            return [
                _ENROL_REQUEST,
                message.secret,
                message.device,
                message.signing_key,
                message.exchange_key,
                message.model,
                message.app,
            ]
        case EnrolResponse():
            return [
                _ENROL_RESPONSE,
                message.handle,
                message.tenant,
                message.tenant_name,
                message.user,
                message.user_name,
                message.epoch,
                [*message.scopes],
                message.generation,
                message.server_ms,
                message.recovery_key,
            ]
        case SyncRequest():
            return _sync_request_row(message)
        case SyncResponse():
            return _sync_response_row(message)
        case Refused():
            return [_REFUSED, message.code, message.detail]


def _read_enrol_request(row: Row) -> EnrolRequest:
    return EnrolRequest(
        row.blob(16),
        DeviceId(row.blob(16)),
        row.blob(32),
        _read_exchange_key(row),
        row.text(_NAME_BYTES_MAX),
        row.text(_NAME_BYTES_MAX),
    )


def _read_exchange_key(row: Row) -> bytes:
    # All-zero and other degenerate keys: nothing can be sealed to them, so the answer would fail after the commit.
    raw = row.blob(32)
    try:
        _PROBE.exchange(X25519PublicKey.from_public_bytes(raw))
    except ValueError:
        raise row.malformed("no answer can be sealed to this key") from None
    return raw


def _read_enrol_response(row: Row) -> EnrolResponse:
    return EnrolResponse(
        DeviceHandle(row.blob(8)),
        TenantId(row.text(_NAME_BYTES_MAX)),
        row.text(_NAME_BYTES_MAX),
        UserId(row.blob(16)),
        row.text(_NAME_BYTES_MAX),
        Epoch(row.blob(8)),
        tuple(_scope(Row([scope], "scope")) for scope in row.items(SCOPES_MAX)),
        row.whole(),
        row.whole(),
        row.blob(0, 32),
    )


def _scope(row: Row) -> ScopeId:
    return ScopeId(row.text(_NAME_BYTES_MAX))


def _sync_request_row(message: SyncRequest) -> Value:
    clock = message.clock
    return [
        _SYNC_REQUEST,
        message.counter,
        message.token,
        message.position,
        message.generation,
        [segment_row(segment) for segment in message.segments],
        [[fetch.scope, fetch.as_of, fetch.after] for fetch in message.fetches],
        None if message.status is None else dict(message.status),
        None if clock is None else [clock.hlc, clock.wall_ms, clock.boot, clock.monotonic_ms, clock.server_ms],
        dict(message.extras),
    ]


def _read_sync_request(row: Row, device: DeviceId) -> SyncRequest:
    counter = row.whole(low=1)
    token = row.blob(8)
    position = Position(row.whole())
    generation = row.whole()
    elements = Elements()
    segments = tuple(read_segment(each, device, elements) for each in row.items(SEGMENTS_MAX))
    if len({segment.incarnation for segment in segments}) > 1:
        # The answer names ops by `seq` alone.
        raise row.malformed("segments of two incarnations")
    fetches = []
    for each in row.rows("fetch", SCOPES_MAX):
        fetches.append(Fetch(_scope(each), Position(each.whole()), _record_or_none(each)))
        each.end()
    return SyncRequest(
        counter,
        token,
        position,
        generation,
        segments,
        tuple(fetches),
        _read_status(row),
        _read_clock(row),
        row.mapping(),
    )


def _record_or_none(row: Row) -> RecordId | None:
    value = row.value()
    return None if value is None else RecordId(Row([value], "record id").blob(16))


def _read_status(row: Row) -> dict[str, Value] | None:
    value = row.value()
    if value is None:
        return None
    if len(pack(value)) > STATUS_BYTES_MAX:
        raise row.malformed("status above its limit")
    return Row([value], "status").mapping()


def _read_clock(row: Row) -> ClockFacts | None:
    value = row.value()
    if value is None:
        return None
    clock = Row(value, "clock")
    facts = ClockFacts(Hlc(clock.whole()), clock.whole(), clock.blob(8), clock.whole(), clock.whole())
    clock.end()
    return facts


def _sync_response_row(message: SyncResponse) -> Value:
    # Positions below travel as distances from `to`, which comes earlier in the row.
    authors = Authors(message.to_position)
    changes = mixed_value(message.changes, message.packed, authors)
    pages: list[Value] = [
        [
            page.scope,
            page.as_of,
            page.after,
            mixed_value(page.records, page.packed, authors),
        ]
        for page in message.pages
    ]
    receipt = message.receipt
    return [
        _SYNC_RESPONSE,
        message.server_ms,
        message.epoch,
        message.token,
        message.from_position,
        message.to_position,
        message.generation,
        message.digest,
        message.has_more,
        message.known_seq,
        [_accepted_row(run) for run in message.accepted],
        [[held.seq, held.code, held.field] for held in message.held],
        authors.table(),
        changes,
        [*message.left],
        pages,
        None
        if receipt is None
        else [
            receipt.up_to_seq,
            receipt.log_position,
            receipt.log_hash,
            receipt.server_ms,
            receipt.signature,
        ],
        [[each.counter, each.name, dict(each.facts)] for each in message.directives],
        dict(message.extras),
    ]


def _accepted_row(run: Accepted) -> Value:
    stamps: list[Value] = []
    for offset, stamp in sorted(run.stamps.items()):
        stamps += [offset, milliseconds_of(stamp), counter_of(stamp)]
    return [run.first_seq, run.count, run.first_position, stamps]


def _read_accepted(row: Row) -> Accepted:
    first_seq, count = row.whole(low=1), row.whole(low=1, high=SEGMENT_OPS_MAX * SEGMENTS_MAX)
    first_position = Position(row.whole(low=1))
    flat = Row(row.items(3 * count), "stamps")
    stamps: dict[int, Stamp] = {}
    while flat.has_more:
        offset = flat.whole(high=count - 1)
        stamps[offset] = Stamp(reading(flat.whole(high=(1 << 47) - 1), flat.whole(high=0xFFFF)))
    row.end()
    return Accepted(first_seq, count, first_position, stamps)


def _read_sync_response(row: Row) -> SyncResponse:
    server_ms = row.whole(high=(1 << 47) - 1)
    epoch, token = row.blob(0, 8), row.blob(8)
    from_position, to_position = Position(row.whole()), Position(row.whole())
    generation = row.whole()
    digest, has_more, known_seq = row.blob(0, 16), row.flag(), row.whole()
    accepted = tuple(_read_accepted(each) for each in row.rows("accepted", _COUNT_MAX))
    held = []
    for each in row.rows("held", _COUNT_MAX):
        held.append(HeldOp(each.whole(low=1), each.text(_NAME_BYTES_MAX), each.text(_NAME_BYTES_MAX)))
        each.end()
    authors = Authors.read(row, base_position=to_position)
    elements = Elements()
    changes = read_records(row.value(), authors, elements)
    left = tuple(RecordId(Row([each], "left").blob(16)) for each in row.items(_COUNT_MAX))
    pages = tuple(_read_page(each, authors, elements) for each in row.rows("page", SCOPES_MAX))
    receipt = _read_receipt(row.value())
    directives = []
    for each in row.rows("directive", _COUNT_MAX):
        directives.append(Directive(each.whole(), each.text(_NAME_BYTES_MAX), each.mapping()))
        each.end()
    return SyncResponse(
        server_ms,
        epoch,
        token,
        from_position,
        to_position,
        generation,
        digest,
        has_more,
        known_seq,
        accepted,
        tuple(held),
        changes,
        left,
        pages,
        receipt,
        tuple(directives),
        row.mapping(),
    )


def _read_page(row: Row, authors: Authors, elements: Elements) -> Page:
    scope, as_of, after = _scope(row), Position(row.whole()), _record_or_none(row)
    records = read_records(row.value(), authors, elements)
    row.end()
    return Page(scope, as_of, after, records)


def _read_receipt(value: Value) -> ReceiptNote | None:
    if value is None:
        return None
    row = Row(value, "receipt")
    note = ReceiptNote(row.whole(), Position(row.whole()), row.blob(32), row.whole(), row.blob(64))
    row.end()
    return note
