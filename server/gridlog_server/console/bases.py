"""What stood before a conflict: what the authors of all its versions had seen. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Kind
from gridlog_server.service.inbox import HistoryLine, StoredOp
from gridlog_server.service.resolving import ConflictLine
from gridlog_sync.merge import Entry, fold
from gridlog_sync.view import values_of


def base_of(conflict: ConflictLine, history: Sequence[HistoryLine], kind: Kind | None) -> Value:
    """Return a field's value by the writes that every author of a version had seen; None if there was none.

    Of one element of a set, list or map nothing is said: a base of a part would be read as one of the whole.
    """
    if conflict.key:
        return None
    heads = {each.op for each in conflict.heads}
    writes = [each.stored for each in history if each.stored.op.id in heads]
    entries = [
        Entry(replace(each.op, seen=replace(each.op.seen, position=each.named)), each.stamp, each.position)
        for each in (line.stored for line in history)
        if each.position is not None
        and each.stamp is not None
        and each.op.id not in heads
        and all(_had_seen(write, each) for write in writes)
    ]
    state = fold(None, entries)
    return values_of(state, kind).get(conflict.field) if state else None


def _had_seen(write: StoredOp, other: StoredOp) -> bool:
    by_position = other.position is not None and other.position <= write.named
    mine, his = write.op.id, other.op.id
    return by_position or ((mine.device, mine.incarnation) == (his.device, his.incarnation) and his.seq < mine.seq)
