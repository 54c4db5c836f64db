"""Everything an open store knows, and how each journal entry changes it.

The rule it keeps: live writing and reading again take the same few methods, so a killed store comes back as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gridlog_protocol.clock import Hlc, Stamp, observe
from gridlog_protocol.decisions import Decision, Verdict
from gridlog_protocol.epochs import first_epoch
from gridlog_protocol.ids import DeviceId, Incarnation, OpId, Position, RecordId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.log_chain import log_start
from gridlog_protocol.messages import ReceiptNote, cursor_token
from gridlog_protocol.ops import Intent, Op, Seen, op_hash
from gridlog_protocol.segment import chain_next, chain_start, salt_block
from gridlog_protocol.state import RecordState
from gridlog_sync.clocks import Offset
from gridlog_sync.merge import overlay
from gridlog_sync.resolutions import Resolution, resolution_of
from gridlog_sync.session import Fork, Standing

from .drafts import Draft, DraftEntry, read_draft, take_in
from .entries import (
    DecidedOp,
    Enrolled,
    Fact,
    HeldEntry,
    Ordered,
    Reincarnated,
    Returned,
    Salvaged,
    TakenAnswer,
    WrittenOp,
    read_answer,
    read_enrolled,
    read_fact,
    read_written,
)
from .frames import Frame, FrameType
from .kept_ops import KeptOps
from .projection import Projection
from .resolutions import Overruled, overruled_by
from .salvaging import Shelf, left_of
from .sights import Confirmed


class Memory:
    """The state of one open store. Changed only by entries that are on the disk."""

    def __init__(self, device: DeviceId, incarnation: Incarnation, kinds: KindSet) -> None:
        self.device = device
        self.incarnation = incarnation
        self.kinds = kinds
        self.projection = Projection(kinds)
        self.enrolled: Enrolled | None = None
        self.standing: Standing | None = None
        self.hlc = Hlc(0)
        self.counter = self.server_ms = self.contact_ms = 0
        self.offset: Offset | None = None
        self.repaired = self.order = 0
        self.pending: dict[OpId, WrittenOp] = {}
        self.held: dict[OpId, HeldEntry] = {}
        self.decided: dict[OpId, DecidedOp] = {}
        self.receipts: dict[Incarnation, ReceiptNote] = {}
        self.resolutions: dict[RecordId, Resolution] = {}
        self.overruled: dict[tuple[RecordId, str, str], Overruled] = {}
        self.drafts: dict[RecordId, Draft] = {}
        # For those who watch: records and their kinds, no kind if one is gone. Whoever tells them empties it.
        self.touched: dict[RecordId, str] = {}
        self._by_record: dict[RecordId, list[OpId]] = {}
        self.held_ops: dict[OpId, Op] = {}
        self._held_by_record: dict[RecordId, set[OpId]] = {}
        self.own: dict[RecordId, OpId] = {}
        self.settled: set[RecordId] = set()
        self.partial: set[RecordId] = set()
        self.released: set[RecordId] = set()
        self._stale: set[RecordId] = set()
        self.tails: dict[Incarnation, tuple[int, bytes]] = {}
        self.salt_roots: dict[tuple[Incarnation, int], bytes] = {}
        self.kept = KeptOps()
        self.is_returning = False
        self.shelf: Shelf = {}

    def replay(self, frames: Iterable[Frame]) -> None:
        """Take in a whole journal, then show every record once. Raises EntryError."""
        with self.projection.in_bulk():
            for frame in frames:
                match frame.type:
                    case FrameType.OP:
                        self._take_op(read_written(frame.payload))
                    case FrameType.ANSWER:
                        self._take_answer(read_answer(frame.payload, self.device, self.kinds))
                    case FrameType.ENROLMENT:
                        self.take_enrolment(read_enrolled(frame.payload))
                    case FrameType.FACT:
                        self._take_fact(read_fact(frame.payload))
                    case FrameType.DRAFT:
                        self.take_draft(read_draft(frame.payload))
            self._show_stale()

    def take_op(self, written: WrittenOp) -> None:
        """Take in an op that this device wrote."""
        self._take_op(written)
        self._show_stale()

    def take_answer(self, answer: TakenAnswer) -> None:
        """Take in what an answer changed."""
        self._take_answer(answer)
        self._show_stale()

    def take_enrolment(self, enrolled: Enrolled) -> None:
        """Take in who we are."""
        self.enrolled = enrolled
        self.server_ms = enrolled.server_ms
        token = cursor_token(enrolled.epoch, log_start(enrolled.tenant, enrolled.epoch))
        epochs = first_epoch(enrolled.tenant, enrolled.epoch)
        self.standing = Standing.fresh(enrolled.epoch, token, enrolled.scopes, enrolled.generation, epochs)
        self.projection.hold_scopes(enrolled.scopes)

    def take_fork(self, fork: Fork) -> None:
        """Take in that the server was restored. What is of a life that is no more leaves, until it comes again."""
        self._take_fork(fork)
        self._show_stale()

    def take_salvaged(self, ops: Iterable[OpId]) -> None:
        """Take in that the server has now what is left of these ops."""
        for op in ops:
            self.shelf.pop(op, None)

    def take_draft(self, entry: DraftEntry) -> None:
        """Take in what became of a form that is not finished."""
        take_in(self.drafts, entry, self.kinds)

    def take_reincarnation(self, written: Iterable[WrittenOp]) -> None:
        """Take in that all pending ops follow again under a new incarnation."""
        for old in {op.incarnation for op in self.pending}:
            self._forget_pending(old)
        for each in written:
            self._take_op(each)
        self._show_stale()

    def next_place(self, incarnation: Incarnation) -> tuple[int, bytes]:
        """Return the seq of the next op of an incarnation, and the chain value before it."""
        seq, head = self.tails.get(incarnation, (0, chain_start(self.device, incarnation)))
        return seq + 1, head

    def root(self, incarnation: Incarnation, seq: int) -> bytes | None:
        """Return the salt root of an op's block, if one was drawn already."""
        return self.salt_roots.get((incarnation, salt_block(seq)))

    def roots(self, incarnation: Incarnation) -> dict[int, bytes]:
        """Return all salt roots of an incarnation, by block."""
        return {block: root for (each, block), root in self.salt_roots.items() if each == incarnation}

    def chain_at(self, incarnation: Incarnation, seq: int) -> bytes | None:
        """Return the chain value after an op of ours that is pending, or the newest; None if there is none such."""
        tail_seq, tail = self.tails.get(incarnation, (0, chain_start(self.device, incarnation)))
        following = self.pending.get(OpId(self.device, incarnation, seq + 1))
        return tail if seq == tail_seq else following.chain_before if following else None

    def with_ops(self, ops: Sequence[Op]) -> RecordState:
        """Return what a record would be with these ops, proposals among them."""
        state = overlay(self.shown(ops[0].record), ops)
        assert state is not None
        return state

    def has_pending(self, record: RecordId) -> bool:
        """Tell whether ops of a record wait to be sent."""
        return bool(self._by_record.get(record))

    def is_shown_by(self, record: RecordId, ops: Sequence[OpId]) -> bool:
        """Tell whether these are the ops that the screen shows on top of what is confirmed of a record."""
        return self._by_record.get(record) == ops and not self._held_by_record.get(record)

    def pending_of(self, record: RecordId) -> list[Op]:
        """Return the pending ops of a record, oldest first."""
        return [self.pending[op].op for op in self._by_record.get(record, ())]

    def proposals_of(self, record: RecordId) -> list[Op]:
        """Return the proposals for a record that nobody has decided about, oldest first."""
        return [op for op in (*self._held_of(record), *self.pending_of(record)) if op.intent is Intent.PROPOSE]

    def shown(self, record: RecordId) -> RecordState | None:
        """Return a record as the screen shows it: its author goes on seeing what he wrote while it is held."""
        own = (op for op in (*self._held_of(record), *self.pending_of(record)) if op.intent is not Intent.PROPOSE)
        return overlay(self.projection.confirmed(record), own, self.standing.chain if self.standing else ())

    def seen(self, record: RecordId, *, is_confirmed: bool | None = None) -> Seen:
        """Return what somebody who opens a form on `record` now has in view.

        `is_confirmed` spares the question whether the server has confirmed anything of it.
        """
        assert self.standing is not None
        own_seq = self.next_place(self.incarnation)[0] - 1
        if record in self.partial:
            # What others wrote on it stands at positions below the cursor, and has not come yet; nor has what an own
            # op did that was held, and released since.
            return Seen(self.standing.epoch, Position(0), 0 if record in self.released else own_seq)
        if is_confirmed is None:
            is_confirmed = self.projection.has_confirmed(record)
        if is_confirmed:
            return Seen(self.standing.epoch, self.standing.position, own_seq)
        # What the replica lacks is not on the screen: neither others' writes nor our own that the server has already.
        return Seen(self.standing.epoch, Position(0), 0 if record in self.settled else own_seq)

    def held_records(self) -> Iterator[tuple[OpId, RecordId, HeldEntry]]:
        """Yield the ops of this device that the server holds for review."""
        for op, entry in self.held.items():
            yield op, self.held_ops[op].record, entry

    def _held_of(self, record: RecordId) -> list[Op]:
        return [self.held_ops[op] for op in self.held if op in self._held_by_record.get(record, ())]

    def rebuild(self, confirmed: Iterable[RecordState]) -> None:
        """Work out anew what is shown of records, own ops on top; everything else is here already."""
        with self.projection.in_bulk():
            for state in confirmed:
                self.projection.confirm(state)
            self._stale |= {*self._by_record, *self._held_by_record}
            self._show_stale()

    def restore_pending(self, written: WrittenOp) -> None:
        """Put back an op that waits: what it once changed besides is restored apart."""
        self.pending[written.op.id] = written
        self._by_record.setdefault(written.op.record, []).append(written.op.id)

    def restore_held(self, entry: HeldEntry, op: Op) -> None:
        """Put back an op that the server holds."""
        self.held[op.id] = entry
        self.held_ops[op.id] = op
        self._held_by_record.setdefault(op.record, set()).add(op.id)

    def _take_op(self, written: WrittenOp) -> None:
        op = written.op
        if op.intent is Intent.RESOLVE:
            self.resolutions[op.record] = resolution_of(op, self.shown(op.record))
        for edit in op.edits:
            self.overruled.pop((op.record, edit.field, edit.key), None)
        self.pending[op.id] = written
        self._by_record.setdefault(op.record, []).append(op.id)
        self.own[op.record] = op.id
        self.tails[op.id.incarnation] = (op.id.seq, chain_next(written.chain_before, op_hash(op)))
        self.salt_roots[(op.id.incarnation, salt_block(op.id.seq))] = written.root
        self.hlc = max(self.hlc, op.clock.hlc)
        self._stale.add(op.record)

    def _take_answer(self, answer: TakenAnswer) -> None:
        for place, position in answer.settled.items():
            written = self._leave_pending(OpId(self.device, *place))
            if written is not None:
                self.settled.add(written.op.record)
                stamp = answer.stamps.get(place, Stamp(written.op.clock.hlc))
                self.kept.keep(written, position, stamp, told_ms=answer.server_ms)
        for entry in answer.held:
            self._take_hold(entry, answer.server_ms)
        self.kept.forget_old(answer.server_ms)
        for decision in answer.decided:
            self._take_decision(decision)
        self.partial = self._partial_after(answer)
        self._confirm(answer.records)
        for record_id in answer.dropped:
            self.projection.drop(record_id)
            self._stale.add(record_id)
        if answer.receipt is not None:
            incarnation, note = answer.receipt
            self.receipts[incarnation] = note
        self.standing = answer.standing
        self.counter = answer.counter
        self.server_ms, self.contact_ms = answer.server_ms, answer.contact_ms
        self.hlc = observe(self.hlc, [answer.highest_stamp])
        self.offset = answer.offset
        self.repaired += answer.repaired

    def _partial_after(self, answer: TakenAnswer) -> set[RecordId]:
        """Return the records that are here by own ops alone, while the fetch that brings all of them goes on."""
        if not answer.standing.fetches:
            self.released.clear()
            return set()
        came = {record.id for record in answer.records} - {*answer.own_alone}
        self.released -= came
        new = {record for record in answer.own_alone if not self.projection.has_confirmed(record)}
        return ((self.partial - came) | new) - {*answer.dropped}

    def _confirm(self, records: Sequence[Confirmed]) -> None:
        shown = self.projection.conflicts_of([record.id for record in records])
        for record in records:
            if record.id in shown:
                self._note_overruled(record, shown[record.id])
            self.touched[record.id] = record.kind
            # What was shown is replaced by what is confirmed: right as it is, unless there are own ops on top.
            (self._stale.add if self._has_own_on_top(record.id) else self._stale.discard)(record.id)
        self.projection.confirm_all(records)

    def _has_own_on_top(self, record: RecordId) -> bool:
        return bool(self._by_record.get(record) or self._held_by_record.get(record))

    def _take_hold(self, entry: HeldEntry, told_ms: int) -> None:
        written = self._leave_pending(OpId(self.device, entry.incarnation, entry.seq))
        if written is not None:
            self.restore_held(entry, written.op)
            self.kept.keep(written, None, None, told_ms=told_ms)

    def _note_overruled(self, after: Confirmed, conflicts: int) -> None:
        assert self.enrolled is not None
        # Without own ops on top, nothing that contradicts itself is hidden.
        if not conflicts and not (after.id in self._stale or self._has_own_on_top(after.id)):
            return
        before, kind = self.projection.confirmed(after.id), self.kinds.get(after.kind)
        if before is None:
            return
        for each in overruled_by(before, after.state, kind, self.enrolled.user):
            self.overruled[(each.record, each.field, each.key)] = each

    def _take_decision(self, decision: Decision) -> None:
        """Take in what became of a held op. Its answer may have been lost: then it still counts as pending here."""
        waiting = self.pending.get(decision.op)
        op = waiting.op if waiting else self.held_ops.get(decision.op)
        if op is None or op_hash(op) != decision.op_hash:
            # About what another copy of this store wrote under the same number.
            return
        held = self.held.pop(decision.op, None)
        self.held_ops.pop(decision.op, None)
        self._held_by_record.get(op.record, set()).discard(decision.op)
        written = self._leave_pending(decision.op)
        if written is not None:
            self.kept.keep(written, None, None, told_ms=decision.ruling.at_ms)
        if decision.verdict is Verdict.RELEASED:
            self.kept.restamp(decision.op, decision.stamp)
            self.settled.add(op.record)
            self.released.add(op.record)
        self.decided[decision.op] = DecidedOp(op, held.code if held else "", decision)
        self._stale.add(op.record)

    def _take_fact(self, fact: Fact) -> None:
        match fact:
            case Reincarnated(old):
                self._forget_pending(old)
            case Returned():
                self.is_returning = False
            case Salvaged(ops):
                self.take_salvaged(ops)
            case Ordered(counter):
                self.order = counter
            case Fork():
                self._take_fork(fact)

    def _take_fork(self, fork: Fork) -> None:
        self.standing = fork.standing
        self.is_returning = True
        self._offer_again(fork.position)
        self.receipts = {name: note for name, note in self.receipts.items() if note.log_position <= fork.position}
        for record in self.projection.changed_after(fork.position):
            state = self.projection.confirmed(record)
            assert state is not None, "what has changed is here"
            self.shelf |= {each.op: each for each in left_of(state, fork.position, self.pending)}
            self.projection.drop(record)
            self.partial.discard(record)
            self._stale.add(record)

    def _offer_again(self, fork: Position) -> None:
        """Let those acknowledged ops wait again that the server may have forgotten, ahead of those that wait now."""
        waiting = [*self.pending.values()]
        again = self.kept.beyond(fork, {op: each.decision.position for op, each in self.decided.items()})
        self.kept.doubt(written.op.id for written in again)
        for each in waiting:
            self._leave_pending(each.op.id)
        for written in [*again, *waiting]:
            op = written.op
            self.held.pop(op.id, None)
            self.held_ops.pop(op.id, None)
            self._held_by_record.get(op.record, set()).discard(op.id)
            # A decision that the server has forgotten is made again.
            self.decided.pop(op.id, None)
            self.restore_pending(written)
            self._stale.add(op.record)

    def _leave_pending(self, op: OpId) -> WrittenOp | None:
        written = self.pending.pop(op, None)
        if written is None:
            return None
        record = written.op.record
        self._by_record[record] = [each for each in self._by_record[record] if each != op]
        self._stale.add(record)
        return written

    def _forget_pending(self, old: Incarnation) -> None:
        for op in [each for each in self.pending if each.incarnation == old]:
            self._leave_pending(op)
            # It follows under another name: under this one it is somebody else's.
            self.kept.forget(op)

    def _show_stale(self) -> None:
        for record in self._stale:
            state = self.shown(record)
            self.projection.show(record, state)
            self.touched[record] = state.kind if state else ""
        self._stale.clear()
