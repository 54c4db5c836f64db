"""What an answer makes of records and ops, as the journal will have it. Reads memory, and changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import Incarnation, OpId, RecordId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.messages import SyncResponse
from gridlog_protocol.ops import Op
from gridlog_sync.creation import created
from gridlog_sync.session import Absorbed

from .entries import HeldEntry
from .memory import Memory
from .sights import Confirmed, Sight, confirmed_of, packed_leaves


def named_by(sent: Sequence[Op], response: SyncResponse) -> set[RecordId]:
    """Return the records that an answer is about."""
    named = {op.record for op in sent}
    named.update(each.id for each in response.changes)
    named.update(each.id for page in response.pages for each in page.records)
    return named


def confirmed_by(
    absorbed: Absorbed, sent: Sequence[Op], memory: Memory, lacking: Collection[RecordId]
) -> tuple[Confirmed, ...]:
    """Return the records that an answer changes; of those that are `lacking` nothing was confirmed before."""
    settled: dict[RecordId, list[OpId]] = {}
    for op in sent:
        if op.id in absorbed.settled and op.record in absorbed.own_alone and op.record in lacking:
            settled.setdefault(op.record, []).append(op.id)
    # A new record that is shown by the one op that made it is confirmed as it is shown: where the server has put the
    # op and when it says that it was written decides nothing, as long as there is no other.
    as_shown = [record for record, ops in settled.items() if len(ops) == 1 and memory.is_shown_by(record, ops)]
    sights = memory.projection.sights(as_shown)
    return tuple(_confirmed(record, absorbed, memory.kinds, sights.get(record)) for record in absorbed.records)


def _confirmed(record: RecordId, absorbed: Absorbed, kinds: KindSet, sight: Sight | None) -> Confirmed:
    entry = absorbed.created.get(record)
    if entry is not None and sight is not None:
        kind = kinds.get(entry.op.kind)
        made = created(entry, kind) if kind is not None else None
        if made is not None:
            return Confirmed(record, entry.op.kind, made.packed, sight, packed_leaves(made.scopes, made.leaves))
    return confirmed_of(absorbed.records[record], kinds, sight)


def held_by(absorbed: Absorbed, sent: Sequence[Op]) -> tuple[HeldEntry, ...]:
    """Return the ops of ours that the server holds."""
    incarnations = {op.id.seq: op.id.incarnation for op in sent}
    return tuple(
        HeldEntry(incarnations[each.seq], each.seq, each.code, each.field)
        for each in absorbed.held
        if each.seq in incarnations
    )


def is_copied(absorbed: Absorbed, memory: Memory) -> bool:
    """Tell whether the server has ops of ours that we never wrote: this store is a copy, put back or cloned."""
    return absorbed.own_seqs.get(memory.incarnation, 0) >= memory.next_place(memory.incarnation)[0]


def raised(stamps: Mapping[OpId, Stamp], sent: Sequence[Op]) -> dict[tuple[Incarnation, int], Stamp]:
    """Return the stamps that are not what the op's own clock said."""
    claimed = {op.id: int(op.clock.hlc) for op in sent}
    return {(op.incarnation, op.seq): stamp for op, stamp in stamps.items() if int(stamp) != claimed[op]}
