"""Open the journal's SQLite file in the one way it may be opened, and say in our words what SQLite says in its own.

One connection does everything: writes, reads, checkpoints. It never shares the file, so it needs no shared memory
beside it, and SQLite's known fault of a log restarted under a second connection cannot occur.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from gridlog.disk import disk_errors, make_empty_file, sync_directory
from gridlog.errors import (
    DiskFailedError,
    DiskFullError,
    GridlogError,
    StoreDamagedError,
    StoreExistsError,
    StoreInUseError,
    StoreMissingError,
    StorePart,
    StoreTooNewError,
)
from gridlog.frames import FRAME_BYTES_MAX

JOURNAL_FILE = "journal.db"
JOURNAL_FILES = tuple(JOURNAL_FILE + ending for ending in ("", "-wal", "-shm", "-journal"))
"""It, and what SQLite may put beside it."""

_APPLICATION_ID = int.from_bytes(b"GRLJ", "big")
_APPLICATION_ID_AT = 68  # In SQLite's header, which has 100 bytes.
_HEADER_BYTES = 100
VERSION_WITHOUT_END, VERSION = 1, 2
"""Formats of the journal: the first did not show whether its last entries are there."""

# Part of the format: `open_file` compares it to the letter. A changed comment is a changed format.
_SCHEMA = """CREATE TABLE log (
    seq INTEGER PRIMARY KEY,  -- Place in the journal, from 1, without gaps.
    frame BLOB NOT NULL       -- One sealed entry, bound to its place and to all entries before it.
) STRICT"""

_DAMAGE_CODES = frozenset(
    {
        sqlite3.SQLITE_ERROR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_TOOBIG,
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
    }
)
_IN_USE_CODES = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


def make_file(directory: Path, end: bytes) -> sqlite3.Connection:
    """Make the journal with nothing but its end, durably, or finish making one that a crash left without its table.

    Raises StoreExistsError when there is a journal, and what `open_file` raises.
    """
    make_empty_file(directory / JOURNAL_FILE)
    with _connected(directory) as connection:
        if not _is_unfinished(connection):
            raise StoreExistsError(directory)
        # Made here, because SQLite goes on as if nothing were wrong when the name of its journal cannot be synced.
        make_empty_file(directory / f"{JOURNAL_FILE}-journal")
        _prepare(connection)
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(_SCHEMA)
        connection.execute("INSERT INTO log (seq, frame) VALUES (1, ?)", (end,))
        connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        set_version(connection)
        connection.execute("COMMIT")
        # The name of its log is another such case.
        sync_directory(directory)
    return connection


def is_made(directory: Path) -> bool:
    """Tell whether there is a journal that `make_file` has finished. Raises DiskFailedError."""
    with disk_errors():
        try:
            with (directory / JOURNAL_FILE).open("rb") as file:
                header = file.read(_HEADER_BYTES)
        except FileNotFoundError:
            return False
    if header[_APPLICATION_ID_AT:].startswith(_APPLICATION_ID.to_bytes(4, "big")):
        return True
    # Until the first checkpoint it stands in the log beside it. What cannot be read is for `open_file` to judge.
    try:
        with _connected(directory) as connection, contextlib.closing(connection):
            return not _is_unfinished(connection)
    except GridlogError:
        return True


def open_file(directory: Path) -> sqlite3.Connection:
    """Open the journal that is there. Nothing is written before it proves to be ours.

    Raises StoreMissingError, StoreDamagedError, StoreTooNewError, StoreInUseError, DiskFailedError.
    """
    with disk_errors():
        if not (directory / JOURNAL_FILE).exists():
            raise StoreMissingError(directory)
    with _connected(directory) as connection:
        if _is_unfinished(connection):
            raise StoreMissingError(directory)
        _refuse_what_is_not_ours(connection)
        _prepare(connection)
        # SQLite has made its log, but goes on as if nothing were wrong when the log's name cannot be synced.
        sync_directory(directory)
    return connection


def version_of(connection: sqlite3.Connection) -> int:
    """Return the format of an open journal."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def set_version(connection: sqlite3.Connection) -> None:
    """Say, in a transaction, that the journal has the present format."""
    connection.execute(f"PRAGMA user_version = {VERSION}")


@contextlib.contextmanager
def database_errors(directory: Path, *, position: int | None = None) -> Iterator[None]:
    """Turn what SQLite raises into DiskFullError, DiskFailedError, StoreInUseError or StoreDamagedError.

    Wrong use of a connection is a bug of ours: ProgrammingError passes through.
    """
    try:
        yield
    except sqlite3.ProgrammingError:
        raise
    except UnicodeDecodeError as fault:
        # A damaged name in the file's plan comes back inside SQLite's own message.
        raise StoreDamagedError(StorePart.JOURNAL, position) from fault
    except sqlite3.DatabaseError as fault:
        raise _meaning(fault, directory, position) from fault


@contextlib.contextmanager
def _connected(directory: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that is closed again if the body fails."""
    with database_errors(directory):
        # `mode=rw` because SQLite must never make the file: its mode and its name's durability are ours.
        uri = (directory / JOURNAL_FILE).absolute().as_uri() + "?mode=rw"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=0.2)
        try:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, FRAME_BYTES_MAX)
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute("PRAGMA temp_store = MEMORY")
            yield connection
        except BaseException:
            connection.close()
            raise


def _prepare(connection: sqlite3.Connection) -> None:
    # SQLite does not raise when it cannot change the mode: it answers with the old one.
    if _pragma(connection, "journal_mode = WAL") != "wal":
        raise DiskFailedError
    connection.execute("PRAGMA synchronous = FULL")


def _refuse_what_is_not_ours(connection: sqlite3.Connection) -> None:
    version = version_of(connection)
    if _pragma(connection, "application_id") != _APPLICATION_ID or version < VERSION_WITHOUT_END:
        raise StoreDamagedError(StorePart.JOURNAL)
    if version > VERSION:
        raise StoreTooNewError(StorePart.JOURNAL)
    # A trigger or a view slipped in could drop what is inserted while SQLite reports success.
    if connection.execute("SELECT sql FROM sqlite_schema").fetchall() != [(_SCHEMA,)]:
        raise StoreDamagedError(StorePart.JOURNAL)


def _is_unfinished(connection: sqlite3.Connection) -> bool:
    has_schema = connection.execute("SELECT 1 FROM sqlite_schema").fetchone() is not None
    return not has_schema and _pragma(connection, "user_version") == 0


def _pragma(connection: sqlite3.Connection, name: str) -> object:
    answer: tuple[object] = connection.execute(f"PRAGMA {name}").fetchone()
    return answer[0]


def _meaning(fault: sqlite3.DatabaseError, directory: Path, position: int | None) -> GridlogError:
    # The low byte is the primary code; Python raises a few faults of its own, about undecodable text, without one.
    code = getattr(fault, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskFullError()
    if code in _IN_USE_CODES:
        return StoreInUseError(directory)
    if code in _DAMAGE_CODES:
        return StoreDamagedError(StorePart.JOURNAL, position)
    return DiskFailedError()
