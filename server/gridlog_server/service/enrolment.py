"""Make devices known: hand out one-time codes, and take the device that brings one.

The rule it keeps: a code is good for one device, once, for a day. The same device may ask again with the same code
and keys: the first answer can die with the radio.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gridlog_protocol.codec import decode, encode
from gridlog_protocol.envelope import Purpose, open_sealed, read_header, reply_address, seal
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import TENANT_SCOPE, DeviceHandle, ScopeId, UserId
from gridlog_protocol.invitation import SECRET_BYTES, Invitation, code_id
from gridlog_protocol.limits import ENROLMENT_CODE_HOURS
from gridlog_protocol.messages import EnrolRequest, EnrolResponse
from gridlog_server.store.contract import Act, Code, Device, Person, Store, Transaction

from .grid_tree import GridTree
from .keys import ServerKeys
from .people import ACTIVE, check_grids_exist, check_person, check_reassignable, checked_grids
from .refusing import RefusedError

_GENERATION = 1


@dataclass(frozen=True, slots=True)
class Invited:
    """Whose device a code is for, the code, and when it ends (Unix ms)."""

    person: Person
    invitation: Invitation
    expires_ms: int


class Enrolment:
    """The use case behind `POST /v1/enroll`, and behind handing out codes."""

    def __init__(
        self,
        store: Store,
        keys: ServerKeys,
        tree: GridTree,
        *,
        address: str,
        recovery_key: bytes = b"",
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._keys = keys
        self._tree = tree
        self._address = address
        self._recovery_key = recovery_key
        self._now_ms = now_ms
        self._entropy = entropy

    async def invite(self, staff_no: str, name: str, grids: Collection[str], *, by: str = "") -> Invited:
        """Make a code for a device of whoever has this staff number; a name and grids make or change the person.

        `by` is who orders it, by the operating system's word. Raises RefusedError for what no device could be told,
        and for a new person without name or grids.
        """
        scopes = checked_grids(grids)
        secret = self._entropy(SECRET_BYTES)
        expires_ms = self._now_ms() + ENROLMENT_CODE_HOURS * 3_600_000

        async def work(transaction: Transaction) -> Person:
            person = await self._person(transaction, staff_no, name, scopes)
            await transaction.registry.put_person(person)
            hashed = hashlib.sha256(secret).digest()
            await transaction.registry.put_code(Code(code_id(secret), hashed, person.id, expires_ms, None))
            told = " ".join(sorted(person.scopes))
            await transaction.registry.note(Act(self._now_ms(), by, "enroll", staff_no, told))
            return person

        person = await self._store.commit(work)
        return Invited(person, Invitation(self._address, secret, self._keys.fingerprint), expires_ms)

    async def _person(self, transaction: Transaction, staff_no: str, name: str, scopes: frozenset[ScopeId]) -> Person:
        """Return the person as he is to be: known, with what is said of him now, or new."""
        known = {each.staff_no: each for each in await transaction.registry.people()}
        person = known.get(staff_no) or Person(UserId(self._entropy(16)), staff_no, name, ACTIVE, scopes)
        changed = replace(person, name=name or person.name, scopes=scopes or person.scopes)
        check_person(changed.staff_no, changed.name)
        if changed.status != ACTIVE:
            raise RefusedError(f"{staff_no} 已停用，不能登记终端。", f"{staff_no} is disabled, and gets no device.")
        if not changed.scopes:
            raise RefusedError(
                f"{staff_no} 还没有网格：终端的网格只在登记时下发，请先写明。",
                f"{staff_no} has no grids yet, and a device is told them at enrolment only: name them first.",
            )
        await check_grids_exist(transaction, scopes, self._tree)
        await check_reassignable(transaction, person, changed.scopes)
        return changed

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
            self._recovery_key,
        )


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
