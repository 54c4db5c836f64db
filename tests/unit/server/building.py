"""Builders: a server on a real database, and handhelds made of nothing but the protocol's functions."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import ClockFacts, Stamp, reading
from gridlog_protocol.codec import decode, encode
from gridlog_protocol.envelope import Purpose, open_sealed, read_header, reply_address, seal
from gridlog_protocol.ids import (
    DeviceHandle,
    DeviceId,
    Epoch,
    Incarnation,
    OpId,
    Position,
    RecordId,
    ScopeId,
    TenantId,
    UserId,
    record_id,
)
from gridlog_protocol.invitation import Invitation, code_id
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.log_chain import log_start
from gridlog_protocol.messages import (
    NO_EXTRAS,
    EnrolRequest,
    EnrolResponse,
    Fetch,
    Message,
    Refused,
    SyncRequest,
    SyncResponse,
    cursor_token,
)
from gridlog_protocol.ops import Action, Edit, Intent, Op, Seen, op_hash, op_salt
from gridlog_protocol.segment import Segment, chain_start, chain_through, cut, salt_block
from gridlog_protocol.state import RecordState
from gridlog_server.service.accounts import Accounts
from gridlog_server.service.deciding import Deciding
from gridlog_server.service.enrolment import Enrolment
from gridlog_server.service.exchange import Exchange
from gridlog_server.service.gaps import Gaps
from gridlog_server.service.grid_tree import GridTree
from gridlog_server.service.grids import Grids
from gridlog_server.service.importing import Importing
from gridlog_server.service.inspection import Inspection
from gridlog_server.service.keys import ServerKeys
from gridlog_server.service.passwords import PasswordProfile
from gridlog_server.service.people import People
from gridlog_server.service.reviewing import Reviewing
from gridlog_server.service.standing import Standing, Step
from gridlog_server.store.contract import Store
from gridlog_server.store.sqlite import SqliteStore
from gridlog_server.store.tenancy import Tenancy
from gridlog_sync.digest import EMPTY, SetDigest, combined, leaves
from gridlog_sync.merge import Entry, adopt, apply
from gridlog_sync.scope import scopes_of_record

TENANCY = Tenancy.new(TenantId("420106"), "武昌区", Epoch(b"epoch-01"))
START_MS = 1_795_000_000_000
EAST, WEST = ScopeId("420106001001001"), ScopeId("420106001001002")
ADDRESS = "http://192.0.2.7:8420"
KINDS = shipped_kinds()


@dataclass(slots=True)
class Clock:
    """A clock that the test winds."""

    now_ms: int = START_MS

    def __call__(self) -> int:
        return self.now_ms


@dataclass(frozen=True, slots=True)
class Server:
    """The services on one store."""

    store: Store
    keys: ServerKeys
    clock: Clock
    enrolment: Enrolment
    exchange: Exchange
    importing: Importing
    people: People
    standing: Standing
    grids: Grids
    deciding: Deciding
    gaps: Gaps
    inspection: Inspection
    accounts: Accounts
    reviewing: Reviewing

    async def enrolled(self, staff_no: str, *grids: str) -> Handset:
        """Return a new handset of somebody who works in these grids."""
        invitation = (await self.enrolment.invite(staff_no, f"网格员{staff_no}", grids or [EAST])).invitation
        handset = Handset(self.keys.public)
        handset.take_enrolment(await self.enrolment.answer(handset.ask_to_enrol(invitation)))
        return handset

    async def exchanged(self, handset: Handset, *ops: Op, fetches: Sequence[Fetch] = ()) -> SyncResponse:
        """Send ops, take the answer into the handset's replica, and return it."""
        segments = [handset.segment(ops)] if ops else []
        answer = await self.answered(handset, handset.request(segments, fetches=fetches))
        assert isinstance(answer, SyncResponse), answer
        handset.take(answer, ops)
        return answer

    async def answered(self, handset: Handset, raw: bytes) -> SyncResponse | Refused:
        """Hand in sealed bytes, and return what the answer says."""
        answer = handset.opened(await self.exchange.answer(raw), raw, Purpose.SYNC_RESPONSE)
        assert isinstance(answer, (SyncResponse, Refused))
        return answer

    async def caught_up(self, handset: Handset) -> SyncResponse:
        """Exchange until nothing waits."""
        answer = await self.exchanged(handset)
        while answer.has_more:
            answer = await self.exchanged(handset)
        return answer

    async def suspend(self, handset: Handset) -> None:
        """Do what an administrator does when a handheld is away."""
        await self.standing.change(handset.device.hex(), Step.SUSPEND, by="root", reason="")

    async def revoke(self, handset: Handset) -> None:
        """Do what an administrator does when a handheld is lost for good."""
        await self.standing.change(handset.device.hex(), Step.REVOKE, by="root", reason="在公交车上遗失")

    async def recounted(self, scopes: Iterable[ScopeId]) -> bytes:
        """Return the digest of some scopes, computed anew from every record in them."""
        digests: dict[tuple[ScopeId, int], SetDigest] = {}
        async with self.store.reading() as snapshot:
            for scope in scopes:
                ids = await snapshot.ledger.page(scope, None, 100_000)
                for stored in (await snapshot.ledger.records(ids)).values():
                    for digest_class, leaf in leaves(stored.state).items():
                        key = (scope, digest_class)
                        digests[key] = digests.get(key, EMPTY).plus(leaf)
        return combined(digests)


def served_by(store: Store) -> Server:
    """Put the services on a store."""
    keys, clock, tree = ServerKeys.generate(), Clock(), GridTree(KINDS)
    importing = Importing(store, KINDS, now_ms=clock, entropy=os.urandom)
    return Server(
        store,
        keys,
        clock,
        Enrolment(store, keys, tree, address=ADDRESS, now_ms=clock, entropy=os.urandom),
        Exchange(store, keys, KINDS, clock),
        importing,
        People(store, tree, now_ms=clock, entropy=os.urandom),
        Standing(store, now_ms=clock),
        Grids(store, importing, KINDS, tree, now_ms=clock, entropy=os.urandom),
        Deciding(store, KINDS, now_ms=clock),
        Gaps(store, KINDS, now_ms=clock),
        Inspection(store, KINDS),
        Accounts(store, tree, now_ms=clock, entropy=os.urandom, profile=PasswordProfile.WEAK_FOR_TESTS),
        Reviewing(store, KINDS, now_ms=clock, entropy=os.urandom),
    )


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Server]:
    """Make a database and the services on it."""
    path = folder / "gridlog.db"
    if not path.exists():
        SqliteStore.create(path, TENANCY)
    store = await SqliteStore.open(path)
    try:
        yield served_by(store)
    finally:
        await store.close()


def root_of(block: int) -> bytes:
    return block.to_bytes(16, "big")


@dataclass(slots=True)
class Handset:
    """A handheld without a disk: keys, a chain of ops, a cursor and a replica."""

    server_keys: tuple[bytes, bytes]
    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    exchange: X25519PrivateKey = field(default_factory=X25519PrivateKey.generate)
    device: DeviceId = field(default_factory=lambda: DeviceId(os.urandom(16)))
    incarnation: Incarnation = field(default_factory=lambda: Incarnation(os.urandom(8)))
    handle: DeviceHandle = field(default_factory=lambda: DeviceHandle(os.urandom(8)))
    user: UserId = field(default_factory=lambda: UserId(os.urandom(16)))
    epoch: Epoch = TENANCY.epoch
    scopes: tuple[ScopeId, ...] = ()
    position: Position = Position(0)  # noqa: RUF009 - an int.
    token: bytes = cursor_token(TENANCY.epoch, log_start(TENANCY.tenant, TENANCY.epoch))
    counter: int = 0
    seq: int = 0
    written: dict[int, Op] = field(default_factory=dict)
    replica: dict[RecordId, RecordState] = field(default_factory=dict)
    _last: bytes = b""

    def ask_to_enrol(self, invitation: Invitation) -> bytes:
        """Seal the request of a device that has a code."""
        request = EnrolRequest(
            invitation.secret,
            self.device,
            self.signing.public_key().public_bytes_raw(),
            self.exchange.public_key().public_bytes_raw(),
            "手持机 A1",
            "0.1.0",
        )
        return self.sealed(encode(request), Purpose.ENROL_REQUEST, code_id(invitation.secret))

    def take_enrolment(self, answer: bytes) -> EnrolResponse:
        """Remember who the server says we are."""
        opened = open_sealed(answer, reader=self.exchange, context=self._last)
        response = decode(opened.body)
        assert isinstance(response, EnrolResponse)
        self.handle, self.user, self.scopes = response.handle, response.user, response.scopes
        self.epoch, self.token = (
            response.epoch,
            cursor_token(response.epoch, log_start(response.tenant, response.epoch)),
        )
        return response

    def sealed(self, body: bytes, purpose: Purpose, address: bytes) -> bytes:
        """Seal a body to the server, and remember the bytes: the answer is bound to them."""
        reader = X25519PublicKey.from_public_bytes(self.server_keys[1])
        self._last = seal(body, purpose=purpose, address=address, reader=reader, sender=self.signing)
        return self._last

    def writes(
        self,
        record: RecordId,
        *edits: Edit,
        kind: str = "patrol",
        intent: Intent = Intent.EDIT,
        seen: int | None = None,
        author: UserId | None = None,
    ) -> Op:
        """Write the next op. Its author had all on the screen that the handset holds, unless `seen` says less."""
        self.seq += 1
        wall_ms = START_MS + self.seq
        self.written[self.seq] = Op(
            OpId(self.device, self.incarnation, self.seq),
            author or self.user,
            record,
            kind,
            1,
            intent,
            Seen(self.epoch, Position(self.position if seen is None else seen), self.seq - 1),
            ClockFacts(reading(wall_ms), wall_ms, bytes(8), self.seq, START_MS),
            edits,
            op_salt(root_of(salt_block(self.seq)), self.seq),
        )
        return self.written[self.seq]

    def creates(self, *edits: Edit, kind: str = "patrol", scope: str | None = EAST) -> Op:
        """Write a new record."""
        record = record_id(START_MS + self.seq, os.urandom(10))
        place = (put("grid_code", scope),) if scope is not None else ()
        return self.writes(record, *place, *edits, kind=kind, intent=Intent.CREATE)

    def segment(self, ops: Sequence[Op]) -> Segment:
        """Sign a run of ops."""
        before = [op_hash(self.written[seq]) for seq in range(1, ops[0].id.seq)]
        chain_before = chain_through(chain_start(self.device, self.incarnation), before)
        blocks = {salt_block(op.id.seq) for op in ops}
        roots = {block: root_of(block) for block in blocks}
        return cut(ops, tenant=TENANCY.tenant, chain_before=chain_before, roots=roots, key=self.signing)

    def request(
        self,
        segments: Sequence[Segment] = (),
        *,
        fetches: Sequence[Fetch] = (),
        status: Mapping[str, Value] | None = None,
        position: int | None = None,
        token: bytes | None = None,
        clock: ClockFacts | None = None,
        extras: Mapping[str, Value] = NO_EXTRAS,
    ) -> bytes:
        """Seal an exchange. `clock` is what is said at sending: as the last op says, unless given."""
        self.counter += 1
        request = SyncRequest(
            self.counter,
            self.token if token is None else token,
            self.position if position is None else Position(position),
            1,
            tuple(segments),
            tuple(fetches),
            status,
            segments[-1].ops[-1].clock if segments and clock is None else clock,
            extras,
        )
        return self.sealed(encode(request), Purpose.SYNC_REQUEST, self.handle)

    def opened(self, answer: bytes, raw: bytes, purpose: Purpose) -> Message:
        """Open an answer to `raw`, and make sure that it is the pinned server's."""
        header = read_header(answer)
        assert (header.purpose, header.address) == (purpose, reply_address(raw))
        opened = open_sealed(answer, reader=self.exchange, context=raw)
        opened.verify(Ed25519PublicKey.from_public_bytes(self.server_keys[0]))
        return decode(opened.body)

    def take(self, answer: SyncResponse, sent: Sequence[Op] = ()) -> None:
        """Bring the replica up to an answer."""
        by_seq = {op.id.seq: op for op in sent}
        for run in answer.accepted:
            for offset in range(run.count):
                op = by_seq[run.first_seq + offset]
                stamp = run.stamps.get(offset, Stamp(op.clock.hlc))
                entry = Entry(op, stamp, Position(run.first_position + offset))
                self.replica[op.record] = apply(self.replica.get(op.record), entry)
        for state in (*answer.changes, *(each for page in answer.pages for each in page.records)):
            self.replica[state.id] = adopt(self.replica.get(state.id), state)
        for record in answer.left:
            self.replica.pop(record, None)
        self.position, self.token = answer.to_position, answer.token

    def digest(self) -> bytes:
        """Return the digest of the replica."""
        digests: dict[tuple[ScopeId, int], SetDigest] = {}
        for state in self.replica.values():
            kind = KINDS.get(state.kind)
            assert kind is not None
            for scope in scopes_of_record(state, kind) & frozenset(self.scopes):
                for digest_class, leaf in leaves(state).items():
                    key = (scope, digest_class)
                    digests[key] = digests.get(key, EMPTY).plus(leaf)
        return combined(digests)


def put(name: str, value: Value, *, key: str = "", digest_class: int = 0) -> Edit:
    return Edit(name, Action.SET, key, value, digest_class)


def add(name: str, key: str, value: Value = None) -> Edit:
    return Edit(name, Action.ADD, key, value, 0)


def count(name: str, number: int) -> Edit:
    return Edit(name, Action.COUNT, "", number, 0)


def first_fetch(*scopes: str) -> list[Fetch]:
    """Ask for scopes from their beginning."""
    return [Fetch(ScopeId(scope), Position(0), None) for scope in scopes]
