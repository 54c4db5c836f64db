"""The vault opens for its passphrase only, to one holder at a time, and keeps what it drew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog.errors import (
    DiskFailedError,
    DiskFullError,
    GridlogError,
    StoreExistsError,
    StoreInUseError,
    StoreMissingError,
    WeakPassphraseError,
    WrongPassphraseError,
)
from gridlog.vault import KEYS_FILE, KdfProfile, Vault, has_keys

PASSPHRASE = "桂花树下的第三块砖"
WEAK = KdfProfile.WEAK_FOR_TESTS

LIMITED = """
import resource, sys
from pathlib import Path
from gridlog.vault import Vault
vault = Vault.unlock(Path(sys.argv[1]), sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64))
vault.redraw_incarnation(first_seq=1)
"""

HOLDING = """
import sys, time
from pathlib import Path
from gridlog.vault import Vault
vault = Vault.unlock(Path(sys.argv[1]), sys.argv[2])
print("open", flush=True)
time.sleep(60)
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "store"
    Vault.create(directory, PASSPHRASE, profile=WEAK).close()
    return directory


def test_what_was_created_is_there_after_unlocking(tmp_path: Path) -> None:
    with Vault.create(tmp_path / "store", PASSPHRASE, profile=WEAK) as made:
        facts = (made.store_id, made.device_id, made.incarnation, made.journal_key(1), made.journal_epoch)
        signed = made.signing_key.sign(b"segment")
        public = made.exchange_key.public_key()

    with Vault.unlock(tmp_path / "store", PASSPHRASE) as vault:
        assert (
            vault.store_id,
            vault.device_id,
            vault.incarnation,
            vault.journal_key(1),
            vault.journal_epoch,
        ) == facts
        vault.signing_key.public_key().verify(signed, b"segment")
        peer = X25519PrivateKey.generate()
        assert vault.exchange_key.exchange(peer.public_key()) == peer.exchange(public)


def test_every_store_has_its_own_keys(tmp_path: Path) -> None:
    with (
        Vault.create(tmp_path / "one", PASSPHRASE, profile=WEAK) as one,
        Vault.create(tmp_path / "two", PASSPHRASE, profile=WEAK) as two,
    ):
        assert one.store_id != two.store_id
        assert one.device_id != two.device_id
        assert one.incarnation != two.incarnation
        assert one.journal_key(1) != two.journal_key(1)


def test_a_wrong_passphrase_is_told_in_both_languages(directory: Path) -> None:
    with pytest.raises(WrongPassphraseError) as refused:
        Vault.unlock(directory, PASSPHRASE + "。")
    assert refused.value.text.zh
    assert refused.value.text.en


def test_after_a_wrong_passphrase_the_right_one_still_opens(directory: Path) -> None:
    with pytest.raises(WrongPassphraseError):
        Vault.unlock(directory, "not the passphrase")
    Vault.unlock(directory, PASSPHRASE).close()


def test_a_short_passphrase_is_refused_and_nothing_is_made(tmp_path: Path) -> None:
    with pytest.raises(WeakPassphraseError):
        Vault.create(tmp_path / "store", "七个字的口令啊", profile=WEAK)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    ("typed_first", "typed_later"),
    [
        ("grid-worker-7", "ｇｒｉｄ－ｗｏｒｋｅｒ－７"),
        ("cafe\u0301 terrace", "caf\u00e9 terrace"),
        ("Ⅳ号网格的口令一二三", "IV号网格的口令一二三"),
    ],
)
def test_one_passphrase_typed_on_two_keyboards_opens(tmp_path: Path, typed_first: str, typed_later: str) -> None:
    Vault.create(tmp_path, typed_first, profile=WEAK).close()
    Vault.unlock(tmp_path, typed_later).close()


def test_a_passphrase_that_a_terminal_could_not_decode_is_still_a_passphrase(tmp_path: Path) -> None:
    Vault.create(tmp_path, "typed\udcff\udcfeodd", profile=WEAK).close()
    Vault.unlock(tmp_path, "typed\udcff\udcfeodd").close()
    with pytest.raises(WrongPassphraseError):
        Vault.unlock(tmp_path, "typed\udcffodd.")


def test_a_store_for_tests_says_that_it_is_weak(tmp_path: Path) -> None:
    Vault.create(tmp_path / "weak", PASSPHRASE, profile=WEAK).close()
    Vault.create(tmp_path / "real", PASSPHRASE).close()
    with Vault.unlock(tmp_path / "weak", PASSPHRASE) as weak, Vault.unlock(tmp_path / "real", PASSPHRASE) as real:
        assert weak.is_weak
        assert not real.is_weak


def test_no_key_stands_in_the_file_or_is_printed(tmp_path: Path) -> None:
    drawn: list[bytes] = []

    def entropy(count: int) -> bytes:
        drawn.append(os.urandom(count))
        return drawn[-1]

    with Vault.create(tmp_path, PASSPHRASE, profile=WEAK, entropy=entropy) as vault:
        shown = repr(vault) + repr(vault._keys) + repr(vault._known())
    raw = (tmp_path / KEYS_FILE).read_bytes()
    keys = [one for one in drawn if len(one) == 32]
    assert len(keys) == 4
    for key in keys:
        assert key not in raw
        assert key.hex() not in shown
        assert repr(key) not in shown


def test_a_store_is_never_overwritten(directory: Path) -> None:
    before = (directory / KEYS_FILE).read_bytes()
    with pytest.raises(StoreExistsError):
        Vault.create(directory, PASSPHRASE, profile=WEAK)
    assert (directory / KEYS_FILE).read_bytes() == before


def test_a_missing_store_is_missing_and_nothing_is_made(tmp_path: Path) -> None:
    assert not has_keys(tmp_path / "store")
    with pytest.raises(StoreMissingError):
        Vault.unlock(tmp_path / "store", PASSPHRASE)
    assert not (tmp_path / "store").exists()


def test_only_the_user_may_read_the_store(tmp_path: Path) -> None:
    with Vault.create(tmp_path / "deep" / "store", PASSPHRASE, profile=WEAK):
        pass
    assert (tmp_path / "deep" / "store").stat().st_mode & 0o777 == 0o700
    for path in (tmp_path / "deep" / "store").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_directory_that_holds_other_things_keeps_its_mode(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / "letter.txt").write_text("mine")
    Vault.create(home, PASSPHRASE, profile=WEAK).close()
    assert home.stat().st_mode & 0o777 == 0o755


def test_a_new_incarnation_is_still_there_after_unlocking(directory: Path) -> None:
    with Vault.unlock(directory, PASSPHRASE) as vault:
        first, device = vault.incarnation, vault.device_id
        second = vault.redraw_incarnation(first_seq=8)
        assert second != first

    with Vault.unlock(directory, PASSPHRASE) as vault:
        assert vault.device_id == device
        assert vault.incarnation == second
        assert [vault.incarnation_at(seq) for seq in (1, 7, 8, 1 << 40)] == [first, first, second, second]


def test_an_incarnation_that_never_wrote_gives_way_to_its_successor(directory: Path) -> None:
    with Vault.unlock(directory, PASSPHRASE) as vault:
        vault.redraw_incarnation(first_seq=8)
        third = vault.redraw_incarnation(first_seq=8)
        assert vault.incarnation_at(8) == third
        with pytest.raises(ValueError, match="cannot begin before"):
            vault.redraw_incarnation(first_seq=7)


def test_a_full_disk_leaves_the_old_keys_in_place(directory: Path) -> None:
    before = (directory / KEYS_FILE).read_bytes()
    limited = subprocess.run(
        [sys.executable, "-c", LIMITED, str(directory), PASSPHRASE], capture_output=True, text=True, check=False
    )
    assert DiskFullError.__name__ in limited.stderr
    assert (directory / KEYS_FILE).read_bytes() == before
    assert not (directory / f"{KEYS_FILE}.new").exists()
    Vault.unlock(directory, PASSPHRASE).close()


def test_a_vault_whose_file_is_in_doubt_refuses_to_be_used(directory: Path) -> None:
    with Vault.unlock(directory, PASSPHRASE) as vault:
        (directory / f"{KEYS_FILE}.new").mkdir()
        with pytest.raises(DiskFailedError):
            vault.redraw_incarnation(first_seq=1)
        with pytest.raises(DiskFailedError):
            vault.incarnation_at(1)


def test_what_a_crash_left_beside_the_file_does_no_harm(directory: Path) -> None:
    (directory / f"{KEYS_FILE}.new").write_bytes(b"half a key fi")
    with Vault.unlock(directory, PASSPHRASE) as vault:
        drawn = vault.redraw_incarnation(first_seq=2)
    with Vault.unlock(directory, PASSPHRASE) as vault:
        assert vault.incarnation == drawn


def test_a_closed_vault_has_no_keys(directory: Path) -> None:
    vault = Vault.unlock(directory, PASSPHRASE)
    vault.close()
    vault.close()
    with pytest.raises(RuntimeError, match="closed"):
        vault.journal_key(1)


def test_a_second_holder_is_refused_until_the_first_one_closes(directory: Path) -> None:
    with Vault.unlock(directory, PASSPHRASE), pytest.raises(StoreInUseError):
        Vault.unlock(directory, PASSPHRASE)
    Vault.unlock(directory, PASSPHRASE).close()


def test_a_second_process_is_refused_until_the_first_one_is_killed(directory: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(directory), PASSPHRASE], stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"open\n"
        with pytest.raises(StoreInUseError):
            Vault.unlock(directory, PASSPHRASE)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    Vault.unlock(directory, PASSPHRASE).close()


def test_every_error_has_a_help_text_and_a_sentence_in_both_languages(tmp_path: Path) -> None:
    for error in GridlogError.__subclasses__():
        assert error.__doc__
    missing = StoreMissingError(tmp_path)
    assert str(tmp_path) in missing.text.zh
    assert str(missing) == missing.text.en


def test_a_folder_that_another_store_makes_at_the_same_moment_serves_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "stores"
    there = Path.exists

    def seen_before_the_other_made_it(path: Path) -> bool:
        found = there(path)
        if path == shared and not found:
            shared.mkdir()
        return found

    monkeypatch.setattr(Path, "exists", seen_before_the_other_made_it)
    with Vault.create(shared / "mine", PASSPHRASE, profile=WEAK):
        assert has_keys(shared / "mine")
