"""The key file on the disk of a store: read it, replace it durably, destroy it.

Whoever calls these holds the store's lock. A file is in force once it is on the disk, and not before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Self

from gridlog.disk import beside, disk_errors, overwrite, read_bounded, remove_durably, write_durably
from gridlog.errors import DiskFailedError, StoreMissingError, StoreWipedError
from gridlog.journal_file import JOURNAL_FILES
from gridlog.keyfile import FILE_BYTES_MAX, WIPED, KeyFile, decode_file, encode_file

KEYS_FILE = "keys.gl"
SNAPSHOT_FILE = "snapshot.gl"

_SECTOR_BYTES = 512
"""What a disk writes as a whole or not at all."""


class KeysOnDisk:
    """The key file of one store. After an error of the disk nobody knows which content it has: it refuses to say."""

    def __init__(self, directory: Path, file: KeyFile) -> None:
        self._path = directory / KEYS_FILE
        self._file = file
        self._is_in_doubt = False

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read the file.

        Raises StoreMissingError, StoreWipedError, StoreDamagedError, StoreTooNewError, DiskFailedError.
        """
        return cls(directory, read_file(directory))

    @property
    def file(self) -> KeyFile:
        """What stands in it. Raises DiskFailedError after an error: read it again."""
        if self._is_in_doubt:
            raise DiskFailedError
        return self._file

    def replace(self, file: KeyFile, *, retires: bool = False) -> None:
        """Put another file in its place, durably. `retires` says that the old one holds what must not open any more.

        Raises DiskFullError, DiskFailedError.
        """
        self._is_in_doubt = True
        write_durably(self._path, encode_file(file), erases_old=retires)
        self._is_in_doubt = False
        self._file = file


def read_file(directory: Path) -> KeyFile:
    """Read the file. Raises as `KeysOnDisk.read`."""
    raw = _content(directory)
    if raw is None:
        raise StoreMissingError(directory)
    if _is_mark(raw):
        raise StoreWipedError(directory)
    return decode_file(raw)


def has_keys(directory: Path) -> bool:
    """Tell whether there is a key file, good or damaged, that was not wiped."""
    raw = _content(directory)
    return raw is not None and not _is_mark(raw)


def is_wiped(directory: Path) -> bool:
    """Tell whether a store was wiped here, or is being wiped, and none was made since."""
    raw = _content(directory)
    return raw is not None and _is_mark(raw)


def destroy(directory: Path) -> None:
    """Destroy the keys of a store, then its files. Raises DiskFullError, DiskFailedError; go on by calling it again.

    The order is what counts: what a crash left beside the keys, the keys in their place, and then everything that
    is noise without them. The mark that stays in place of the keys says what happened.
    """
    keys = directory / KEYS_FILE
    overwrite(beside(keys), b"")
    overwrite(keys, _marks(keys))
    finish_destroying(directory)
    # The overwritten file gives way to another, so that a file system which knows how can discard its blocks too.
    write_durably(keys, WIPED)


def finish_destroying(directory: Path) -> None:
    """Remove what an interrupted `destroy` left: files that nobody can read any more."""
    snapshot = directory / SNAPSHOT_FILE
    remove_durably([*(directory / name for name in JOURNAL_FILES), snapshot, beside(snapshot)])


def _marks(keys: Path) -> bytes:
    """Return the mark for each sector of a file, so that an overwriting which a power cut tore is known by any of it.

    It is as large as the file is: one that had grown, and was not written yet, would be a damaged file. A last sector
    of fewer bytes than the mark has is the one that tells nothing.
    """
    with disk_errors():
        size = keys.stat().st_size if keys.exists() else 0
    sectors = -(-size // _SECTOR_BYTES)
    return (WIPED.ljust(_SECTOR_BYTES, b"\0") * sectors)[:size] or WIPED


def _is_mark(raw: bytes) -> bool:
    return any(raw.startswith(WIPED, start) for start in range(0, len(raw), _SECTOR_BYTES))


def _content(directory: Path) -> bytes | None:
    path = directory / KEYS_FILE
    with disk_errors():
        if not path.exists():
            return None
    # A file larger than we write reads as an empty one does: it is damaged.
    return read_bounded(path, bytes_max=FILE_BYTES_MAX) or b""
