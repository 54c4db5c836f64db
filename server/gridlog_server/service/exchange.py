"""One exchange with a device: open its request, store what it pushes, answer with what changed.

The rule it keeps: load, decide, commit, and only then speak. A receipt is signed after the commit that makes it true.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gridlog_protocol import decisions
from gridlog_protocol.about import ABOUT, read_about
from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import Stamp
from gridlog_protocol.codec import encode
from gridlog_protocol.envelope import Header, Purpose, open_sealed, read_header, reply_address, seal
from gridlog_protocol.epochs import EPOCHS, epoch_rows, reach, read_again
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceHandle, Position, RecordId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.lanes import URGENT, room_of, urgent_of
from gridlog_protocol.log_chain import log_start
from gridlog_protocol.messages import (
    ReceiptNote,
    Refused,
    SyncRequest,
    SyncResponse,
    cursor_token,
)
from gridlog_protocol.orders import directive_of
from gridlog_protocol.receipts import Receipt, sign_receipt
from gridlog_protocol.repair import EXTRA, Bodies, Overview, RepairQuestion, answer_row, read_answer, read_question
from gridlog_protocol.salvage import SALVAGE, Salvage, read_salvage
from gridlog_server.store.contract import Device, LogHead, Store, Transaction
from gridlog_sync.admission import Author

from .acknowledging import acknowledged
from .calling import Caller, check_standing, known_caller, sync_request
from .contact import note_contact
from .keys import ServerKeys
from .pulling import Lanes, Pulled, pull
from .pushing import Pushed, push
from .repairing import repair
from .salvaging import keep_salvaged
from .turning_away import turned_away, withdrawal

_CONTACT_EVERY_MS = 60_000
_SALVAGE_PURPOSE = b"gridlog v1 salvage salts"
_GENERATION = 1


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one exchange with a known device, for whoever keeps the books: numbers, no content.

    `refused` is a refusal's code or empty. `differs` tells that the device found its records unlike ours; `repaired`
    that the answer has records that set it right.
    """

    handle: DeviceHandle
    refused: str = ""
    accepted: int = 0
    held: int = 0
    differs: bool = False
    repaired: bool = False


def _to_nobody(_: Told) -> None:
    """Keep no books."""


class Exchange:
    """The use case behind `POST /v1/sync`. `told` hears of every exchange with a known device."""

    def __init__(
        self,
        store: Store,
        keys: ServerKeys,
        kinds: KindSet,
        now_ms: Callable[[], int],
        told: Callable[[Told], None] = _to_nobody,
    ) -> None:
        self._store = store
        self._keys = keys
        self._kinds = kinds
        self._now_ms = now_ms
        self._urgent = kinds.urgent()
        self._told = told

    async def answer(self, raw: bytes) -> bytes:
        """Take a sealed request and return the sealed answer.

        Raises ProtocolError for whom no answer can be sealed: unknown, forged or unreadable. A known device gets its
        refusals sealed. Raises StoreUnavailableError if nothing can be stored.
        """
        header = read_header(raw)
        if header.purpose is not Purpose.SYNC_REQUEST:
            raise ProtocolError("malformed", detail="not a sync request")
        opened = open_sealed(raw, reader=self._keys.reader(header.key_id))
        caller = await self._caller(header)
        opened.verify(Ed25519PublicKey.from_public_bytes(caller.device.signing_key))
        try:
            request = sync_request(opened.body, caller)
            answer = await self._respond(caller, request, opened.body)
            response: SyncResponse | Refused = answer
            told = _told_of(caller, request, answer)
        except ProtocolError as refusal:
            response, told = Refused(refusal.code, refusal.detail), Told(caller.device.handle, refusal.code)
            if refusal.code == "revoked":
                response = await turned_away(self._store, header, opened.body, refusal, now_ms=self._now_ms())
        self._told(told)
        return seal(
            encode(response),
            purpose=Purpose.SYNC_RESPONSE,
            address=reply_address(raw),
            reader=X25519PublicKey.from_public_bytes(caller.device.exchange_key),
            sender=self._keys.signing,
            context=raw,
        )

    async def _caller(self, header: Header) -> Caller:
        async with self._store.reading(briefly=True) as snapshot:
            return await known_caller(snapshot, DeviceHandle(header.address))

    async def _respond(self, caller: Caller, request: SyncRequest, body: bytes) -> SyncResponse:
        now_ms = self._now_ms()
        # Before anything is stored: a refusal says that nothing was.
        lanes = Lanes(self._urgent, urgent_of(request.extras), room_of(request.extras))
        question = read_question(request.extras[EXTRA]) if EXTRA in request.extras else None
        about = read_about(request.extras)
        again, salvaged = read_again(request.extras), read_salvage(request.extras)
        since = await self._since(request)
        if since is None:
            return await self._restored(request, now_ms)
        pushed = await self._push(caller, request, since, again, body, now_ms)
        if salvaged:
            await self._salvage(caller, salvaged, now_ms)
        async with self._store.reading(briefly=question is None) as snapshot:
            own_push = pushed.own_push if pushed else range(0)
            pulled = await pull(
                snapshot,
                device=caller.device.id,
                scopes=caller.scopes,
                since=since,
                fetches=request.fetches,
                own_push=own_push,
                made=pushed.made if pushed else frozenset(),
                created=pushed.created if pushed else frozenset(),
                lanes=lanes,
            )
            receipt = await self._receipt(snapshot, caller, pushed, now_ms) if pushed else None
            away = await _away(snapshot, caller, pushed.repeated) if pushed else set()
            extras = await _repaired(snapshot, caller, question)
        if pulled.decisions:
            extras[decisions.EXTRA] = decisions.decision_rows(pulled.decisions)
        pulled = replace(pulled, left=tuple(sorted(away.union(pulled.left))))
        if pulled.urgent_to:
            extras[URGENT] = pulled.urgent_to
        if salvaged:
            extras[SALVAGE] = len(salvaged)
        if not since.position and len(self._store.tenancy.epochs) > 1:
            extras[EPOCHS] = epoch_rows(self._store.tenancy.epochs)
        directives = tuple(map(directive_of, withdrawal(caller.device, about)))
        return replace(self._response(request, pulled, pushed, receipt, now_ms), directives=directives, extras=extras)

    async def _since(self, request: SyncRequest) -> LogHead | None:
        """Return the log entry behind the cursor, None if the cursor is of another epoch.

        Only a device that was served up to it can know its token.
        """
        tenancy = self._store.tenancy
        async with self._store.reading(briefly=True) as snapshot:
            hashed = await snapshot.ledger.log_hash(request.position)
        if hashed is not None and cursor_token(tenancy.epoch, hashed) == request.token:
            return LogHead(request.position, hashed)
        if not request.position and request.token == cursor_token(
            tenancy.epoch, log_start(tenancy.tenant, tenancy.epoch)
        ):
            # Enrolled after a restore, and never answered: it takes the present epoch for the first.
            return LogHead(Position(0), tenancy.log_start)
        if len(tenancy.epochs) == 1:
            # Never restored, and yet another log: somebody put an older database file in the place of a newer one.
            raise ProtocolError("unknown_cursor", detail=str(request.position))
        return None

    async def _restored(self, request: SyncRequest, now_ms: int) -> SyncResponse:
        """Answer a device whose cursor is of another epoch: nothing but where it may stand now.

        What it pushes is not looked at: it names positions, and comes again under the cursor that they mean now.
        """
        tenancy = self._store.tenancy
        async with self._store.reading(briefly=True) as snapshot:
            hashed = await snapshot.ledger.log_hash(request.position)
        position, link = Position(0), tenancy.log_start
        for each in tenancy.epochs[:-1]:
            is_within = request.position <= (reach(tenancy.epochs, each.epoch) or 0)
            if hashed is not None and is_within and cursor_token(each.epoch, hashed) == request.token:
                position, link = request.position, hashed
        return SyncResponse(
            server_ms=now_ms,
            epoch=tenancy.epoch,
            token=cursor_token(tenancy.epoch, link),
            from_position=position,
            to_position=position,
            generation=_GENERATION,
            digest=b"",
            has_more=True,
            known_seq=0,
            extras={EPOCHS: epoch_rows(tenancy.epochs)},
        )

    async def _push(
        self,
        caller: Caller,
        request: SyncRequest,
        since: LogHead,
        again: Mapping[int, Stamp],
        body: bytes,
        now_ms: int,
    ) -> Pushed | None:
        says_something = request.segments or request.status is not None or ABOUT in request.extras
        if not says_something and not _is_stale(caller.device, now_ms):
            return None

        async def work(transaction: Transaction) -> Pushed | None:
            # Looked up again: whoever was suspended, or given other grids, since the request came in is so now.
            current = await known_caller(transaction, caller.device.handle)
            check_standing(current)
            await note_contact(transaction, current.device, request, now_ms)
            if not request.segments:
                return None
            return await push(
                transaction,
                request.segments,
                device=current.device.id,
                key=Ed25519PublicKey.from_public_bytes(current.device.signing_key),
                author=Author(current.person.scopes, since.position, current.person.id),
                kinds=self._kinds,
                tenancy=self._store.tenancy,
                now_ms=now_ms,
                sent=request.clock,
                again=again,
            )

        try:
            return await self._store.commit(work)
        except ProtocolError as refusal:
            if refusal.code == "fork":
                await self._store.commit(
                    lambda transaction: transaction.quarantine(caller.device.id, "fork", body, now_ms=now_ms)
                )
            raise

    async def _salvage(self, caller: Caller, offered: Sequence[Salvage], now_ms: int) -> None:
        async def work(transaction: Transaction) -> None:
            current = await known_caller(transaction, caller.device.handle)
            check_standing(current)
            await keep_salvaged(
                transaction,
                offered,
                device=current.device.id,
                kinds=self._kinds,
                tenancy=self._store.tenancy,
                secret=self._keys.derived(_SALVAGE_PURPOSE),
                now_ms=now_ms,
            )

        # A server that was never restored has lost nothing.
        if len(self._store.tenancy.epochs) > 1:
            await self._store.commit(work)

    async def _receipt(self, snapshot: Transaction, caller: Caller, pushed: Pushed, now_ms: int) -> ReceiptNote:
        head = await snapshot.ledger.log_head()
        receipt = Receipt(
            self._store.tenancy.tenant,
            caller.device.id,
            pushed.incarnation,
            pushed.chain.known_seq,
            pushed.chain.head,
            head.position,
            head.hash,
            now_ms,
        )
        return ReceiptNote(
            receipt.up_to_seq, head.position, head.hash, now_ms, sign_receipt(receipt, self._keys.signing)
        )

    def _response(
        self,
        request: SyncRequest,
        pulled: Pulled,
        pushed: Pushed | None,
        receipt: ReceiptNote | None,
        now_ms: int,
    ) -> SyncResponse:
        accepted, held = acknowledged(pushed.stored if pushed else ())
        return SyncResponse(
            server_ms=now_ms,
            epoch=b"",
            token=cursor_token(self._store.tenancy.epoch, pulled.to.hash),
            from_position=request.position,
            to_position=pulled.to.position,
            generation=_GENERATION,
            digest=pulled.digest,
            has_more=pulled.has_more,
            known_seq=pushed.chain.known_seq if pushed else 0,
            accepted=accepted,
            held=held,
            changes=pulled.changes,
            packed=pulled.packed,
            left=pulled.left,
            pages=pulled.pages,
            receipt=receipt,
        )


def _told_of(caller: Caller, request: SyncRequest, response: SyncResponse) -> Told:
    question, answer = request.extras.get(EXTRA), response.extras.get(EXTRA)
    return Told(
        caller.device.handle,
        accepted=sum(run.count for run in response.accepted),
        held=len(response.held),
        differs=question is not None and isinstance(read_question(question), Overview),
        repaired=answer is not None and isinstance(read_answer(answer), Bodies),
    )


async def _repaired(snapshot: Transaction, caller: Caller, question: RepairQuestion | None) -> dict[str, Value]:
    if question is None:
        return {}
    answer = await repair(snapshot, device=caller.device, scopes=caller.scopes, question=question)
    return {EXTRA: answer_row(answer)}


async def _away(snapshot: Transaction, caller: Caller, repeated: Collection[RecordId]) -> set[RecordId]:
    """Return those records of repeated ops that have moved away since: the answer which said so may be lost."""
    stored = await snapshot.ledger.records(repeated) if repeated else {}
    return {record for record, each in stored.items() if not each.scopes & set(caller.scopes)}


def _is_stale(device: Device, now_ms: int) -> bool:
    return now_ms - device.contact_ms > _CONTACT_EVERY_MS
