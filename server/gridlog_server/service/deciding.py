"""Decide about held ops: release them, so that they take effect now, or reject them for ever.

The rule it keeps: a decision is an entry of the log, with who decided, when and why in its hash. A released op gets
its position and stamp *now*: whoever wrote meanwhile had not seen it, and nobody counts as if he had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gridlog_protocol.clock import Stamp
from gridlog_protocol.decisions import Decision, Verdict
from gridlog_protocol.errors import HOLDS
from gridlog_protocol.ids import DeviceId, OpId, Position
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.limits import DECIDER_CHARACTERS_MAX, REASON_CHARACTERS_MAX, REASON_CHARACTERS_MIN
from gridlog_protocol.log_chain import EntryType, Ruling, decided_hash
from gridlog_protocol.op_codec import pack_op
from gridlog_protocol.ops import Intent
from gridlog_server.store.contract import Store, StoredOp, Transaction
from gridlog_sync.admission import Author, Held, bounded, judge, stamp_for, still_held
from gridlog_sync.merge import Entry

from .history import History
from .pushing import Work
from .refusing import RefusedError

_NAME_DIGITS_MIN, _NAME_DIGITS = 4, 8
_NO_STAMP, _NO_POSITION = Stamp(0), Position(0)


class DecisionError(RefusedError):
    """The decision cannot be made. `text` says why, to whoever wanted to make it."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What one decision did: the op itself first, then those that hung on it. `waiting` hang on it still."""

    decisions: tuple[Decision, ...]
    waiting: tuple[StoredOp, ...]


def name_of(op: OpId) -> str:
    """Return how people name a held op: the first digits of its device and incarnation, and its number."""
    return f"{op.device.hex()[:_NAME_DIGITS]}-{op.incarnation.hex()[:_NAME_DIGITS]}-{op.seq}"


def ruling_of(by: str, reason: str, *, now_ms: int, reason_min: int = REASON_CHARACTERS_MIN) -> Ruling:
    """Return who decides and why. Raises DecisionError if either is missing or too long."""
    by, reason = by.strip(), reason.strip()
    if not 1 <= len(by) <= DECIDER_CHARACTERS_MAX:
        raise DecisionError(
            f"请写明由谁决定，最多 {DECIDER_CHARACTERS_MAX} 个字。",
            f"Say who decides, in at most {DECIDER_CHARACTERS_MAX} characters.",
        )
    if not reason_min <= len(reason) <= REASON_CHARACTERS_MAX:
        raise DecisionError(
            f"理由应为 {reason_min} 到 {REASON_CHARACTERS_MAX} 个字。",
            f"The reason has {reason_min} to {REASON_CHARACTERS_MAX} characters.",
        )
    return Ruling(by, now_ms, reason)


class Deciding:
    """The use cases behind `gridlog-server release` and `reject`."""

    def __init__(self, store: Store, kinds: KindSet, *, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._kinds = kinds
        self._now_ms = now_ms

    async def release(self, name: str, *, by: str, reason: str = "") -> Decided:
        """Let a held op take effect. If it creates a record, those that waited for it are judged again.

        Raises DecisionError.
        """
        ruling = ruling_of(by, reason, now_ms=self._now_ms(), reason_min=0)

        async def work(transaction: Transaction) -> Decided:
            wanted = await _found(transaction, name)
            bench = await _Bench.load(transaction, wanted, self._kinds, self._store, ruling)
            decided = bench.release(await _authors(transaction, bench.dependants))
            await transaction.ledger.write(bench.work.commit())
            return decided

        return await self._store.commit(work)

    async def reject(self, name: str, *, by: str, reason: str) -> Decided:
        """Decide that a held op never takes effect; if it creates a record, neither do those that wait for it.

        Raises DecisionError.
        """
        ruling = ruling_of(by, reason, now_ms=self._now_ms())

        async def work(transaction: Transaction) -> Decided:
            wanted = await _found(transaction, name)
            bench = await _Bench.load(transaction, wanted, self._kinds, self._store, ruling)
            decided = bench.reject()
            await transaction.ledger.write(bench.work.commit())
            return decided

        return await self._store.commit(work)


@dataclass(slots=True)
class _Bench:
    """One held op with all that hangs on it, while it is decided about."""

    wanted: StoredOp
    dependants: list[StoredOp]
    work: Work
    ruling: Ruling

    @staticmethod
    async def load(
        transaction: Transaction, wanted: StoredOp, kinds: KindSet, store: Store, ruling: Ruling
    ) -> _Bench:
        history = await transaction.ledger.ops_of_record(wanted.op.record)
        hanging = _hanging_on(wanted, history)
        hanging.sort(key=lambda each: (each.segment or 0, each.op.id))
        ops = [each.op for each in (wanted, *hanging)]
        work = await Work.load(transaction, ops, kinds, store.tenancy, ruling.at_ms, sent=None)
        work.history[wanted.op.record] = History(history)
        return _Bench(wanted, hanging, work, ruling)

    def release(self, authors: dict[DeviceId, Author]) -> Decided:
        held = self._still_held(self.wanted)
        if held:
            raise DecisionError(
                f"现在还不能放行：{HOLDS[held.code].worker_reads.zh}",
                f"It cannot be released now: {HOLDS[held.code].worker_reads.en}",
            )
        first = self._release(self.wanted, self.ruling)
        behind = replace(self.ruling, follows=first.position)
        decisions, waiting = [first], []
        # What lies behind a gap that somebody closed is looked at one by one.
        for each in (each for each in self.dependants if each.hold == "depends_on_held"):
            author = authors.get(each.op.id.device)
            verdict = self._judged(each, author) if author else Held(each.op, "foreign_author")
            if isinstance(verdict, Held):
                again = replace(each, hold=verdict.code, hold_field=verdict.field)
                self.work.decided.append(again)
                waiting.append(again)
            else:
                decisions.append(self._release(each, behind))
        return Decided(tuple(decisions), tuple(waiting))

    def reject(self) -> Decided:
        first = self._reject(self.wanted, self.ruling)
        behind = replace(self.ruling, follows=first.position)
        return Decided((first, *(self._reject(each, behind) for each in self.dependants)), ())

    def _release(self, held: StoredOp, ruling: Ruling) -> Decision:
        work = self.work
        entry = self._entry(held)
        work.take_effect(entry, EntryType.RELEASED, decided_hash(held.hash, ruling), op_bytes=len(pack_op(entry.op)))
        released = replace(held, position=entry.position, stamp=entry.stamp, verdict=Verdict.RELEASED)
        work.history[held.op.record].add(released)
        work.decided.append(released)
        return self._noted(Decision(held.op.id, held.hash, Verdict.RELEASED, entry.position, entry.stamp, ruling))

    def _reject(self, held: StoredOp, ruling: Ruling) -> Decision:
        hashed = decided_hash(held.hash, ruling)
        position = self.work.note(EntryType.REJECTED, held.op.id, hashed, _NO_STAMP)
        self.work.decided.append(replace(held, verdict=Verdict.REJECTED))
        return self._noted(Decision(held.op.id, held.hash, Verdict.REJECTED, position, _NO_STAMP, ruling))

    def _noted(self, decision: Decision) -> Decision:
        self.work.decisions.append(decision)
        return decision

    def _entry(self, held: StoredOp) -> Entry:
        """Return the entry that a held op gets now. What it names was bounded when it arrived, and stays so."""
        work = self.work
        low = bounded(held.op, epochs=work.tenancy.epochs, served=held.named)
        above = work.history[held.op.record].highest_seen(low)
        stamp = stamp_for(held.op.clock.hlc, server_ms=work.now_ms, above=above)
        return Entry(low, stamp, Position(work.head.position + 1))

    def _still_held(self, held: StoredOp) -> Held | None:
        standing = self.work.records.get(held.op.record)
        kind = self.work.kinds.get(held.op.kind)
        return still_held(held.op, record=standing.state if standing else None, size=self._size(held), kind=kind)

    def _judged(self, held: StoredOp, author: Author) -> Entry | Held:
        standing = self.work.records.get(held.op.record)
        return judge(
            self._entry(held),
            record=standing.state if standing else None,
            size=self._size(held),
            creation=self.work.history[held.op.record].creation_hold,
            kind=self.work.kinds.get(held.op.kind),
            author=author,
        )

    def _size(self, held: StoredOp) -> int:
        standing = self.work.records.get(held.op.record)
        return (standing.size if standing else 0) + len(pack_op(held.op))


def _hanging_on(wanted: StoredOp, history: Sequence[StoredOp]) -> list[StoredOp]:
    """Return the waiting ops that have no record to edit but for the creation `wanted`."""
    creations = [each for each in history if each.op.intent is Intent.CREATE]
    is_there = any(each.position is not None for each in creations)
    if wanted.op.intent is not Intent.CREATE or is_there:
        return []
    others = [each for each in creations if each.is_waiting and each.op.id != wanted.op.id]
    place = (wanted.op.id.device, wanted.op.id.incarnation)
    return [
        each
        for each in history
        if each.is_waiting
        and each.op.intent is not Intent.CREATE
        and each.hold in ("depends_on_held", "after_gap")
        # If somebody else's creation of the same record waits, what others wrote may hang on that one.
        and (not others or (each.op.id.device, each.op.id.incarnation) == place)
    ]


async def _authors(transaction: Transaction, held: Sequence[StoredOp]) -> dict[DeviceId, Author]:
    """Return the holders of the devices that wrote these ops, with the grids they have now."""
    wanted = {each.op.id.device for each in held}
    found: dict[DeviceId, Author] = {}
    for device in await transaction.registry.devices() if wanted else ():
        person = await transaction.registry.person(device.person) if device.id in wanted else None
        if person is not None:
            found[device.id] = Author(person.scopes, _NO_POSITION, person.id)
    return found


async def _found(transaction: Transaction, name: str) -> StoredOp:
    """Return the waiting op that a name means. Raises DecisionError."""
    device, incarnation, seq = _parted(name)
    ops = [
        each
        for each in await transaction.reviews.numbered(seq)
        if each.op.id.device.hex().startswith(device) and each.op.id.incarnation.hex().startswith(incarnation)
    ]
    if not ops:
        raise DecisionError(f"没有编号为 {name} 的待核对修改。", f"No held op is named {name}.")
    if len(ops) > 1:
        raise DecisionError(f"有 {len(ops)} 项修改以 {name} 开头，请多写几位。", f"{len(ops)} held ops begin so.")
    [found] = ops
    made = await transaction.reviews.decision(found.op.id)
    if made is not None:
        is_released = made.verdict is Verdict.RELEASED
        raise DecisionError(
            f"{made.ruling.by} 已经{'放行' if is_released else '退回'}了这项修改（位置 {made.position}）。",
            f"{made.ruling.by} {made.verdict.value} it already, at position {made.position}.",
        )
    return found


def op_name(op: OpId) -> str:
    """Return the whole name of an op: what `release` and `reject` take, and forms say."""
    return f"{op.device.hex()}-{op.incarnation.hex()}-{op.seq}"


def _parted(name: str) -> tuple[str, str, int]:
    parts = name.strip().lower().split("-")
    is_right = len(parts) == 3 and all(len(each) >= _NAME_DIGITS_MIN for each in parts[:2]) and parts[2].isdecimal()
    if not is_right or len(parts[2]) > _NAME_DIGITS * 2:
        raise DecisionError(
            "修改的编号形如 3fa9c2d1-77ab01cd-14，见 gridlog-server held。",
            "A held op is named like 3fa9c2d1-77ab01cd-14: see gridlog-server held.",
        )
    return parts[0], parts[1], int(parts[2])
