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
from collections.abc import Iterable, Iterator
from io import FileIO
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


def beside(path: Path) -> Path:
    """Return where the next content of a file is written; a crash may leave it there."""
    return path.with_name(path.name + ".new")


def write_durably(path: Path, content: bytes, *, erases_old: bool = False) -> None:
    """Make `content` the whole content of `path`; `erases_old` then overwrites what the file was before.

    After an error the file holds either its old content or the new, whole: read it again before going on.
    """
    with contextlib.ExitStack() as open_files, disk_errors():
        old = open_files.enter_context(path.open("r+b", buffering=0)) if erases_old else None
        _replace(path, (content,))
        if old is not None:
            # Only now: until the new file is durable, the old one may be all that a power cut leaves.
            _overwrite(old, b"")


def replace_durably(path: Path, pieces: Iterable[bytes]) -> int:
    """Make the pieces, one behind the other, the whole content of `path`, and return its size in bytes.

    After an error the file holds either its old content or the new, whole.
    """
    with disk_errors():
        return _replace(path, pieces)


def overwrite(path: Path, content: bytes) -> None:
    """Write over a file in its place, zeros behind `content`, durably. Nothing happens if there is none.

    Torn by a power cut it is neither: for what is to be destroyed, never for what is to be kept. A flash chip or a
    file system that copies on write may keep the old blocks for a while.
    """
    with disk_errors(), contextlib.suppress(FileNotFoundError), path.open("r+b", buffering=0) as file:
        _overwrite(file, content)


def remove_durably(paths: Iterable[Path]) -> None:
    """Remove those of the files, all of one directory, that are there."""
    with disk_errors():
        for path in paths:
            path.unlink(missing_ok=True)
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


def _replace(path: Path, pieces: Iterable[bytes]) -> int:
    new = beside(path)
    try:
        size = _write_synced(new, pieces)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    new.replace(path)
    sync_directory(path.parent)
    return size


def _overwrite(file: FileIO, content: bytes) -> None:
    size = os.fstat(file.fileno()).st_size
    file.seek(0)
    _write_all(file, content + bytes(max(0, size - len(content))))
    os.fsync(file.fileno())


def _write_synced(path: Path, pieces: Iterable[bytes]) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    # Unbuffered, so that every fault of the disk is raised by the write or the fsync and none by the closing.
    with os.fdopen(os.open(path, flags, FILE_MODE), "wb", buffering=0) as file:
        size = 0
        for piece in pieces:
            _write_all(file, piece)
            size += len(piece)
        os.fsync(file.fileno())
    return size


def _write_all(file: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
