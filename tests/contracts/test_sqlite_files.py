"""Database files across versions: an older one is brought up to date on request, a newer one is left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gridlog_protocol.epochs import EpochStart
from gridlog_protocol.ids import Epoch, Position
from gridlog_server.store.sqlite import SqliteStore
from gridlog_server.store.sqlite_files import StoreFormatError, begin_epoch, head_of, migrate, migrations
from tests.contracts.facts import TENANCY, a_device, a_person, answering, putting

NEWEST = migrations()[-1][0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    SqliteStore.create(tmp_path / "gridlog.db", TENANCY)
    return tmp_path / "gridlog.db"


def altered(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for each in statements:
            connection.execute(each)


_WITHOUT_LIVES = (
    "DROP INDEX quarantine_waiting",
    *(
        f"ALTER TABLE {table} DROP COLUMN {each}"
        for table, columns in (
            ("device", ("about", "order_counter", "wipe_ordered_ms", "order_fetched_ms", "wiped_ms")),
            ("quarantine", ("served", "verdict", "decided_by", "decided_ms", "reason")),
        )
        for each in columns
    ),
)
"""What makes a database that knows the life of a device one that does not."""


async def test_what_was_in_quarantine_and_who_was_enrolled_before_devices_had_a_life_is_there_still(
    path: Path,
) -> None:
    store = await SqliteStore.open(path)
    await store.commit(answering(a_person(1), None))
    await store.commit(putting(a_device(1)))
    await store.commit(lambda each: each.quarantine(a_device(1).id, "revoked", b"a segment", now_ms=7))
    await store.close()
    later = [f"DROP TABLE {each}" for each in ("session", "account", "listing")]
    altered(path, *later, "DROP INDEX act_by_subject", *_WITHOUT_LIVES, "PRAGMA user_version=5")

    assert migrate(path) == [each for each, _ in migrations() if each > 5]

    store = await SqliteStore.open(path)
    async with store.reading() as snapshot:
        assert await snapshot.registry.devices() == [a_device(1)]
        [kept] = await snapshot.quarantined(9, is_waiting=True)
    await store.close()
    assert (kept.body, kept.served, kept.outcome, kept.ruling) == (b"a segment", 0, None, None)


async def test_an_older_database_is_refused_until_it_is_migrated(path: Path) -> None:
    since = ["TABLE epoch", "TABLE act", "INDEX quarantine_by_device", "INDEX record_by_change"]
    since += ["TABLE session", "TABLE account", "TABLE listing"]
    altered(path, *(f"DROP {each}" for each in since), *_WITHOUT_LIVES, "PRAGMA user_version=3")
    with pytest.raises(StoreFormatError, match="gridlog-server migrate"):
        await SqliteStore.open(path)

    assert migrate(path) == [each for each, _ in migrations() if each > 3]

    assert migrate(path) == []
    store = await SqliteStore.open(path)
    assert store.tenancy == TENANCY
    await store.close()


def test_a_newer_database_is_not_migrated(path: Path) -> None:
    altered(path, f"PRAGMA user_version={NEWEST + 1}")

    with pytest.raises(StoreFormatError, match=f"format {NEWEST + 1}"):
        migrate(path)


async def test_a_restored_database_goes_on_with_its_log_under_a_new_epoch(path: Path) -> None:
    position, link = head_of(path)
    assert (position, link) == (0, TENANCY.log_start)
    start = EpochStart(Epoch(b"epoch-02"), Position(position), link)
    begin_epoch(path, start, restored_ms=1)

    store = await SqliteStore.open(path)
    try:
        assert store.tenancy.epochs == (*TENANCY.epochs, start)
        async with store.reading() as snapshot:
            assert (await snapshot.ledger.log_head()).hash == TENANCY.log_start
        await store.backup(path.with_name("copy"))
    finally:
        await store.close()
    assert head_of(path.with_name("copy")) == (position, link)
