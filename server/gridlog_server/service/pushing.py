"""Take in what a device pushes: load what its ops touch, decide op by op, write it all as one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridlog_protocol.canonical import pack
from gridlog_protocol.clock import ClockFacts, Stamp
from gridlog_protocol.decisions import Decision
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import TENANT_SCOPE, DeviceId, Incarnation, OpId, Position, RecordId, ScopeId, shown
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.limits import WAITING_BYTES_MAX, WAITING_SEGMENTS_MAX
from gridlog_protocol.log_chain import EntryType, log_next
from gridlog_protocol.op_codec import pack_op
from gridlog_protocol.ops import Intent, Op, op_hash
from gridlog_protocol.segment import Segment, verify
from gridlog_protocol.segment_codec import segment_row
from gridlog_protocol.state_codec import PackedRecord
from gridlog_server.store.contract import (
    ClosedGap,
    Commit,
    LoggedEntry,
    LogHead,
    StoredOp,
    StoredRecord,
    Transaction,
    WaitingSegment,
)
from gridlog_server.store.tenancy import Tenancy
from gridlog_sync.admission import Author, Chain, Held, bounded, continue_chain, judge, stamp_for
from gridlog_sync.changes import Movement, Touch
from gridlog_sync.clocks import Arrival
from gridlog_sync.creation import Created, created
from gridlog_sync.digest import EMPTY, SetDigest, leaves
from gridlog_sync.merge import Entry, apply
from gridlog_sync.scope import scopes_of_edit, scopes_of_record
from gridlog_sync.view import conflicts_of

from .giving_way import give_way
from .history import History
from .listed import listed, listed_at_creation
from .timing import Timing

_OPS_PER_BREATH = 32
_NO_STAMP = Stamp(0)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of a push. `stored` has every op of its segments that the server holds now, in order.

    `repeated` are the records of ops that were held already: an earlier answer may never have arrived. `made` are the
    records that one op of this push created in its author's grids and that nothing else of it touched.
    """

    stored: tuple[StoredOp, ...]
    repeated: frozenset[RecordId]
    own_push: range
    chain: Chain
    incarnation: Incarnation
    made: frozenset[RecordId] = frozenset()

    @property
    def created(self) -> frozenset[RecordId]:
        """The records that this push created, whatever touched them besides."""
        new = (each.op for each in self.stored if each.position in self.own_push)
        return frozenset(op.record for op in new if op.intent is Intent.CREATE)


async def push(  # noqa: PLR0913 - each is a fact of one request.
    transaction: Transaction,
    segments: Sequence[Segment],
    *,
    device: DeviceId,
    key: Ed25519PublicKey,
    author: Author,
    kinds: KindSet,
    tenancy: Tenancy,
    now_ms: int,
    sent: ClockFacts | None,
    again: Mapping[int, Stamp],
) -> Pushed:
    """Verify and store segments of one device. `sent` is what it said about time with the request.

    `again` has the stamps, by seq, of ops that had been accepted before this database was restored: they keep them.

    A segment behind a gap waits, within `WAITING_BYTES_MAX`; whatever this push lets go on is taken in with it.
    Raises ProtocolError `bad_signature`, `fork` or `broken_chain`; nothing is stored then.
    """
    incarnation = segments[-1].incarnation
    last_seq = max((each.first_seq + len(each.ops) - 1 for each in segments), default=0)
    behind = await transaction.reviews.behind_gap(device, incarnation, reach=last_seq + 1)
    coming = (*segments, *(each.segment for each in behind))
    ops = [op for each in coming for op in each.ops]
    work = await Work.load(transaction, ops, kinds, tenancy, now_ms, sent=sent)
    if len(tenancy.epochs) > 1:
        await give_way(transaction, work, ops)
    stored: list[StoredOp] = []
    repeated: set[RecordId] = set()
    chain = Chain(0, b"")
    for segment in segments:
        hashes = verify(segment, tenant=tenancy.tenant, key=key)
        last = segment.first_seq + len(segment.ops) - 1
        before = work.chains.get((device, segment.incarnation)) or await transaction.ledger.chain(
            device, segment.incarnation
        )
        held_already = await transaction.ledger.ops(device, segment.incarnation, segment.first_seq, last)
        known = {each.op.id.seq: each.hash for each in held_already}
        chain, new = continue_chain(before, segment, hashes, known)
        if segment.first_seq > before.known_seq + 1:
            waiting = WaitingSegment(device, segment, author.served, now_ms)
            await transaction.reviews.keep_waiting(
                waiting, bytes_max=WAITING_BYTES_MAX, count_max=WAITING_SEGMENTS_MAX
            )
            continue
        stored += held_already
        repeated |= {each.op.record for each in held_already}
        if new:
            number = await transaction.put_segment(segment, device, chain.head, now_ms=now_ms)
            for index, op in enumerate(new, start=1):
                place = op.id.seq - segment.first_seq
                packed = segment.packed[place] if segment.packed else None
                stored.append(work.take(op, hashes[place], number, author, again.get(op.id.seq), packed))
                if index % _OPS_PER_BREATH == 0:
                    # A large push must not keep everybody else's answers waiting.
                    await asyncio.sleep(0)
            work.chains[(device, segment.incarnation)] = chain
    # What waited was not sent with this request: its sender has yet to hear of its places and its fields.
    own_push = work.positions
    chain = await _go_on(transaction, work, behind, chain, author)
    if work.ops or work.decided:
        await transaction.ledger.write(work.commit())
    # What waited is in the log now, but its author will only hear of it when he sends it again.
    own = [record for record, stored in work.made.items() if stored.position in own_push]
    made = frozenset(record for record in own if work.records[record].scopes <= author.scopes)
    return Pushed(tuple(stored), frozenset(repeated), own_push, chain, incarnation, made)


async def _go_on(
    transaction: Transaction, work: Work, behind: Sequence[WaitingSegment], chain: Chain, author: Author
) -> Chain:
    """Take in the segments that waited for what has come now, and return the chain behind them."""
    known = {each.op.id.seq: each.hash for each in work.ops}
    for waiting in behind:
        segment = waiting.segment
        if segment.first_seq > chain.known_seq + 1:
            break
        after = await continued(transaction, work, waiting, chain, known)
        if after is None:
            continue
        chain, new = after
        if new:
            number = await transaction.put_segment(segment, waiting.device, chain.head, now_ms=waiting.received_ms)
            work.timing.came(Arrival(waiting.received_ms, None))
            for index, op in enumerate(new, start=1):
                work.take(op, known[op.id.seq], number, replace(author, served=waiting.served))
                if index % _OPS_PER_BREATH == 0:
                    await asyncio.sleep(0)
            work.chains[(waiting.device, segment.incarnation)] = chain
    return chain


async def continued(
    transaction: Transaction, work: Work, waiting: WaitingSegment, chain: Chain, known: dict[int, bytes]
) -> tuple[Chain, tuple[Op, ...]] | None:
    """Let a segment wait no longer. Return the chain behind it and its new ops, or None if it is a fork.

    `known` has the hashes of ops taken in just now, by seq; those of this segment are added.
    """
    segment = waiting.segment
    await transaction.reviews.wait_no_longer(waiting)
    hashes = [op_hash(op) for op in segment.ops]
    last = segment.first_seq + len(segment.ops) - 1
    stored = await transaction.ledger.ops(waiting.device, segment.incarnation, segment.first_seq, last)
    try:
        after = continue_chain(chain, segment, hashes, known | {each.op.id.seq: each.hash for each in stored})
    except ProtocolError as refusal:
        # Two copies of a store went on differently, and this one came first. Nobody waits for an answer.
        log.warning("a waiting segment of %s is a fork (%s): quarantined", shown(waiting.device)[:8], refusal.detail)
        await transaction.quarantine(waiting.device, "fork", pack(segment_row(segment)), now_ms=work.now_ms)
        return None
    known |= dict(zip((op.id.seq for op in segment.ops), hashes, strict=True))
    return after


@dataclass(slots=True)
class Work:
    """Records, log and digests as they stand while ops are taken in one after the other."""

    kinds: KindSet
    now_ms: int
    start: LogHead
    head: LogHead
    records: dict[RecordId, StoredRecord]
    history: dict[RecordId, History]
    digests: dict[tuple[ScopeId, int], SetDigest]
    tenancy: Tenancy
    timing: Timing
    made: dict[RecordId, StoredOp] = field(default_factory=dict)
    """Records that one op of this push created, and that no other has touched: their history is not written yet."""
    made_leaves: dict[RecordId, Mapping[int, int]] = field(default_factory=dict)
    ops: list[StoredOp] = field(default_factory=list)
    entries: list[LoggedEntry] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    before: dict[RecordId, StoredRecord | None] = field(default_factory=dict)
    left: set[tuple[ScopeId, RecordId]] = field(default_factory=set)
    chains: dict[tuple[DeviceId, Incarnation], Chain] = field(default_factory=dict)
    decided: list[StoredOp] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    closed: list[ClosedGap] = field(default_factory=list)

    @staticmethod
    async def load(
        transaction: Transaction,
        ops: Sequence[Op],
        kinds: KindSet,
        tenancy: Tenancy,
        now_ms: int,
        *,
        sent: ClockFacts | None,
    ) -> Work:
        """Load every fact that deciding about `ops` needs."""
        head = await transaction.ledger.log_head()
        named = {op.record for op in ops}
        records = await transaction.ledger.records(named) if named else {}
        # A record with no state yet may have a held creation: its history says so.
        known = records.keys() | await transaction.ledger.named(named - records.keys())
        history = {record: History(await transaction.ledger.ops_of_record(record)) for record in known}
        scopes = {TENANT_SCOPE} | {scope for each in records.values() for scope in each.scopes}
        scopes |= {scope for op in ops if (kind := kinds.get(op.kind)) for scope in scopes_of_edit(op, kind)}
        digests = await transaction.ledger.digests(scopes)
        timing = await Timing.load(transaction, ops, Arrival(now_ms, sent))
        return Work(kinds, now_ms, head, head, records, history, digests, tenancy, timing)

    @property
    def positions(self) -> range:
        """The positions given so far."""
        return range(self.start.position + 1, self.head.position + 1)

    def take(
        self,
        op: Op,
        hashed: bytes,
        segment: int | None,
        author: Author | None,
        before: Stamp | None = None,
        packed: bytes | None = None,
    ) -> StoredOp:
        """Decide about one op and take note of all that follows. Without `author` the server itself wrote it.

        `before` is the stamp that it had before a restore. It is bounded as a claim is: a device that made it up
        gains nothing that a clock set by hand would not give it. `packed` is the op at rest, from whoever has it.
        """
        when = self.timing.of(op)
        served = author.served if author else self.head.position
        low = bounded(op, epochs=self.tenancy.epochs, served=served)
        history = self._history_of(op.record)
        claimed = op.clock.hlc if before is None else before
        above = history.highest_seen(low) if history else _NO_STAMP
        stamp = stamp_for(claimed, server_ms=self.now_ms, above=above)
        entry = Entry(low, stamp, Position(self.head.position + 1))
        packed = packed or pack_op(op)
        kind = self.kinds.get(op.kind)
        if author is not None:
            standing = self.records.get(op.record)
            verdict = judge(
                entry,
                record=standing.state if standing else None,
                size=(standing.size if standing else 0) + len(packed),
                creation=history.creation_hold if history else None,
                kind=kind,
                author=author,
            )
            if isinstance(verdict, Held):
                reason = verdict.code, verdict.field
                named = low.seen.position
                return self._keep(StoredOp(op, hashed, segment, named, None, None, *reason, when=when, packed=packed))
        stored = StoredOp(op, hashed, segment, low.seen.position, entry.position, stamp, when=when, packed=packed)
        made = created(entry, kind) if history is None and kind is not None else None
        if made is not None:
            self._make(entry, hashed, made, len(packed))
            self.made[op.record] = stored
            self.ops.append(stored)
            return stored
        self.take_effect(entry, EntryType.ACCEPTED, hashed, op_bytes=len(packed))
        return self._keep(stored)

    def keep_held(
        self, op: Op, hashed: bytes, segment: int | None, served: Position, code: str, hold_field: str = ""
    ) -> None:
        """Keep one op apart without judging it."""
        low = bounded(op, epochs=self.tenancy.epochs, served=served)
        when = self.timing.of(op)
        self._keep(StoredOp(op, hashed, segment, low.seen.position, None, None, code, hold_field, when=when))

    def commit(self) -> Commit:
        """Return all that was taken note of. Digests and conflicts are worked out here, once for each record."""
        records = [self._counted(self.records[record]) for record in sorted(self.before)]
        return Commit(
            self.ops,
            self.entries,
            self.touches,
            records,
            self.left,
            self.digests,
            self.chains,
            self.decided,
            self.decisions,
            self.closed,
        )

    def _keep(self, stored: StoredOp) -> StoredOp:
        self.ops.append(stored)
        history = self._history_of(stored.op.record)
        if history is None:
            history = self.history[stored.op.record] = History()
        history.add(stored)
        return stored

    def _history_of(self, record: RecordId) -> History | None:
        """Return the ops of a record, None if there are none."""
        made = self.made.pop(record, None)
        if made is not None:
            self.history[record] = History([made])
        return self.history.get(record)

    def _make(self, entry: Entry, hashed: bytes, made: Created, op_bytes: int) -> None:
        """Write the entry of an op that created a record, and put the record where others find it."""
        op = entry.op
        self.note(EntryType.ACCEPTED, op.id, hashed, entry.stamp)
        fields = tuple(sorted({edit.field for edit in op.edits}))
        for scope in sorted(made.scopes):
            self.touches.append(Touch(entry.position, scope, op.record, Movement.ENTERED, fields))
        content = PackedRecord(made.packed, op.record, op.kind)
        self.before[op.record] = None
        self.made_leaves[op.record] = made.leaves
        kind = self.kinds.get(op.kind)
        facts = listed_at_creation(entry, kind) if kind is not None else None
        self.records[op.record] = StoredRecord(content, entry.position, 0, made.scopes, op_bytes, facts)

    def take_effect(self, entry: Entry, entry_type: EntryType, hashed: bytes, *, op_bytes: int) -> None:
        """Write an op's entry, which is the next one, and merge the op, which takes `op_bytes` at rest."""
        assert entry.position == self.head.position + 1
        self.note(entry_type, entry.op.id, hashed, entry.stamp)
        self._merge(entry, op_bytes)

    def note(self, entry_type: EntryType, op: OpId, hashed: bytes, stamp: Stamp) -> Position:
        """Write the next entry of the log, and return its position."""
        position = Position(self.head.position + 1)
        link = log_next(self.head.hash, position=position, entry_type=entry_type, op=op, op_hash=hashed, stamp=stamp)
        self.head = LogHead(position, link)
        self.entries.append(LoggedEntry(position, link, int(entry_type), op))
        return position

    def _merge(self, entry: Entry, op_bytes: int) -> None:
        op = entry.op
        before = self.records.get(op.record)
        kind = self.kinds.get(op.kind)
        state = apply(before.state if before else None, entry)
        old_scopes = before.scopes if before else frozenset()
        scopes = scopes_of_record(state, kind) if kind else old_scopes
        fields = tuple(sorted({edit.field for edit in op.edits}))
        for scope in sorted(scopes | old_scopes):
            movement = Movement.TOUCHED if scope in scopes & old_scopes else Movement.ENTERED
            movement = Movement.LEFT if scope not in scopes else movement
            self.touches.append(Touch(entry.position, scope, op.record, movement, fields))
        self.left -= {(scope, op.record) for scope in scopes}
        self.left |= {(scope, op.record) for scope in old_scopes - scopes}
        self.before.setdefault(op.record, before)
        self.made_leaves.pop(op.record, None)
        size = (before.size if before else 0) + op_bytes
        self.records[op.record] = StoredRecord(state, entry.position, 0, scopes, size)

    def _counted(self, after: StoredRecord) -> StoredRecord:
        before, made = self.before[after.id], self.made_leaves.get(after.id)
        if before is not None:
            for key, leaf in _leaves_by_scope(before):
                self.digests[key] = self.digests.get(key, EMPTY).minus(leaf)
        if made is not None:
            for scope in after.scopes:
                for digest_class, leaf in made.items():
                    self.digests[scope, digest_class] = self.digests.get((scope, digest_class), EMPTY).plus(leaf)
            return after
        for key, leaf in _leaves_by_scope(after):
            self.digests[key] = self.digests.get(key, EMPTY).plus(leaf)
        kind = self.kinds.get(after.state.kind)
        return replace(after, conflicts=len(conflicts_of(after.state, kind)), listed=listed(after.state, kind))


def _leaves_by_scope(record: StoredRecord) -> list[tuple[tuple[ScopeId, int], int]]:
    found = leaves(record.state).items()
    return [((scope, digest_class), leaf) for scope in record.scopes for digest_class, leaf in found]
