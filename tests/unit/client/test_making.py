"""A store whose making was cut off anywhere is finished by the next `make`; a finished one is never touched."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from gridlog.errors import StoreExistsError, StoreMissingError
from gridlog.journal import JOURNAL_FILE, Journal
from gridlog.kdf import KdfProfile
from gridlog.store import FieldStore
from gridlog.vault import Vault
from tests.unit.client.stores import PASSPHRASE, make_store

WEAK = KdfProfile.WEAK_FOR_TESTS


def cut_before_the_journal(directory: Path) -> None:
    Vault.create(directory, PASSPHRASE, profile=WEAK).close()


def cut_behind_the_empty_file(directory: Path) -> None:
    cut_before_the_journal(directory)
    (directory / JOURNAL_FILE).touch()


def cut_before_the_table(directory: Path) -> None:
    cut_before_the_journal(directory)
    with closing(sqlite3.connect(directory / JOURNAL_FILE)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


@pytest.mark.parametrize("cut", [cut_before_the_journal, cut_behind_the_empty_file, cut_before_the_table])
async def test_a_making_that_was_cut_off_is_finished_by_the_next(tmp_path: Path, cut: Callable[[Path], None]) -> None:
    cut(tmp_path)
    assert not FieldStore.is_made(tmp_path)
    with pytest.raises(StoreMissingError):
        await FieldStore.open(tmp_path, PASSPHRASE)
    store = await FieldStore.make(tmp_path, PASSPHRASE, profile=WEAK)
    await store.close()
    assert FieldStore.is_made(tmp_path)
    await (await FieldStore.open(tmp_path, PASSPHRASE)).close()


async def test_a_store_whose_process_was_killed_at_once_is_made(tmp_path: Path) -> None:
    left = tmp_path / "left"
    with (
        Vault.create(tmp_path / "store", PASSPHRASE, profile=WEAK) as vault,
        Journal.create(tmp_path / "store", vault),
    ):
        # The table is in the write-ahead log alone.
        shutil.copytree(tmp_path / "store", left)
    assert FieldStore.is_made(left)
    with pytest.raises(StoreExistsError):
        await FieldStore.make(left, PASSPHRASE, profile=WEAK)


@pytest.mark.parametrize("damage", [b"", b"\xff" * 200])
async def test_a_damaged_journal_is_not_taken_for_an_unfinished_one(tmp_path: Path, damage: bytes) -> None:
    make_store(tmp_path, entries=3)
    content = (tmp_path / JOURNAL_FILE).read_bytes()
    (tmp_path / JOURNAL_FILE).write_bytes(damage + content[len(damage) :])
    with pytest.raises(StoreExistsError):
        await FieldStore.make(tmp_path, "another passphrase", profile=WEAK)
    assert (tmp_path / JOURNAL_FILE).read_bytes() == damage + content[len(damage) :]
