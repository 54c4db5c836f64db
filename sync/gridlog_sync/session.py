"""The device's side of an exchange: what to ask, and what an answer changes.

The rules it keeps: an answer applies only where it fits the cursor, so that a late one does no harm; an op leaves
the pending ones only by an answer that names it; every stored prefix counts as progress.

    READY --request_for--> ASKED --absorb--> READY (again, while `is_unfinished`) --> DONE
                                 --fall_back--> READY, at the fork: the server was restored
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import ClockFacts, Stamp
from gridlog_protocol.decisions import EXTRA, Decision, read_decisions
from gridlog_protocol.epochs import EPOCHS, Epochs, EpochStart, common_start, read_epochs
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceId, Epoch, Incarnation, OpId, Position, RecordId, ScopeId
from gridlog_protocol.limits import BATCH_BYTES, SEGMENT_OPS_MAX, SEGMENTS_MAX
from gridlog_protocol.messages import (
    NO_EXTRAS,
    Fetch,
    HeldOp,
    Page,
    ReceiptNote,
    SyncRequest,
    SyncResponse,
    cursor_token,
)
from gridlog_protocol.ops import Intent, Op
from gridlog_protocol.segment import Segment
from gridlog_protocol.state import RecordState
from gridlog_protocol.written_at_once import WrittenAtOnce

from .admission import bounded
from .changed_records import ChangedRecords, makes_a_write_stand
from .merge import Entry, adopt, apply

_NO_STAMP = Stamp(0)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a device stands: its cursor, the scopes it works with, and which of them it still fetches.

    `epochs` is what it knows of the server's lives; empty if it only knows the present one.
    """

    epoch: Epoch
    position: Position
    token: bytes
    generation: int
    scopes: tuple[ScopeId, ...]
    fetches: tuple[Fetch, ...]
    epochs: Epochs = ()

    @staticmethod
    def fresh(
        epoch: Epoch, token: bytes, scopes: tuple[ScopeId, ...], generation: int, epochs: Epochs = ()
    ) -> Standing:
        """Return the standing of a device that holds nothing yet."""
        return Standing(epoch, Position(0), token, generation, scopes, _fetches(scopes), epochs)

    @property
    def chain(self) -> Epochs:
        """What positions of which epochs are worth here."""
        return self.epochs or (EpochStart(self.epoch, Position(0), b""),)


@dataclass(frozen=True, slots=True)
class Fork:
    """The server was restored: where the device stands now, and up to which position its log is still the server's.

    Whatever the device holds of later positions is of a life of the server that is no more.
    """

    standing: Standing
    position: Position


@dataclass(frozen=True, slots=True)
class Absorbed:
    """What an answer changed. The shell makes it durable as one, and only then shows or sends anything."""

    standing: Standing
    records: Mapping[RecordId, RecordState]
    dropped: tuple[RecordId, ...]
    settled: Mapping[OpId, Position]
    held: tuple[HeldOp, ...]
    receipt: ReceiptNote | None
    highest_stamp: Stamp
    digest: bytes
    received: int
    is_unfinished: bool
    is_cut: bool
    """The answer was full: more waits at the server."""
    decided: tuple[Decision, ...] = ()
    own_alone: frozenset[RecordId] = frozenset()
    """Records that this answer changed by acknowledging this device's own ops alone."""
    own_seqs: Mapping[Incarnation, int] = field(default_factory=dict)
    """The highest `seq` of this device that the records of this answer name, by incarnation."""
    stamps: Mapping[OpId, Stamp] = field(default_factory=dict)
    """What the settled ops were stamped with."""
    created: Mapping[RecordId, Entry] = field(default_factory=dict)
    """What of `records` is the work of one op of ours and nothing else, as it was merged into nothing."""


def batch_of(pending: Sequence[Op], size_of: Callable[[Op], int], *, bytes_max: int = BATCH_BYTES) -> list[list[Op]]:
    """Return the runs of ops to send now, oldest first: each of one author and epoch, all of one incarnation.

    At least one op goes, however large. An answer names ops by `seq` alone, so ops of another incarnation wait for
    the next request. Cut otherwise next time, they are the same ops: a signature covers a cut, an id does not.
    """
    runs: list[list[Op]] = []
    room = bytes_max
    for op in pending:
        room -= size_of(op)
        if runs and (room < 0 or op.id.incarnation != runs[0][0].id.incarnation):
            break
        if not runs or not _continues(runs[-1], op):
            if len(runs) == SEGMENTS_MAX:
                break
            runs.append([])
        runs[-1].append(op)
    return runs


def request_for(
    standing: Standing,
    segments: Sequence[Segment],
    *,
    counter: int,
    status: Mapping[str, Value] | None,
    clock: ClockFacts | None,
    extras: Mapping[str, Value] = NO_EXTRAS,
) -> SyncRequest:
    """Compose one request. `clock` travels with ops, which are dated by it, and with what the device reports."""
    return SyncRequest(
        counter,
        standing.token,
        standing.position,
        standing.generation,
        tuple(segments),
        standing.fetches,
        status,
        clock if segments or status is not None else None,
        extras,
    )


def absorb(
    standing: Standing,
    response: SyncResponse,
    *,
    sent: Sequence[Op],
    confirmed: Callable[[RecordId], RecordState | None],
    has_more_pending: bool,
    device: DeviceId,
    partial: Collection[RecordId] = (),
) -> Absorbed:
    """Work out what an answer to `device` changes. `confirmed` gives its records without the pending ops.

    `partial` names the records that are here by own ops alone, while the fetch that brings all of them goes on.
    Raises ProtocolError `malformed` if the answer does not fit the request.
    """
    work = _Work(device, confirmed, partial)
    settled, stamps = _settle(standing, response, sent, work)
    is_current = _fits(standing, response)
    # After an answer that overlaps what is here already, the replica may be ahead of the digest in it.
    is_comparable = is_current and response.from_position == standing.position
    decided: tuple[Decision, ...] = ()
    if is_current:
        decided = _decided(standing, response, device)
        work.highest = max([work.highest, *(each.stamp for each in decided)])
        standing = _advance(standing, response, work)
    has_fetches = bool(standing.fetches)
    held_seqs = {held.seq for held in response.held}
    has_progress = bool(settled) or any(op.id.seq in held_seqs for op in sent)
    return Absorbed(
        standing,
        work.changed,
        tuple(work.dropped),
        settled,
        response.held,
        response.receipt,
        work.highest,
        response.digest if is_comparable and not has_fetches else b"",
        len(response.changes) + sum(len(page.records) for page in response.pages),
        is_current and (response.has_more or has_fetches or (has_more_pending and has_progress)),
        response.has_more,
        decided,
        frozenset(work.own_alone),
        work.own_seqs,
        stamps,
        work.changed.created,
    )


def nothing_but(standing: Standing) -> Absorbed:
    """Return what an answer changes that moves the cursor, and says nothing else."""
    return Absorbed(standing, {}, (), {}, (), None, _NO_STAMP, b"", 0, is_unfinished=True, is_cut=False)


def fall_back(standing: Standing, response: SyncResponse) -> Fork:
    """Work out where a device stands after an answer that names another epoch.

    That is its own cursor, if the server knows it from an earlier epoch, and no later than the place at which the
    server's log and the one that the device knows part. With a server that knows none of its epochs it begins anew.
    Raises ProtocolError `unknown_cursor` if the epoch is no other one, and `malformed`.
    """
    theirs = read_epochs(response.extras.get(EPOCHS, []))
    epoch = theirs[-1].epoch
    if epoch != response.epoch or any(each.epoch == epoch for each in standing.chain):
        # A life that this device knows and has left: somebody put back a database that had been restored since.
        raise ProtocolError("unknown_cursor", detail=str(standing.position))
    start = common_start(standing.chain, theirs)
    if start is None:
        token = cursor_token(epoch, theirs[0].log_hash)
        fresh = Standing.fresh(epoch, token, standing.scopes, standing.generation, theirs)
        return Fork(fresh, Position(0))
    fork = start.position
    position, token = fork, cursor_token(epoch, start.log_hash)
    if standing.position < fork:
        # What lies between the cursor and the fork has yet to come.
        position, token = response.from_position, response.token
        if position != standing.position:
            known = [each for each in standing.chain if each in theirs and each.position <= standing.position]
            position, token = known[-1].position, cursor_token(epoch, known[-1].log_hash)
    # A first fetch lists what is there: what it listed of the life that is no more has to be listed again.
    fetches = _fetches(each.scope for each in standing.fetches)
    return Fork(replace(standing, epoch=epoch, position=position, token=token, fetches=fetches, epochs=theirs), fork)


@dataclass(slots=True)
class _Work:
    """Records as they stand while an answer is taken in."""

    device: DeviceId
    confirmed: Callable[[RecordId], RecordState | None]
    partial: Collection[RecordId]
    changed: ChangedRecords = field(default_factory=ChangedRecords)
    dropped: set[RecordId] = field(default_factory=set)
    highest: Stamp = _NO_STAMP
    own_alone: set[RecordId] = field(default_factory=set)
    own_seqs: dict[Incarnation, int] = field(default_factory=dict)

    def record(self, record: RecordId) -> RecordState | None:
        return self.changed.get(record) or (None if record in self.dropped else self.confirmed(record))

    def put(self, record: RecordState) -> None:
        self.dropped.discard(record.id)
        self.changed.put(record)
        if isinstance(record.fields, WrittenAtOnce):
            write = record.fields.write
            self.highest = max(self.highest, write.stamp)
            self._name(*write.op)
            return
        for state in record.fields.values():
            for cell in state.cells.values():
                for head in cell.heads:
                    self.highest = max(self.highest, head.stamp)
                    self._name(head.op.device, head.op.incarnation, head.op.seq)
                for (device, incarnation), seq in cell.covered.own.items():
                    self._name(device, incarnation, seq)

    def acknowledge(self, entry: Entry) -> None:
        """Merge an op of this device that the server has accepted."""
        op = entry.op
        self.own_alone.add(op.record)
        record = self.record(op.record)
        if record is None and makes_a_write_stand(entry):
            self.dropped.discard(op.record)
            self.changed.create(entry)
            self.highest = max(self.highest, entry.stamp)
            self._name(*op.id)
            return
        # A field that changed later than this op is here as the server has it, this op and all; see `_is_new`.
        new = tuple(edit for edit in entry.op.edits if not _has_passed(record, edit.field, entry.position))
        self.put(apply(record, replace(entry, op=replace(entry.op, edits=new))))

    def take_over(self, record: RecordState) -> None:
        """Take over what the server sent of a record."""
        mine = self.record(record.id)
        if mine is None and record.origin is None:
            # A part of what is not here makes no record: after a restore of the server it comes as a whole.
            return
        self.own_alone.discard(record.id)
        self.put(adopt(mine, record))

    def _name(self, device: DeviceId, incarnation: Incarnation, seq: int) -> None:
        if device == self.device:
            self.own_seqs[incarnation] = max(seq, self.own_seqs.get(incarnation, 0))

    def drop(self, record: RecordId) -> None:
        self.changed.drop(record)
        self.dropped.add(record)


def _fetches(scopes: Iterable[ScopeId]) -> tuple[Fetch, ...]:
    return tuple(Fetch(scope, Position(0), None) for scope in scopes)


def _fits(standing: Standing, response: SyncResponse) -> bool:
    if response.generation != standing.generation or response.epoch:
        return False
    # Pages list what is there, not what left since: they fit one cursor only, and the fetch that they continue.
    if response.pages:
        fetches = {fetch.scope: fetch for fetch in standing.fetches}
        are_awaited = all(_is_next(fetches.get(page.scope), page) for page in response.pages)
        return response.from_position == standing.position and are_awaited
    return response.from_position <= standing.position <= response.to_position


def _is_next(fetch: Fetch | None, page: Page) -> bool:
    return fetch is not None and (fetch.after is None or fetch.as_of == page.as_of)


def _settle(
    standing: Standing, response: SyncResponse, sent: Sequence[Op], work: _Work
) -> tuple[dict[OpId, Position], dict[OpId, Stamp]]:
    by_seq = {op.id.seq: op for op in sent}
    settled: dict[OpId, Position] = {}
    stamps: dict[OpId, Stamp] = {}
    for run in response.accepted:
        for offset in range(run.count):
            op = by_seq.get(run.first_seq + offset)
            if op is None:
                raise ProtocolError("malformed", detail="an op acknowledged that was not sent")
            position = Position(run.first_position + offset)
            stamp = run.stamps.get(offset, Stamp(op.clock.hlc))
            settled[op.id], stamps[op.id] = position, stamp
            if not response.epoch and _is_new(op, position, standing, work):
                # The server has lowered what the op names by the same rule: both ends merge the same entry.
                low = bounded(op, epochs=standing.chain, served=response.from_position)
                work.acknowledge(Entry(low, stamp, position))
    return settled, stamps


def _is_new(op: Op, position: Position, standing: Standing, work: _Work) -> bool:
    # What stands at or before the cursor is in the replica already, merged with all that came after it. Only heads
    # travel: applied again, a write that somebody has superseded would come back. And an edit alone makes no record:
    # one that has left this device meanwhile stays away.
    # While a first fetch goes on, the cursor is ahead of what is here: own ops are all that a partial record has.
    is_held_here = op.intent is Intent.CREATE or work.record(op.record) is not None
    return is_held_here and (position > standing.position or op.record in work.partial)


def _has_passed(record: RecordState | None, field_name: str, position: Position) -> bool:
    state = record.fields.get(field_name) if record else None
    return state is not None and state.changed >= position


def _advance(standing: Standing, response: SyncResponse, work: _Work) -> Standing:
    for record in response.changes:
        work.take_over(record)
    for record_id in response.left:
        work.drop(record_id)
    fetches = {fetch.scope: fetch for fetch in standing.fetches}
    for page in response.pages:
        for record in page.records:
            work.take_over(record)
        if page.after is None:
            fetches.pop(page.scope, None)
        elif page.scope in fetches:
            fetches[page.scope] = Fetch(page.scope, page.as_of, page.after)
    # Whoever was enrolled after a restore hears of the earlier lives with the first answer.
    epochs = read_epochs(response.extras[EPOCHS]) if EPOCHS in response.extras else standing.epochs
    return replace(
        standing,
        position=response.to_position,
        token=response.token,
        fetches=tuple(fetches.values()),
        epochs=epochs,
    )


def _decided(standing: Standing, response: SyncResponse, device: DeviceId) -> tuple[Decision, ...]:
    """Return the decisions that are new: they move with the cursor, so each is taken in once."""
    told = read_decisions(response.extras.get(EXTRA, []), device)
    return tuple(each for each in told if standing.position < each.position <= response.to_position)


def _continues(run: Sequence[Op], op: Op) -> bool:
    last = run[-1]
    # An op between may have been decided about before its answer came: it is not pending any more.
    is_next = op.id.seq == last.id.seq + 1
    return is_next and len(run) < SEGMENT_OPS_MAX and (last.author, last.seen.epoch) == (op.author, op.seen.epoch)
