"""Close a gap: decide that ops which never came are not waited for any more.

The rule it keeps: nothing takes effect by it. What waited behind the gap comes in held, because its author may have
built on what is missing. Should the missing ops come after all, they are a fork: kept in quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import OpId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.log_chain import EntryType, decided_hash, gap_hash
from gridlog_protocol.ops import op_hash
from gridlog_server.store.contract import ClosedGap, Store, Transaction, WaitingSegment
from gridlog_sync.admission import Chain
from gridlog_sync.clocks import Arrival

from .deciding import DecisionError, ruling_of
from .pushing import Work, continued


@dataclass(frozen=True, slots=True)
class Closed:
    """A gap that was closed: its first and last missing seq, and how many ops came in held behind it."""

    first_seq: int
    last_seq: int
    held: int


class Gaps:
    """The use case behind `gridlog-server admin close-gap`."""

    def __init__(self, store: Store, kinds: KindSet, *, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._kinds = kinds
        self._now_ms = now_ms

    async def close(self, device: str, incarnation: str, *, by: str, reason: str) -> Closed:
        """Close the first gap of an incarnation; both are named by their first hex digits. Raises DecisionError."""
        ruling = ruling_of(by, reason, now_ms=self._now_ms())

        async def work(transaction: Transaction) -> Closed:
            behind = await _named(transaction, device, incarnation)
            place = (behind[0].device, behind[0].segment.incarnation)
            ops = [op for each in behind for op in each.segment.ops]
            gathered = await Work.load(transaction, ops, self._kinds, self._store.tenancy, ruling.at_ms, sent=None)
            before = await transaction.ledger.chain(*place)
            first = behind[0].segment
            if first.first_seq <= before.known_seq + 1:
                raise DecisionError("这里没有缺口。", "There is no gap here.")
            last = OpId(*place, first.first_seq - 1)
            hashed = decided_hash(gap_hash(before.known_seq + 1, last.seq, first.chain_before), ruling)
            position = gathered.note(EntryType.GAP_CLOSED, last, hashed, Stamp(0))
            gathered.closed.append(ClosedGap(last, position, ruling))
            chain = await _taken(transaction, gathered, behind, Chain(last.seq, first.chain_before))
            gathered.chains[place] = chain
            await transaction.ledger.write(gathered.commit())
            return Closed(before.known_seq + 1, last.seq, len(gathered.ops))

        return await self._store.commit(work)


async def _taken(transaction: Transaction, work: Work, behind: Sequence[WaitingSegment], chain: Chain) -> Chain:
    """Take in, held, what waited behind the gap up to the next one, and return the chain behind it."""
    known: dict[int, bytes] = {}
    for waiting in behind:
        segment = waiting.segment
        if segment.first_seq > chain.known_seq + 1:
            break
        hashes = [op_hash(op) for op in segment.ops]
        after = await continued(transaction, work, waiting, chain, known)
        if after is None:
            continue
        chain, new = after
        by_seq = dict(zip((op.id.seq for op in segment.ops), hashes, strict=True))
        if new:
            number = await transaction.put_segment(segment, waiting.device, chain.head, now_ms=waiting.received_ms)
            work.timing.came(Arrival(waiting.received_ms, None))
            for op in new:
                work.keep_held(op, by_seq[op.id.seq], number, waiting.served, "after_gap")
    return chain


async def _named(transaction: Transaction, device: str, incarnation: str) -> list[WaitingSegment]:
    found = {
        (each.device, each.segment.incarnation)
        for each in await transaction.reviews.gaps(100_000)
        if device and each.device.hex().startswith(device.lower())
        if incarnation and each.segment.incarnation.hex().startswith(incarnation.lower())
    }
    if len(found) != 1:
        raise DecisionError(
            f"有 {len(found)} 处与此相符的缺口，应恰好一处。", f"{len(found)} gaps are named so; there must be one."
        )
    [place] = found
    return await transaction.reviews.behind_gap(*place)
