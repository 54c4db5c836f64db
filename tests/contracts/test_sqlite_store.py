from __future__ import annotations

import asyncio
import resource
import signal
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from inspect import isfunction
from pathlib import Path

import pytest

from gridlog_server.store.contract import (
    AccountBook,
    Ledger,
    Readable,
    Registry,
    Reviews,
    Store,
    StoreUnavailableError,
    Transaction,
)
from gridlog_server.store.sqlite import SqliteStore
from gridlog_server.store.sqlite_files import StoreFormatError
from tests.contracts.facts import TENANCY, a_commit, a_person, accepted, an_op, answering, counts, people
from tests.contracts.store_contract import StoreContract


@dataclass(slots=True)
class SqliteDatabase:
    """A file of its own. The disk is full when the file may have no page more."""

    path: Path

    async def open(self) -> SqliteStore:
        return await SqliteStore.open(self.path)

    def elsewhere(self) -> tuple[str, str]:
        return "tests.contracts.test_sqlite_store:opened", str(self.path)

    async def fill_disk(self, store: Store) -> None:
        assert isinstance(store, SqliteStore)
        await store._writer.execute("PRAGMA max_page_count=1")  # It becomes the pages that there are.

    async def free_disk(self, store: Store) -> None:
        assert isinstance(store, SqliteStore)
        await store._writer.execute("PRAGMA max_page_count=1073741823")


async def opened(path: str) -> SqliteStore:
    """Open a database in whatever process this is."""
    return await SqliteStore.open(Path(path))


@pytest.fixture
def database(tmp_path: Path) -> SqliteDatabase:
    path = tmp_path / "gridlog.db"
    SqliteStore.create(path, TENANCY)
    return SqliteDatabase(path)


class TestSqliteStore(StoreContract):
    pass


@pytest.mark.parametrize("protocol", [AccountBook, Ledger, Registry, Reviews, Transaction, Store, Readable])
def test_the_suite_asks_for_everything_that_a_store_must_do(protocol: type) -> None:
    suite = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*_contract.py"))
    facts = Path(__file__).with_name("facts.py").read_text(encoding="utf-8")
    methods = [name for name, what in vars(protocol).items() if isfunction(what) and not name.startswith("_")]
    assert methods
    assert [name for name in methods if f".{name}(" not in suite + facts] == []


async def test_a_disk_that_takes_no_more_bytes_refuses_and_what_was_committed_stays(database: SqliteDatabase) -> None:
    """A limit on the size of files, as a kernel enforces it, in the middle of a commit."""
    before = await database.open()
    await before.commit(answering(a_person(1), None))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (database.path.stat().st_size, limit[1]))
    try:
        many = a_commit(ops=[accepted(an_op(seq), seq) for seq in range(1, 2000)])
        for _ in range(2):
            with pytest.raises(StoreUnavailableError):
                await before.commit(lambda each: each.ledger.write(many))
        await asyncio.wait_for(before.close(), 10)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    again = await database.open()
    assert (await people(again), (await counts(again))["ops"]) == ([a_person(1)], 0)
    await again.close()


def test_an_act_can_be_neither_changed_nor_deleted(database: SqliteDatabase) -> None:
    with closing(sqlite3.connect(database.path)) as connection:
        connection.execute(
            "INSERT INTO act (at_ms, by, what, subject, detail) VALUES (0, 'root', 'enroll', 'W1', '')"
        )
        for statement in ("UPDATE act SET by = 'nobody'", "DELETE FROM act"):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(statement)


def altered(path: Path, pragma: str) -> bytes:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(pragma)
        connection.commit()
    return path.read_bytes()


async def test_a_database_of_another_program_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    before = altered(path, "CREATE TABLE theirs (content TEXT)")
    with pytest.raises(StoreFormatError, match="not a Gridlog server database"):
        await SqliteStore.open(path)
    assert path.read_bytes() == before


async def test_a_database_of_a_newer_program_is_refused(database: SqliteDatabase) -> None:
    altered(database.path, "PRAGMA user_version=9999")
    with pytest.raises(StoreFormatError, match="9999"):
        await database.open()
    with pytest.raises(StoreFormatError, match="9999"):
        async with SqliteStore.read_only(database.path):
            pass


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be taken for one" * 9, b""])
async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(StoreFormatError):
        await SqliteStore.open(tmp_path / "file")


async def test_a_database_that_was_damaged_is_refused(database: SqliteDatabase) -> None:
    raw = database.path.read_bytes()
    database.path.write_bytes(raw[:4096] + b"junk" * (len(raw) // 4 - 1024))
    with pytest.raises(StoreFormatError, match="not a readable database"):
        await database.open()


async def test_a_missing_database_is_not_made_by_opening_it(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await SqliteStore.open(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        await SqliteStore.open(tmp_path / "none")


def test_a_database_is_never_made_over_another(database: SqliteDatabase) -> None:
    with pytest.raises(FileExistsError):
        SqliteStore.create(database.path, TENANCY)


async def test_it_can_be_looked_at_beside_the_writer_and_after_it(database: SqliteDatabase) -> None:
    async def seen() -> int:
        async with SqliteStore.read_only(database.path) as other, other.reading() as snapshot:
            return len(await snapshot.registry.people())

    store = await database.open()
    await store.commit(answering(a_person(1), None))
    assert await seen() == 1
    await store.commit(answering(a_person(2), None))
    assert await seen() == 2
    await store.close()
    assert await seen() == 2


async def test_a_commit_is_on_the_disk_before_anybody_hears_of_it(database: SqliteDatabase) -> None:
    store = await database.open()
    for pragma, value in (("journal_mode", "wal"), ("synchronous", 2), ("temp_store", 2), ("foreign_keys", 1)):
        [row] = await store._writer.execute_fetchall(f"PRAGMA {pragma}")
        assert row[0] == value
    await store.close()


async def test_every_column_says_what_it_holds(database: SqliteDatabase) -> None:
    with closing(sqlite3.connect(database.path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'table'")]
    for table in tables:
        columns = [line for line in table.splitlines()[1:-1] if not line.strip().startswith("PRIMARY KEY")]
        assert [line for line in columns if "--" not in line] == []
