"""A store that took in the order to destroy itself is never read again, wherever its process was killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridlog import FieldStore
from gridlog.errors import StoreInUseError, StoreWipedError
from gridlog.keydisk import read_file
from gridlog.parting import PARTING_FILE, Parting, is_doomed, read_parting, write_parting
from gridlog.vault import KEYS_FILE, Vault, has_keys, wipe
from tests.unit.client.dying import cut_everywhere
from tests.unit.client.stores import PASSPHRASE, make_store

OBEYING = f"""
from gridlog.parting import Parting, write_parting
vault = Vault.unlock(directory, {PASSPHRASE!r})
write_parting(directory, Parting(vault.store_id, "http://127.0.0.1:9", (b"sealed", b"as well")))
vault.wipe()
"""
LEFT = Parting(b"", "http://127.0.0.1:9", (b"sealed", b"as well"))


@pytest.fixture
def store(tmp_path: Path) -> Path:
    make_store(tmp_path / "store", entries=3)
    return tmp_path / "store"


def doom(store: Path) -> None:
    write_parting(store, Parting(read_file(store).store_id, LEFT.address, LEFT.messages))


def opens(store: Path) -> bool:
    try:
        Vault.unlock(store, PASSPHRASE).close()
    except StoreWipedError:
        return False
    return True


def test_wherever_it_is_killed_the_store_opens_or_is_wiped_before_anybody_reads_it(
    store: Path, tmp_path: Path
) -> None:
    opened = []
    for left in cut_everywhere(store, OBEYING, tmp_path / "cut"):
        has_taken_it_in = (left / PARTING_FILE).exists()
        opened.append(opens(left))
        assert opened[-1] == (not has_taken_it_in)
        if has_taken_it_in:
            assert not has_keys(left)
            # What a kill left of the rest is noise without the keys, and goes with the next one.
            wipe(left)
            assert {each.name for each in left.iterdir()} == {KEYS_FILE, "lock", PARTING_FILE}
            # What it leaves for its server outlives the keys.
            parting = read_parting(left)
            assert parting is not None
            assert parting.messages == LEFT.messages
    # Once it is taken in nothing leads back, and that is soon: before anything is destroyed.
    assert opened == sorted(opened, reverse=True)
    assert opened.count(True) < opened.count(False)


async def test_a_doomed_store_is_wiped_by_whoever_asks_what_opens_it(store: Path) -> None:
    doom(store)
    with pytest.raises(StoreWipedError):
        FieldStore.slots_at(store)
    assert not has_keys(store)
    with pytest.raises(StoreWipedError):
        await FieldStore.open(store, PASSPHRASE)


def test_a_wrong_passphrase_wipes_a_doomed_store_as_well(store: Path) -> None:
    doom(store)
    with pytest.raises(StoreWipedError):
        Vault.unlock(store, "not the passphrase")
    assert not has_keys(store)


def test_nobody_wipes_a_doomed_store_while_somebody_has_it_open(store: Path) -> None:
    with Vault.unlock(store, PASSPHRASE):
        doom(store)
        with pytest.raises(StoreInUseError):
            Vault.unlock(store, PASSPHRASE)
        assert has_keys(store)
    assert not opens(store)


def test_what_an_older_store_left_does_not_doom_a_new_one_in_its_place(store: Path) -> None:
    doom(store)
    assert not opens(store)
    make_store(store)
    assert read_parting(store) is not None
    assert not is_doomed(store)
    assert opens(store)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x94\x02\xc4\x00\xa0\x90", b"\x91\x01"])
def test_a_file_that_says_nothing_dooms_nothing(store: Path, content: bytes) -> None:
    (store / PARTING_FILE).write_bytes(content)
    assert read_parting(store) is None
    assert opens(store)


def test_a_damaged_store_is_not_doomed_and_says_that_it_is_damaged(store: Path) -> None:
    doom(store)
    (store / KEYS_FILE).write_bytes(b"nonsense")
    assert not is_doomed(store)


async def test_nothing_is_sent_while_the_keys_are_there(store: Path) -> None:
    doom(store)
    assert await FieldStore.send_parting(store) is False
    assert is_doomed(store)


async def test_where_nothing_was_left_nothing_is_to_be_sent(store: Path) -> None:
    assert await FieldStore.send_parting(store) is True
