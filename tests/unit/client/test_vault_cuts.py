"""A process that is killed anywhere in a change leaves the old keys or the new; in a wipe, the store or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridlog.credentials import Badge, Credential, Pin
from gridlog.errors import GridlogError, StoreInUseError, StoreMissingError, StoreWipedError
from gridlog.journal import JOURNAL_FILE, Journal
from gridlog.vault import KEYS_FILE, SlotKind, Vault, has_keys, wipe
from tests.unit.client.credentials_of import (
    ALL,
    BADGE,
    PASSPHRASE,
    PIN,
    RECOVERY,
    WEAK,
    SetClock,
    identity,
    make_with_all,
)
from tests.unit.client.dying import cut_everywhere

OTHER = "another long passphrase"
OTHER_PIN = Pin("739105", b"of this handheld")
OTHER_BADGE = Badge(bytes(16))

OPENING = f"""
WEAK = KdfProfile.WEAK_FOR_TESTS
vault = Vault.unlock(directory, {PASSPHRASE!r})
"""
CHANGES: list[tuple[str, Credential, Credential | None]] = [
    (f"vault.change_passphrase({OTHER!r}, current={PASSPHRASE!r}, profile=WEAK)", PASSPHRASE, OTHER),
    (
        f"vault.set_pin(Pin('739105', b'of this handheld'), current={PASSPHRASE!r}, profile=WEAK)",
        PIN,
        OTHER_PIN,
    ),
    (f"vault.set_pin(None, current={PASSPHRASE!r})", PIN, None),
    (f"vault.set_badge(Badge(bytes(16)), current={PASSPHRASE!r}, profile=WEAK)", BADGE, OTHER_BADGE),
]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    make_with_all(tmp_path / "store")
    with (
        Vault.unlock(tmp_path / "store", PASSPHRASE) as vault,
        Journal.create(tmp_path / "store", vault),
    ):
        pass
    return tmp_path / "store"


def opens(store: Path, credential: Credential) -> bool:
    try:
        Vault.unlock(store, credential, clock=SetClock()).close()
    except GridlogError:
        return False
    return True


def old_inode(path: Path) -> Path:
    """Keep a name for what a file is now, as a thief who recovers deleted files does."""
    kept = path.with_name("kept")
    kept.hardlink_to(path)
    return kept


@pytest.mark.parametrize(("change", "old", "new"), CHANGES)
def test_a_change_that_was_killed_leaves_exactly_the_old_or_the_new(
    store: Path, tmp_path: Path, change: str, old: Credential, new: Credential | None
) -> None:
    before = identity(store, PASSPHRASE)
    kind = {str: SlotKind.PASSPHRASE, Pin: SlotKind.PIN, Badge: SlotKind.BADGE}[type(old)]
    happened = []
    for left in cut_everywhere(store, OPENING + change, tmp_path / "cut"):
        opened = [opens(left, old), new is not None and opens(left, new)]
        happened.append(not opened[0])
        assert opened == [True, False] if opened[0] else opened == [False, new is not None]
        unchanged = [each for each in ALL if each is not old]
        assert {identity(left, each) for each in unchanged} == {before}
        with Vault.unlock(left, RECOVERY) as vault:
            assert (kind in vault.slots) == (opened[0] or new is not None)
    # Once it has happened it is never undone, and it has happened when the call comes back.
    assert happened == sorted(happened)
    assert happened[-1]


def test_the_old_file_is_overwritten_when_something_in_it_must_not_open_any_more(store: Path) -> None:
    kept = old_inode(store / KEYS_FILE)
    with Vault.unlock(store, PASSPHRASE) as vault:
        vault.change_passphrase(OTHER, current=PASSPHRASE, profile=WEAK)
    assert not any(kept.read_bytes())


def test_a_wipe_that_was_killed_leaves_a_store_that_opens_or_one_that_never_will(store: Path, tmp_path: Path) -> None:
    keys = (store / KEYS_FILE).read_bytes()
    (store / f"{KEYS_FILE}.new").write_bytes(keys)
    opened = []
    for left in cut_everywhere(store, "wipe(directory)", tmp_path / "cut"):
        opened.append(has_keys(left))
        if has_keys(left):
            assert len({identity(left, each) for each in ALL}) == 1
        else:
            sealed = keys[100:132]
            assert [path for path in left.iterdir() if sealed in path.read_bytes()] == []
            for each in ALL:
                with pytest.raises(StoreWipedError):
                    Vault.unlock(left, each)
        wipe(left)
        assert {path.name for path in left.iterdir()} == {KEYS_FILE, "lock"}
        with pytest.raises(StoreWipedError):
            Vault.unlock(left, PASSPHRASE)
    assert opened == sorted(opened, reverse=True)
    # The keys are the first to go: most of the work is done on what nobody can read.
    assert opened.count(True) < opened.count(False)


def test_the_keys_are_overwritten_in_their_place(store: Path) -> None:
    kept = old_inode(store / KEYS_FILE)
    wipe(store)
    overwritten = kept.read_bytes()
    assert {sector.strip(b"\0") for sector in sectors_of(overwritten)} == {b"GRIDLOGW"}


def sectors_of(content: bytes) -> list[bytes]:
    return [content[start : start + 512] for start in range(0, len(content), 512)]


def test_a_wipe_that_a_power_cut_tore_is_a_wipe_and_goes_on(store: Path, tmp_path: Path) -> None:
    before = sectors_of((store / KEYS_FILE).read_bytes())
    kept = old_inode(store / KEYS_FILE)
    assert len(before) > 1
    wipe(store)
    after = sectors_of(kept.read_bytes())
    for torn in range(1, 1 << len(after)):
        left = tmp_path / str(torn)
        left.mkdir()
        sectors = [new if torn >> index & 1 else before[index] for index, new in enumerate(after)]
        (left / KEYS_FILE).write_bytes(b"".join(sectors))
        (left / JOURNAL_FILE).touch()
        with pytest.raises(StoreWipedError):
            Vault.unlock(left, PASSPHRASE)
        torn_keys = old_inode(left / KEYS_FILE)
        Vault.create(left, OTHER, profile=WEAK).close()
        assert {sector.strip(b"\0") for sector in sectors_of(torn_keys.read_bytes())} == {b"GRIDLOGW"}


def test_an_open_vault_wipes_its_own_store(store: Path) -> None:
    vault = Vault.unlock(store, PASSPHRASE)
    with pytest.raises(StoreInUseError):
        wipe(store)
    vault.wipe()
    with pytest.raises(RuntimeError, match="closed"):
        vault.journal_key(1)
    with pytest.raises(StoreWipedError):
        Vault.unlock(store, PASSPHRASE)


def test_a_damaged_store_can_be_wiped(store: Path) -> None:
    (store / KEYS_FILE).write_bytes(b"nonsense")
    wipe(store)
    assert not (store / JOURNAL_FILE).exists()


def test_where_no_store_is_nothing_is_wiped(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(StoreMissingError):
        wipe(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_new_store_can_be_made_where_one_was_wiped_even_if_that_was_cut_off(store: Path, tmp_path: Path) -> None:
    first = identity(store, PASSPHRASE)
    for left in cut_everywhere(store, "wipe(directory)", tmp_path / "cut"):
        if has_keys(left):
            continue
        with Vault.create(left, OTHER, profile=WEAK) as vault, Journal.create(left, vault) as journal:
            assert journal.last_seq == 0
        assert identity(left, OTHER)[0] != first[0]
