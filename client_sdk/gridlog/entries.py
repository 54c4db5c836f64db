"""What the journal's entries say: ops written here, answers taken in, who we are enrolled as.

Each entry is canonical msgpack with its version first; the journal seals it. An answer is kept as what it changed,
not as it came, so that reading it again needs no network keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gridlog_protocol.canonical import NotCanonicalError, Value, pack, pack_settled, unpack
from gridlog_protocol.clock import Stamp
from gridlog_protocol.decisions import Decision, decision_rows, read_decisions
from gridlog_protocol.epochs import epoch_rows, read_epochs
from gridlog_protocol.errors import ProtocolError
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
)
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.messages import Fetch, ReceiptNote
from gridlog_protocol.op_codec import pack_op, unpack_op
from gridlog_protocol.ops import Op
from gridlog_protocol.rows import Row, reading
from gridlog_sync.clocks import Offset
from gridlog_sync.session import Fork, Standing

from .sights import Confirmed, confirmed_rows, read_confirmed

_VERSION = 1
_COUNT_MAX = 1 << 20
_NAME_BYTES_MAX = 512


class EntryError(Exception):
    """An entry does not say what an entry says: the program that wrote it was not ours, or had a bug."""


@dataclass(slots=True)
class WrittenOp:
    """An op of this device, the salt root of its block, and the chain value before it."""

    op: Op
    root: bytes
    chain_before: bytes
    _made: tuple[bytes, int] | None = field(default=None, compare=False, repr=False)

    @property
    def packed(self) -> bytes:
        """The entry of the op: made when it is saved, and kept until the op may be forgotten."""
        return self._packed_once()[0]

    @property
    def size(self) -> int:
        """How many bytes the op takes, packed."""
        return self._packed_once()[1]

    def _packed_once(self) -> tuple[bytes, int]:
        if self._made is None:
            packed = pack_op(self.op)
            self._made = pack_settled([_VERSION, packed, self.root, self.chain_before]), len(packed)
        return self._made


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Who we are to the server, and its keys: pinned at enrolment, and trusted alone."""

    address: str
    server_signing_key: bytes
    server_exchange_key: bytes
    handle: DeviceHandle
    tenant: TenantId
    tenant_name: str
    user: UserId
    user_name: str
    epoch: Epoch
    scopes: tuple[ScopeId, ...]
    generation: int
    server_ms: int
    recovery_key: bytes


@dataclass(frozen=True, slots=True)
class HeldEntry:
    """An op of ours that the server holds."""

    incarnation: Incarnation
    seq: int
    code: str
    field: str


@dataclass(frozen=True, slots=True)
class DecidedOp:
    """An op of ours that was held for `code`, and what was decided. `code` is empty if its answer was lost."""

    op: Op
    code: str
    decision: Decision


@dataclass(frozen=True, slots=True)
class TakenAnswer:
    """What one answer changed.

    `offset` is what is known since of the phone's clock; `repaired` counts the records that a repair set right.
    """

    standing: Standing
    counter: int
    server_ms: int
    contact_ms: int
    highest_stamp: Stamp
    records: tuple[Confirmed, ...]
    dropped: tuple[RecordId, ...]
    settled: Mapping[tuple[Incarnation, int], Position]
    held: tuple[HeldEntry, ...]
    receipt: tuple[Incarnation, ReceiptNote] | None
    offset: Offset | None = None
    repaired: int = 0
    decided: tuple[Decision, ...] = ()
    own_alone: tuple[RecordId, ...] = ()
    stamps: Mapping[tuple[Incarnation, int], Stamp] = field(default_factory=dict)

    def is_idle(self, before: Standing | None) -> bool:
        """Tell whether the exchange changed nothing but the time of the last contact."""
        has_content = self.records or self.dropped or self.settled or self.held or self.receipt or self.decided
        return not has_content and self.standing == before


def pack_written(written: WrittenOp) -> bytes:
    """Write the entry of an op."""
    return written.packed


def read_written(raw: bytes) -> WrittenOp:
    """Read the entry of an op. Raises EntryError."""
    with reading_entry(raw, "op") as row:
        packed = _bytes(row)
        return WrittenOp(unpack_op(packed), row.blob(16), row.blob(32), (raw, len(packed)))


def pack_enrolled(enrolled: Enrolled) -> bytes:
    """Write the entry of an enrolment."""
    return pack(
        [
            _VERSION,
            enrolled.address,
            enrolled.server_signing_key,
            enrolled.server_exchange_key,
            enrolled.handle,
            enrolled.tenant,
            enrolled.tenant_name,
            enrolled.user,
            enrolled.user_name,
            enrolled.epoch,
            [*enrolled.scopes],
            enrolled.generation,
            enrolled.server_ms,
            enrolled.recovery_key,
        ]
    )


def read_enrolled(raw: bytes) -> Enrolled:
    """Read the entry of an enrolment. Raises EntryError."""
    with reading_entry(raw, "enrolment") as row:
        return Enrolled(
            row.text(_NAME_BYTES_MAX),
            row.blob(32),
            row.blob(32),
            DeviceHandle(row.blob(8)),
            TenantId(row.text(_NAME_BYTES_MAX)),
            row.text(_NAME_BYTES_MAX),
            UserId(row.blob(16)),
            row.text(_NAME_BYTES_MAX),
            Epoch(row.blob(8)),
            _scopes(row),
            row.whole(),
            row.whole(),
            row.blob(0, 32),
        )


def pack_answer(answer: TakenAnswer) -> bytes:
    """Write the entry of an answer."""
    return pack(
        [
            _VERSION,
            standing_row(answer.standing),
            answer.counter,
            answer.server_ms,
            answer.contact_ms,
            answer.highest_stamp,
            confirmed_rows(answer.records),
            [*answer.dropped],
            [[incarnation, seq, position] for (incarnation, seq), position in answer.settled.items()],
            [[held.incarnation, held.seq, held.code, held.field] for held in answer.held],
            receipt_row(*answer.receipt) if answer.receipt else None,
            offset_row(answer.offset),
            answer.repaired,
            decision_rows(answer.decided),
            [*answer.own_alone],
            [[incarnation, seq, stamp] for (incarnation, seq), stamp in answer.stamps.items()],
        ]
    )


def read_answer(raw: bytes, device: DeviceId, kinds: KindSet) -> TakenAnswer:
    """Read the entry of an answer to `device`. Raises EntryError."""
    with reading_entry(raw, "answer") as row:
        standing = read_standing(row.value())
        counter, server_ms, contact_ms = row.whole(), row.whole(), row.whole()
        highest = Stamp(row.whole())
        records = tuple(read_confirmed(row.value(), kinds))
        dropped = tuple(RecordId(Row([each], "record").blob(16)) for each in row.items(_COUNT_MAX))
        settled = {
            (Incarnation(each.blob(8)), each.whole()): Position(each.whole())
            for each in row.rows("settled", _COUNT_MAX)
        }
        held = tuple(
            HeldEntry(Incarnation(each.blob(8)), each.whole(), each.text(_NAME_BYTES_MAX), each.text(_NAME_BYTES_MAX))
            for each in row.rows("held", _COUNT_MAX)
        )
        receipt = read_receipt(row.value())
        offset, repaired = read_offset(row.value()), row.whole()
        decided = read_decisions(row.value(), device)
        own_alone = tuple(RecordId(Row([each], "record").blob(16)) for each in row.items(_COUNT_MAX))
        # Stores of the first versions did not keep what acknowledged ops were stamped with.
        stamps = {
            (Incarnation(each.blob(8)), each.whole()): Stamp(each.whole())
            for each in (row.rows("stamp", _COUNT_MAX) if row.has_more else ())
        }
        row.end()
    what = records, dropped, settled, held, receipt, offset, repaired, decided, own_alone, stamps
    return TakenAnswer(standing, counter, server_ms, contact_ms, highest, *what)


@dataclass(frozen=True, slots=True)
class Reincarnated:
    """All pending ops of an incarnation follow again under a new one."""

    old: Incarnation


@dataclass(frozen=True, slots=True)
class Returned:
    """After a restore of the server both sides are equal again."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A restored server has now what this device held of others' ops."""

    ops: tuple[OpId, ...]


@dataclass(frozen=True, slots=True)
class Ordered:
    """An order of the server was taken in, and one with this counter or a lower one is old from now on."""

    counter: int


Fact: TypeAlias = Reincarnated | Returned | Salvaged | Ordered | Fork


def pack_fact(fact: Fact) -> bytes:
    """Write the entry of something that happened to the store, and is neither an op nor an answer."""
    match fact:
        case Reincarnated():
            return pack([_VERSION, "reincarnated", fact.old])
        case Returned():
            return pack([_VERSION, "returned"])
        case Salvaged():
            return pack([_VERSION, "salvaged", [[*op] for op in fact.ops]])
        case Ordered():
            return pack([_VERSION, "ordered", fact.counter])
        case Fork():
            return pack([_VERSION, "restored", standing_row(fact.standing), fact.position])


def read_fact(raw: bytes) -> Fact:
    """Read such an entry. Raises EntryError."""
    with reading_entry(raw, "fact") as row:
        match row.text(_NAME_BYTES_MAX):
            case "reincarnated":
                return Reincarnated(Incarnation(row.blob(8)))
            case "returned":
                return Returned()
            case "salvaged":
                rows = row.rows("op", _COUNT_MAX)
                return Salvaged(
                    tuple(
                        OpId(DeviceId(each.blob(16)), Incarnation(each.blob(8)), each.whole(low=1)) for each in rows
                    )
                )
            case "ordered":
                return Ordered(row.whole())
            case "restored":
                return Fork(read_standing(row.value()), Position(row.whole()))
            case _:
                raise row.malformed("unknown fact")


class reading_entry:  # noqa: N801 - reads as the statement it is used in.
    """Open an entry: check its version, and turn whatever is wrong with it into an EntryError."""

    def __init__(self, raw: bytes, what: str) -> None:
        self._raw = raw
        self._what = what

    def __enter__(self) -> Row:
        try:
            self._row = Row(unpack(self._raw), self._what)
            if self._row.whole() != _VERSION:
                raise self._row.malformed("unknown version")
        except (ProtocolError, NotCanonicalError) as reason:
            raise EntryError(str(reason)) from None
        return self._row

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, (ProtocolError, NotCanonicalError)):
            raise EntryError(str(error)) from None


def _bytes(row: Row) -> bytes:
    value = row.value()
    if not isinstance(value, bytes):
        raise row.malformed("not bytes")
    return value


def _scopes(row: Row) -> tuple[ScopeId, ...]:
    return tuple(ScopeId(Row([each], "scope").text(_NAME_BYTES_MAX)) for each in row.items(_COUNT_MAX))


def standing_row(standing: Standing) -> Value:
    """Write where the device stands."""
    return [
        standing.epoch,
        standing.position,
        standing.token,
        standing.generation,
        [*standing.scopes],
        [[fetch.scope, fetch.as_of, fetch.after] for fetch in standing.fetches],
        *([epoch_rows(standing.epochs)] if standing.epochs else []),
    ]


def read_standing(value: Value) -> Standing:
    """Read what `standing_row` wrote. Raises ProtocolError."""
    row = Row(value, "standing")
    epoch, position, token = Epoch(row.blob(8)), Position(row.whole()), row.blob(8)
    generation, scopes = row.whole(), _scopes(row)
    fetches = []
    for each in row.rows("fetch", _COUNT_MAX):
        scope, as_of, after = ScopeId(each.text(_NAME_BYTES_MAX)), Position(each.whole()), each.value()
        fetches.append(Fetch(scope, as_of, RecordId(after) if isinstance(after, bytes) else None))
    epochs = read_epochs(row.value()) if row.has_more else ()
    return Standing(epoch, position, token, generation, scopes, tuple(fetches), epochs)


def receipt_row(incarnation: Incarnation, note: ReceiptNote) -> Value:
    """Write a receipt for ops of an incarnation."""
    return [incarnation, note.up_to_seq, note.log_position, note.log_hash, note.server_ms, note.signature]


def read_receipt(value: Value) -> tuple[Incarnation, ReceiptNote] | None:
    """Read what `receipt_row` wrote, or that there is none. Raises ProtocolError."""
    if value is None:
        return None
    with reading(value, "receipt") as row:
        incarnation = Incarnation(row.blob(8))
        note = ReceiptNote(row.whole(), Position(row.whole()), row.blob(32), row.whole(), row.blob(64))
        return incarnation, note


def offset_row(offset: Offset | None) -> Value:
    """Write what is known of the phone's clock."""
    return [offset.ahead_ms, offset.error_ms] if offset else None


def read_offset(value: Value) -> Offset | None:
    """Read what `offset_row` wrote. Raises ProtocolError."""
    if value is None:
        return None
    with reading(value, "offset") as row:
        return Offset(row.signed(), row.whole())
