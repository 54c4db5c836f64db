"""Builders: what workers write, entries of a log, and both ends of an exchange in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import ClockFacts, Stamp, reading
from gridlog_protocol.epochs import EpochStart
from gridlog_protocol.ids import (
    TENANT_SCOPE,
    DeviceId,
    Epoch,
    Incarnation,
    OpId,
    Position,
    RecordId,
    ScopeId,
    UserId,
    record_id,
)
from gridlog_protocol.kinds import Kind, shipped_kinds
from gridlog_protocol.messages import Accepted, HeldOp, Page, SyncRequest, SyncResponse
from gridlog_protocol.ops import Action, Edit, Intent, Op, Seen, op_hash
from gridlog_protocol.segment import Segment, chain_start, chain_through
from gridlog_protocol.state import RecordState
from gridlog_protocol.state_codec import Authors, read_record, record_row
from gridlog_sync.admission import Author, Chain, Held, bounded, continue_chain, judge, stamp_for
from gridlog_sync.changes import Movement, Touch, left_records, part_of, wanted_records
from gridlog_sync.digest import EMPTY, SetDigest, combined, leaves
from gridlog_sync.merge import Entry, apply, fold, overlay
from gridlog_sync.scope import scopes_of_record
from gridlog_sync.session import Absorbed, Standing, absorb, batch_of, request_for
from gridlog_sync.view import conflicts_of, values_of
from gridlog_sync.writing import Change, edits_for

EPOCH = Epoch(b"epoch-01")
EPOCHS = (EpochStart(EPOCH, Position(0), bytes(32)),)
START_MS = 1_795_000_000_000
EAST, WEST = ScopeId("420106001001"), ScopeId("420106001002")


def kind(name: str = "patrol") -> Kind:
    found = shipped_kinds().get(name)
    assert found is not None
    return found


def a_record(number: int = 1) -> RecordId:
    return record_id(START_MS + number, bytes([number]) * 10)


def put(name: str, value: Value, *, key: str = "", digest_class: int = 0) -> Edit:
    return Edit(name, Action.SET, key, value, digest_class)


def add(name: str, key: str, value: Value = None, *, digest_class: int = 0) -> Edit:
    return Edit(name, Action.ADD, key, value, digest_class)


def remove(name: str, key: str) -> Edit:
    return Edit(name, Action.REMOVE, key, None, 0)


def count(name: str, number: int) -> Edit:
    return Edit(name, Action.COUNT, "", number, 0)


@dataclass(slots=True)
class Worker:
    """Somebody with a phone. Ops are numbered as they are written; `at` is in milliseconds."""

    number: int
    restored: int = 0
    record: RecordId = field(default_factory=a_record)
    of: str = "patrol"
    seq: int = 0

    @property
    def device(self) -> DeviceId:
        return DeviceId(bytes([self.number]) * 16)

    @property
    def incarnation(self) -> Incarnation:
        return Incarnation(bytes([self.restored]) * 8)

    @property
    def user(self) -> UserId:
        return UserId(bytes([self.number]) * 16)

    def writes(
        self, *edits: Edit, seen: int = 0, own: int | None = None, at: int = 0, intent: Intent = Intent.EDIT
    ) -> Op:
        """Without `own`, the worker had all that he wrote before on his screen."""
        self.seq += 1
        wall_ms = START_MS + at
        return Op(
            OpId(self.device, self.incarnation, self.seq),
            self.user,
            self.record,
            self.of,
            1,
            intent,
            Seen(EPOCH, Position(seen), self.seq - 1 if own is None else own),
            ClockFacts(reading(wall_ms), wall_ms, bytes(8), at, START_MS),
            edits,
            bytes(16),
        )

    def creates(self, *edits: Edit, at: int = 0) -> Op:
        return self.writes(*edits, at=at, intent=Intent.CREATE)


def logged(op: Op, position: int, *, stamp: int | None = None) -> Entry:
    return Entry(op, Stamp(op.clock.hlc if stamp is None else stamp), Position(position))


def log_of(*ops: Op) -> list[Entry]:
    return [logged(op, position) for position, op in enumerate(ops, 1)]


def state_of(entries: Iterable[Entry]) -> RecordState:
    state = fold(None, entries)
    assert state is not None
    return state


def shown(*ops: Op) -> dict[str, Value]:
    return values_of(state_of(log_of(*ops)), kind(ops[0].kind))


def conflicting(*ops: Op) -> dict[str, str]:
    found = conflicts_of(state_of(log_of(*ops)), kind(ops[0].kind))
    return {each.field: each.severity.value for each in found}


def segment_of(ops: Sequence[Op], *, chain_before: bytes | None = None) -> Segment:
    first = ops[0]
    before = chain_before or chain_start(first.id.device, first.id.incarnation)
    return Segment(
        first.id.incarnation, first.id.seq, before, first.seen.epoch, first.author, {}, tuple(ops), bytes(64)
    )


def as_sent(record: RecordState) -> RecordState:
    """What cells had seen does not travel: only heads do."""
    authors = Authors()
    return read_record(record_row(record, authors), authors)


def digest_of(records: Iterable[RecordState], scopes: Iterable[ScopeId]) -> bytes:
    wanted = set(scopes)
    digests: dict[tuple[ScopeId, int], SetDigest] = {}
    for record in records:
        for scope in wanted & scopes_of_record(record, kind(record.kind)):
            for digest_class, leaf in leaves(record).items():
                place = (scope, digest_class)
                digests[place] = digests.get(place, EMPTY).plus(leaf)
    return combined(digests)


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of an op at the server."""

    op: Op
    hashed: bytes
    entry: Entry | None
    held: HeldOp | None


@dataclass(slots=True)
class Server:
    """The server's decisions over lists and dicts. Small pages, so that few records make many of them."""

    now_ms: int = START_MS
    page_records: int = 2
    page_entries: int = 3
    entries: list[Entry] = field(default_factory=list)
    touches: list[Touch] = field(default_factory=list)
    records: dict[RecordId, RecordState] = field(default_factory=dict)
    stored: dict[OpId, Stored] = field(default_factory=dict)
    chains: dict[tuple[DeviceId, Incarnation], Chain] = field(default_factory=dict)

    def answer(self, request: SyncRequest, device: DeviceId, scopes: frozenset[ScopeId]) -> SyncResponse:
        first_own = len(self.entries) + 1
        pushed = [op for segment in request.segments for op in segment.ops]
        for segment in request.segments:
            self._push(segment, device, Author(scopes - {TENANT_SCOPE}, request.position, segment.author))
        own_push = range(first_own, len(self.entries) + 1)
        known = [self.stored[op.id] for op in pushed if op.id in self.stored]
        accepted = tuple(_accepted(each.op, each.entry) for each in known if each.entry)
        held = tuple(each.held for each in known if each.held)
        pull = self._pages(request) if request.fetches else self._delta(request, scopes, own_push)
        position, changes, left, pages, has_more = pull
        away = {each.op.record for each in known if each.entry and not self._scopes(each.op.record) & scopes}
        digest = b"" if has_more else digest_of(self.records.values(), scopes)
        return SyncResponse(
            server_ms=self.now_ms,
            epoch=b"",
            token=bytes(8),
            from_position=request.position,
            to_position=position,
            generation=request.generation,
            digest=digest,
            has_more=has_more,
            known_seq=0,
            accepted=accepted,
            held=held,
            changes=changes,
            left=tuple(sorted({*left, *away})),
            pages=pages,
        )

    def release(self, op_id: OpId) -> None:
        waiting = self.stored[op_id]
        self.stored[op_id] = Stored(waiting.op, waiting.hashed, self._log(waiting.op), None)

    def _push(self, segment: Segment, device: DeviceId, author: Author) -> None:
        place = (device, segment.incarnation)
        chain = self.chains.get(place, Chain(0, chain_start(*place)))
        hashes = [op_hash(op) for op in segment.ops]
        known = {op.id.seq: self.stored[op.id].hashed for op in segment.ops if op.id in self.stored}
        self.chains[place], new = continue_chain(chain, segment, hashes, known)
        for op in new:
            self._take(op, hashes[op.id.seq - segment.first_seq], author)

    def _take(self, op: Op, hashed: bytes, author: Author) -> None:
        low = bounded(op, epochs=EPOCHS, served=author.served)
        record = self.records.get(op.record)
        holds = [each for each in self.stored.values() if each.op.record == op.record and each.held]
        creation = next((each.held.code for each in holds if each.held and each.op.intent is Intent.CREATE), None)
        entry = Entry(low, Stamp(0), Position(len(self.entries) + 1))
        verdict = judge(entry, record=record, size=0, creation=creation, kind=kind(op.kind), author=author)
        if isinstance(verdict, Held):
            self.stored[op.id] = Stored(low, hashed, None, HeldOp(op.id.seq, verdict.code, verdict.field))
        else:
            self.stored[op.id] = Stored(low, hashed, self._log(low), None)

    def _log(self, op: Op) -> Entry:
        before = self.records.get(op.record)
        stamps = (each.stamp for each in self.entries if each.op.record == op.record and saw(op, each))
        stamp = stamp_for(op.clock.hlc, server_ms=self.now_ms, above=max(stamps, default=Stamp(0)))
        entry = Entry(op, stamp, Position(len(self.entries) + 1))
        after = self.records[op.record] = apply(before, entry)
        self.entries.append(entry)
        old = scopes_of_record(before, kind(op.kind)) if before else frozenset()
        new = scopes_of_record(after, kind(op.kind))
        names = tuple(edit.field for edit in op.edits)
        for scope in sorted(old | new):
            movement = Movement.LEFT if scope not in new else Movement.TOUCHED if scope in old else Movement.ENTERED
            self.touches.append(Touch(entry.position, scope, op.record, movement, names))
        return entry

    def _delta(
        self, request: SyncRequest, scopes: frozenset[ScopeId], own_push: range
    ) -> tuple[Position, tuple[RecordState, ...], tuple[RecordId, ...], tuple[Page, ...], bool]:
        to = Position(min(len(self.entries), request.position + self.page_entries))
        touches = [each for each in self.touches if request.position < each.position <= to and each.scope in scopes]
        within = {each.record: self._scopes(each.record) & scopes for each in touches}
        wanted = wanted_records(touches, own_push=own_push)
        changes = tuple(as_sent(part_of(self.records[each], wanted[each])) for each in wanted if within[each])
        return to, changes, tuple(left_records(touches, within)), (), to < len(self.entries)

    def _pages(
        self, request: SyncRequest
    ) -> tuple[Position, tuple[RecordState, ...], tuple[RecordId, ...], tuple[Page, ...], bool]:
        head, room, pages = Position(len(self.entries)), self.page_records, []
        for fetch in request.fetches:
            listed = sorted((each for each in self.records if fetch.scope in self._scopes(each)), reverse=True)
            rest = [each for each in listed if fetch.after is None or each < fetch.after]
            states = tuple(as_sent(self.records[each]) for each in rest[:room])
            after = states[-1].id if len(rest) > len(states) else None
            pages.append(Page(fetch.scope, fetch.as_of if fetch.after else head, after, states))
            room -= len(states)
            if room <= 0:
                break
        return request.position or head, (), (), tuple(pages), True

    def _scopes(self, record: RecordId) -> frozenset[ScopeId]:
        return scopes_of_record(self.records[record], kind(self.records[record].kind))


def saw(op: Op, other: Entry) -> bool:
    is_own = (op.id.device, op.id.incarnation) == (other.op.id.device, other.op.id.incarnation)
    return other.position <= op.seen.position or (is_own and other.op.id.seq <= op.seen.own_seq)


def _accepted(op: Op, entry: Entry) -> Accepted:
    stamps = {} if int(entry.stamp) == int(op.clock.hlc) else {0: entry.stamp}
    return Accepted(op.id.seq, 1, entry.position, stamps)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way, and the ops in it."""

    request: SyncRequest
    sent: tuple[Op, ...]


class Phone:
    """A device's decisions over lists and dicts."""

    def __init__(self, number: int, *scopes: ScopeId) -> None:
        self.worker = Worker(number)
        self.scopes = frozenset(scopes)
        self.standing = Standing.fresh(EPOCH, bytes(8), tuple(sorted(scopes)), 1)
        self.confirmed: dict[RecordId, RecordState] = {}
        self.pending: list[Op] = []
        self.alarms = 0
        self._chain = {0: chain_start(self.worker.device, self.worker.incarnation)}

    def create(self, record: RecordId, grid: ScopeId, **changes: Change) -> Op:
        return self._write(record, {"grid_code": grid, **changes}, Intent.CREATE)

    def edit(self, record: RecordId, **changes: Change) -> Op:
        return self._write(record, changes, Intent.EDIT)

    def write(self, record: RecordId, edits: tuple[Edit, ...], intent: Intent = Intent.EDIT, at: int = 0) -> Op:
        """`at` says how far the phone's clock is from the server's when it writes."""
        seen = self.standing.position if record in self.confirmed else 0
        self.worker.record = record
        op = self.worker.writes(*edits, seen=seen, at=at, intent=intent)
        self._chain[op.id.seq] = chain_through(self._chain[op.id.seq - 1], [op_hash(op)])
        self.pending.append(op)
        return op

    def shown(self, record: RecordId) -> RecordState | None:
        return overlay(self.confirmed.get(record), [op for op in self.pending if op.record == record])

    def values(self, record: RecordId) -> dict[str, Value]:
        state = self.shown(record)
        return values_of(state, kind(state.kind)) if state else {}

    def ask(self, *, ops_max: int = 99) -> Asked:
        runs = batch_of(self.pending[:ops_max], lambda _: 1)
        segments = [segment_of(run, chain_before=self._chain[run[0].id.seq - 1]) for run in runs]
        request = request_for(self.standing, segments, counter=1, status=None, clock=None)
        return Asked(request, tuple(op for run in runs for op in run))

    def take(self, asked: Asked, response: SyncResponse) -> Absorbed:
        absorbed = absorb(
            self.standing,
            response,
            sent=asked.sent,
            confirmed=self.confirmed.get,
            has_more_pending=len(self.pending) > len(asked.sent),
            device=self.worker.device,
        )
        self.standing = absorbed.standing
        self.confirmed.update(absorbed.records)
        for record in absorbed.dropped:
            self.confirmed.pop(record, None)
        named = {*absorbed.settled, *(op.id for op in asked.sent for held in absorbed.held if op.id.seq == held.seq)}
        self.pending = [op for op in self.pending if op.id not in named]
        self.alarms += bool(absorbed.digest) and absorbed.digest != self.digest()
        return absorbed

    def exchange(self, server: Server, *, ops_max: int = 99) -> Absorbed:
        asked = self.ask(ops_max=ops_max)
        return self.take(asked, server.answer(asked.request, self.worker.device, self.scopes))

    def sync(self, server: Server) -> Absorbed:
        return [*self.syncing(server)][-1]

    def syncing(self, server: Server) -> Iterator[Absorbed]:
        for _ in range(500):
            absorbed = self.exchange(server)
            yield absorbed
            if not absorbed.is_unfinished:
                return
        raise AssertionError("the exchange never ends")

    def digest(self) -> bytes:
        return digest_of(self.confirmed.values(), self.scopes)

    def _write(self, record: RecordId, changes: Mapping[str, Change], intent: Intent) -> Op:
        is_creation = intent is Intent.CREATE
        edits = edits_for(kind(), changes, shown=self.values(record), is_creation=is_creation)
        return self.write(record, edits, intent)
