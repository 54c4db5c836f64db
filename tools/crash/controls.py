"""Planted weaknesses, by name: a tester that finds none proves nothing. Each takes away one rule of the store.

While one is entered, functions of the production code are replaced; the recording is then one of a store that has
this weakness, and the explorer must find a cut that breaks a promise.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gridlog import disk, journal_file, keydisk, unlocking, vault
from gridlog.entries import pack_written
from gridlog.frame_writer import FrameWriter
from gridlog.frames import FrameType
from gridlog.keeping import Keeping
from gridlog.keyfile import WIPED
from gridlog.showing import record_of
from tools.crash.director import NO_CONTROL
from tools.simulate.replacing import replaced

Weakened = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Control:
    """A weakness, and the scenario that shows it."""

    weakened: Weakened
    scenario: str


@contextmanager
def _prepared_with(*pragmas: str) -> Iterator[None]:
    original = journal_file._prepare  # noqa: SLF001 - a planted weakness reaches where no caller may.

    def weak(connection: sqlite3.Connection) -> None:
        original(connection)
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}").fetchall()

    with replaced(journal_file, "_prepare", weak):
        yield


def synchronous_normal() -> AbstractContextManager[None]:
    """Leave the sync of a commit to the next checkpoint."""
    return _prepared_with("synchronous = NORMAL")


def synchronous_off() -> AbstractContextManager[None]:
    """Never sync the journal."""
    return _prepared_with("synchronous = OFF")


def rollback_journal() -> AbstractContextManager[None]:
    """Commit by removing a rollback journal: its name comes back after a power cut, and with it the old content."""
    return _prepared_with("journal_mode = DELETE", "locking_mode = NORMAL", "synchronous = FULL")


def names_not_synced() -> AbstractContextManager[None]:
    """Sync files, and not the directory they are in."""
    return replaced(disk, "sync_directory", lambda _: None)


def content_not_synced() -> AbstractContextManager[None]:
    """Write small files without a sync before they are renamed."""

    def weak(path: Path, pieces: Iterable[bytes]) -> int:
        return path.write_bytes(b"".join(pieces))

    return replaced(disk, "_write_synced", weak)


def written_in_place() -> AbstractContextManager[None]:
    """Write the key file where it stands, instead of another one beside it."""

    def weak(path: Path, pieces: Iterable[bytes]) -> int:
        return disk._write_synced(path, pieces)  # noqa: SLF001

    return replaced(disk, "_replace", weak)


@contextmanager
def old_keys_erased_first() -> Iterator[None]:
    """Overwrite the old key file before the new one is durable."""
    original = disk.write_durably

    def weak(path: Path, content: bytes, *, erases_old: bool = False) -> None:
        if erases_old:
            disk.overwrite(path, b"")
        original(path, content)

    with replaced(keydisk, "write_durably", weak):
        yield


def attempts_not_kept() -> AbstractContextManager[None]:
    """Count wrong PINs in memory."""

    def weak(keys: Any, slot: Any, now_ms: int) -> Any:
        del keys, now_ms
        return slot

    return replaced(unlocking, "_counted", weak)


def wiped_by_removal() -> AbstractContextManager[None]:
    """Wipe by removing the files, and trust that they stay removed."""

    def weak(directory: Path) -> None:
        for name in (keydisk.KEYS_FILE, *journal_file.JOURNAL_FILES):
            (directory / name).unlink(missing_ok=True)
        (directory / keydisk.KEYS_FILE).write_bytes(WIPED)

    return replaced(vault, "destroy", weak)


def wiped_at_the_beginning() -> AbstractContextManager[None]:
    """Put the mark of a wiped store at the beginning of its keys, and zeros over the rest."""
    return replaced(keydisk, "_marks", lambda _: WIPED)


@contextmanager
def acknowledged_before_commit() -> Iterator[None]:
    """Say saved at once, and commit together with the next entries."""
    original = FrameWriter.append
    waiting: list[tuple[FrameType, bytes]] = []

    def weak(self: FrameWriter, frames: Sequence[tuple[FrameType, bytes]]) -> list[int]:
        saved = original(self, waiting)
        waiting[:] = frames
        return saved

    with replaced(FrameWriter, "append", weak):
        yield


def op_by_op() -> AbstractContextManager[None]:
    """Commit each op of a save by itself."""

    def weak(self: Any, record: Any, kind: str, changes: Any, opened: Any, *intent: Any) -> Any:
        named = dict(zip(("intent",), intent, strict=False))
        author = self._enrolled().user
        for each in self._composer.compose(record, kind, changes, opened=opened, author=author, **named):
            self._journal.append([(FrameType.OP, pack_written(each))])
            self._memory.take_op(each)
        return record_of(self._memory, record)

    return replaced(Keeping, "_write", weak)


_ALL = (
    Control(synchronous_normal, "save"),
    Control(synchronous_off, "save"),
    Control(rollback_journal, "save"),
    Control(acknowledged_before_commit, "save"),
    Control(op_by_op, "save-in-two-ops"),
    Control(names_not_synced, "passphrase"),
    Control(content_not_synced, "passphrase"),
    Control(written_in_place, "passphrase"),
    Control(old_keys_erased_first, "passphrase"),
    Control(attempts_not_kept, "pin-destroyed"),
    Control(wiped_by_removal, "wipe"),
    Control(wiped_at_the_beginning, "wipe"),
)

CONTROLS: Mapping[str, Control] = MappingProxyType(
    {
        NO_CONTROL: Control(nullcontext, ""),
        **{each.weakened.__name__.replace("_", "-"): each for each in _ALL},
    }
)
