"""Make devices known: hand out one-time codes, and take the device that brings one.

The rule it keeps: a code is good for one device, once, for a day. The same device may ask again with the same code
and keys: the first answer can die with the radio.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gridlog_protocol.codec import decode, encode
from gridlog_protocol.envelope import Purpose, open_sealed, read_header, reply_address, seal
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import TENANT_SCOPE, DeviceHandle, DeviceId, ScopeId, UserId
from gridlog_protocol.invitation import SECRET_BYTES, Invitation, code_id
from gridlog_protocol.limits import ENROLMENT_CODE_HOURS, SCOPES_MAX
from gridlog_protocol.messages import EnrolRequest, EnrolResponse
from gridlog_server.store.contract import Code, Device, Person, Store, Transaction

from .keys import ServerKeys

NAME_BYTES_MAX = 256
_GENERATION = 1
_REASSIGNED = "this person already has a device, and its grids cannot be changed yet: name the same grids"


class Enrolment:
    """The use case behind `POST /v1/enroll`, and behind handing out codes."""

    def __init__(
        self,
        store: Store,
        keys: ServerKeys,
        *,
        address: str,
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._keys = keys
        self._address = address
        self._now_ms = now_ms
        self._entropy = entropy

    async def invite(self, staff_no: str, name: str, grids: Collection[str]) -> tuple[Person, Invitation]:
        """Make a code for somebody's device; whoever has this staff number is created, or gets these grids.

        Raises ValueError for what no device could be told.
        """
        _check_told(staff_no, name, grids)
        secret = self._entropy(SECRET_BYTES)

        async def work(transaction: Transaction) -> Person:
            known = {each.staff_no: each for each in await transaction.registry.people()}
            scopes = frozenset(ScopeId(grid) for grid in grids)
            person = known.get(staff_no) or Person(UserId(self._entropy(16)), staff_no, name, "active", scopes)
            scopes = scopes or person.scopes
            if person.scopes != scopes and await _has_device(transaction, person):
                raise ValueError(_REASSIGNED)
            person = replace(person, name=name or person.name, scopes=scopes)
            await transaction.registry.put_person(person)
            expires_ms = self._now_ms() + ENROLMENT_CODE_HOURS * 3_600_000
            await transaction.registry.put_code(
                Code(code_id(secret), hashlib.sha256(secret).digest(), person.id, expires_ms, None)
            )
            return person

        person = await self._store.commit(work)
        return person, Invitation(self._address, secret, self._keys.fingerprint)

    async def confirm(self, devices: Collection[str]) -> list[DeviceId]:
        """Let suspended devices speak again, each named by its first hex digits, and return which they are.

        Raises ValueError unless each name is that of exactly one suspended device.
        """

        async def work(transaction: Transaction) -> list[DeviceId]:
            suspended = [each for each in await transaction.registry.devices() if each.status == "suspended"]
            confirmed = []
            for name in devices:
                found = [each for each in suspended if each.id.hex().startswith(name.replace("-", "").lower())]
                if len(found) != 1:
                    raise ValueError(f"{len(found)} suspended devices are named {name}")
                await transaction.registry.put_device(replace(found[0], status="active"))
                confirmed.append(found[0].id)
            return confirmed

        return await self._store.commit(work)

    async def answer(self, raw: bytes) -> bytes:
        """Take a sealed request and return the sealed answer. Raises ProtocolError."""
        header = read_header(raw)
        if header.purpose is not Purpose.ENROL_REQUEST:
            raise ProtocolError("malformed", detail="not an enrolment request")
        opened = open_sealed(raw, reader=self._keys.reader(header.key_id))
        request = decode(opened.body)
        if not isinstance(request, EnrolRequest):
            raise ProtocolError("malformed", detail="not an enrolment request")
        opened.verify(Ed25519PublicKey.from_public_bytes(request.signing_key))
        reader = X25519PublicKey.from_public_bytes(request.exchange_key)
        response = await self._store.commit(lambda transaction: self._enrol(transaction, request))
        return seal(
            encode(response),
            purpose=Purpose.ENROL_RESPONSE,
            address=reply_address(raw),
            reader=reader,
            sender=self._keys.signing,
            context=raw,
        )

    async def _enrol(self, transaction: Transaction, request: EnrolRequest) -> EnrolResponse:
        now_ms = self._now_ms()
        code = await transaction.registry.code(code_id(request.secret))
        is_right = code is not None and hmac.compare_digest(code.secret, hashlib.sha256(request.secret).digest())
        if code is None or not is_right or code.expires_ms < now_ms:
            raise ProtocolError("code_invalid")
        person = await transaction.registry.person(code.person)
        known = {each.id: each for each in await transaction.registry.devices()}.get(request.device)
        if person is None or person.status != "active" or not _may_use(code, known, request):
            raise ProtocolError("code_invalid")
        device = known or Device(
            id=request.device,
            handle=DeviceHandle(self._entropy(8)),
            person=person.id,
            signing_key=request.signing_key,
            exchange_key=request.exchange_key,
            model=request.model,
            app=request.app,
            status="active",
            counter=0,
            enrolled_ms=now_ms,
            contact_ms=now_ms,
        )
        await transaction.registry.put_device(device)
        await transaction.registry.put_code(replace(code, device=device.id))
        tenancy = self._store.tenancy
        return EnrolResponse(
            device.handle,
            tenancy.tenant,
            tenancy.name,
            person.id,
            person.name,
            tenancy.epoch,
            (TENANT_SCOPE, *sorted(person.scopes)),
            _GENERATION,
            now_ms,
            b"",
        )


def _check_told(staff_no: str, name: str, grids: Collection[str]) -> None:
    if TENANT_SCOPE in grids:
        raise ValueError(f"{TENANT_SCOPE!r} is not a grid")
    if len(set(grids)) >= SCOPES_MAX:
        raise ValueError(f"at most {SCOPES_MAX - 1} grids")
    if (
        not staff_no
        or not all(grids)
        or any(len(each.encode()) > NAME_BYTES_MAX for each in (staff_no, name, *grids))
    ):
        raise ValueError(f"staff number, name and grids have at most {NAME_BYTES_MAX} bytes each, and are not empty")


async def _has_device(transaction: Transaction, person: Person) -> bool:
    return any(each.person == person.id for each in await transaction.registry.devices())


def _may_use(code: Code, known: Device | None, request: EnrolRequest) -> bool:
    if code.device is None:
        return known is None
    return (
        known is not None
        and known.status == "active"
        and (code.device, known.signing_key, known.exchange_key)
        == (
            request.device,
            request.signing_key,
            request.exchange_key,
        )
    )
