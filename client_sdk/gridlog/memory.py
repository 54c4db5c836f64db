"""Everything an open store knows, and how each journal entry changes it.

The rule it keeps: live writing and reading the journal again go through the same few methods, so that a store that
was killed comes back exactly as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gridlog_protocol.clock import Hlc, observe
from gridlog_protocol.decisions import Decision, Verdict
from gridlog_protocol.ids import DeviceId, Incarnation, OpId, Position, RecordId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.log_chain import log_start
from gridlog_protocol.messages import ReceiptNote, cursor_token
from gridlog_protocol.ops import Intent, Op, Seen, op_hash
from gridlog_protocol.receipts import receipt_number
from gridlog_protocol.segment import chain_next, chain_start, salt_block
from gridlog_protocol.state import RecordState
from gridlog_sync.clocks import Offset
from gridlog_sync.merge import overlay
from gridlog_sync.session import Standing

from .drafts import Draft, DraftEntry, read_draft, take_in
from .entries import (
    DecidedOp,
    Enrolled,
    HeldEntry,
    TakenAnswer,
    WrittenOp,
    read_answer,
    read_enrolled,
    read_reincarnated,
    read_written,
)
from .frames import Frame, FrameType
from .projection import Projection
from .records import Whereabouts
from .resolutions import Overruled, Resolution, overruled_by, resolution_of


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
        self.counter = 0
        self.server_ms = 0
        self.contact_ms = 0
        self.offset: Offset | None = None
        self.repaired = 0
        self.pending: dict[OpId, WrittenOp] = {}
        self.held: dict[OpId, HeldEntry] = {}
        self.decided: dict[OpId, DecidedOp] = {}
        self.receipts: dict[Incarnation, ReceiptNote] = {}
        self.resolutions: dict[RecordId, Resolution] = {}
        self.overruled: dict[tuple[RecordId, str, str], Overruled] = {}
        self.drafts: dict[RecordId, Draft] = {}
        self.touched: dict[RecordId, str] = {}
        self._by_record: dict[RecordId, list[OpId]] = {}
        self._held_by_record: dict[RecordId, dict[OpId, Op]] = {}
        self._own: dict[RecordId, OpId] = {}
        self._settled: set[RecordId] = set()
        self.partial: set[RecordId] = set()
        self._released: set[RecordId] = set()
        self._records_of: dict[OpId, RecordId] = {}
        self._tails: dict[Incarnation, tuple[int, bytes]] = {}
        self._roots: dict[tuple[Incarnation, int], bytes] = {}

    def replay(self, frames: Iterable[Frame]) -> None:
        """Take in a whole journal, then show every record once. Raises EntryError."""
        touched: set[RecordId] = set()
        for frame in frames:
            match frame.type:
                case FrameType.OP:
                    touched.add(self._take_op(read_written(frame.payload)))
                case FrameType.ANSWER:
                    touched |= self._take_answer(read_answer(frame.payload, self.device))
                case FrameType.ENROLMENT:
                    self.take_enrolment(read_enrolled(frame.payload))
                case FrameType.FACT:
                    touched |= self._forget_pending(read_reincarnated(frame.payload))
                case FrameType.DRAFT:
                    self.take_draft(read_draft(frame.payload))
        for record in touched:
            self._show(record)

    def take_op(self, written: WrittenOp) -> None:
        """Take in an op that this device wrote."""
        self._show(self._take_op(written))

    def take_answer(self, answer: TakenAnswer) -> None:
        """Take in what an answer changed."""
        for record in self._take_answer(answer):
            self._show(record)

    def take_enrolment(self, enrolled: Enrolled) -> None:
        """Take in who we are."""
        self.enrolled = enrolled
        self.server_ms = enrolled.server_ms
        token = cursor_token(enrolled.epoch, log_start(enrolled.tenant, enrolled.epoch))
        self.standing = Standing.fresh(enrolled.epoch, token, enrolled.scopes, enrolled.generation)
        self.projection.hold_scopes(enrolled.scopes)

    def take_draft(self, entry: DraftEntry) -> None:
        """Take in what became of a form that is not finished."""
        take_in(self.drafts, entry, self.kinds)

    def take_reincarnation(self, written: Iterable[WrittenOp]) -> None:
        """Take in that all pending ops follow again under a new incarnation."""
        touched: set[RecordId] = set()
        for old in {op.incarnation for op in self.pending}:
            touched |= self._forget_pending(old)
        touched |= {self._take_op(each) for each in written}
        for record in touched:
            self._show(record)

    def next_place(self, incarnation: Incarnation) -> tuple[int, bytes]:
        """Return the seq of the next op of an incarnation, and the chain value before it."""
        seq, head = self._tails.get(incarnation, (0, chain_start(self.device, incarnation)))
        return seq + 1, head

    def root(self, incarnation: Incarnation, seq: int) -> bytes | None:
        """Return the salt root of an op's block, if one was drawn already."""
        return self._roots.get((incarnation, salt_block(seq)))

    def roots(self, incarnation: Incarnation) -> dict[int, bytes]:
        """Return all salt roots of an incarnation, by block."""
        return {block: root for (each, block), root in self._roots.items() if each == incarnation}

    def chain_at(self, incarnation: Incarnation, seq: int) -> bytes | None:
        """Return the chain value after an op of ours that is pending, or the newest; None if there is none such."""
        tail_seq, tail = self._tails.get(incarnation, (0, chain_start(self.device, incarnation)))
        following = self.pending.get(OpId(self.device, incarnation, seq + 1))
        return tail if seq == tail_seq else following.chain_before if following else None

    def with_ops(self, ops: Sequence[Op]) -> RecordState:
        """Return what a record would be with these ops, proposals among them."""
        state = overlay(self.shown(ops[0].record), ops)
        assert state is not None
        return state

    def pending_of(self, record: RecordId) -> list[Op]:
        """Return the pending ops of a record, oldest first."""
        return [self.pending[op].op for op in self._by_record.get(record, ())]

    def proposals_of(self, record: RecordId) -> list[Op]:
        """Return the proposals for a record that nobody has decided about, oldest first."""
        waiting = (*self._held_by_record.get(record, {}).values(), *self.pending_of(record))
        return [op for op in waiting if op.intent is Intent.PROPOSE]

    def shown(self, record: RecordId) -> RecordState | None:
        """Return a record as the screen shows it: its author goes on seeing what he wrote while it is held."""
        held = self._held_by_record.get(record, {}).values()
        own = (op for op in (*held, *self.pending_of(record)) if op.intent is not Intent.PROPOSE)
        return overlay(self.projection.confirmed(record), own)

    def seen(self, record: RecordId) -> Seen:
        """Return what somebody who opens a form on `record` now has in view."""
        assert self.standing is not None
        own_seq = self.next_place(self.incarnation)[0] - 1
        if record in self.partial:
            # What others wrote on it stands at positions below the cursor, and has not come yet; nor has what an own
            # op did that was held, and released since.
            return Seen(self.standing.epoch, Position(0), 0 if record in self._released else own_seq)
        if self.projection.confirmed(record) is not None:
            return Seen(self.standing.epoch, self.standing.position, own_seq)
        # What the replica lacks is not on the screen: neither others' writes nor our own that the server has already.
        return Seen(self.standing.epoch, Position(0), 0 if record in self._settled else own_seq)

    def whereabouts(self, record: RecordId) -> tuple[Whereabouts, str | None]:
        """Return where this device's newest edit of a record is, and the number of its receipt."""
        if self._by_record.get(record):
            return Whereabouts.ON_DEVICE, None
        own = self._own.get(record)
        note = self.receipts.get(own.incarnation) if own else None
        receipt = receipt_number(note.log_position, note.log_hash) if note else None
        if own is not None and own in self.held:
            return Whereabouts.HELD, receipt
        made = self.decided.get(own) if own else None
        if made is not None and made.decision.verdict is Verdict.REJECTED:
            return Whereabouts.REJECTED, receipt
        return Whereabouts.RECEIVED, receipt

    @property
    def rejected(self) -> int:
        """How many records say less here than this worker wrote last, because somebody rejected it."""
        made = (self.decided.get(op) for op in self._own.values())
        return sum(each is not None and each.decision.verdict is Verdict.REJECTED for each in made)

    def held_records(self) -> Iterator[tuple[OpId, RecordId, HeldEntry]]:
        """Yield the ops of this device that the server holds for review."""
        for op, entry in self.held.items():
            yield op, self._records_of[op], entry

    def _take_op(self, written: WrittenOp) -> RecordId:
        op = written.op
        if op.intent is Intent.RESOLVE:
            self.resolutions[op.record] = resolution_of(op, self.shown(op.record))
        for edit in op.edits:
            self.overruled.pop((op.record, edit.field, edit.key), None)
        self.pending[op.id] = written
        self._by_record.setdefault(op.record, []).append(op.id)
        self._own[op.record] = op.id
        self._records_of[op.id] = op.record
        self._tails[op.id.incarnation] = (op.id.seq, chain_next(written.chain_before, op_hash(op)))
        self._roots[(op.id.incarnation, salt_block(op.id.seq))] = written.root
        self.hlc = max(self.hlc, op.clock.hlc)
        return op.record

    def _take_answer(self, answer: TakenAnswer) -> set[RecordId]:
        touched = {record.id for record in answer.records} | set(answer.dropped)
        for incarnation, seq in answer.settled:
            records = self._leave_pending(OpId(self.device, incarnation, seq))
            self._settled |= records
            touched |= records
        for entry in answer.held:
            op = OpId(self.device, entry.incarnation, entry.seq)
            written = self.pending.get(op)
            if written is not None:
                self.held[op] = entry
                self._held_by_record.setdefault(written.op.record, {})[op] = written.op
                touched |= self._leave_pending(op)
        for decision in answer.decided:
            touched |= self._take_decision(decision)
        self.partial = self._partial_after(answer)
        for record in answer.records:
            self._note_overruled(record)
            self.projection.confirm(record)
        for record_id in answer.dropped:
            self.projection.drop(record_id)
        if answer.receipt is not None:
            incarnation, note = answer.receipt
            self.receipts[incarnation] = note
        self.standing = answer.standing
        self.counter = answer.counter
        self.server_ms, self.contact_ms = answer.server_ms, answer.contact_ms
        self.hlc = observe(self.hlc, [answer.highest_stamp])
        self.offset = answer.offset
        self.repaired += answer.repaired
        return touched

    def _partial_after(self, answer: TakenAnswer) -> set[RecordId]:
        """Return the records that are here by own ops alone, while the fetch that brings all of them goes on."""
        if not answer.standing.fetches:
            self._released.clear()
            return set()
        came = {record.id for record in answer.records} - {*answer.own_alone}
        self._released -= came
        new = {record for record in answer.own_alone if self.projection.confirmed(record) is None}
        return ((self.partial - came) | new) - {*answer.dropped}

    def _note_overruled(self, after: RecordState) -> None:
        assert self.enrolled is not None
        before, kind = self.projection.confirmed(after.id), self.kinds.get(after.kind)
        for each in overruled_by(before, after, kind, self.enrolled.user):
            self.overruled[(each.record, each.field, each.key)] = each

    def _take_decision(self, decision: Decision) -> set[RecordId]:
        """Take in what became of a held op. Its answer may have been lost: then it still counts as pending here."""
        record = self._records_of.get(decision.op)
        if record is None or (decision.op not in self.held and decision.op not in self.pending):
            return set()
        waiting = self.pending.get(decision.op)
        op = waiting.op if waiting else self._held_by_record[record][decision.op]
        if op_hash(op) != decision.op_hash:
            # About what another copy of this store wrote under the same number.
            return set()
        held = self.held.pop(decision.op, None)
        self._held_by_record.get(record, {}).pop(decision.op, None)
        self._leave_pending(decision.op)
        if decision.verdict is Verdict.RELEASED:
            self._settled.add(record)
            self._released.add(record)
        self.decided[decision.op] = DecidedOp(op, held.code if held else "", decision)
        return {record}

    def _leave_pending(self, op: OpId) -> set[RecordId]:
        written = self.pending.pop(op, None)
        if written is None:
            return set()
        record = written.op.record
        self._by_record[record] = [each for each in self._by_record[record] if each != op]
        return {record}

    def _forget_pending(self, old: Incarnation) -> set[RecordId]:
        touched: set[RecordId] = set()
        for op in [each for each in self.pending if each.incarnation == old]:
            touched |= self._leave_pending(op)
        return touched

    def _show(self, record: RecordId) -> None:
        state = self.shown(record)
        self.projection.show(record, state)
        # For those who watch: the kind, or nothing if the record is gone. Whoever tells them empties it.
        self.touched[record] = state.kind if state else ""
