"""What a locked store does: it writes down new notes and what is typed into forms, and reads nothing.

The rule it keeps: nothing that was written stays in memory. It holds what an op needs to follow the ones before it
(numbers, hashes, clocks, who the worker is) and an inbox that takes entries without giving any out; what they say is
known again when the store is unlocked. To send them is for then, too: whatever could be sent could be read.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from gridlog_protocol.clock import Hlc
from gridlog_protocol.ids import DeviceId, Incarnation, RecordId, record_id
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.segment import salt_block
from gridlog_sync.clocks import Offset
from gridlog_sync.session import Standing
from gridlog_sync.writing import Change

from .composer import Composer
from .device_clock import DeviceClock
from .disk import StoreLock
from .drafts import Draft, DraftBegun, DraftEntry, DraftSaved, check_changes, pack_draft, read_draft, take_in
from .entries import Enrolled, pack_written
from .errors import NotEnrolledError, UnknownDraftError, UnknownKindError
from .frames import FrameType
from .inbox import Inbox
from .memory import Memory
from .records import Record
from .showing import record_of


class LockedWriter:
    """Writes for one locked store, on its thread. It holds the store's lock, and its file once it wrote."""

    def __init__(self, inbox: Inbox, lock: StoreLock, memory: Memory, clock: DeviceClock) -> None:
        self.lock = lock
        self._inbox = inbox
        self._clock = clock
        self._kinds = memory.kinds
        self._continuation = _Continuation.of(memory)
        self.is_done = False
        self._drafts = {draft.id: draft.kind for draft in memory.drafts.values()}

    def close(self) -> None:
        """Let go of the file; the lock is for the caller to release. Closing twice is harmless."""
        self._inbox.close()
        self.is_done = True

    def create(self, kind: str, values: Mapping[str, Change]) -> Record:
        """Write a new record. Raises as `FieldStore.create`."""
        if self._continuation.enrolled is None:
            raise NotEnrolledError
        # Made anew each time, and dropped with what was written.
        memory = self._continuation.memory(self._kinds)
        record = record_id(self._clock.wall_ms(), os.urandom(10))
        composer = Composer(memory, self._clock, os.urandom)
        written = composer.compose(record, kind, values, opened=None, author=self._continuation.enrolled.user)
        self._inbox.append([(FrameType.OP, pack_written(each)) for each in written])
        try:
            for each in written:
                memory.take_op(each)
            return record_of(memory, record)
        finally:
            self._continuation = _Continuation.of(memory)
            memory.projection.close()

    def begin_draft(self, of: str | Record, changes: Mapping[str, Change]) -> Draft:
        """Begin a form, or go on with the one of this record. Raises as `FieldStore.begin_draft`."""
        opened = of if isinstance(of, Record) else None
        kind = opened.kind if opened else str(of)
        if self._continuation.enrolled is None:
            raise NotEnrolledError
        if self._kinds.get(kind) is None:
            raise UnknownKindError(kind)
        if opened is not None and opened.id in self._drafts:
            return self.save_draft(opened.id, changes, ())
        now_ms = self._clock.wall_ms()
        draft = opened.id if opened else record_id(now_ms, os.urandom(10))
        check_changes(self._kinds.get(kind), changes, {})
        entries: list[DraftEntry] = [DraftBegun(draft, kind, now_ms, opened)]
        if changes:
            entries.append(DraftSaved(draft, now_ms, changes))
        self._drafts[draft] = kind
        return self._kept(entries, entries)

    def save_draft(self, draft: RecordId, changes: Mapping[str, Change], without: Collection[str]) -> Draft:
        """Save what was typed; the draft that comes back has no more than that. Raises as `FieldStore.save_draft`."""
        kind = self._drafts.get(draft)
        if kind is None:
            raise UnknownDraftError
        check_changes(self._kinds.get(kind), changes, {})
        now_ms = self._clock.wall_ms()
        saved = DraftSaved(draft, now_ms, changes, tuple(name for name in without if name not in changes))
        return self._kept([saved], [DraftBegun(draft, kind, now_ms, None), saved])

    def _kept(self, entries: Sequence[DraftEntry], told: Sequence[DraftEntry]) -> Draft:
        packed = [pack_draft(each) for each in entries]
        for each in packed:
            # Nothing is sealed that could not be read again.
            read_draft(each)
        self._inbox.append([(FrameType.DRAFT, each) for each in packed])
        drafts: dict[RecordId, Draft] = {}
        for entry in told:
            take_in(drafts, read_draft(pack_draft(entry)), self._kinds)
        (draft,) = drafts.values()
        return draft


@dataclass(frozen=True, slots=True)
class _Continuation:
    """What the next op takes up: numbers, hashes, clocks, and who the worker is; no record."""

    device: DeviceId
    incarnation: Incarnation
    enrolled: Enrolled | None
    standing: Standing | None
    hlc: Hlc
    server_ms: int
    offset: Offset | None
    tail: tuple[int, bytes] | None
    root: bytes | None

    @classmethod
    def of(cls, memory: Memory) -> _Continuation:
        """Return what goes on where a memory ends."""
        tail = memory.tails.get(memory.incarnation)
        root = memory.root(memory.incarnation, tail[0]) if tail else None
        who = memory.device, memory.incarnation, memory.enrolled, memory.standing
        return cls(*who, memory.hlc, memory.server_ms, memory.offset, tail, root)

    def memory(self, kinds: KindSet) -> Memory:
        """Return a memory without records that goes on from here."""
        memory = Memory(self.device, self.incarnation, kinds)
        memory.enrolled, memory.standing = self.enrolled, self.standing
        memory.hlc, memory.server_ms, memory.offset = self.hlc, self.server_ms, self.offset
        if self.tail is not None and self.root is not None:
            memory.tails[self.incarnation] = self.tail
            memory.salt_roots[(self.incarnation, salt_block(self.tail[0]))] = self.root
        return memory
