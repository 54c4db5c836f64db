"""What a store writes, on the store's thread: first to the journal, then to memory.

The rule it keeps: memory changes only by what is on the disk already. Everything that an unlocked store has in memory
hangs on one thread, `Opened`, so that locking can cut it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gridlog_protocol.ids import RecordId
from gridlog_protocol.ops import Intent
from gridlog_sync.session import Absorbed, Fork, nothing_but
from gridlog_sync.writing import Change

from .asking import Asked
from .clock_warning import is_worth_keeping
from .composer import Composer
from .device_clock import DeviceClock
from .device_facts import facts_of
from .driver import Driver
from .entries import (
    Enrolled,
    Ordered,
    Reincarnated,
    Returned,
    Salvaged,
    pack_answer,
    pack_enrolled,
    pack_fact,
    pack_written,
)
from .errors import DiskFailedError, DiskFullError, NotEnrolledError, NothingToUndoError, RefusedError
from .frames import FrameType
from .image import image_parts
from .journal import Journal
from .memory import Memory
from .reading import Loaded
from .records import Record, Whereabouts
from .settling import is_copied
from .showing import record_of
from .snapshot import remove_snapshot, snapshot_bytes, write_snapshot
from .vault import Vault

SNAPSHOT_EVERY = 2000
"""Ops and records that came since the last snapshot."""
CLOSING_TAIL_MAX = 200
"""So few entries are read again sooner than a snapshot is written: a command that wrote one note closes at once."""

_CONTACT_EVERY_MS = 600_000
_HISTORY_TIMES, _HISTORY_BYTES = 2, 1 << 20
"""A journal that is larger than so many times the last snapshot, and so many bytes more, is mostly history."""

_log = logging.getLogger("gridlog.store")


@dataclass(slots=True)
class Opened:
    """All that is in memory while a store is unlocked."""

    vault: Vault
    journal: Journal
    memory: Memory
    driver: Driver
    composer: Composer


class Keeping:
    """The half of a `FieldStore` that blocks: nothing here may be called beside anything else of it."""

    def __init__(self, loaded: Loaded, clock: DeviceClock) -> None:
        self._clock = clock
        self._admit(loaded)

    def _admit(self, loaded: Loaded) -> None:
        """Begin to serve what was unlocked."""
        vault, journal, memory = loaded.files.vault, loaded.files.journal, loaded.memory
        self._directory = vault.directory
        self._tail = loaded.uncovered
        driver = Driver(memory, vault, self._clock, lambda: facts_of(vault))
        composer = Composer(memory, self._clock, os.urandom)
        self._in_hand: Opened | None = Opened(vault, journal, memory, driver, composer)
        self._shut: Callable[[], Exception] | None = None
        self._contact_on_disk_ms, self._offset_on_disk = memory.contact_ms, memory.offset
        # What was read from the journal is news to nobody.
        memory.touched.clear()

    def _let_go(self, reason: Callable[[], Exception]) -> Vault | None:
        """Drop everything but the vault, which is for the caller to close; from now on `reason` is raised."""
        opened, self._in_hand, self._shut = self._in_hand, None, reason
        if opened is None:
            return None
        opened.journal.close()
        opened.memory.projection.close()
        return opened.vault

    @property
    def _opened(self) -> Opened:
        if self._in_hand is None:
            assert self._shut is not None, "what is not in hand was let go, for a reason"
            raise self._shut()
        return self._in_hand

    @property
    def _vault(self) -> Vault:
        return self._opened.vault

    @property
    def _journal(self) -> Journal:
        return self._opened.journal

    @property
    def _memory(self) -> Memory:
        return self._opened.memory

    @property
    def _driver(self) -> Driver:
        return self._opened.driver

    @property
    def _composer(self) -> Composer:
        return self._opened.composer

    def _append(self, entries: Sequence[tuple[FrameType, bytes]], *, counts: int) -> None:
        """Put entries on the disk; `counts` is how many ops and records they bring."""
        self._journal.append(entries)
        self._tail += counts

    def _put_by_if_long(self) -> None:
        """Write a snapshot now and then, so that a killed store opens quickly too."""
        records, _ = self._memory.projection.counts()
        if self._tail >= max(SNAPSHOT_EVERY, records // 4):
            self._put_by(0)

    def _put_by(self, tail_max: int) -> None:
        """Write a snapshot, or compact a journal that is mostly history, unless few entries came since the last.

        The store does without it: what the disk says about it goes to the log.
        """
        if self._in_hand is None or self._tail <= tail_max or self._journal.has_failed:
            return
        try:
            size = snapshot_bytes(self._directory)
            if size and self._journal.size_bytes() > _HISTORY_TIMES * size + _HISTORY_BYTES:
                self._compact()
            else:
                seq, hash_ = self._journal.head
                parts = image_parts(self._memory)
                write_snapshot(self._directory, self._vault, seq=seq, hash_=hash_, parts=parts)
                self._tail = 0
        except (DiskFullError, DiskFailedError) as reason:
            _log.warning("no snapshot was written, or the journal not compacted: %s", reason.__cause__)

    def _compact(self) -> None:
        """Put what is still true in the place of the journal's history. Raises DiskFullError, DiskFailedError."""
        self._journal.compact(image_parts(self._memory))
        remove_snapshot(self._directory)
        self._tail = 0

    def _take(self, asked: Asked, answer: bytes) -> tuple[Absorbed, bool | None]:
        """Make durable what an answer changes, then take it into memory, then compare digests."""
        answered = self._driver.take(asked, answer)
        if isinstance(answered, Fork):
            return self._go_back(answered), None
        memory, taken = self._memory, answered.taken
        # Flash wears out: an exchange in which nothing happened leaves a trace on the disk only now and then.
        is_stale = taken.contact_ms - self._contact_on_disk_ms > _CONTACT_EVERY_MS
        is_news = is_worth_keeping(taken.offset, self._offset_on_disk)
        if is_stale or is_news or not taken.is_idle(memory.standing):
            self._append([(FrameType.ANSWER, pack_answer(taken))], counts=1 + len(taken.records))
            self._contact_on_disk_ms, self._offset_on_disk = taken.contact_ms, taken.offset
        memory.take_answer(taken)
        if answered.salvaged:
            self._append([(FrameType.FACT, pack_fact(Salvaged(answered.salvaged)))], counts=1)
            memory.take_salvaged(answered.salvaged)
        if answered.order > memory.order:
            self._append([(FrameType.FACT, pack_fact(Ordered(answered.order)))], counts=1)
            memory.order = answered.order
        if is_copied(answered.absorbed, memory):
            # What waits settles or forks under the old name; what is written from now on must not pass for theirs.
            memory.incarnation = self._journal.redraw_incarnation()
        self._put_by_if_long()
        digest = answered.absorbed.digest
        is_equal = memory.projection.digest() == digest if digest else None
        return answered.absorbed, self._come_back(is_equal=is_equal) if memory.is_returning else is_equal

    def _go_back(self, fork: Fork) -> Absorbed:
        """Go back to where our log and that of a restored server part, and offer again what was written since."""
        _log.warning("the server was restored from a backup: returning to position %d", fork.position)
        self._append([(FrameType.FACT, pack_fact(fork))], counts=1)
        self._memory.take_fork(fork)
        self._put_by_if_long()
        return nothing_but(fork.standing)

    def _come_back(self, *, is_equal: bool | None) -> bool | None:
        """Fetch what still differs after a restore of the server. Until both are equal that is nobody's fault."""
        if is_equal or (is_equal is False and self._driver.has_returned_in_vain):
            self._append([(FrameType.FACT, pack_fact(Returned()))], counts=1)
            self._memory.is_returning = False
            return is_equal
        if is_equal is False and not self._driver.is_repairing:
            self._driver.begin_repair()
        return None

    def _keep_enrolment(self, enrolled: Enrolled) -> None:
        if enrolled.recovery_key:
            # Before the entry: a store that was killed in between has a slot too many, and enrols again.
            try:
                self._vault.set_recovery(enrolled.recovery_key)
            except ValueError:
                raise RefusedError("malformed", "the recovery key is no key") from None
        self._append([(FrameType.ENROLMENT, pack_enrolled(enrolled))], counts=1)
        self._memory.take_enrolment(enrolled)

    def _write(
        self,
        record: RecordId,
        kind: str,
        changes: Mapping[str, Change],
        opened: Record | None,
        intent: Intent = Intent.EDIT,
        step: str | None = None,
    ) -> Record:
        author = self._enrolled().user
        written = self._composer.compose(
            record, kind, changes, opened=opened, author=author, intent=intent, step=step
        )
        if written:
            # One append: a save that was killed is there as a whole or not at all.
            self._append([(FrameType.OP, pack_written(each)) for each in written], counts=len(written))
            for each in written:
                self._memory.take_op(each)
            self._put_by_if_long()
        if opened is not None and written and self._memory.shown(record) is None:
            # It left this device while the form was open, and a proposal alone shows nothing: but it is saved.
            return replace(opened, whereabouts=Whereabouts.ON_DEVICE)
        return record_of(self._memory, record)

    def _undo(self, record: RecordId) -> Record:
        decision = self._memory.resolutions.get(record)
        if decision is None or not decision.stands_in(self._memory.shown(record)):
            raise NothingToUndoError
        written = self._composer.undone(decision, self._enrolled().user)
        self._append([(FrameType.OP, pack_written(each)) for each in written], counts=len(written))
        for each in written:
            self._memory.take_op(each)
        return record_of(self._memory, record)

    def _reincarnate(self) -> None:
        """Draw a new incarnation and sign the pending ops again: another copy of this store used the old one."""
        memory = self._memory
        new = self._journal.redraw_incarnation()
        written = self._composer.renamed(new)
        # More than one, if an earlier renumbering drew its incarnation and was killed before this very append.
        olds = {op.incarnation for op in memory.pending}
        frames = [(FrameType.FACT, pack_fact(Reincarnated(old))) for old in sorted(olds)]
        frames += [(FrameType.OP, pack_written(each)) for each in written]
        self._append(frames, counts=len(frames))
        memory.incarnation = new
        memory.take_reincarnation(written)

    def _enrolled(self) -> Enrolled:
        if self._memory.enrolled is None:
            raise NotEnrolledError
        return self._memory.enrolled
