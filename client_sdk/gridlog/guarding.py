"""Open, lock, unlock, close and wipe a store, and change what opens it: the half of a `FieldStore` about its keys.

The rule it keeps: whatever can be read from memory is there because the store is unlocked. Locking drops all of it,
keys and records. What stays takes new notes and what is typed into forms, and gives nothing out.

                 make, open                    lock
    (directory) ───────────► [unlocked] ─────────────────► [locked]
                              │      ▲        unlock          │
                              │      └────────────────────────┤
                        close │ wipe                    close │ wipe
                              ▼                               ▼
                                          [gone]
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from gridlog_protocol.orders import Order
from gridlog_sync.session import Absorbed

from .asking import Asked
from .credentials import Badge, Credential, Pin
from .device_clock import DeviceClock
from .errors import DiskFailedError, DiskFullError, GridlogError, LockedError, StoreWipedError, WipedByOrderError
from .keeping import CLOSING_TAIL_MAX, Keeping
from .locked import LockedWriter
from .obeying import WipeOrderedError, parting_of
from .parting import Parting, write_parting
from .reading import Loaded, open_files, read_store
from .scrubbing import scrub, scrub_heap
from .vault import KdfProfile, SlotKind, Vault, slots_at, wipe
from .verifying import Verified, verify

T = TypeVar("T")

_log = logging.getLogger("gridlog.store")


class Guarding(Keeping):
    """The doors of one store. Its thread does everything that blocks, one thing after another."""

    def __init__(self, loaded: Loaded, thread: ThreadPoolExecutor, clock: DeviceClock | None = None) -> None:
        super().__init__(loaded, clock or DeviceClock())
        self._thread = thread
        self._locked: LockedWriter | None = None
        self._writing = asyncio.Lock()
        self._syncing = asyncio.Lock()

    @property
    def is_locked(self) -> bool:
        """Whether the store waits for `unlock`."""
        return self._shut is LockedError

    async def lock(self) -> None:
        """Forget the keys and everything that was read. What was saved stays; what is pending stays pending.

        `create`, `begin_draft` and `save_draft` go on: what they write is known again when the store is unlocked.

        It does not wait for a running `sync`: that one ends with LockedError, and loses one round trip at most.
        Locking twice is harmless.
        """
        async with self._writing:
            if self._shut is None:
                await self._on_thread(self._lock)
                await self._on_thread(scrub)
                # Here too: the app had its records on this thread.
                scrub_heap()

    async def unlock(self, credential: Credential) -> None:
        """Open a locked store again. Raises as `FieldStore.open`, and stays locked then. Harmless if it is open."""
        async with self._writing:
            if self.is_locked:
                await self._on_thread(lambda: self._unlock(credential))

    async def close(self) -> None:
        """Let go of the files and forget the keys, after a running exchange. What is pending stays pending."""
        async with self._syncing, self._writing:
            if self._shut is None:
                await self._on_thread(lambda: self._release(_closed, tail_max=CLOSING_TAIL_MAX))
            elif self._locked is not None:
                self._shut = _closed
                await self._on_thread(self._leave_locked)
        self._thread.shutdown(wait=True)

    async def verify(self) -> Verified:
        """Read everything again from the disk, and compare. It changes nothing, and takes as long as `open` did once.

        Raises LockedError, DiskFailedError.
        """
        async with self._writing:
            opened = self._opened
            return await self._run(lambda: verify(self._directory, opened.vault, opened.journal, opened.memory))

    async def compact(self) -> None:
        """Write down what is still true, and destroy the keys of everything written before.

        It happens by itself, too; call it when something was erased. Raises LockedError, DiskFullError,
        DiskFailedError: close then, and open again.
        """
        async with self._writing:
            await self._run(self._compact)

    async def wipe(self) -> None:
        """Destroy the keys, then the files, of this store, locked or not, and close it. Nothing brings it back.

        What the server has not received is lost. It does not wait for a running `sync`, which ends with
        StoreWipedError. Raises DiskFullError or DiskFailedError: nothing opens the store then, but call it again.
        """
        async with self._writing:
            await self._on_thread(self._wipe)
            self._thread.shutdown(wait=True)

    @staticmethod
    async def wipe_at(directory: Path | str) -> None:
        """Do what `wipe` does for a store that nobody has open. It needs no credential.

        Raises StoreMissingError, StoreInUseError, DiskFullError, DiskFailedError.
        """
        await asyncio.to_thread(wipe, Path(directory))

    @staticmethod
    def slots_at(directory: Path | str) -> frozenset[SlotKind]:
        """Return what would open the store in a directory, so that an app knows what to ask for.

        Raises StoreMissingError, StoreWipedError, StoreDamagedError, StoreTooNewError, DiskFailedError.
        """
        return slots_at(Path(directory))

    @property
    def slots(self) -> frozenset[SlotKind]:
        """What opens this store. Raises LockedError."""
        return self._vault.slots

    @property
    def has_plain_pin(self) -> bool:
        """Whether a copy of the files gives the PIN away: it has no secret of the device. Raises LockedError."""
        return self._vault.has_plain_pin

    async def change_passphrase(
        self, passphrase: str, *, current: Credential, profile: KdfProfile = KdfProfile.STANDARD
    ) -> None:
        """Let another passphrase open the store, and the old one not any more. Durable before it returns.

        `current` is what the worker can open the store with now: an open store in somebody else's hands keeps its
        passphrase. Raises WeakPassphraseError, LockedError, DiskFullError, DiskFailedError, and as `open` for
        `current`. After an error of the disk the old one opens, or the new one: close, and open again.
        """
        await self._changed(lambda vault: vault.change_passphrase(passphrase, current=current, profile=profile))

    async def set_pin(
        self,
        pin: Pin | None,
        *,
        current: Credential,
        allows_plain: bool = False,
        profile: KdfProfile = KdfProfile.STANDARD,
    ) -> None:
        """Let this PIN open the store, and no earlier one; None takes the PIN away. Durable before it returns.

        `allows_plain` says that somebody answers for a PIN without a secret of the device, which a copy of the files
        gives away in minutes. Raises WeakPinError, PlainPinError, and otherwise as `change_passphrase`.
        """
        await self._changed(
            lambda vault: vault.set_pin(pin, current=current, allows_plain=allows_plain, profile=profile)
        )

    async def set_badge(
        self, badge: Badge | None, *, current: Credential, profile: KdfProfile = KdfProfile.STANDARD
    ) -> None:
        """Let this badge open the store, and no earlier one; None takes it away. Raises as `change_passphrase`."""
        await self._changed(lambda vault: vault.set_badge(badge, current=current, profile=profile))

    async def _changed(self, change: Callable[[Vault], None]) -> None:
        async with self._writing:
            await self._run(lambda: change(self._vault))

    async def _run(self, work: Callable[[], T]) -> T:
        """Do it on the store's thread, unless the store was locked, wiped or closed by then."""
        self._refuse_if_shut()

        def unless_shut() -> T:
            # Asked again: what stood before it in the queue may have been the lock.
            self._refuse_if_shut()
            return work()

        return await self._on_thread(unless_shut)

    async def _on_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _refuse_if_shut(self) -> None:
        if self._shut is not None:
            raise self._shut()

    async def _run_or(self, work: Callable[[], T], locked: Callable[[LockedWriter], T]) -> T:
        """Do `work` on the store's thread, or what a locked store does instead. Call it while `_writing` is held."""
        writer = self._locked
        return await (self._run(work) if writer is None else self._on_thread(lambda: locked(writer)))

    def _lock(self) -> None:
        opened, inbox = self._opened, None
        try:
            self._put_by(0)
            inbox = opened.journal.into_inbox()
        except GridlogError as failure:
            # The disk failed: nothing can be written while it is locked, but locked it is.
            _log.warning("nothing is written while locked: %r", failure)
        finally:
            self._let_go(LockedError)
            if inbox is None:
                opened.vault.close()
            else:
                self._locked = LockedWriter(inbox, opened.vault.leave_lock(), opened.memory, self._clock)

    def _unlock(self, credential: Credential) -> None:
        try:
            files = open_files(self._directory, credential, self._clock, locked=self._locked)
        finally:
            if self._locked is not None and self._locked.is_done:
                self._locked = None
        self._admit(read_store(files))

    def _leave_locked(self) -> None:
        locked, self._locked = self._locked, None
        if locked is not None:
            locked.close()
            locked.lock.release()

    def _take_or_obey(self, asked: Asked, answer: bytes) -> tuple[Absorbed, bool | None]:
        """Take an answer in; if it orders this store to be wiped, do that. Raises WipedByOrderError then."""
        try:
            return self._take(asked, answer)
        except WipeOrderedError as ordered:
            unsaved = self._obey(asked, ordered.order)
        raise WipedByOrderError(self._directory, unsaved)

    def _obey(self, asked: Asked, order: Order) -> Parting | None:
        """Leave for the server what it lacks, then destroy everything. Return what the disk could not keep of that.

        Raises DiskFullError, DiskFailedError if it cannot be destroyed.
        """
        opened, directory = self._opened, self._directory
        parting = parting_of(
            opened.memory, opened.vault, self._clock, asked=asked, order=order, segment=opened.driver.segment
        )
        unsaved = None
        try:
            # From here on whoever opens the store finishes the wipe.
            write_parting(directory, parting)
        except (DiskFullError, DiskFailedError) as reason:
            # The order stands, whatever the disk can still hold.
            _log.warning("nothing is kept for the server: %s", reason.__cause__)
            unsaved = parting
        self._wipe(lambda: WipedByOrderError(directory))
        return unsaved

    def _wipe(self, reason: Callable[[], StoreWipedError] | None = None) -> None:
        directory = self._directory
        self._leave_locked()
        vault = self._let_go(reason or (lambda: StoreWipedError(directory)))
        if vault is not None:
            vault.wipe()
        else:
            wipe(directory)

    def _release(self, reason: Callable[[], Exception], *, tail_max: int) -> None:
        try:
            self._put_by(tail_max)
        finally:
            vault = self._let_go(reason)
            if vault is not None:
                vault.close()


def _closed() -> RuntimeError:
    return RuntimeError("the store is closed")
