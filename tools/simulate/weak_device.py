"""Planted bugs on the device's side and in the merge. Each weakens one rule while it is entered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from gridlog import composer, driver
from gridlog.asking import Asked
from gridlog.composer import Composer
from gridlog.driver import Driver
from gridlog.entries import WrittenOp, pack_answer, pack_written
from gridlog.frames import FrameType
from gridlog.keeping import Keeping
from gridlog.kept_ops import KeptOps
from gridlog.memory import Memory
from gridlog.projection import Projection
from gridlog.showing import record_of
from gridlog_protocol.clock import Stamp, reading
from gridlog_protocol.ids import DeviceId, Incarnation, OpId, Position, RecordId
from gridlog_protocol.messages import SyncResponse
from gridlog_protocol.ops import Action, Edit, Op, Seen, op_hash
from gridlog_protocol.segment import chain_next
from gridlog_protocol.state import Cell, Covered, Head, HeadOrder, RecordState
from gridlog_sync import lives, merge, session, view
from gridlog_sync.clocks import Offset
from gridlog_sync.merge import Entry
from gridlog_sync.pacing import Pace
from gridlog_sync.rules import rank
from tools.simulate.replacing import replaced

_TEXTS = ("summary", "facts")
_NOBODY = OpId(DeviceId(b""), Incarnation(b""), 0)


@contextmanager
def seen_when_saved() -> Iterator[None]:
    """Name what the phone has when the form is saved, not what the form showed."""
    original = Composer.compose

    def weak(self: Any, record: RecordId, kind: str, changes: Any, *, opened: Any, **rest: Any) -> list[WrittenOp]:
        now = replace(opened, seen=self._memory.seen(record)) if opened else None
        return original(self, record, kind, changes, opened=now, **rest)

    with replaced(Composer, "compose", weak):
        yield


def unfetched_names_the_cursor() -> AbstractContextManager[None]:
    """Name the cursor for a record that is not here."""

    def weak(self: Any, record: RecordId) -> Seen:
        del record
        return Seen(self.standing.epoch, self.standing.position, self.next_place(self.incarnation)[0] - 1)

    return replaced(Memory, "seen", weak)


def wall_clock() -> AbstractContextManager[None]:
    """Order by the phone's clock."""
    return replaced(composer, "tick", lambda _, wall_ms: reading(max(wall_ms, 0)))


@contextmanager
def stale_answer() -> Iterator[None]:
    """Take in an answer wherever the cursor stands, over whatever is newer here."""
    original = session._advance  # noqa: SLF001 - a mutant reaches where no caller may.

    def weak(standing: session.Standing, response: SyncResponse, work: Any) -> session.Standing:
        after = original(standing, response, work)
        is_older = response.to_position < standing.position
        return replace(after, position=standing.position, token=standing.token) if is_older else after

    with older_fields_win(), replaced(session, "_fits", lambda *_: True), replaced(session, "_advance", weak):
        yield


def older_fields_win() -> AbstractContextManager[None]:
    """Take over fields that are older than those that are here."""

    def weak(mine: RecordState | None, theirs: RecordState) -> RecordState:
        if mine is None:
            return theirs
        fields = MappingProxyType({**mine.fields, **theirs.fields})
        return replace(mine, origin=mine.origin or theirs.origin, fields=fields)

    return replaced(session, "adopt", weak)


def claimed_stamp_kept() -> AbstractContextManager[None]:
    """Keep one's own clock for an acknowledged op, whatever stamp the server gave it."""

    def weak(op: Op, stamp: Stamp, position: Position) -> Entry:
        del stamp
        return Entry(op, Stamp(op.clock.hlc), position)

    return replaced(session, "Entry", weak)


def dropped_records_stay() -> AbstractContextManager[None]:
    """Keep what has left the scopes."""
    return replaced(session._Work, "drop", lambda *_: None)  # noqa: SLF001 - a mutant reaches where no caller may.


def repeated_ack_applied() -> AbstractContextManager[None]:
    """Merge an acknowledged op again although the replica is past it."""
    return replaced(session, "_is_new", lambda *_: True)


@contextmanager
def outbox_emptied_early() -> Iterator[None]:
    """Forget ops as soon as they are sent."""
    original = Driver.ask

    def weak(self: Any, pace: Pace, *, before: int | None = None) -> Asked:
        asked = original(self, pace, before=before)
        for op in asked.sent:
            self._memory._leave_pending(op.id)  # noqa: SLF001
        return asked

    with replaced(Driver, "ask", weak):
        yield


@contextmanager
def cursor_before_data() -> Iterator[None]:
    """Write the new cursor to the disk first, and then what it stands for."""
    original = Keeping._take  # noqa: SLF001

    def weak(self: Any, asked: Asked, answer: bytes) -> Any:
        taken = self._driver.take(asked, answer).taken
        self._journal.append([(FrameType.ANSWER, pack_answer(replace(taken, records=(), dropped=())))])
        return original(self, asked, answer)

    with replaced(Keeping, "_take", weak):
        yield


@contextmanager
def saved_before_durable() -> Iterator[None]:
    """Say saved when the op is in memory; it goes to the disk with the next answer."""
    original = Keeping._take  # noqa: SLF001

    def write(self: Any, record: Any, kind: str, changes: Any, opened: Any, *intent: Any) -> Any:
        named = dict(zip(("intent",), intent, strict=False))
        written = self._composer.compose(record, kind, changes, opened=opened, author=self._enrolled().user, **named)
        for each in written:
            self._memory.take_op(each)
        return record_of(self._memory, record)

    def take(self: Any, asked: Asked, answer: bytes) -> Any:
        waiting = [(FrameType.OP, pack_written(each)) for each in self._memory.pending.values()]
        self._journal.append(waiting)
        return original(self, asked, answer)

    with replaced(Keeping, "_write", write), replaced(Keeping, "_take", take):
        yield


def incarnation_kept() -> AbstractContextManager[None]:
    """Go on under the same name after a fork."""
    return replaced(Keeping, "_reincarnate", lambda _: None)


def no_tie_break() -> AbstractContextManager[None]:
    """Order heads by their stamps alone."""
    return replaced(Head, "order", property(lambda head: HeadOrder(head.stamp, *_NOBODY)))


def counts_superseded() -> AbstractContextManager[None]:
    """Let a count replace those that its author saw."""
    original = merge._written  # noqa: SLF001

    def weak(cell: Cell, edit: Edit, entry: Entry, seen: Covered) -> Cell:
        is_count = edit.action is Action.COUNT
        return original(cell, edit._replace(action=Action.SET) if is_count else edit, entry, seen)

    return replaced(merge, "_written", weak)


def removal_wins() -> AbstractContextManager[None]:
    """Let a removal take away additions that its author never saw."""
    original = merge._written  # noqa: SLF001

    def weak(cell: Cell, edit: Edit, entry: Entry, seen: Covered) -> Cell:
        written = original(cell, edit, entry, seen)
        return written._replace(heads=()) if edit.action is Action.REMOVE else written

    return replaced(merge, "_written", weak)


@contextmanager
def contexts_forgotten() -> Iterator[None]:
    """Forget what a cell's writes had seen: a released op comes back though somebody has overwritten it."""
    original = merge._written  # noqa: SLF001

    def weak(cell: Cell, edit: Edit, entry: Entry, seen: Covered) -> Cell:
        written = original(cell._replace(covered=Covered()), edit, entry, seen)
        return written._replace(covered=Covered())

    with replaced(merge, "_written", weak):
        yield


def own_edits_unseen() -> AbstractContextManager[None]:
    """Count by positions alone: one's own edits of yesterday contradict those of today."""
    return replaced(merge, "_seen_by", lambda op: Covered(op.seen.position))


def offset_ignores_the_way() -> AbstractContextManager[None]:
    """Compare the clock with the server's time as if the answer had taken no time."""
    return replaced(
        driver, "offset_by_answer", lambda _, answered, *, server_ms: Offset(answered.wall_ms - server_ms, 0)
    )


def unseen_work_goes() -> AbstractContextManager[None]:
    """Let a withdrawal or cancellation win over work that its author never saw."""
    return replaced(view, "_unseen_work", lambda *_: ())


def rounds_forgotten() -> AbstractContextManager[None]:
    """Compare the steps of a workflow by their rank alone."""
    original = rank._stage  # noqa: SLF001

    def weak(field: Any, head: Head) -> Any:
        return replace(original(field, head), round=0)

    return replaced(rank, "_stage", weak)


@contextmanager
def undone_in_turn() -> Iterator[None]:
    """Put back what a resolution replaced as if each value had been written on sight of the one before."""
    original = Composer.undone

    def weak(self: Any, resolution: Any, author: Any) -> list[WrittenOp]:
        written = original(self, resolution, author)
        chain = written[0].chain_before
        in_turn: list[WrittenOp] = []
        for each in written:
            op = replace(each.op, seen=replace(each.op.seen, own_seq=each.op.id.seq - 1))
            in_turn.append(replace(each, op=op, chain_before=chain))
            chain = chain_next(chain, op_hash(op))
        return in_turn

    with replaced(Composer, "undone", weak):
        yield


def text_merged_by_itself() -> AbstractContextManager[None]:
    """Join concurrent texts as they come, without asking anybody."""
    original = merge._written  # noqa: SLF001

    def weak(cell: Cell, edit: Edit, entry: Entry, seen: Covered) -> Cell:
        before = original(cell, edit, entry, seen)
        if edit.field not in _TEXTS or len(before.heads) < 2:
            return before
        last = before.heads[-1]
        joined = " ".join(str(head.value) for head in before.heads)
        return before._replace(heads=(last._replace(value=joined),))

    return replaced(merge, "_written", weak)


def positions_without_epoch() -> AbstractContextManager[None]:
    """Take a position of a life of the server that is no more for one of the present."""
    return replaced(lives, "reach", lambda *_: None)


@contextmanager
def lost_fields_stay() -> Iterator[None]:
    """Keep what a restored server may have forgotten, and fetch nothing of it."""
    original = Memory._take_fork  # noqa: SLF001

    def weak(self: Any, fork: session.Fork) -> None:
        original(self, fork)
        self.is_returning = False

    with replaced(Projection, "changed_after", lambda *_: []), replaced(Memory, "_take_fork", weak):
        yield


def lost_ops_kept() -> AbstractContextManager[None]:
    """Offer nothing again to a restored server: it had acknowledged it."""
    return replaced(KeptOps, "beyond", lambda *_: [])


def stamped_again() -> AbstractContextManager[None]:
    """Offer an op again without the stamp that it had."""
    return replaced(KeptOps, "stamp", lambda *_: None)
