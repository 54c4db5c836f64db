"""Begin, save, list, finish and discard drafts: the part of a `FieldStore` for forms that are not finished.

The rule it keeps: durable before it returns, for every field. Finishing is one append with the record's ops, so a
draft that was killed in the middle of it is a draft or a record, never both and never neither.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from gridlog_protocol.ids import Position, RecordId, record_id
from gridlog_protocol.ops import Seen
from gridlog_sync.writing import Change

from .drafts import (
    Draft,
    DraftBegun,
    DraftEnded,
    DraftEntry,
    DraftSaved,
    check_changes,
    differing,
    pack_draft,
    read_draft,
)
from .entries import pack_written
from .errors import UnknownDraftError, UnknownKindError
from .frames import FrameType
from .guarding import Guarding
from .records import Record, Whereabouts
from .showing import record_of


class Drafting(Guarding):
    """The drafts of one store. They never travel; what they become does."""

    async def begin_draft(self, of: str | Record, changes: Mapping[str, Change] | None = None) -> Draft:
        """Begin a new record of a kind, or the edit of a record, and save `changes` with it. On the disk on return.

        A draft's id is the id of its record, also of one that it has yet to become. A record has one draft: if there
        is one already, that one goes on, with what its form showed when it was opened. Hand in the `Record` that the
        form is opened with: what it shows counts as seen, however much later the draft is finished.

        Raises UnknownKindError, NotEnrolledError, and as `save_draft`.
        """
        async with self._writing:
            return await self._run_or(
                lambda: self._begin(of, changes or {}), lambda locked: locked.begin_draft(of, changes or {})
            )

    async def save_draft(
        self, draft: RecordId, changes: Mapping[str, Change], *, without: Collection[str] = ()
    ) -> Draft:
        """Save what was typed into fields of a draft, whether it is right or not. It is on the disk on return.

        `changes` are as `create` and `edit` take them; each replaces what was saved of its field before. The fields
        in `without` are again as if nobody had touched them. While the store is locked, what comes back has no more
        than these changes. Raises UnknownDraftError, DraftTooLargeError, InvalidRecordError (naming the fields that
        are no values at all), DiskFullError, DiskFailedError.
        """
        async with self._writing:
            return await self._run_or(
                lambda: self._save(draft, changes, without), lambda locked: locked.save_draft(draft, changes, without)
            )

    async def draft(self, draft: RecordId) -> Draft:
        """Return a draft. Raises UnknownDraftError."""
        return await self._run(lambda: self._draft(draft))

    async def drafts(self) -> list[Draft]:
        """Return all drafts, the one that was saved last first."""
        return await self._run(lambda: [copy.deepcopy(each) for each in reversed(self._memory.drafts.values())])

    async def finalise(self, draft: RecordId) -> Record:
        """Write the record that a draft describes, and end the draft: both, or neither. On the disk on return.

        Raises UnknownDraftError, and as `create` and `edit`; after InvalidRecordError the draft is as it was.
        """
        async with self._writing:
            return await self._run(lambda: self._finalise(draft))

    async def discard_draft(self, draft: RecordId) -> None:
        """Throw a draft away. Its record, if it has one, stays as it is.

        Raises UnknownDraftError, DiskFullError, DiskFailedError.
        """
        async with self._writing:
            await self._run(lambda: self._end(draft))

    def _begin(self, of: str | Record, changes: Mapping[str, Change]) -> Draft:
        memory, opened = self._memory, of if isinstance(of, Record) else None
        self._enrolled()
        kind = opened.kind if opened else str(of)
        if memory.kinds.get(kind) is None:
            raise UnknownKindError(kind)
        if opened is not None and opened.id in memory.drafts:
            return self._save(opened.id, changes, ())
        now_ms = self._clock.wall_ms()
        draft = opened.id if opened else record_id(now_ms, os.urandom(10))
        check_changes(memory.kinds.get(kind), changes, {})
        entries: list[DraftEntry] = [DraftBegun(draft, kind, now_ms, opened)]
        if changes:
            entries.append(DraftSaved(draft, now_ms, changes))
        self._keep(entries)
        return self._draft(draft)

    def _save(self, draft: RecordId, changes: Mapping[str, Change], without: Collection[str]) -> Draft:
        standing = self._draft(draft)
        check_changes(self._memory.kinds.get(standing.kind), changes, standing.changes)
        new = differing(changes, standing.changes)
        gone = tuple(name for name in standing.changes if name in without and name not in changes)
        if new or gone:
            self._keep([DraftSaved(draft, self._clock.wall_ms(), new, gone)])
        return self._draft(draft)

    def _finalise(self, draft: RecordId) -> Record:
        memory, standing = self._memory, self._draft(draft)
        opened, author = standing.opened or self._copied(draft), self._enrolled().user
        written = self._composer.compose(draft, standing.kind, standing.changes, opened=opened, author=author)
        ended = DraftEnded(draft)
        # One append: a finish that was killed has made a record of the draft, or left it a draft.
        ops = [(FrameType.OP, pack_written(each)) for each in written]
        self._append([*ops, (FrameType.DRAFT, pack_draft(ended))], counts=len(ops) + 1)
        for each in written:
            memory.take_op(each)
        memory.take_draft(ended)
        self._put_by_if_long()
        if opened is not None and memory.shown(draft) is None:
            # It left this device while the form was open. What was written of it is saved.
            return replace(opened, whereabouts=Whereabouts.ON_DEVICE) if written else opened
        return record_of(memory, draft)

    def _copied(self, draft: RecordId) -> Record | None:
        """Return an empty form on the record that another copy of this store made of the same draft, if it is here.

        To create it again would claim to have seen what that copy wrote. None, as a rule: nobody else knows the id.
        """
        memory = self._memory
        if memory.shown(draft) is None:
            return None
        unseen = Seen(memory.seen(draft).epoch, Position(0), 0)
        return replace(record_of(memory, draft), values={}, rounds={}, seen=unseen)

    def _end(self, draft: RecordId) -> None:
        self._draft(draft)
        self._keep([DraftEnded(draft)])

    def _keep(self, entries: Sequence[DraftEntry]) -> None:
        packed = [pack_draft(each) for each in entries]
        # As the journal will give them back: nothing of the app's, which may go on changing its lists, comes into
        # memory, and nothing is sealed that could not be read again.
        read = [read_draft(each) for each in packed]
        self._append([(FrameType.DRAFT, each) for each in packed], counts=len(packed))
        for each in read:
            self._memory.take_draft(each)
        self._put_by_if_long()

    def _draft(self, draft: RecordId) -> Draft:
        """Return a draft as the app may have it: what it does to its lists changes nothing here."""
        found = self._memory.drafts.get(draft)
        if found is None:
            raise UnknownDraftError
        return copy.deepcopy(found)
