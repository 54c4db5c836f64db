"""Ops of this device that the server has acknowledged, kept for a while: it may have to be told again.

A server that is restored from a backup has forgotten what came after it. Whoever wrote that offers it again, with the
same ids and hashes and with the stamp of old.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import Incarnation, OpId, Position

from .entries import WrittenOp, read_written

KEPT_DAYS = 30
"""Backups are taken daily: whoever has none of the last month has lost more than phones can bring back."""
KEPT_OPS_MAX = 10_000
"""Ten months of forty ops a day, a few megabytes: a device that writes far more keeps fewer days."""

_DAY_MS = 86_400_000


class KeptOp(NamedTuple):
    """An acknowledged op, packed, and when the server told so (its time).

    `position` is None while it is held, `stamp` until it was accepted or released once.
    """

    packed: bytes
    position: Position | None
    stamp: Stamp | None
    told_ms: int

    @property
    def written(self) -> WrittenOp:
        """The op as it waited to be sent."""
        return read_written(self.packed)


class KeptOps:
    """The acknowledged ops of one store, oldest first."""

    def __init__(self) -> None:
        self._ops: dict[OpId, KeptOp] = {}

    def keep(self, written: WrittenOp, position: Position | None, stamp: Stamp | None, *, told_ms: int) -> None:
        """Keep an op that was just acknowledged. One that is held keeps the stamp that it had in an earlier life."""
        before = self._ops.get(written.op.id)
        packed, known = (before.packed, before.stamp) if before else (written.packed, None)
        self._ops[written.op.id] = KeptOp(packed, position, known if stamp is None else stamp, told_ms)

    def restamp(self, op: OpId, stamp: Stamp) -> None:
        """Note the stamp that a held op was released with."""
        if op in self._ops:
            self._ops[op] = self._ops[op]._replace(stamp=stamp)

    def doubt(self, ops: Iterable[OpId]) -> None:
        """Drop the positions of ops that are offered again: until they are acknowledged, they say nothing here."""
        for op in ops:
            self._ops[op] = self._ops[op]._replace(position=None)

    def forget(self, op: OpId) -> None:
        """Forget an op, if it was kept."""
        self._ops.pop(op, None)

    def forget_old(self, now_ms: int) -> None:
        """Forget what is older than `KEPT_DAYS` by the server's clock, or beyond `KEPT_OPS_MAX`."""
        since_ms = now_ms - KEPT_DAYS * _DAY_MS
        while self._ops:
            oldest = next(iter(self._ops))
            if self._ops[oldest].told_ms >= since_ms and len(self._ops) <= KEPT_OPS_MAX:
                return
            del self._ops[oldest]

    def stamp(self, op: OpId) -> Stamp | None:
        """Return the stamp that an op was given, if it was accepted before."""
        kept = self._ops.get(op)
        return kept.stamp if kept else None

    def accepted(self) -> list[tuple[WrittenOp, Stamp]]:
        """Return the kept ops that were accepted, with their stamps."""
        return [(kept.written, kept.stamp) for kept in self._ops.values() if kept.stamp is not None]

    def beyond(self, fork: Position, decided: Mapping[OpId, Position]) -> list[WrittenOp]:
        """Return the ops that a server restored at `fork` may lack, those of an incarnation by seq.

        A held op has no position: it is there for sure if a later one of its incarnation is, or the decision about
        it, whose position `decided` has. What is offered needlessly costs its bytes and nothing else.
        """
        inside: dict[Incarnation, int] = {}
        for op, kept in self._ops.items():
            position = kept.position if kept.position is not None else decided.get(op)
            if position is not None and position <= fork:
                inside[op.incarnation] = max(op.seq, inside.get(op.incarnation, 0))
        names = {name: place for place, name in enumerate(dict.fromkeys(op.incarnation for op in self._ops))}
        lost = [op for op in self._ops if op.seq > inside.get(op.incarnation, 0)]
        return [self._ops[op].written for op in sorted(lost, key=lambda op: (names[op.incarnation], op.seq))]

    def rows(self) -> Iterable[list[Value]]:
        """Yield what a snapshot keeps of each."""
        for kept in self._ops.values():
            yield [kept.packed, kept.position, kept.stamp, kept.told_ms]

    def restore(self, packed: bytes, position: int | None, stamp: int | None, told_ms: int) -> None:
        """Put back one of `rows`."""
        place = None if position is None else Position(position)
        kept = KeptOp(packed, place, None if stamp is None else Stamp(stamp), told_ms)
        self._ops[kept.written.op.id] = kept
