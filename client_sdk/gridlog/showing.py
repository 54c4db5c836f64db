"""Make what an app gets to see from what the store knows."""

from __future__ import annotations

from gridlog_protocol.decisions import Verdict
from gridlog_protocol.errors import HOLDS
from gridlog_protocol.ids import RecordId
from gridlog_protocol.receipts import receipt_number
from gridlog_protocol.texts import Text
from gridlog_sync.view import Conflict, conflicts_of, values_said

from .clock_warning import offset_fields
from .errors import UnknownRecordError
from .memory import Memory
from .records import DecidedNote, HeldNote, PendingOp, Record, SyncStatus, Whereabouts
from .sights import author_and_rounds, shown_values


def record_of(memory: Memory, record: RecordId) -> Record:
    """Return a record as the screen shows it. Raises UnknownRecordError."""
    found = memory.projection.sight(record)
    if found is None:
        raise UnknownRecordError
    kind, sight, is_confirmed = found
    author, rounds = author_and_rounds(sight.facts)
    whereabouts, receipt = _whereabouts(memory, record)
    return Record(
        record,
        kind,
        shown_values(sight.shown),
        rounds,
        whereabouts,
        receipt,
        bool(sight.conflicts),
        author,
        memory.seen(record, is_confirmed=is_confirmed),
        memory.incarnation,
    )


def _whereabouts(memory: Memory, record: RecordId) -> tuple[Whereabouts, str | None]:
    """Return where this device's newest edit of a record is, and the number of its receipt."""
    if memory.has_pending(record):
        return Whereabouts.ON_DEVICE, None
    own = memory.own.get(record)
    note = memory.receipts.get(own.incarnation) if own else None
    receipt = receipt_number(note.log_position, note.log_hash) if note else None
    if own is not None and own in memory.held:
        return Whereabouts.HELD, receipt
    made = memory.decided.get(own) if own else None
    if made is not None and made.decision.verdict is Verdict.REJECTED:
        return Whereabouts.REJECTED, receipt
    return Whereabouts.RECEIVED, receipt


def _rejected(memory: Memory) -> int:
    """How many records say less here than this worker wrote last, because somebody rejected it."""
    made = (memory.decided.get(op) for op in memory.own.values())
    return sum(each is not None and each.decision.verdict is Verdict.REJECTED for each in made)


def status_of(memory: Memory) -> SyncStatus:
    """Return how the store stands. It must be enrolled."""
    enrolled = memory.enrolled
    assert enrolled is not None
    records, conflicts = memory.projection.counts()
    return SyncStatus(
        len(memory.pending),
        len(memory.held),
        records,
        conflicts,
        memory.contact_ms,
        enrolled.user_name,
        enrolled.tenant_name,
        tuple(enrolled.scopes),
        _rejected(memory),
        *offset_fields(memory.offset),
        drafts=len(memory.drafts),
        confirmed=sum(_whereabouts(memory, each)[0] is Whereabouts.RECEIVED for each in memory.own),
    )


def pending_ops(memory: Memory) -> list[PendingOp]:
    """Return what the server has not acknowledged, oldest first."""
    ops = (written.op for written in memory.pending.values())
    return [
        PendingOp(op.id, op.record, op.kind, tuple(sorted({edit.field for edit in op.edits})), op.clock.wall_ms)
        for op in ops
    ]


def held_notes(memory: Memory) -> list[HeldNote]:
    """Return the ops of this device that the server holds for review."""
    return [
        HeldNote(op, record, entry.code, entry.field, _reads(entry.code))
        for op, record, entry in memory.held_records()
    ]


def _reads(code: str) -> Text:
    # A newer server has codes of its own: they are shown as they are.
    return HOLDS[code].worker_reads if code in HOLDS else Text(code, code)


def decided_notes(memory: Memory) -> list[DecidedNote]:
    """Return what was decided about ops of this device that were held, newest first."""
    made = sorted(memory.decided.values(), key=lambda each: each.decision.position, reverse=True)
    return [
        DecidedNote(
            each.op.id,
            each.op.record,
            each.op.kind,
            each.code,
            each.decision.verdict,
            each.decision.ruling.by,
            each.decision.ruling.at_ms,
            each.decision.ruling.reason,
            bool(each.decision.ruling.follows),
            values_said(each.op, memory.kinds.get(each.op.kind)),
        )
        for each in made
    ]


def conflicts(memory: Memory) -> list[Conflict]:
    """Return what contradicts what in the records of this device, newest record first."""
    found: list[Conflict] = []
    for record in memory.projection.in_conflict():
        state = memory.shown(record)
        if state is not None:
            found += conflicts_of(state, memory.kinds.get(state.kind))
    return found
