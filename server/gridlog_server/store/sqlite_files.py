"""Database files: making one, bringing it up to this version's schema, opening connections to it. Plain SQLite.

The schema is the scripts in `migrations`, in their order; the file says which it has. No program writes a database
whose schema it does not know: an older one waits for `gridlog-server migrate`, a newer one for a newer program.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import replace
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiosqlite

from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.epochs import EpochStart
from gridlog_protocol.ids import Epoch, Position, TenantId
from gridlog_protocol.log_chain import log_start

from .sqlite_brief import BriefConnection, Opened
from .tenancy import Tenancy

APPLICATION_ID = 0x47524C53  # "GRLS"
_ROWS_AT_ONCE = 64


class StoreFormatError(Exception):
    """The file is not a database of this program, or of a newer version of it."""


def create(path: Path, tenancy: Tenancy) -> None:
    """Make a new database file. Raises FileExistsError."""
    path.touch(mode=0o600, exist_ok=False)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        require_wal(connection.execute("PRAGMA journal_mode=WAL").fetchone()[0])
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        for version, script in migrations():
            connection.executescript(f"BEGIN; {script}; PRAGMA user_version={version}; COMMIT;")
        facts: dict[str, Value] = {"tenant": tenancy.tenant, "tenant_name": tenancy.name, "epoch": tenancy.epoch}
        rows = [(name, pack(value)) for name, value in facts.items()]
        connection.executemany("INSERT INTO meta (name, value) VALUES (?, ?)", rows)
    finally:
        connection.close()


def migrate(path: Path) -> list[int]:
    """Bring a database up to this version's schema, and return the numbers of the scripts that it lacked.

    Each script is one transaction. Nobody else may have the file open. Raises StoreFormatError, FileNotFoundError.
    """
    with closing(sqlite3.connect(_address_of(path, "rw"), uri=True, isolation_level=None)) as connection:
        try:
            [application] = connection.execute("PRAGMA application_id").fetchone()
            [version] = connection.execute("PRAGMA user_version").fetchone()
        except sqlite3.DatabaseError as reason:
            raise StoreFormatError(f"not a readable database ({reason})") from None
        _check_format(application, version)
        missing = [(number, script) for number, script in migrations() if number > version]
        for number, script in missing:
            connection.executescript(f"BEGIN; {script}; PRAGMA user_version={number}; COMMIT;")
        return [number for number, _ in missing]


def head_of(path: Path) -> tuple[int, bytes]:
    """Return position and hash of the last log entry of a database that nobody writes."""
    with closing(sqlite3.connect(_address_of(path, "ro"), uri=True)) as connection:
        found = connection.execute("SELECT position, hash FROM log ORDER BY position DESC LIMIT 1").fetchone()
        if found is not None:
            return found[0], found[1]
        facts = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        return 0, log_start(TenantId(str(unpack(facts["tenant"]))), Epoch(_blob(unpack(facts["epoch"]))))


def begin_epoch(path: Path, start: EpochStart, *, restored_ms: int) -> None:
    """Let a database go on under a new epoch, with no session open. Nobody else may have the file open."""
    with closing(sqlite3.connect(_address_of(path, "rw"), uri=True)) as connection, connection:
        connection.execute(
            "INSERT INTO epoch (epoch, position, log_hash, restored_ms) VALUES (?, ?, ?, ?)",
            (start.epoch, start.position, start.log_hash, restored_ms),
        )
        # Whoever signed out, or was signed out, since the backup was taken stays so.
        connection.execute("DELETE FROM session")


def _blob(value: Value) -> bytes:
    assert isinstance(value, bytes)
    return value


def require_wal(mode: str) -> None:
    """Make sure that write-ahead logging is on. Raises StoreFormatError."""
    # SQLite reports a refused journal mode by its answer, not by an error.
    if mode != "wal":
        raise StoreFormatError(f"this file system does not allow write-ahead logging (mode {mode})")


def migrations() -> list[tuple[int, str]]:
    """Return the scripts that make the schema, each with its number."""
    folder = files("gridlog_server.store").joinpath("migrations")
    named = sorted(each.name for each in folder.iterdir() if each.name.endswith(".sql"))
    return [(int(name[:4]), folder.joinpath(name).read_text(encoding="utf-8")) for name in named]


@asynccontextmanager
async def reader_of(path: Path) -> AsyncIterator[aiosqlite.Connection]:
    """Open a connection that cannot write. Raises FileNotFoundError."""
    async with connected(path, "ro") as connection:
        await connection.execute("PRAGMA query_only=ON")
        await connection.execute("PRAGMA temp_store=MEMORY")
        yield connection


@contextmanager
def brief_reader_of(path: Path) -> Iterator[BriefConnection]:
    """Open a connection that cannot write, to be used on this thread."""
    with closing(_opened(_address_of(path, "ro"))) as connection:
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA temp_store=MEMORY")
        yield BriefConnection(connection)


def _opened(address: str) -> sqlite3.Connection:
    # Of a connection's two threads one uses it at a time: SQLite itself is built to be used so.
    return sqlite3.connect(address, uri=True, isolation_level=None, check_same_thread=False)


@asynccontextmanager
async def connected(path: Path, mode: str) -> AsyncIterator[Opened]:
    """Open a connection; `mode` is one of SQLite's, as rw. Raises FileNotFoundError."""
    try:
        connection = Opened(partial(_opened, _address_of(path, mode)), _ROWS_AT_ONCE)
        await connection
    except sqlite3.OperationalError:
        raise FileNotFoundError(path) from None
    try:
        yield connection
    finally:
        await connection.close()


def _address_of(path: Path, mode: str) -> str:
    # Asked first: a connection that fails to open leaves a thread that speaks to a loop which may be gone.
    if not path.is_file():
        raise FileNotFoundError(path)
    return f"file:{quote(str(path))}?mode={mode}"


async def one(connection: aiosqlite.Connection, sql: str) -> Any:
    """Return the first row of an answer."""
    async with connection.execute(sql) as cursor:
        return await cursor.fetchone()


async def checked(connection: aiosqlite.Connection) -> Tenancy:
    """Make sure that this program may use the file, and return whose it is. Raises StoreFormatError."""
    try:
        application = (await one(connection, "PRAGMA application_id"))[0]
        version = (await one(connection, "PRAGMA user_version"))[0]
        newest = _check_format(application, version)
        if version != newest:
            raise StoreFormatError(f"database format {version}, older than {newest}: run gridlog-server migrate")
        rows = await connection.execute_fetchall("SELECT name, value FROM meta")
        lives = await connection.execute_fetchall("SELECT epoch, position, log_hash FROM epoch ORDER BY number")
    except sqlite3.DatabaseError as reason:
        raise StoreFormatError(f"not a readable database ({reason})") from None
    facts: dict[str, Any] = {name: unpack(value) for name, value in rows}
    first = Tenancy.new(TenantId(facts["tenant"]), facts["tenant_name"], Epoch(facts["epoch"]))
    later = (EpochStart(Epoch(epoch), Position(position), link) for epoch, position, link in lives)
    return replace(first, epochs=(*first.epochs, *later))


def _check_format(application: int, version: int) -> int:
    """Return this program's format. Raises StoreFormatError for a file that is not ours, or newer."""
    newest = migrations()[-1][0]
    if application != APPLICATION_ID:
        raise StoreFormatError("not a Gridlog server database")
    if version > newest:
        raise StoreFormatError(f"database format {version}, this program reads {newest}")
    return newest
