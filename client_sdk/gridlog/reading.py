"""Open the files of a store and read what they say: from the snapshot if it fits, and from the journal behind it.

The rule it keeps: the journal decides. It is verified as a whole each time, and a snapshot counts only where it is
the image of that very journal.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeVar

from gridlog_protocol.kinds import shipped_kinds

from .credentials import Credential
from .device_clock import DeviceClock
from .entries import EntryError
from .errors import StoreDamagedError, StorePart
from .frames import Frame, FrameType
from .image import load_image
from .journal import Journal
from .locked import LockedWriter
from .memory import Memory
from .snapshot import Snapshot, SnapshotRefusedError, find_snapshot
from .vault import Vault

T = TypeVar("T")

_log = logging.getLogger("gridlog.store")


@dataclass(frozen=True, slots=True)
class Files:
    """The opened files of a store. `snapshot` is None if there is none that this store made."""

    vault: Vault
    journal: Journal
    snapshot: Snapshot | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The opened files of a store, and what they say. No snapshot covers the last `uncovered` entries."""

    files: Files
    memory: Memory
    uncovered: int


def open_files(
    directory: Path, credential: Credential, clock: DeviceClock | None, *, locked: LockedWriter | None = None
) -> Files:
    """Open the keys and the journal of a store, and look for its snapshot. Raises as `FieldStore.open`.

    `locked` holds the store till then, and is done with as soon as the credential proved right.
    """
    vault = Vault.unlock(directory, credential, clock=clock, lock=locked.lock if locked else None)
    if locked is not None:
        locked.close()

    def opened() -> Files:
        snapshot = find_snapshot(directory, vault)
        return Files(vault, Journal.open(directory, vault, mark=snapshot.seq if snapshot else 0), snapshot)

    return closing_on_error(vault, opened)


def read_store(files: Files) -> Loaded:
    """Read everything that a store knows.

    Raises StoreDamagedError, StoreTooNewError, DiskFailedError; the files are closed then.
    """
    try:
        memory, covered = _from_snapshot(files)
        replay_into(memory, files.journal.replay(after=covered))
    except BaseException:
        files.journal.close()
        files.vault.close()
        raise
    return Loaded(files, memory, files.journal.last_seq - covered)


def replay_into(memory: Memory, frames: Iterator[Frame]) -> None:
    """Take in frames of a journal, which may begin with what it was compacted to. Raises EntryError."""
    following: list[Frame] = []

    def bases() -> Iterator[bytes]:
        for frame in frames:
            if frame.type is not FrameType.BASE:
                following.append(frame)
                return
            yield frame.payload

    first = next(frames, None)
    if first is None:
        return
    if first.type is FrameType.BASE:
        load_image(memory, chain((first.payload,), bases()), is_truth=True)
    else:
        following.append(first)
    memory.replay(chain(following, frames))


def empty_memory(vault: Vault) -> Memory:
    """Return what a store knows that has read nothing yet."""
    return Memory(vault.device_id, vault.incarnation, shipped_kinds())


def _from_snapshot(files: Files) -> tuple[Memory, int]:
    """Return the memory that the snapshot gives, if it fits, and the number of the last frame it covers."""
    snapshot, journal, memory = files.snapshot, files.journal, empty_memory(files.vault)
    # One from before the journal was compacted is of no use any more: what the journal begins with says it all.
    if snapshot is None or snapshot.seq < journal.first_seq:
        return memory, 0
    if journal.mark != (snapshot.seq, snapshot.hash):
        # A genuine snapshot of frames that are not there, or not these: the journal is not what it was.
        raise StoreDamagedError(StorePart.JOURNAL, min(snapshot.seq, journal.head[0] + 1))
    try:
        load_image(memory, snapshot.parts())
    except (SnapshotRefusedError, EntryError) as reason:
        _log.warning("the snapshot is not used: %s", reason)
        return empty_memory(files.vault), 0
    return memory, snapshot.seq


def closing_on_error(vault: Vault, work: Callable[[], T]) -> T:
    """Do it, and let go of the store if it fails."""
    try:
        return work()
    except BaseException:
        vault.close()
        raise
