"""`FieldStore`: the encrypted store on the handheld, and the only door to it.

The rule it keeps: durable before it returns. When `create` or `edit` comes back, the op is on the disk; when `sync`
comes back, so is everything that the server sent. A killed process loses nothing that anybody was told is saved.

Keys, journal and projection block and must not overlap, so one thread of its own serves a store; the methods are
coroutines and may be called from any number of tasks of one event loop.
"""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import DeviceId, RecordId, UserId, record_id
from gridlog_protocol.invitation import read_invitation
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.kinds.times import moment_text
from gridlog_protocol.ops import Intent
from gridlog_protocol.receipts import receipt_number
from gridlog_protocol.state import WITHDRAWN
from gridlog_sync.review import REVIEW_STATE, ReviewEvent, ReviewState
from gridlog_sync.session import Absorbed
from gridlog_sync.view import Conflict
from gridlog_sync.writing import Change

from .asking import Asked
from .clock_warning import offset_fields
from .credentials import Credential
from .device_clock import DeviceClock
from .drafting import Drafting
from .errors import AlreadyEnrolledError, DiskFailedError, WipedByOrderError
from .exchanging import Errand, Exchanging, Means, TaskErrand, turns
from .journal import Journal
from .journal_file import is_made
from .listening import Listening
from .looking import Query
from .parting import deliver, read_parting
from .reading import Files, closing_on_error, open_files, read_store
from .records import DecidedNote, HeldNote, PendingOp, Record, SyncReport, SyncStatus, SyncTurn
from .resolutions import Overruled
from .showing import conflicts, decided_notes, held_notes, pending_ops, record_of, status_of
from .submitting import check_submittable
from .vault import KdfProfile, Vault, has_keys
from .watching import Watching

if TYPE_CHECKING:
    from .transport import Delivered, HttpTransport

T = TypeVar("T")


class FieldStore(Drafting, Watching):
    """One worker's records on one device. Made by `make` or `open`; use it in `async with`, or `close` it."""

    @cached_property
    def _exchanging(self) -> Exchanging:
        # The driver is asked for anew each time: unlocking puts another in its place.
        return Exchanging(Means(lambda: self._driver, self._run, self._take_in, self._renumber, self._set_off))

    @classmethod
    async def make(
        cls,
        directory: Path | str,
        passphrase: str,
        *,
        profile: KdfProfile = KdfProfile.STANDARD,
        clock: DeviceClock | None = None,
    ) -> Self:
        """Make a new, empty store. `enrol` comes next. `clock` is another clock than this machine's.

        Raises WeakPassphraseError, StoreExistsError, StoreInUseError, DiskFullError, DiskFailedError.
        """
        path = Path(directory)

        def made() -> Files:
            if has_keys(path) and not is_made(path):
                # The process was killed between keys and journal, or while it made the journal. Nothing was written
                # yet; should the journal have been lost instead, the new incarnation keeps its numbers apart.
                vault = Vault.unlock(path, passphrase)
                closing_on_error(vault, lambda: vault.redraw_incarnation(first_seq=1))
            else:
                vault = Vault.create(path, passphrase, profile=profile)
            return closing_on_error(vault, lambda: Files(vault, Journal.create(path, vault)))

        return await cls._started(made, clock)

    @classmethod
    async def open(cls, directory: Path | str, credential: Credential, *, clock: DeviceClock | None = None) -> Self:
        """Open a store and read everything in it. A `str` is its passphrase; `Pin` and `Badge` open it as well.

        `clock` is another clock than this machine's. Raises StoreMissingError, StoreWipedError, StoreInUseError,
        StoreDamagedError, StoreTooNewError, DiskFailedError; if the credential does not open it WrongPassphraseError,
        WrongBadgeError, WrongRecoveryKeyError, or for a PIN WrongPinError, PinWaitError, PinDestroyedError,
        NoPinError, DeviceSecretMissingError, DiskFullError.
        """
        return await cls._started(lambda: open_files(Path(directory), credential, clock), clock)

    @staticmethod
    def is_made(directory: Path | str) -> bool:
        """Tell whether `make` has finished here: then `open` it. An unfinished one is for `make` to finish."""
        path = Path(directory)
        return has_keys(path) and is_made(path)

    @classmethod
    async def _started(cls, begin: Callable[[], Files], clock: DeviceClock | None) -> Self:
        thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gridlog-store")

        try:
            loaded = await asyncio.get_running_loop().run_in_executor(thread, lambda: read_store(begin()))
        except BaseException:
            thread.shutdown(wait=True)
            raise
        return cls(loaded, thread, clock)

    @staticmethod
    async def send_parting(directory: Path | str) -> bool:
        """Send what a store left here that was wiped by an order: that it is done, and what it had not sent.

        `sync` does it by itself if the line holds. Call it when `open` raises StoreWipedError. Returns whether
        nothing is left to be sent. Raises DiskFailedError.
        """
        parting = read_parting(Path(directory))
        if parting is None:
            return True
        transport = _transport(parting.address)
        try:
            return await deliver(Path(directory), transport)
        finally:
            await transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def kinds(self) -> KindSet:
        """The kinds of record that this version knows."""
        return self._memory.kinds

    @property
    def user(self) -> UserId:
        """The worker that this device is enrolled for. Raises NotEnrolledError."""
        return self._enrolled().user

    @property
    def device(self) -> DeviceId:
        """The name of this device: what a record says it was written on. Raises NotEnrolledError."""
        self._enrolled()
        return self._memory.device

    async def enrol(self, code: str, *, model: str = "") -> SyncStatus:
        """Make this device known to the server that handed out `code`.

        Raises InvitationError, AlreadyEnrolledError, ForeignServerError, RefusedError, UnreachableError.
        """
        invitation = read_invitation(code)
        async with self._syncing:
            if self._memory.enrolled is not None:
                raise AlreadyEnrolledError
            transport = _transport(invitation.address)
            try:
                enrolled = await self._driver.enrol(transport, invitation, model=model or platform.node()[:64])
            finally:
                await transport.close()
            async with self._writing:
                await self._run(lambda: self._keep_enrolment(enrolled))
        return await self.status()

    async def create(self, kind: str, values: Mapping[str, Change]) -> Record:
        """Write a new record. It is on the disk when this returns.

        Raises InvalidRecordError (naming every wrong field), UnknownKindError, NotEnrolledError, DiskFullError,
        DiskFailedError.
        """
        async with self._writing:
            record = record_id(self._clock.wall_ms(), os.urandom(10))
            return await self._run_or(
                lambda: self._write(record, kind, values, None), lambda locked: locked.create(kind, values)
            )

    async def edit(self, record: Record | RecordId, changes: Mapping[str, Change]) -> Record:
        """Change a record. Hand in the `Record` that the form was opened with: what it showed counts as seen.

        Raises as `create`, and UnknownRecordError.
        """
        async with self._writing:
            opened = await self._run(lambda: record_of(self._memory, record)) if isinstance(record, bytes) else record
            return await self._run(lambda: self._write(opened.id, opened.kind, changes, opened))

    async def submit(self, record: Record) -> Record:
        """Hand a record in for review, with all that its kind asks for then. `Record.review` says how it went.

        Raises as `edit`; InvalidRecordError too if the record is neither a draft nor returned.
        """
        check_submittable(self.kinds, record)
        changes = {REVIEW_STATE: ReviewState.SUBMITTED.value}
        async with self._writing:
            return await self._run(
                lambda: self._write(record.id, record.kind, changes, record, Intent.EDIT, ReviewEvent.SUBMIT)
            )

    async def withdraw(self, record: Record, reason: str) -> Record:
        """Withdraw a record, with a reason. What others wrote meanwhile is kept, and goes to review.

        Raises as `edit`.
        """
        at = moment_text(self._clock.wall_ms())
        return await self._decide(record, {WITHDRAWN: {"by": self.user, "at": at, "reason": reason}}, Intent.WITHDRAW)

    async def restore(self, record: Record) -> Record:
        """Put a withdrawn record back. Raises as `edit`."""
        return await self._decide(record, {WITHDRAWN: None}, Intent.EDIT)

    async def resolve(self, record: Record, choices: Mapping[str, Change]) -> Record:
        """Decide conflicts: what each field shall say. `undo` takes it back.

        Raises as `edit`, and InvalidRecordError if a field is not in conflict.
        """
        return await self._decide(record, choices, Intent.RESOLVE)

    async def undo(self, record: RecordId) -> Record:
        """Take back this device's last decision about a record: what it replaced contradicts each other again.

        Raises NothingToUndoError if there is none, or somebody has changed since what was decided.
        """
        async with self._writing:
            return await self._run(lambda: self._undo(record))

    async def overruled(self) -> list[Overruled]:
        """Return where somebody decided for another's value than this worker's. Writing the field again ends it."""
        return await self._run(lambda: [*self._memory.overruled.values()])

    async def _decide(self, record: Record, changes: Mapping[str, Change], intent: Intent) -> Record:
        async with self._writing:
            return await self._run(lambda: self._write(record.id, record.kind, changes, record, intent))

    async def get(self, record: RecordId) -> Record:
        """Return a record as the screen shows it. Raises UnknownRecordError."""
        return await self._run(lambda: record_of(self._memory, record))

    async def query(
        self,
        kind: str,
        *,
        where: Mapping[str, Value] | None = None,
        order: str | None = None,
        limit: int = 50,
        offset: int = 0,
        with_withdrawn: bool = False,
    ) -> list[Record]:
        """Return records of a kind, newest first, or by the field `order` (`-field` for downwards).

        `where` asks for fields that equal a value, or for sets and lists that contain it. Withdrawn records are left
        out unless asked for, or in conflict.
        """
        query = Query(kind, where or {}, order, limit, offset, with_withdrawn)
        memory = self._memory
        return await self._run(lambda: [record_of(memory, each) for each in memory.projection.matching(query)])

    async def search(self, words: str, *, kind: str | None = None, limit: int = 50) -> list[Record]:
        """Return the records whose texts contain each of the words, newest first: any part of a Chinese sentence.

        The case of Latin letters makes no difference. Withdrawn records are left out, unless they are in conflict.
        """
        memory = self._memory
        return await self._run(
            lambda: [record_of(memory, each) for each in memory.projection.containing(words, kind=kind, limit=limit)]
        )

    async def pending(self) -> list[PendingOp]:
        """Return what the server has not acknowledged yet, oldest first."""
        return await self._run(lambda: pending_ops(self._memory))

    async def held(self) -> list[HeldNote]:
        """Return the ops of this device that the server holds for review, and why."""
        return await self._run(lambda: held_notes(self._memory))

    async def decided(self) -> list[DecidedNote]:
        """Return what was decided about ops of this device that were held, newest first."""
        return await self._run(lambda: decided_notes(self._memory))

    async def conflicts(self) -> list[Conflict]:
        """Return what contradicts what in the records of this device."""
        return await self._run(lambda: conflicts(self._memory))

    async def receipts(self) -> dict[str, int]:
        """Return the newest receipt's number for each incarnation of this store, and the last op it covers."""
        memory = self._memory
        notes = await self._run(lambda: [*memory.receipts.values()])
        return {receipt_number(note.log_position, note.log_hash): note.up_to_seq for note in notes}

    async def status(self) -> SyncStatus:
        """Return how the store stands. Raises NotEnrolledError."""
        self._enrolled()
        return await self._run(lambda: status_of(self._memory))

    async def sync(self, *, budget_bytes: int | None = None) -> SyncReport:
        """Exchange with the server until nothing is left to send or to fetch, or the next round trip would cost more.

        `budget_bytes` bounds the bodies of both ways together; the report's `more_waits` tells that it ended the
        exchange. Below 2 kB nothing is begun, and a single large record may exceed it: it is the smallest piece.

        Every answered request is progress that a later failure does not undo. Raises NotEnrolledError,
        UnreachableError, RefusedError (SuspendedError and OrderRefusedError among them), ForeignServerError,
        DiskFullError, DiskFailedError. An order of the server to wipe this store is carried out, and raises
        WipedByOrderError.
        """
        async with self._syncing:
            transport = _transport(self._enrolled().address)
            # Of a store that was here before this one, and was ordered to be wiped.
            await self.send_parting(self._directory)
            try:
                report = await self._exchanging.exchange(transport, budget_bytes)
            except WipedByOrderError as wiped:
                # Whatever the disk says now, the store is wiped.
                with suppress(DiskFailedError):
                    await deliver(self._directory, transport, wiped.unsaved)
                raise
            finally:
                await transport.close()
        offset_ms, error_ms = offset_fields(self._memory.offset)
        return replace(report, clock_offset_ms=offset_ms, clock_error_ms=error_ms)

    @property
    def progress(self) -> SyncReport:
        """How far the running exchange has come, or how the last one ended: for a screen that shows it."""
        return self._exchanging.report

    async def sync_forever(
        self, *, every_s: float = 60.0, on_report: Callable[[SyncTurn], None] | None = None
    ) -> NoReturn:
        """Synchronise again and again, until the task that runs this is cancelled: nothing is lost by that.

        After a success it rests for `every_s` seconds, or until something is written here or the server says that
        there is something: it listens on the server's live channel, as long as there is one. After a cut it goes on
        at once if anything came through, and else with growing, jittered pauses; a busy server's `Retry-After` is
        obeyed. `on_report` hears of each turn. Raises what a person must act on: NotEnrolledError,
        ForeignServerError, DiskFullError, DiskFailedError, WipedByOrderError, and RefusedError unless its recovery is
        to try again.
        """
        transport = _transport(self._enrolled().address)
        try:
            listening = Listening(
                lambda: transport.live(lambda challenge: self._run(lambda: self._driver.hello(challenge))),
                self._watches.begin(None),
                is_news=lambda position: self._run(lambda: self._driver.is_news(position)),
                has_pending=lambda: self._run(lambda: bool(self._memory.pending)),
            )
            async with listening.running():
                so_far = lambda: self._exchanging.report  # noqa: E731 - as short as its name.
                await turns(self.sync, so_far, every_s=every_s, on_turn=on_report, rest=listening.rest)
        finally:
            await transport.close()

    async def _take_in(self, asked: Asked, answer: bytes) -> tuple[Absorbed, bool | None]:
        async with self._writing:
            return await self._run(lambda: self._take_or_obey(asked, answer))

    def _set_off(self, work: Coroutine[Any, Any, Delivered]) -> Errand:
        return TaskErrand(work)

    async def _renumber(self) -> None:
        async with self._writing:
            await self._run(self._reincarnate)


def _transport(address: str) -> HttpTransport:
    # Loading an HTTP client takes a third of the start of a command, and most commands never use the network.
    from .transport import HttpTransport  # noqa: PLC0415

    return HttpTransport(address)
