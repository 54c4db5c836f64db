"""What a lost, wiped or revoked device still sent: taken in as held ops, or dismissed with a reason.

The rule it keeps: nothing takes effect by it, and nothing is thrown away. What is taken in is held, and waits for a
decision op by op. What is dismissed stays where it is, with who decided it and why.

    quarantine --take_in--> held ops --release, reject--> as any
               --dismiss--> still there, and asked about no more
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gridlog_protocol.canonical import NotCanonicalError, unpack
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import OpId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.limits import WAITING_BYTES_MAX, WAITING_SEGMENTS_MAX
from gridlog_protocol.log_chain import Ruling
from gridlog_protocol.ops import Op, op_hash
from gridlog_protocol.segment import Segment
from gridlog_protocol.segment_codec import read_segment
from gridlog_server.store.contract import Act, Outcome, Quarantined, Store, Transaction, WaitingSegment
from gridlog_sync.admission import Chain, continue_chain
from gridlog_sync.clocks import Arrival

from .deciding import ruling_of
from .pushing import Work
from .refusing import RefusedError
from .standing import LOST, REVOKED

HOLD = "quarantined"
_FROM_DEVICES_TURNED_AWAY = (LOST, REVOKED)
_LISTED_MAX = 100_000


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What became of something in quarantine: its ops that are held now, and how many had come in otherwise.

    `behind_gap` counts those that wait for what is missing before them: `close-gap` ends that.
    `numbers` are all that were taken in with it, since they come before it in the device's chain.
    """

    numbers: tuple[int, ...]
    held: tuple[OpId, ...]
    known: int
    behind_gap: int


class Quarantine:
    """The use cases behind `gridlog-server take-in` and `dismiss`."""

    def __init__(self, store: Store, kinds: KindSet, *, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._kinds = kinds
        self._now_ms = now_ms

    async def take_in(self, number: int, *, by: str, reason: str = "") -> TakenIn:
        """Take the ops of something in quarantine in as held, with all that its device sent before it.

        Raises RefusedError, also for a fork: its device has sent that again under numbers of its own.
        """
        ruling = ruling_of(by, reason, now_ms=self._now_ms(), reason_min=0)

        async def work(transaction: Transaction) -> TakenIn:
            wanted = await _waiting(transaction, number)
            segment = _segment_in(wanted)
            if segment is None or wanted.code not in _FROM_DEVICES_TURNED_AWAY:
                raise RefusedError(
                    f"第 {number} 项不是挂失或作废的终端发来的，不能取入；可以写明理由后忽略。",
                    f"Number {number} is not from a device that was lost or revoked: dismiss it, with a reason.",
                )
            items = await _up_to(transaction, wanted, segment)
            behind = await transaction.reviews.behind_gap(wanted.device, segment.incarnation)
            ops = [op for each in (*(one for _, one in items), *(one.segment for one in behind)) for op in each.ops]
            gathered = await Work.load(transaction, ops, self._kinds, self._store.tenancy, ruling.at_ms, sent=None)
            taken = await _taken(transaction, gathered, items, behind)
            if gathered.ops:
                await transaction.ledger.write(gathered.commit())
            for item, _ in items:
                await _decide(transaction, item, Outcome.TAKEN_IN, ruling)
            return taken

        return await self._store.commit(work)

    async def dismiss(self, number: int, *, by: str, reason: str) -> Quarantined:
        """Decide that something in quarantine is of no use. It stays there. Raises RefusedError."""
        ruling = ruling_of(by, reason, now_ms=self._now_ms())

        async def work(transaction: Transaction) -> Quarantined:
            item = await _waiting(transaction, number)
            await _decide(transaction, item, Outcome.DISMISSED, ruling)
            return item

        return await self._store.commit(work)


async def _waiting(transaction: Transaction, number: int) -> Quarantined:
    item = await transaction.reviews.apart(number)
    if item is None:
        raise RefusedError(
            f"隔离区没有第 {number} 项，见 gridlog-server quarantine。",
            f"Nothing in quarantine has the number {number}: see gridlog-server quarantine.",
        )
    if item.outcome is not None:
        done = "取入" if item.outcome is Outcome.TAKEN_IN else "忽略"
        who = item.ruling.by if item.ruling else ""
        said = item.outcome.value.replace("_", " ")
        raise RefusedError(f"{who} 已经{done}了第 {number} 项。", f"Number {number} was {said} already, by {who}.")
    return item


async def _up_to(
    transaction: Transaction, wanted: Quarantined, segment: Segment
) -> list[tuple[Quarantined, Segment]]:
    """Return what is to be taken in: the wanted item, and what waits here of the same chain before it, in order."""
    kept = await transaction.quarantined(_LISTED_MAX, device=wanted.device, is_waiting=True)
    read = [(each, _segment_in(each)) for each in kept if each.code in _FROM_DEVICES_TURNED_AWAY]
    before = [
        (item, each)
        for item, each in read
        if each is not None
        and each.incarnation == segment.incarnation
        and (each.first_seq < segment.first_seq or item.number == wanted.number)
    ]
    return sorted(before, key=lambda pair: (pair[1].first_seq, pair[0].number))


async def _taken(
    transaction: Transaction,
    work: Work,
    items: Sequence[tuple[Quarantined, Segment]],
    behind: Sequence[WaitingSegment],
) -> TakenIn:
    """Hold the ops of segments of one chain, one after the other; what lies beyond a gap waits there."""
    bench = _Bench(transaction, work, await transaction.ledger.chain(items[0][0].device, items[0][1].incarnation))
    behind_gap = 0
    for item, segment in items:
        waiting = WaitingSegment(item.device, segment, item.served, item.received_ms)
        if segment.first_seq <= bench.chain.known_seq + 1:
            await bench.hold(waiting)
        elif await transaction.reviews.keep_waiting(
            waiting, bytes_max=WAITING_BYTES_MAX, count_max=WAITING_SEGMENTS_MAX
        ):
            behind_gap += len(segment.ops)
        else:
            raise RefusedError("缺口之后等待的内容太多。", "Too much waits behind a gap of this device already.")
    for waiting in behind:
        if waiting.segment.first_seq > bench.chain.known_seq + 1:
            break
        await transaction.reviews.wait_no_longer(waiting)
        await bench.hold(waiting)
    return TakenIn(tuple(item.number for item, _ in items), tuple(bench.held), bench.known, behind_gap)


@dataclass(slots=True)
class _Bench:
    """One chain, while its segments come in held."""

    transaction: Transaction
    work: Work
    chain: Chain
    known: int = 0
    held: list[OpId] = field(default_factory=list)
    hashes: dict[int, bytes] = field(default_factory=dict)

    async def hold(self, coming: WaitingSegment) -> None:
        segment, place = coming.segment, (coming.device, coming.segment.incarnation)
        hashes = [op_hash(op) for op in segment.ops]
        last = segment.first_seq + len(segment.ops) - 1
        stored = await self.transaction.ledger.ops(*place, segment.first_seq, last)
        known = self.hashes | {each.op.id.seq: each.hash for each in stored}
        self.chain, new = _continued(self.chain, segment, hashes, known)
        self.known += len(segment.ops) - len(new)
        self.hashes |= dict(zip((op.id.seq for op in segment.ops), hashes, strict=True))
        if not new:
            return
        number = await self.transaction.put_segment(
            segment, coming.device, self.chain.head, now_ms=coming.received_ms
        )
        self.work.timing.came(Arrival(coming.received_ms, None))
        for op in new:
            self.work.keep_held(op, self.hashes[op.id.seq], number, coming.served, HOLD)
            self.held.append(op.id)
        self.work.chains[place] = self.chain


def _continued(
    chain: Chain, segment: Segment, hashes: list[bytes], known: dict[int, bytes]
) -> tuple[Chain, tuple[Op, ...]]:
    try:
        return continue_chain(chain, segment, hashes, known)
    except ProtocolError as reason:
        raise RefusedError(
            f"这些修改与同一终端已收到的不符（{reason.detail}），不能取入；可以写明理由后忽略。",
            f"These ops contradict what came from the same device ({reason.detail}): dismiss them, with a reason.",
        ) from None


async def _decide(transaction: Transaction, item: Quarantined, outcome: Outcome, ruling: Ruling) -> None:
    await transaction.reviews.decide_apart(item.number, outcome, ruling)
    what = "quarantine.take_in" if outcome is Outcome.TAKEN_IN else "quarantine.dismiss"
    detail = f"no. {item.number} {ruling.reason}".strip()
    await transaction.registry.note(Act(ruling.at_ms, ruling.by, what, item.device.hex(), detail))


def _segment_in(item: Quarantined) -> Segment | None:
    try:
        return read_segment(unpack(item.body), item.device)
    except (ProtocolError, NotCanonicalError):
        return None
