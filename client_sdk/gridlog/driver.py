"""Carry out an exchange: compose the request, send it, make what the answer changes durable, and only then show it.

What to ask and what an answer means is decided in `gridlog_sync.session`; this is its thin shell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.clock import observe
from gridlog_protocol.codec import decode, encode
from gridlog_protocol.envelope import Purpose, open_sealed, read_header, reply_address, seal
from gridlog_protocol.epochs import AGAIN, again_rows
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import OpId, Position, RecordId
from gridlog_protocol.invitation import Invitation, code_id, fingerprint
from gridlog_protocol.lanes import ROOM, URGENT, urgent_of
from gridlog_protocol.limits import SALVAGE_MAX
from gridlog_protocol.messages import (
    EnrolRequest,
    EnrolResponse,
    Message,
    Refused,
    SyncResponse,
)
from gridlog_protocol.ops import Op
from gridlog_protocol.repair import EXTRA, Bodies, Children, RepairQuestion, question_row, read_answer
from gridlog_protocol.salvage import SALVAGE, salvage_row, taken_of
from gridlog_protocol.segment import Segment, cut
from gridlog_sync.clocks import newest_offset, offset_by_answer
from gridlog_sync.pacing import Pace
from gridlog_sync.reconcile import details, overview
from gridlog_sync.session import Absorbed, Fork, Standing, absorb, batch_of, fall_back, request_for

from .asking import Answered, Asked, Outlook
from .device_clock import DeviceClock
from .entries import Enrolled, TakenAnswer
from .errors import ForeignServerError, NotEnrolledError, RefusedError, refused
from .memory import Memory
from .obeying import Orders
from .own_receipts import receipt_of
from .repairs import taken_over
from .settling import confirmed_by, held_by, is_copied, named_by, raised
from .vault import Vault

if TYPE_CHECKING:
    from .transport import Transport

_RETURNS_IN_VAIN_MAX = 3
_SALVAGE_BYTES = 8 << 10


class Driver:
    """Speaks for one store. Except for `enrol` its methods read memory: call them on the store's thread."""

    def __init__(
        self, memory: Memory, vault: Vault, clock: DeviceClock, facts: Callable[[], Mapping[str, Value]] = dict
    ) -> None:
        self._memory = memory
        self._orders = Orders(memory, facts)
        self._vault = vault
        self._clock = clock
        self._app = ""
        self._status_sent: dict[str, int | str] | None = None
        self._repair: RepairQuestion | None = None
        self._urgent_to = Position(0)
        self._returns_in_vain = 0
        self._returned: set[RecordId] = set()
        self._answered: tuple[tuple[object, ...], Answered] | None = None

    async def enrol(self, transport: Transport, invitation: Invitation, *, model: str) -> Enrolled:
        """Introduce this device to the server that a code names.

        Raises ForeignServerError, RefusedError or UnreachableError.
        """
        signing_key, exchange_key = await transport.identity()
        if fingerprint(signing_key, exchange_key) != invitation.fingerprint:
            raise ForeignServerError
        vault = self._vault
        request = EnrolRequest(
            invitation.secret,
            vault.device_id,
            vault.signing_key.public_key().public_bytes_raw(),
            vault.exchange_key.public_key().public_bytes_raw(),
            model,
            version("gridlog"),
        )
        raw = seal(
            encode(request),
            purpose=Purpose.ENROL_REQUEST,
            address=code_id(invitation.secret),
            reader=X25519PublicKey.from_public_bytes(exchange_key),
            sender=vault.signing_key,
        )
        answer = await transport.post("/v1/enroll", raw)
        response = self._opened(answer.content, raw, Purpose.ENROL_RESPONSE, signing_key)
        if not isinstance(response, EnrolResponse):
            raise RefusedError("malformed", "not an enrolment answer")
        return Enrolled(
            invitation.address,
            signing_key,
            exchange_key,
            response.handle,
            response.tenant,
            response.tenant_name,
            response.user,
            response.user_name,
            response.epoch,
            response.scopes,
            response.generation,
            response.server_ms,
            response.recovery_key,
        )

    def ask(self, pace: Pace, *, before: int | None = None) -> Asked:
        """Compose and seal the next request, as large as `pace` allows. Raises NotEnrolledError.

        `before` leaves out ops from that seq on.
        """
        memory = self._memory
        if memory.standing is None:
            raise NotEnrolledError
        facts = len(memory.pending), len(memory.held), memory.hlc, memory.server_ms, memory.counter
        return self._asked(pace, Outlook(memory.standing, self._sendable(before), *facts))

    def ask_on(self, pace: Pace, asked: Asked, answered: Answered) -> Asked | None:
        """Compose before an answer is kept what `ask` would compose after that; None if it has to wait.

        So the server works on while this device makes durable what it has said.
        """
        memory, absorbed = self._memory, answered.absorbed
        is_plain = not (asked.is_question or self._repair or memory.is_returning or memory.shelf or absorbed.decided)
        if not absorbed.is_unfinished or not is_plain or is_copied(absorbed, memory):
            return None
        held = {OpId(memory.device, each.incarnation, each.seq) for each in held_by(absorbed, asked.sent)}
        pending = [op for op in self._sendable(None) if op.id not in absorbed.settled and op.id not in held]
        held_then = len(memory.held) + len(held & memory.pending.keys())
        hlc = observe(memory.hlc, [absorbed.highest_stamp])
        facts = len(pending), held_then, hlc, answered.server_ms, asked.counter
        return self._asked(pace, Outlook(absorbed.standing, pending, *facts))

    def _asked(self, pace: Pace, outlook: Outlook) -> Asked:
        memory = self._memory
        if memory.enrolled is None:
            raise NotEnrolledError
        runs = batch_of(outlook.sendable, self._size_of, bytes_max=pace.up_bytes)
        segments = [self.segment(run, memory.enrolled) for run in runs]
        sent = tuple(op for run in runs for op in run)
        shelf = self._offered()
        status = self._status(outlook, len(sent))
        clock = self._clock.facts(outlook.hlc, server_ms=outlook.server_ms)
        counter = max(outlook.counter + 1, self._clock.wall_ms())
        about = self._orders.about()
        request = request_for(
            outlook.standing,
            segments,
            counter=counter,
            status=None if status == self._status_sent else {**status},
            clock=clock,
            extras=self._extras(pace, outlook.standing, sent, shelf) | self._orders.news(about),
        )
        raw = seal(
            encode(request),
            purpose=Purpose.SYNC_REQUEST,
            address=memory.enrolled.handle,
            reader=X25519PublicKey.from_public_bytes(memory.enrolled.server_exchange_key),
            sender=self._vault.signing_key,
        )
        size = sum(map(self._size_of, sent))
        facts = sent, size, counter, status, clock, outlook.standing.epoch, (*shelf,)
        return Asked(raw, *facts, is_question=self._repair is not None, about=about)

    def _size_of(self, op: Op) -> int:
        return self._memory.pending[op.id].size

    def hello(self, challenge: bytes) -> bytes:
        """Seal what lets this device listen on a live channel. Raises NotEnrolledError."""
        enrolled = self._memory.enrolled
        if enrolled is None:
            raise NotEnrolledError
        return seal(
            b"",
            purpose=Purpose.LIVE_HELLO,
            address=enrolled.handle,
            reader=X25519PublicKey.from_public_bytes(enrolled.server_exchange_key),
            sender=self._vault.signing_key,
            context=challenge,
        )

    def is_news(self, position: int) -> bool:
        """Tell whether the log goes further than our cursor. A number out of the protocol's range is none."""
        standing = self._memory.standing
        return standing is not None and position > standing.position

    def has_pending(self, *, before: int) -> bool:
        """Tell whether ops below the seq `before` wait to be sent."""
        return bool(self._sendable(before))

    def _sendable(self, before: int | None) -> list[Op]:
        pending = [written.op for written in self._memory.pending.values()]
        if before is None or not pending:
            return pending
        # The fork is of the oldest name; what follows under newer ones was written after that, and waits its turn.
        return [op for op in pending if op.id.incarnation == pending[0].id.incarnation and op.id.seq < before]

    def _offered(self) -> dict[OpId, Value]:
        """Return rows of what others wrote and a restored server may lack, some kilobytes of them."""
        offered: dict[OpId, Value] = {}
        room = _SALVAGE_BYTES
        for op, salvage in self._memory.shelf.items():
            row = salvage_row(salvage)
            room -= len(pack(row))
            if offered and (room < 0 or len(offered) == SALVAGE_MAX):
                break
            offered[op] = row
        return offered

    def _extras(
        self, pace: Pace, standing: Standing, sent: Sequence[Op], shelf: Mapping[OpId, Value]
    ) -> dict[str, Value]:
        extras: dict[str, Value] = {}
        if shelf:
            extras[SALVAGE] = [*shelf.values()]
        stamps = ((op.id.seq, self._memory.kept.stamp(op.id)) for op in sent)
        again = [(seq, stamp) for seq, stamp in stamps if stamp is not None]
        if again:
            extras[AGAIN] = again_rows(again)
        if pace.room is not None:
            extras[ROOM] = pace.room
        if self._urgent_to > standing.position:
            extras[URGENT] = self._urgent_to
        if self._repair is not None:
            extras[EXTRA] = question_row(self._repair)
        return extras

    def take(self, asked: Asked, answer: bytes) -> Answered | Fork:
        """Open an answer and work out what it changes. Raises RefusedError or ForeignServerError.

        Whoever asks about the same one again before it is kept is told the same.
        """
        memory = self._memory
        if self._answered is not None:
            about, known = self._answered
            self._answered = None
            if all(one is other for one, other in zip(about, (asked, answer, memory.standing), strict=True)):
                return known
        if memory.enrolled is None or memory.standing is None:
            raise NotEnrolledError
        response = self._response(answer, asked.raw, memory.enrolled)
        if asked.epoch != memory.standing.epoch:
            # Its positions are of a life of the server that this device has left meanwhile.
            raise RefusedError("unknown_cursor", "an answer to what was asked before the server was restored")
        order = self._orders.taken(response.directives)
        lacking = memory.projection.lacking(named_by(asked.sent, response))
        try:
            if response.epoch:
                return self._gone_back(fall_back(memory.standing, response))
            absorbed = absorb(
                memory.standing,
                response,
                sent=asked.sent,
                confirmed=lambda record: None if record in lacking else memory.projection.confirmed(record),
                has_more_pending=len(asked.sent) < len(memory.pending),
                device=memory.device,
                partial=memory.partial,
            )
            # Kept in memory alone: whoever forgets it gets urgent records a second time, which does no harm.
            self._urgent_to = urgent_of(response.extras)
            salvaged = asked.salvaged[: taken_of(response.extras)]
        except ProtocolError as reason:
            raise RefusedError(reason.code, reason.detail) from None
        self._status_sent = asked.status
        self._orders.heard(asked.about)
        repaired = 0
        if self._repair is not None and asked.is_question:
            absorbed, repaired = self._repaired(absorbed, response)
        arrived = self._clock.facts(memory.hlc, server_ms=response.server_ms)
        measured = offset_by_answer(asked.clock, arrived, server_ms=response.server_ms)
        receipt = receipt_of(absorbed, asked.sent, memory)

        def settle() -> TakenAnswer:
            return TakenAnswer(
                absorbed.standing,
                asked.counter,
                response.server_ms,
                arrived.wall_ms,
                absorbed.highest_stamp,
                confirmed_by(absorbed, asked.sent, memory, lacking),
                absorbed.dropped,
                {(op.incarnation, op.seq): position for op, position in absorbed.settled.items()},
                held_by(absorbed, asked.sent),
                receipt,
                newest_offset(memory.offset, measured),
                repaired,
                absorbed.decided,
                tuple(sorted(absorbed.own_alone)),
                raised(absorbed.stamps, asked.sent),
            )

        answered = Answered(absorbed, salvaged, response.server_ms, settle, order)
        self._answered = (asked, answer, memory.standing), answered
        return answered

    def _gone_back(self, fork: Fork) -> Fork:
        """Forget what was agreed upon with the server's former life."""
        self._status_sent, self._repair, self._urgent_to = None, None, Position(0)
        self._orders.forget()
        self._returns_in_vain = 0
        self._returned.clear()
        return fork

    @property
    def has_returned_in_vain(self) -> bool:
        """Tell whether fetching what differs after a restore brings nothing any more: it is a bug, as ever."""
        return self._returns_in_vain >= _RETURNS_IN_VAIN_MAX

    @property
    def is_repairing(self) -> bool:
        """Tell whether a repair goes on with the next request."""
        return self._repair is not None

    def begin_repair(self) -> None:
        """Ask with the next request in which parts we differ from the server."""
        self._repair = overview(self._memory.projection.fingerprints())

    def _repaired(self, absorbed: Absorbed, response: SyncResponse) -> tuple[Absorbed, int]:
        """Take one step of a repair: ask further, or take over what the server has otherwise, and count that."""
        row = response.extras.get(EXTRA)
        answer = read_answer(row) if row is not None else None
        mine = self._memory.projection.fingerprints()
        # Only an answer that is as new as the cursor compares like with like.
        is_fitting = bool(absorbed.digest)
        self._repair = details(answer, mine) if isinstance(answer, Children) and is_fitting else None
        if not isinstance(answer, Bodies) or not is_fitting:
            return absorbed, 0
        is_return = self._memory.is_returning
        absorbed, count = taken_over(
            absorbed, answer, confirmed=self._memory.projection.confirmed, is_return=is_return
        )
        came = {*(record.id for record in answer.records), *answer.dropped}
        # What came once and differs again will do so for ever.
        self._returns_in_vain = 0 if came - self._returned else self._returns_in_vain + 1
        self._returned |= came
        return absorbed, 0 if is_return else count

    def segment(self, run: Sequence[Op], enrolled: Enrolled) -> Segment:
        """Sign a run of ops that wait to be sent."""
        first = run[0].id
        return cut(
            run,
            tenant=enrolled.tenant,
            chain_before=self._memory.pending[first].chain_before,
            chain_after=self._memory.chain_at(first.incarnation, run[-1].id.seq),
            roots=self._memory.roots(first.incarnation),
            key=self._vault.signing_key,
        )

    def _status(self, outlook: Outlook, sent: int) -> dict[str, int | str]:
        counts: dict[str, int | str] = {"unsent": outlook.waiting - sent, "repairs": self._memory.repaired}
        if len(outlook.sendable) > sent:
            counts["oldest_ms"] = outlook.sendable[sent].clock.wall_ms
        # Looked up once: it reads files, and is told with each request.
        self._app = self._app or version("gridlog")
        return {"app": self._app, "held": outlook.held, **counts}

    def _response(self, answer: bytes, raw: bytes, enrolled: Enrolled) -> SyncResponse:
        response = self._opened(answer, raw, Purpose.SYNC_RESPONSE, enrolled.server_signing_key)
        if isinstance(response, Refused):
            raise refused(response.code, response.detail)
        if not isinstance(response, SyncResponse):
            raise RefusedError("malformed", "not a sync answer")
        return response

    def _opened(self, answer: bytes, raw: bytes, purpose: Purpose, signing_key: bytes) -> Message:
        """Open an answer, and make sure that it is the pinned server's answer to this very request."""
        try:
            header = read_header(answer)
            if header.purpose is not purpose or header.address != reply_address(raw):
                raise ForeignServerError
            opened = open_sealed(answer, reader=self._vault.exchange_key, context=raw)
            opened.verify(Ed25519PublicKey.from_public_bytes(signing_key))
            return decode(opened.body)
        except ProtocolError as reason:
            if reason.code in ("malformed", "bad_signature"):
                raise ForeignServerError from None
            raise RefusedError(reason.code, reason.detail) from None
