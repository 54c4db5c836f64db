"""One tenant in one SQLite file: one connection writes and checkpoints, a few read.

The rule it keeps: works of many callers share one durable commit (group commit), and nobody hears a result before
that commit. SQLite 3.7.0 to 3.51.2 can corrupt a WAL that two connections checkpoint; so only the writer ever does.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from gridlog_protocol.ids import DeviceId
from gridlog_server.control import ControlAct, ControlJournal

from .acts import act_of_device
from .contract import StoreUnavailableError
from .sqlite_brief import BriefConnection, Opened, Statements
from .sqlite_files import brief_reader_of, checked, connected, create, one, reader_of, require_wal
from .sqlite_transaction import SqliteTransaction
from .tenancy import Tenancy

_READERS = 2
_WORKS_PER_COMMIT = 64
_CODES_OF_WORKS = (
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_RANGE,
)
_WRITE_PRAGMAS = (
    "PRAGMA synchronous=FULL",
    # Pages that a commit of many works changes wait here, to be written once: by default there is room for 2 MB.
    "PRAGMA cache_size=-32768",
    "PRAGMA foreign_keys=ON",
    # A sort must not spill notes in clear into temporary files.
    "PRAGMA temp_store=MEMORY",
    "PRAGMA trusted_schema=OFF",
)

log = logging.getLogger(__name__)
T = TypeVar("T")


class StoreFormatError(Exception):
    """The file is not a database of this program, or of a newer version of it."""


@dataclass(slots=True)
class _Work:
    run: Callable[[SqliteTransaction], Awaitable[Any]]
    done: asyncio.Future[Any]
    result: Any = None
    failure: Exception | None = None


class SnapshotStore:
    """A store that can only be read."""

    def __init__(self, reader: aiosqlite.Connection, tenancy: Tenancy) -> None:
        self._reader = reader
        self.tenancy = tenancy

    @asynccontextmanager
    async def reading(self, *, briefly: bool = False) -> AsyncIterator[SqliteTransaction]:
        """Open a snapshot."""
        del briefly
        async with _snapshot(self._reader, self.tenancy) as transaction:
            yield transaction


class SqliteStore:
    """See `contract.Store`."""

    def __init__(
        self,
        writer: Opened,
        readers: list[aiosqlite.Connection],
        brief_readers: list[BriefConnection],
        tenancy: Tenancy,
        connections: AsyncExitStack,
        control: ControlJournal | None = None,
    ) -> None:
        self._writer = writer
        self._connections = connections
        self._readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        for each in readers:
            self._readers.put_nowait(each)
        self.tenancy = tenancy
        self._brief_readers: asyncio.Queue[BriefConnection] = asyncio.Queue()
        for brief in brief_readers:
            self._brief_readers.put_nowait(brief)
        self._works: asyncio.Queue[_Work | None] = asyncio.Queue()
        self._is_open = True
        self._is_full = False
        self._control = control
        self._noted: dict[DeviceId, ControlAct] = {}
        # Held by whoever uses the writer: a batch of works, or a backup between two of them.
        self._writing = asyncio.Lock()
        self._task = asyncio.create_task(self._commit_forever())

    @staticmethod
    def create(path: Path, tenancy: Tenancy) -> None:
        """Make a new database file. Raises FileExistsError."""
        create(path, tenancy)

    @staticmethod
    async def open(path: Path, control: ControlJournal | None = None) -> SqliteStore:
        """Open the one writer and the readers of a database. Raises StoreFormatError or FileNotFoundError.

        `control` takes down who may speak to the server, before whoever changed it is told.
        """
        async with AsyncExitStack() as opened:
            writer = await opened.enter_async_context(connected(path, "rw"))
            # Before the first change: the file may be somebody else's.
            tenancy = await checked(writer)
            require_wal((await one(writer, "PRAGMA journal_mode=WAL"))[0])
            for pragma in _WRITE_PRAGMAS:
                await writer.execute(pragma)
            readers = [await opened.enter_async_context(reader_of(path)) for _ in range(_READERS)]
            brief_readers = [opened.enter_context(brief_reader_of(path)) for _ in range(_READERS)]
            log.info("sqlite %s, WAL, one writer", sqlite3.sqlite_version)
            store = SqliteStore(writer, readers, brief_readers, tenancy, opened.pop_all(), control)
            async with store.reading() as snapshot:
                store._noted |= {each.id: act_of_device(each) for each in await snapshot.registry.devices()}
            return store

    @staticmethod
    @asynccontextmanager
    async def read_only(path: Path) -> AsyncIterator[SnapshotStore]:
        """Open a database that another process may be writing. Raises as `open` does."""
        async with reader_of(path) as reader:
            yield SnapshotStore(reader, await checked(reader))

    @asynccontextmanager
    async def reading(self, *, briefly: bool = False) -> AsyncIterator[SqliteTransaction]:
        """Open a snapshot that cannot write. `briefly` reads a few rows, and on this thread."""
        connection = await (self._brief_readers.get() if briefly else self._readers.get())
        try:
            async with _snapshot(connection, self.tenancy) as transaction:
                yield transaction
        finally:
            if isinstance(connection, BriefConnection):
                self._brief_readers.put_nowait(connection)
            else:
                self._readers.put_nowait(connection)

    async def commit(self, work: Callable[[SqliteTransaction], Awaitable[T]]) -> T:
        """Run `work` in a write transaction; its result comes after the commit. Raises StoreUnavailableError."""
        if not self._is_open:
            raise StoreUnavailableError("the store is closed")
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._works.put_nowait(_Work(work, done))
        return await done

    async def backup(self, target: Path) -> None:
        """Copy the database as it is between two commits into an empty file. Writes wait meanwhile.

        Through the writer, for only one connection may checkpoint. Raises StoreUnavailableError.
        """
        async with self._writing:
            if not self._is_open:
                raise StoreUnavailableError("the store is closed")
            try:
                await self._writer.execute("VACUUM INTO ?", (str(target),))
            except sqlite3.Error as reason:
                raise StoreUnavailableError(str(reason)) from None

    async def close(self) -> None:
        """Finish running commits and let go of the database."""
        self._is_open = False
        self._works.put_nowait(None)
        await self._task
        # Readers first: the writer is the last to leave, and checkpoints.
        await self._connections.aclose()

    async def _commit_forever(self) -> None:
        while (work := await self._works.get()) is not None:
            batch = [work]
            while len(batch) < _WORKS_PER_COMMIT and not self._works.empty():
                following = self._works.get_nowait()
                if following is None:
                    self._works.put_nowait(None)
                    break
                batch.append(following)
            async with self._writing:
                await self._commit_batch(batch)
        self._refuse_waiting()

    async def _commit_batch(self, batch: list[_Work]) -> None:
        try:
            await self._writer.execute("BEGIN IMMEDIATE")
            if self._is_full:
                # Writes a page, so that works which change nothing learn that there is no room yet.
                (version,) = await one(self._writer, "PRAGMA user_version")
                await self._writer.execute(f"PRAGMA user_version = {version}")
            # Nobody else uses the writer before the commit, which waits for the disk on the connection's thread.
            brief = self._writer.brief
            transaction = SqliteTransaction(brief, self.tenancy, self._noted)
            for work in batch:
                await self._run(work, transaction, brief)
            await self._writer.execute("COMMIT")
            self._is_full = False
            await self._note(transaction.registry.for_control)
        except (sqlite3.Error, OSError) as reason:
            await self._refuse(batch, reason)
            return
        for work in batch:
            if work.failure is not None:
                _fail(work, work.failure)
            elif not work.done.cancelled():
                work.done.set_result(work.result)

    async def _note(self, acts: Sequence[ControlAct]) -> None:
        if acts and self._control is not None:
            await asyncio.to_thread(self._control.record, acts)
        self._noted |= {DeviceId(bytes.fromhex(act["id"])): act for act in acts if act["act"] == "device"}

    async def _run(self, work: _Work, transaction: SqliteTransaction, writer: BriefConnection) -> None:
        acts_before = len(transaction.registry.for_control)
        await writer.execute("SAVEPOINT work")
        try:
            work.result = await work.run(transaction)
        except Exception as failure:
            # Handed to the caller who gave the work; the others go on. Unless the disk, not the work, is at fault.
            if isinstance(failure, sqlite3.Error) and not _is_of_the_work(failure):
                raise
            work.failure = failure
            del transaction.registry.for_control[acts_before:]
            await writer.execute("ROLLBACK TO work")
        await writer.execute("RELEASE work")

    async def _refuse(self, batch: Sequence[_Work], reason: Exception) -> None:
        is_undone = await self._undo()
        if is_undone and getattr(reason, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            if not self._is_full:
                log.error("commit failed: the disk is full")
            self._is_full = True
        else:
            # After an I/O error the connection's state is unknown: store nothing more.
            log.error("commit failed: no further writes until the server is started again", exc_info=reason)
            self._is_open = False
        for work in batch:
            _fail(work, StoreUnavailableError(str(reason)))
        if not self._is_open:
            self._refuse_waiting()

    async def _undo(self) -> bool:
        try:
            # SQLite may have rolled back already: it says whether it did.
            if self._writer.in_transaction:
                await self._writer.execute("ROLLBACK")
        except sqlite3.Error:
            log.warning("rollback failed too; the database recovers at the next start")
            return False
        return True

    def _refuse_waiting(self) -> None:
        is_closing = False
        while not self._works.empty():
            work = self._works.get_nowait()
            if work is None:
                is_closing = True
            else:
                _fail(work, StoreUnavailableError("the store is closed"))
        if is_closing:
            # Whoever closes waits for the writer to find this.
            self._works.put_nowait(None)


@asynccontextmanager
async def _snapshot(connection: Statements, tenancy: Tenancy) -> AsyncIterator[SqliteTransaction]:
    try:
        await connection.execute("BEGIN")
        yield SqliteTransaction(connection, tenancy)
    finally:
        # Also for a caller who was cancelled before his BEGIN was answered: it runs, and this comes after it.
        await connection.execute("ROLLBACK")


def _is_of_the_work(failure: sqlite3.Error) -> bool:
    # Errors of the Python module have no code: what it was asked to bind, or how it was called.
    code = getattr(failure, "sqlite_errorcode", None)
    return code is None or code & 0xFF in _CODES_OF_WORKS


def _fail(work: _Work, reason: Exception) -> None:
    if not work.done.cancelled():
        work.done.set_exception(reason)
