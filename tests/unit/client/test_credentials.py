"""Each credential opens the store, and only the one that was set last."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog import keyfile
from gridlog.credentials import Badge, Credential, Pin, Recovery
from gridlog.errors import StoreDamagedError, WeakPassphraseError, WrongPassphraseError
from gridlog.keyslots import wrap_for_recovery
from gridlog.vault import KEYS_FILE, SlotKind, Vault
from gridlog.vault_errors import (
    DeviceSecretMissingError,
    NoPinError,
    PlainPinError,
    WeakPinError,
    WrongBadgeError,
    WrongPinError,
    WrongRecoveryKeyError,
)
from tests.unit.client.credentials_of import (
    ALL,
    BADGE,
    PASSPHRASE,
    PIN,
    PLAIN_PIN,
    RECOVERY,
    WEAK,
    WRONG_PIN,
    identity,
    make_with_all,
)

OTHER = "another long passphrase"
OTHER_PIN = Pin("739105", b"of this handheld")
OTHER_BADGE = Badge(bytes(16))

# What a program that knew the passphrase alone has written: "grid-worker-7", entropy 01 01..., 02 02..., and so on.
OLD_FILE = bytes.fromhex(
    "475249444c4f474b000101010101010101010101010101010101929192c418960101400101c4100808080808080808080808080808"
    "0808c43c0909090909090909090909095085d82f70fcb9822d87fe48f8fee561c7849876bb51927a2579da8275bfcb94798fe7aa27"
    "7e6b4749c32547b563487fc4a50a0a0a0a0a0a0a0a0a0a0a0a5d0a24141071d23c7aa4b0923c8b5f435038326bf7decc10c388e8fa"
    "ff899bafb32974ff1e298e552e06d88a682e94a658a7d54a8b57a77fea27b10282fb506b7722cc651df31191d88fc8f89c459f7c3e"
    "cc688a339bfb967d2c3600b02ceea09c6272a836eab0c9b2846c1168f52117ef767467d28b460315cec33e2b8e9d6f399a662beb93"
    "bb82155b3328b53259951e08964fe091890ce572d54028ef0e866efcaeefd7a1b8af610695cc1d86d234ee8861051a7295fe31"
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    make_with_all(tmp_path / "store")
    return tmp_path / "store"


def test_passphrase_pin_badge_and_recovery_key_open_one_and_the_same_store(store: Path) -> None:
    assert len({identity(store, each) for each in ALL}) == 1
    with Vault.unlock(store, PASSPHRASE) as vault:
        assert vault.slots == frozenset(SlotKind)
        assert not vault.has_plain_pin


@pytest.mark.parametrize(
    ("credential", "refusal"),
    [
        (OTHER, WrongPassphraseError),
        (WRONG_PIN, WrongPinError),
        (Pin(PIN.digits, b"of another phone"), WrongPinError),
        (OTHER_BADGE, WrongBadgeError),
        (Recovery(X25519PrivateKey.generate()), WrongRecoveryKeyError),
    ],
)
def test_what_was_never_set_opens_nothing_and_harms_nothing(
    store: Path, credential: Credential, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        Vault.unlock(store, credential)
    assert len({identity(store, each) for each in ALL}) == 1


def test_a_store_with_a_passphrase_alone_says_what_else_it_lacks(tmp_path: Path) -> None:
    Vault.create(tmp_path, PASSPHRASE, profile=WEAK).close()
    for credential, refusal in ((PIN, NoPinError), (BADGE, WrongBadgeError), (RECOVERY, WrongRecoveryKeyError)):
        with pytest.raises(refusal):
            Vault.unlock(tmp_path, credential)


def test_a_file_of_a_program_that_knew_the_passphrase_alone_still_opens_and_stays_of_its_version(
    tmp_path: Path,
) -> None:
    path = tmp_path / KEYS_FILE
    path.write_bytes(OLD_FILE)
    opened = (b"\x01" * 16, b"\x03" * 16, b"\x04" * 8, b"\x07" * 32)
    assert identity(tmp_path, "grid-worker-7") == opened
    with Vault.unlock(tmp_path, "grid-worker-7") as vault:
        vault.change_passphrase(OTHER, current="grid-worker-7", profile=WEAK)
        assert path.read_bytes()[8:10] == b"\x00\x01"
        vault.set_pin(PIN, current=OTHER, profile=WEAK)
        # Now a program that knows the passphrase alone must say that the file is newer.
        assert path.read_bytes()[8:10] == b"\x00\x02"
        vault.set_pin(None, current=OTHER)
        assert path.read_bytes()[8:10] == b"\x00\x01"
    assert identity(tmp_path, OTHER) == opened


def test_after_a_change_the_old_passphrase_never_works_again_and_the_others_still_do(store: Path) -> None:
    before = identity(store, PASSPHRASE)
    with Vault.unlock(store, PASSPHRASE) as vault:
        vault.change_passphrase(OTHER, current=PASSPHRASE, profile=WEAK)
    with pytest.raises(WrongPassphraseError):
        Vault.unlock(store, PASSPHRASE)
    assert {identity(store, each) for each in (OTHER, PIN, BADGE, RECOVERY)} == {before}


def test_after_a_change_the_old_pin_and_the_old_badge_never_work_again(store: Path) -> None:
    before = identity(store, PASSPHRASE)
    with Vault.unlock(store, PIN) as vault:
        vault.set_pin(OTHER_PIN, current=PIN, profile=WEAK)
        vault.set_badge(OTHER_BADGE, current=OTHER_PIN, profile=WEAK)
    with pytest.raises(WrongPinError):
        Vault.unlock(store, PIN)
    with pytest.raises(WrongBadgeError):
        Vault.unlock(store, BADGE)
    assert {identity(store, each) for each in (PASSPHRASE, OTHER_PIN, OTHER_BADGE, RECOVERY)} == {before}


def test_pin_and_badge_can_be_taken_away(store: Path) -> None:
    with Vault.unlock(store, PASSPHRASE) as vault:
        for _ in range(2):
            vault.set_pin(None, current=PASSPHRASE)
            vault.set_badge(None, current=PASSPHRASE)
    with pytest.raises(NoPinError):
        Vault.unlock(store, PIN)
    with pytest.raises(WrongBadgeError):
        Vault.unlock(store, BADGE)


def test_nothing_changes_without_what_opens_the_store_now(store: Path) -> None:
    with Vault.unlock(store, PASSPHRASE) as vault:
        before = (store / KEYS_FILE).read_bytes()
        with pytest.raises(WrongPassphraseError):
            vault.change_passphrase(OTHER, current="not the passphrase", profile=WEAK)
        with pytest.raises(WrongBadgeError):
            vault.set_pin(OTHER_PIN, current=OTHER_BADGE, profile=WEAK)
        assert (store / KEYS_FILE).read_bytes() == before
        # An open store is no place to try PINs for nothing.
        with pytest.raises(WrongPinError) as refused:
            vault.set_badge(None, current=WRONG_PIN)
        assert refused.value.left == 9


def test_whoever_has_the_recovery_key_sets_a_passphrase_that_nobody_remembers(store: Path) -> None:
    with Vault.unlock(store, RECOVERY) as vault:
        vault.change_passphrase(OTHER, current=RECOVERY, profile=WEAK)
    assert identity(store, OTHER) == identity(store, PIN)


def test_another_recovery_key_replaces_the_first_and_the_same_one_writes_nothing(store: Path) -> None:
    new = Recovery(X25519PrivateKey.generate())
    with Vault.unlock(store, PASSPHRASE) as vault:
        before = (store / KEYS_FILE).read_bytes()
        vault.set_recovery(RECOVERY.private_key.public_key().public_bytes_raw())
        assert (store / KEYS_FILE).read_bytes() == before
        vault.set_recovery(new.private_key.public_key().public_bytes_raw())
    with pytest.raises(WrongRecoveryKeyError):
        Vault.unlock(store, RECOVERY)
    assert identity(store, new) == identity(store, PASSPHRASE)


@pytest.mark.parametrize("key", [bytes(32), b"", bytes(31)])
def test_bytes_that_are_no_recovery_key_are_refused_and_nothing_changes(store: Path, key: bytes) -> None:
    with Vault.unlock(store, PASSPHRASE) as vault:
        before = (store / KEYS_FILE).read_bytes()
        with pytest.raises(ValueError, match="key"):
            vault.set_recovery(key)
        assert (store / KEYS_FILE).read_bytes() == before


def test_a_slot_that_holds_another_key_is_called_damage(store: Path) -> None:
    # Anybody can seal to the organisation: what the slot holds proves nothing by itself.
    path = store / KEYS_FILE
    file = keyfile.decode_file(path.read_bytes())
    public_key = RECOVERY.private_key.public_key().public_bytes_raw()
    forged = wrap_for_recovery(bytes(32), public_key, store_id=file.store_id)
    path.write_bytes(keyfile.encode_file(file.with_slot(forged)))
    with pytest.raises(StoreDamagedError):
        Vault.unlock(store, RECOVERY)
    with Vault.unlock(store, PASSPHRASE) as vault, pytest.raises(StoreDamagedError):
        vault.change_passphrase(OTHER, current=RECOVERY, profile=WEAK)


@pytest.mark.parametrize(
    "digits", ["", "12345", "28041", "000000", "123456", "987654", "890123", "28041a", "28 0417"]
)
def test_a_pin_that_everybody_tries_first_is_refused(store: Path, digits: str) -> None:
    with Vault.unlock(store, PASSPHRASE) as vault, pytest.raises(WeakPinError):
        vault.set_pin(Pin(digits, PIN.device_secret), current=PASSPHRASE, profile=WEAK)
    assert identity(store, PIN)


def test_a_plain_pin_needs_somebodys_word_and_the_store_says_that_it_has_one(store: Path) -> None:
    with Vault.unlock(store, PASSPHRASE) as vault:
        with pytest.raises(PlainPinError):
            vault.set_pin(PLAIN_PIN, current=PASSPHRASE, profile=WEAK)
        vault.set_pin(PLAIN_PIN, current=PASSPHRASE, allows_plain=True, profile=WEAK)
        assert vault.has_plain_pin
    # A device that always gives its secret opens it as well.
    assert identity(store, PLAIN_PIN) == identity(store, PIN)


def test_a_pin_of_full_width_digits_is_the_same_pin(store: Path) -> None:
    assert identity(store, Pin("２８０４１７", PIN.device_secret)) == identity(store, PIN)


def test_a_missing_device_secret_costs_no_attempt(store: Path) -> None:
    before = (store / KEYS_FILE).read_bytes()
    for _ in range(11):
        with pytest.raises(DeviceSecretMissingError):
            Vault.unlock(store, PLAIN_PIN)
    assert (store / KEYS_FILE).read_bytes() == before


def test_a_short_new_passphrase_is_refused_and_the_old_one_stays(store: Path) -> None:
    with Vault.unlock(store, PASSPHRASE) as vault, pytest.raises(WeakPassphraseError):
        vault.change_passphrase("short", current=PASSPHRASE, profile=WEAK)
    assert identity(store, PASSPHRASE)


@pytest.mark.parametrize("length", [1, 15, 1025])
def test_a_card_or_device_without_a_real_secret_is_our_own_bug(length: int) -> None:
    with pytest.raises(ValueError, match="16 to 1024"):
        Badge(bytes(length))
    with pytest.raises(ValueError, match="16 to 1024"):
        Pin("280417", bytes(length))


def test_no_credential_is_printed() -> None:
    printed = repr(PIN) + repr(BADGE) + repr(RECOVERY)
    assert PIN.digits not in printed
    assert repr(PIN.device_secret) not in printed
    assert repr(BADGE.secret) not in printed
