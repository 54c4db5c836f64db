"""What `check` finds in a database that somebody, or a bad disk, has changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gridlog_protocol.kinds import shipped_kinds
from gridlog_server.service.checking import Checked, check
from gridlog_server.service.deciding import name_of
from gridlog_server.store.sqlite import SqliteStore
from tests.unit.server.building import TENANCY, WEST, Server, put


async def checked(path: Path) -> Checked:
    async with SqliteStore.read_only(path) as store, store.reading() as snapshot:
        return await check(snapshot, TENANCY, shipped_kinds())


async def filled(server: Server, path: Path) -> Path:
    """Let two handsets write, one op be held and released, and return where the database is."""
    mine, other = await server.enrolled("W1"), await server.enrolled("W2")
    created = mine.creates(put("summary", "一"))
    await server.exchanged(mine, created)
    await server.caught_up(other)
    await server.exchanged(other, other.writes(created.record, put("summary", "二")))
    held = mine.creates(scope=WEST)
    await server.exchanged(mine, held)
    await server.deciding.release(name_of(held.id), by="督导王")
    async with server.store.reading() as snapshot:
        assert (await snapshot.ledger.log_head()).position == 3
    return path


@pytest.fixture
async def database(server: Server, tmp_path: Path) -> Path:
    return await filled(server, tmp_path / "gridlog.db")


async def test_a_database_that_nobody_touched_is_as_its_log_says(database: Path) -> None:
    found = await checked(database)

    assert found.findings == []
    assert (found.entries, found.ops, found.records) == (3, 3, 2)


@pytest.mark.parametrize(
    ("sql", "finding"),
    [
        ("UPDATE log SET hash = zeroblob(32) WHERE position = 2", "the hash at 2 does not follow"),
        ("UPDATE op SET stamp = stamp + 1 WHERE position = 1", "the hash at 1 does not follow"),
        ("UPDATE decision SET decided_by = '李'", "the hash at 3 does not follow"),
        ("UPDATE op SET hash = zeroblob(32) WHERE position = 1", "does not say what its hash says"),
        ("UPDATE segment SET signature = zeroblob(64) WHERE id = 1", "segment 1: not signed by its device"),
        ("UPDATE segment SET chain_after = zeroblob(32) WHERE id = 1", "segment 1: its chain"),
        ("UPDATE incarnation SET known_seq = 9", "its chain is not that of its ops"),
        ("UPDATE record SET state = (SELECT state FROM record ORDER BY id DESC LIMIT 1)", "stored otherwise"),
        ("UPDATE record SET changed = 99", "99 is stored"),
        ("DELETE FROM record", "it is not stored"),
        ("UPDATE record_scope SET scope = 'elsewhere'", "it is in other scopes"),
        ("DELETE FROM touch WHERE position = 1", "the entries that devices are told about"),
        ("UPDATE touch SET record = zeroblob(16) WHERE position = 1", "no entry of the log makes it"),
        ("UPDATE touch SET record = zeroblob(16) WHERE position = 1", "the entries that devices are told about"),
        ("INSERT INTO touch SELECT scope, 99, x'ff00', 1, fields FROM touch LIMIT 1", "no entry"),
        ("UPDATE digest SET count = 9", "its digest is not that of its records"),
    ],
)
async def test_whatever_was_changed_is_named(database: Path, sql: str, finding: str) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(sql)

    assert any(finding in each for each in (await checked(database)).findings)
