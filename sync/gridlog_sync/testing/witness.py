"""What people really saw and really did, kept outside the system under test.

A position that an op names is a claim. Here stands the fact: which writes were on the screen when the form was
opened. From it follow promises that no claim can bend: whatever somebody saved is at the server exactly once, a write
disappears only if somebody overwrote it who had it before his eyes, and whoever had seen a write sorts after it.

An act is known by its content, not by its op id: a store that draws a new incarnation renumbers ops.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NewType

from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.ids import RecordId, shown
from gridlog_protocol.ops import Action, Op

from .oracle import FoldedRecord, LogLine, Place, writes_of

ActId = NewType("ActId", bytes)


def act_of(op: Op) -> ActId:
    """Return what stays the same of an op when it is numbered again."""
    clock = op.clock
    edits: list[Value] = [[edit.field, edit.code, edit.key, edit.value] for edit in op.edits]
    said = pack([op.record, int(op.intent), clock.hlc, clock.wall_ms, clock.boot, clock.monotonic_ms, edits])
    return ActId(hashlib.sha256(said).digest()[:12])


@dataclass(frozen=True, slots=True)
class Act:
    """Somebody saved something. `sight` has the writes that each cell showed when the form was opened.

    `is_lie` marks an op whose device names a future position; of what it overwrote it may have seen all that its
    device was served when it pushed, and no more. `at_ms` is the world's time; `setting` names the phone, and how
    often its wall clock had been set.
    """

    id: ActId
    record: RecordId
    sight: Mapping[Place, frozenset[ActId]]
    is_lie: bool = False
    at_ms: int = 0
    setting: str = ""


@dataclass(slots=True)
class Witness:
    """Everything that was saved, and what a liar had been served when he pushed."""

    acts: dict[ActId, Act] = field(default_factory=dict)
    served: dict[ActId, int] = field(default_factory=dict)
    forgotten: set[ActId] = field(default_factory=set)
    """Acts whose disk was replaced by an older copy before they were sent: no software can have them."""
    lost: dict[ActId, int] = field(default_factory=dict)
    """Acts that the server forgot when it was restored, with the stamps that they had."""
    redated: set[ActId] = field(default_factory=set)
    """Those of them that had another stamp in a life before."""
    told: dict[ActId, int] = field(default_factory=dict)
    """Those of them whose author had been told the stamp."""

    def saw(self, act: Act) -> None:
        """Take down an act that is about to be saved."""
        self.acts[act.id] = act

    def forgot(self, act: ActId, stamp: int) -> None:
        """Take down that the server was restored, and has lost an act that it had stamped."""
        if self.lost.get(act, stamp) != stamp:
            self.redated.add(act)
        self.lost[act] = stamp

    def findings(
        self, lines: Sequence[LogLine], held: Iterable[Op], waiting: Iterable[ActId], saved: Iterable[ActId]
    ) -> Iterator[str]:
        """Say which promises were broken. `saved` are the acts whose author was told so."""
        there = [act_of(line.op) for line in lines] + [act_of(op) for op in held]
        counted = {act: there.count(act) for act in there}
        for act, count in counted.items():
            if count > 1:
                yield f"act {act.hex()[:6]} on {self._name(act)} is at the server {count} times"
        missing = {*saved} - counted.keys() - self.forgotten - {*waiting}
        for act in sorted(missing):
            yield f"act {act.hex()[:6]} on {self._name(act)} was saved, and is nowhere"
        yield from self._causal(lines)

    def lost_writes(self, lines: Sequence[LogLine], folded: Mapping[RecordId, FoldedRecord]) -> Iterator[str]:
        """Name writes that do not stand although nobody who overwrote them had seen them."""
        by_record: dict[RecordId, list[LogLine]] = {}
        for line in lines:
            by_record.setdefault(line.op.record, []).append(line)
        for record, own in by_record.items():
            for place, writes in writes_of(own).items():
                standing = {each.op for each in folded[record].cells.get(place, ())}
                seen = self._seen_over([line for line, edit in writes if edit.action is not Action.COUNT], place, own)
                for line, edit in writes:
                    if edit.action is Action.REMOVE or line.op.id in standing or act_of(line.op) in seen:
                        continue
                    yield (
                        f"silently lost: {shown(record)[-6:]} {'/'.join(place)} = {edit.value!r}"
                        f" at {line.position}, act {act_of(line.op).hex()[:6]}"
                    )

    def _seen_over(self, writers: Iterable[LogLine], place: Place, lines: Sequence[LogLine]) -> set[ActId]:
        """Return the acts that these writers saw in one cell, and what those had seen in turn."""
        seen: set[ActId] = set()
        waiting: list[ActId] = []
        for line in writers:
            act = self.acts.get(act_of(line.op))
            if act is None:
                continue
            waiting += act.sight.get(place, ())
            if act.is_lie:
                reach = self.served.get(act.id, 0)
                waiting += [act_of(other.op) for other in lines if other.position <= reach]
                # Its own held op, with a position that nobody lowered, hides its later ones on its own screen alone.
                waiting += [act_of(other.op) for other in lines if _is_own_before(line.op, other.op)]
        while waiting:
            each = waiting.pop()
            if each in seen:
                continue
            seen.add(each)
            if each in self.acts:
                waiting += self.acts[each].sight.get(place, ())
        return seen

    def _causal(self, lines: Sequence[LogLine]) -> Iterator[str]:
        stamps = {act_of(line.op): line.stamp for line in lines}
        released = {act_of(line.op) for line in lines if line.is_released}
        for act, stamp in self.told.items():
            now = stamps.get(act, stamp)
            # It may stand just above an own op that was held then, and is accepted now.
            if act not in released and now != stamp and not (now > stamp and now - 1 in stamps.values()):
                yield f"act {act.hex()[:6]} came again after a restore, and has another stamp"
        # Nobody knows the stamp any more if its author was never told.
        restamped = self.redated | {act for act, stamp in self.lost.items() if stamps.get(act) != stamp}
        for act, stamp in stamps.items():
            seen = self.acts[act].sight.values() if act in self.acts else ()
            for other in sorted({each for cell in seen for each in cell}):
                # A held op is stamped when it is released: what its author wrote upon it was stamped before that.
                if other not in released | restamped and stamps.get(other, -1) >= stamp:
                    yield f"act {act.hex()[:6]} saw {other.hex()[:6]}, but does not sort after it"

    def _name(self, act: ActId) -> str:
        return shown(self.acts[act].record)[-6:] if act in self.acts else "a record of the server"


def _is_own_before(op: Op, other: Op) -> bool:
    is_own = (other.id.device, other.id.incarnation) == (op.id.device, op.id.incarnation)
    return is_own and other.id.seq <= op.seen.own_seq
