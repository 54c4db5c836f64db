"""Who sent a request: what he may ask, and what becomes of it if his device is revoked."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridlog_protocol.canonical import pack
from gridlog_protocol.codec import decode
from gridlog_protocol.envelope import Header
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import TENANT_SCOPE, DeviceHandle, ScopeId, TenantId
from gridlog_protocol.messages import SyncRequest
from gridlog_protocol.segment import Segment, verify
from gridlog_protocol.segment_codec import segment_row
from gridlog_server.store.contract import Device, Person, Store, Transaction

from .standing import REVOKED

_QUARANTINE_BYTES_MAX = 16 << 20
"""Kept of one revoked device: some 100,000 notes. It signs what it likes, and must not fill the disk."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, and what it may hold."""

    device: Device
    person: Person

    @property
    def scopes(self) -> tuple[ScopeId, ...]:
        """The scopes of the device, reference data first."""
        return (TENANT_SCOPE, *sorted(self.person.scopes))


async def known_caller(transaction: Transaction, handle: DeviceHandle) -> Caller:
    """Return whose handle it is. Raises ProtocolError `unknown_device`."""
    device = await transaction.registry.device(handle)
    person = await transaction.registry.person(device.person) if device else None
    if device is None or person is None:
        raise ProtocolError("unknown_device")
    return Caller(device, person)


def check_standing(caller: Caller) -> None:
    """Raise ProtocolError `revoked` unless the device and its holder are active."""
    if caller.device.status != "active" or caller.person.status != "active":
        raise ProtocolError("revoked")


def sync_request(body: bytes, caller: Caller) -> SyncRequest:
    """Read a request. Raises ProtocolError."""
    check_standing(caller)
    request = decode(body, device=caller.device.id)
    if not isinstance(request, SyncRequest):
        raise ProtocolError("malformed", detail="not a sync request")
    if any(segment.author != caller.person.id for segment in request.segments):
        # The device's key vouches for its holder, and for nobody else.
        raise ProtocolError("bad_signature", detail="ops in somebody else's name")
    return request


async def keep_apart(store: Store, header: Header, body: bytes, *, now_ms: int) -> None:
    """Keep in quarantine what a revoked device still pushes: it may be an honest worker's day.

    A device that is only suspended keeps it itself, until it may go on.
    """

    async def work(transaction: Transaction) -> None:
        device = (await known_caller(transaction, DeviceHandle(header.address))).device
        if device.status != REVOKED:
            return
        # Somebody has the phone: that is worth knowing.
        await transaction.registry.put_device(replace(device, contact_ms=now_ms))
        key = Ed25519PublicKey.from_public_bytes(device.signing_key)
        for segment in _genuine(body, device, key, store.tenancy.tenant):
            await transaction.quarantine(
                device.id, REVOKED, pack(segment_row(segment)), now_ms=now_ms, bytes_max=_QUARANTINE_BYTES_MAX
            )

    await store.commit(work)


def _genuine(body: bytes, device: Device, key: Ed25519PublicKey, tenant: TenantId) -> list[Segment]:
    """Return the segments of a request if they are well formed and signed by their device; else none."""
    try:
        request = decode(body, device=device.id)
        segments = request.segments if isinstance(request, SyncRequest) else ()
        for segment in segments:
            verify(segment, tenant=tenant, key=key)
    except ProtocolError:
        return []
    return [*segments]
