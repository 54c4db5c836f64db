"""Who sent a request, and what he may ask."""

from __future__ import annotations

from dataclasses import dataclass

from gridlog_protocol.codec import decode
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import TENANT_SCOPE, DeviceHandle, ScopeId
from gridlog_protocol.messages import SyncRequest
from gridlog_protocol.orders import WIPED
from gridlog_server.store.contract import Device, Person, Transaction

from .standing import ACTIVE, REVOKED


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
    """Raise ProtocolError `revoked` unless the device and its holder are active; its detail says which is not."""
    if caller.device.status != ACTIVE:
        raise ProtocolError("revoked", detail="" if caller.device.status == REVOKED else caller.device.status)
    if caller.person.status != "active":
        raise ProtocolError("revoked", detail="person")


def sync_request(body: bytes, caller: Caller) -> SyncRequest:
    """Read a request. Raises ProtocolError."""
    check_standing(caller)
    request = decode(body, device=caller.device.id)
    if not isinstance(request, SyncRequest):
        raise ProtocolError("malformed", detail="not a sync request")
    if WIPED in request.extras:
        # Whatever its state was by then: it says itself that nothing is left of it.
        raise ProtocolError("revoked", detail=WIPED)
    if any(segment.author != caller.person.id for segment in request.segments):
        # The device's key vouches for its holder, and for nobody else.
        raise ProtocolError("bad_signature", detail="ops in somebody else's name")
    return request
