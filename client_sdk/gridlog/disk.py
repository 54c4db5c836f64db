"""Put small files on the disk so that they are whole and still there after a power cut.

The rule: a function returns only when what it did is durable. A file is replaced by writing another one beside it
(write, fsync, rename, fsync of the directory), so a reader finds the old content or the new, never a mixture.
Everything made here belongs to the user alone: 0700 for directories, 0600 for files.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from gridlog.errors import DiskFailedError, DiskFullError, StoreInUseError

LOCK_FILE = "lock"
DIRECTORY_MODE = 0o700
FILE_MODE = 0o600

_NO_SPACE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class StoreLock:
    """The right to use a store's directory: one holder at a time, in this process or another.

    The kernel keeps the lock with the open file, so it is gone the moment its holder dies, however it dies. The file
    itself is never removed: a process that opened it just before the removal would hold a lock that nobody else sees.
    """

    def __init__(self, directory: Path) -> None:
        with disk_errors():
            self._descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            with disk_errors():
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise StoreInUseError(directory) from None
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next one in. Releasing twice is harmless."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def make_private_directory(directory: Path) -> None:
    """Make the directory and the missing ones above it, durably.

    One that is there and empty becomes private too; one that already holds something keeps its mode, because it may
    be somebody's home.
    """
    with disk_errors():
        missing = [path for path in (directory, *directory.parents) if not path.exists()]
        for path in reversed(missing):
            # Another store may be made below the same folder at this very moment.
            path.mkdir(mode=DIRECTORY_MODE, exist_ok=True)
            sync_directory(path.parent)
        if not any(directory.iterdir()):
            directory.chmod(DIRECTORY_MODE)


def write_durably(path: Path, content: bytes) -> None:
    """Make `content` the whole content of `path`.

    After an error the file holds either its old content or the new, whole: read it again before going on.
    """
    beside = path.with_name(path.name + ".new")
    with disk_errors():
        try:
            _write_synced(beside, content)
        except OSError:
            with contextlib.suppress(OSError):
                beside.unlink()
            raise
        beside.replace(path)
        sync_directory(path.parent)


def make_empty_file(path: Path) -> None:
    """Make the file, private and empty, or leave it as it is when it is there."""
    with disk_errors():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(path.parent)


def read_bounded(path: Path, *, bytes_max: int) -> bytes | None:
    """Read the whole file, or return None when it is larger than anything we would have written."""
    with disk_errors(), path.open("rb") as file:
        content = file.read(bytes_max + 1)
    return content if len(content) <= bytes_max else None


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable: without this a new file can vanish in a power cut."""
    with disk_errors():
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turn what the system says about the disk into DiskFullError or DiskFailedError.

    A lock that somebody holds is no fault of the disk: BlockingIOError passes through.
    """
    try:
        yield
    except BlockingIOError:
        raise
    except OSError as fault:
        if fault.errno in _NO_SPACE_ERRNOS:
            raise DiskFullError from fault
        raise DiskFailedError from fault


def _write_synced(path: Path, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    # Unbuffered, so that every fault of the disk is raised by the write or the fsync and none by the closing.
    with os.fdopen(os.open(path, flags, FILE_MODE), "wb", buffering=0) as file:
        rest = memoryview(content)
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
