"""What a record's ops say about a new one: the highest stamp its author had seen, and whether its creation is held.

The rule it keeps: every answer costs a search, not a walk, so that a record with ten thousand ops takes one more as
quickly as a new one does.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field

from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import DeviceId, Incarnation
from gridlog_protocol.ops import Intent, Op
from gridlog_server.store.contract import StoredOp


@dataclass(slots=True)
class _Highest:
    """The highest stamp up to each key. Keys come in rising order, but for released ops."""

    keys: list[int] = field(default_factory=list)
    stamps: list[Stamp] = field(default_factory=list)

    def add(self, key: int, stamp: Stamp) -> None:
        place = bisect_right(self.keys, key)
        self.keys.insert(place, key)
        self.stamps.insert(place, max(stamp, self.stamps[place - 1]) if place else stamp)
        # A released op comes behind later ones of its author: it may be the highest for all of these.
        for later in range(place + 1, len(self.stamps)):
            if self.stamps[later] >= stamp:
                break
            self.stamps[later] = stamp

    def up_to(self, key: int) -> Stamp:
        found = bisect_right(self.keys, key)
        return self.stamps[found - 1] if found else Stamp(0)


class History:
    """The ops of one record, accepted ones in the order of their positions."""

    def __init__(self, stored: Iterable[StoredOp] = ()) -> None:
        self.creation_hold: str | None = None
        self._by_position = _Highest()
        self._by_seq: dict[tuple[DeviceId, Incarnation], _Highest] = {}
        for each in stored:
            self.add(each)

    def add(self, stored: StoredOp) -> None:
        """Take in one more op, or one that was released."""
        op = stored.op
        if stored.position is not None and stored.stamp is not None:
            self._by_position.add(stored.position, stored.stamp)
            self._by_seq.setdefault((op.id.device, op.id.incarnation), _Highest()).add(op.id.seq, stored.stamp)
            if op.intent is Intent.CREATE:
                self.creation_hold = None
        elif op.intent is Intent.CREATE and self.creation_hold is None and stored.is_waiting:
            self.creation_hold = stored.hold

    def highest_seen(self, op: Op) -> Stamp:
        """Return the highest stamp among the ops that came before `op` for its author; `op` is bounded already.

        Those are all that he had seen, and all that he had written: an op may not count as having seen an earlier one
        of its own device, when the record was not on the screen, but it was written after it and must sort after it.
        """
        own = self._by_seq.get((op.id.device, op.id.incarnation))
        seen = self._by_position.up_to(op.seen.position)
        return max(seen, own.up_to(op.id.seq - 1)) if own else seen
