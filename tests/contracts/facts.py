"""What a store is given to keep, as small as it can be, and the works that give it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from gridlog_protocol.clock import ClockFacts, Stamp, reading
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
from gridlog_protocol.ops import Action, Edit, Intent, Op, Seen, op_hash
from gridlog_protocol.segment import Segment
from gridlog_protocol.state import RecordState
from gridlog_protocol.state_codec import pack_record
from gridlog_server.store.contract import (
    Act,
    Code,
    Commit,
    Device,
    LoggedEntry,
    Person,
    Store,
    StoredOp,
    StoredRecord,
    Transaction,
)
from gridlog_server.store.tenancy import Tenancy
from gridlog_sync.admission import Chain
from gridlog_sync.changes import Movement, Touch
from gridlog_sync.clocks import Estimate, Tier
from gridlog_sync.digest import SetDigest
from gridlog_sync.merge import Entry, apply

TENANCY = Tenancy.new(TenantId("420106"), "武昌区", Epoch(b"epoch-01"))
START_MS = 1_795_000_000_000
EAST, WEST = ScopeId("420106001001001"), ScopeId("420106001001002")
DEVICE, OTHER_DEVICE = DeviceId(b"a handheld 00001"), DeviceId(b"a handheld 00002")
INCARNATION = Incarnation(b"1st life")


def a_record(number: int) -> RecordId:
    return record_id(START_MS + number, bytes([number]) * 10)


def an_op(seq: int, record: int = 1, *, device: DeviceId = DEVICE, intent: Intent = Intent.EDIT) -> Op:
    wall_ms = START_MS + seq
    edits = (
        Edit("summary", Action.SET, "", f"第{seq}趟：𠮷野家门口\x00井盖松动", 0),
        Edit("companions", Action.ADD, "王五", None, 1),
        Edit("handled_on_spot", Action.COUNT, "", -(1 << 63), 0),
    )
    return Op(
        OpId(device, INCARNATION, seq),
        UserId(bytes([7]) * 16),
        a_record(record),
        "patrol",
        3,
        intent,
        Seen(TENANCY.epoch, Position((1 << 47) - 1), seq - 1),
        ClockFacts(reading(wall_ms, 9), wall_ms, b"booted 1", seq, START_MS),
        edits,
        b"sixteen salty by",
    )


def happened(tier: Tier = Tier.FINE) -> Estimate:
    return Estimate(START_MS - 5, (1 << 47) - 1, tier)


def accepted(op: Op, position: int, tier: Tier = Tier.FINE) -> StoredOp:
    stamp = Stamp((1 << 63) - position)
    return StoredOp(op, op_hash(op), 1, op.seen.position, Position(position), stamp, when=happened(tier))


def held(op: Op, code: str = "invalid_value", field: str = "summary", *, tier: Tier = Tier.FINE) -> StoredOp:
    return StoredOp(op, op_hash(op), None, Position(0), None, None, code, field, when=happened(tier))


def a_state(number: int, kind: str = "patrol") -> RecordState:
    op = an_op(1, number, intent=Intent.CREATE)
    state = apply(None, Entry(op, Stamp(op.clock.hlc), Position(1)))
    return RecordState(state.id, kind, state.schema, state.origin, state.fields)


def stored(number: int, *scopes: ScopeId, changed: int = 1, kind: str = "patrol", conflicts: int = 0) -> StoredRecord:
    state = a_state(number, kind)
    size = len(pack_record(state))
    return StoredRecord(state, Position(changed), conflicts, frozenset(scopes or (EAST,)), size)


def touch(position: int, scope: ScopeId = EAST, record: int = 1, movement: Movement = Movement.TOUCHED) -> Touch:
    return Touch(Position(position), scope, a_record(record), movement, ("summary", "companions"))


def entry(position: int, seq: int = 1) -> LoggedEntry:
    return LoggedEntry(Position(position), bytes([position]) * 32, 1, OpId(DEVICE, INCARNATION, seq))


def a_commit(
    *,
    ops: Sequence[StoredOp] = (),
    entries: Sequence[LoggedEntry] = (),
    touches: Sequence[Touch] = (),
    records: Sequence[StoredRecord] = (),
    left: Sequence[tuple[ScopeId, RecordId]] = (),
    digests: Mapping[tuple[ScopeId, int], SetDigest] = MappingProxyType({}),
    chains: Mapping[tuple[DeviceId, Incarnation], Chain] = MappingProxyType({}),
) -> Commit:
    return Commit(ops, entries, touches, records, left, digests, chains)


def a_person(number: int = 1, *scopes: ScopeId, status: str = "active") -> Person:
    return Person(UserId(bytes([number]) * 16), f"W{number:03}", "张三丰", status, frozenset(scopes))


def a_device(
    number: int = 1, *, enrolled_ms: int = START_MS, counter: int = 0, clock_ahead_ms: int | None = None
) -> Device:
    return Device(
        DeviceId(bytes([number]) * 16),
        DeviceHandle(bytes([number]) * 8),
        a_person(1).id,
        b"s" * 32,
        b"x" * 32,
        "手持机 A1",
        "0.1.0",
        "active",
        counter,
        enrolled_ms,
        enrolled_ms,
        {"battery": 81, "held": 0, "warnings": ["clock"]},
        clock_ahead_ms,
    )


def a_segment(*seqs: int) -> Segment:
    ops = tuple(an_op(seq) for seq in seqs)
    return Segment(INCARNATION, seqs[0], b"c" * 32, TENANCY.epoch, ops[0].author, {0: bytes(16)}, ops, b"s" * 64)


def answering(person: Person, result: object, *, fails: bool = False) -> Callable[[Transaction], Awaitable[object]]:
    """Return a work that writes a person, then answers or fails."""

    async def work(transaction: Transaction) -> object:
        await transaction.registry.put_person(person)
        if fails:
            raise RuntimeError(f"work {result} failed")
        return result

    return work


def putting(written: Device | Code) -> Callable[[Transaction], Awaitable[None]]:
    """Return a work that writes a device or a code."""

    async def work(transaction: Transaction) -> None:
        if isinstance(written, Device):
            await transaction.registry.put_device(written)
        else:
            await transaction.registry.put_code(written)

    return work


def noting(act: Act) -> Callable[[Transaction], Awaitable[None]]:
    """Return a work that writes down an act."""

    async def work(transaction: Transaction) -> None:
        await transaction.registry.note(act)

    return work


async def people(store: Store) -> list[Person]:
    async with store.reading() as snapshot:
        return await snapshot.registry.people()


async def counts(store: Store) -> dict[str, int]:
    async with store.reading() as snapshot:
        return await snapshot.counts()


async def page(store: Store, scope: str, *, after: RecordId | None = None, limit: int = 9) -> list[RecordId]:
    async with store.reading() as snapshot:
        return await snapshot.ledger.page(EAST if scope == EAST else WEST, after, limit)


async def write(store: Store, commit: Commit) -> None:
    await store.commit(lambda transaction: transaction.ledger.write(commit))
