"""What becomes of a request whose device may not synchronise: what is kept of it, and what it is told.

    suspended, or its holder disabled   nothing is kept: the device has it still, and may go on one day
    lost, wiped                         what it pushes is kept in quarantine; a lost one gets the order to wipe
    revoked                             what it pushes is kept in quarantine

The rule it keeps: an honest worker's day may be in it, and so may a thief's hand. Nothing is thrown away, and nothing
takes effect. What is kept is on the disk before the order goes out: nothing is destroyed that is nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridlog_protocol.about import INCARNATION, ORDER, read_about
from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.codec import decode
from gridlog_protocol.envelope import Header
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceHandle, Incarnation, Position
from gridlog_protocol.messages import Refused, SyncRequest, SyncResponse, cursor_token
from gridlog_protocol.orders import GENERATION_OF_NOBODY, Order, OrderKind, directive_of, read_acknowledged
from gridlog_protocol.segment import verify
from gridlog_protocol.segment_codec import segment_row
from gridlog_server.store.contract import START, Device, Store, Transaction

from .calling import known_caller
from .contact import note_turned_away
from .standing import LOST, REVOKED, SUSPENDED, WIPED, note_wiped

_QUARANTINE_BYTES_MAX = 16 << 20
"""Kept of one such device: some 100,000 notes. It signs what it likes, and must not fill the disk."""
_KEPT_AS = {LOST: LOST, WIPED: LOST, REVOKED: REVOKED}


async def turned_away(
    store: Store, header: Header, body: bytes, refusal: ProtocolError, *, now_ms: int
) -> SyncResponse | Refused:
    """Keep what is to be kept of a verified request, durably, and return what its device is told."""

    async def work(transaction: Transaction) -> SyncResponse | Refused:
        # Looked up again: whoever was lost when the request came in may be found by now.
        caller = await known_caller(transaction, DeviceHandle(header.address))
        device = caller.device
        try:
            request = decode(body, device=device.id)
            if not isinstance(request, SyncRequest):
                return Refused(refusal.code, refusal.detail)
            said, _ = read_acknowledged(request.extras), read_about(request.extras)
        except ProtocolError as reason:
            return Refused(reason.code, reason.detail)
        if device.status not in (*_KEPT_AS, SUSPENDED) and said is None:
            return Refused(refusal.code, refusal.detail)
        if device.status in _KEPT_AS:
            await _keep_apart(transaction, store, device, request, now_ms)
        device = await note_turned_away(transaction, device, request, now_ms)
        if said is not None:
            device = await note_wiped(transaction, device, said, now_ms=now_ms)
        if device.status == LOST and device.wipe_ordered_ms is not None and INCARNATION in device.about:
            return _ordering(device, request, now_ms)
        return Refused("revoked", "" if device.status == REVOKED else device.status)

    return await store.commit(work)


async def _keep_apart(
    transaction: Transaction, store: Store, device: Device, request: SyncRequest, now_ms: int
) -> None:
    """Keep the segments of a request, if all of them are signed by their device."""
    key = Ed25519PublicKey.from_public_bytes(device.signing_key)
    try:
        for segment in request.segments:
            verify(segment, tenant=store.tenancy.tenant, key=key)
    except ProtocolError:
        return
    hashed = await transaction.ledger.log_hash(request.position)
    is_ours = hashed is not None and cursor_token(store.tenancy.epoch, hashed) == request.token
    for segment in request.segments:
        await transaction.quarantine(
            device.id,
            _KEPT_AS[device.status],
            pack(segment_row(segment)),
            now_ms=now_ms,
            served=Position(request.position) if is_ours else START,
            bytes_max=_QUARANTINE_BYTES_MAX,
        )


def _ordering(device: Device, request: SyncRequest, now_ms: int) -> SyncResponse:
    """Return an answer that brings the order and nothing else: nothing in it fits any cursor."""
    incarnation = device.about[INCARNATION]
    assert isinstance(incarnation, bytes)
    order = Order(device.order, OrderKind.WIPE, device.id, Incarnation(incarnation))
    return SyncResponse(
        server_ms=now_ms,
        epoch=b"",
        token=request.token,
        from_position=request.position,
        to_position=request.position,
        generation=GENERATION_OF_NOBODY,
        digest=b"",
        has_more=False,
        known_seq=0,
        directives=(directive_of(order),),
    )


def withdrawal(device: Device, said: Mapping[str, Value]) -> tuple[Order, ...]:
    """Return what an active device has to be told: an order that was withdrawn, unless it has heard of that.

    `said` is what it says of itself just now.
    """
    about = {**device.about, **said}
    known, incarnation = about.get(ORDER, 0), about.get(INCARNATION)
    is_told = isinstance(known, int) and known >= device.order
    if is_told or not isinstance(incarnation, bytes):
        return ()
    return (Order(device.order, OrderKind.KEEP, device.id, Incarnation(incarnation)),)
