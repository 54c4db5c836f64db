"""A changed key file is refused before it costs anything."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gridlog import keyfile
from gridlog.errors import StoreDamagedError, StoreTooNewError, WrongPassphraseError
from gridlog.kdf import KdfCost
from gridlog.vault import KEYS_FILE, KdfProfile, Vault
from gridlog_protocol.canonical import pack

PASSPHRASE = "桂花树下的第三块砖"
WEAK = KdfProfile.WEAK_FOR_TESTS


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "store"
    Vault.create(directory, PASSPHRASE, profile=WEAK).close()
    return directory


def with_digest(content: bytes) -> bytes:
    return content + hashlib.sha256(content).digest()


def change_keys(directory: Path, change: Callable[[keyfile.KeyFile], keyfile.KeyFile]) -> None:
    path = directory / KEYS_FILE
    path.write_bytes(keyfile.encode_file(change(keyfile.decode_file(path.read_bytes()))))


def with_header(directory: Path, header: bytes) -> None:
    """Put another slot header in, past our own encoder, with a digest that fits."""
    raw = (directory / KEYS_FILE).read_bytes()
    slot = keyfile.decode_file(raw).slots[0]
    body = pack([[[header, slot.wrapped]], keyfile.decode_file(raw).sealed_secrets])
    (directory / KEYS_FILE).write_bytes(with_digest(raw[:26] + body))


def test_a_flipped_bit_in_any_byte_is_called_damage_and_not_a_wrong_passphrase(directory: Path) -> None:
    path = directory / KEYS_FILE
    raw = path.read_bytes()
    for at in range(len(raw)):
        path.write_bytes(raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :])
        with pytest.raises(StoreDamagedError):
            Vault.unlock(directory, PASSPHRASE)


def test_a_flipped_bit_in_any_byte_is_refused_even_when_the_digest_was_made_to_fit(directory: Path) -> None:
    path = directory / KEYS_FILE
    raw = path.read_bytes()[:-32]
    for at in range(len(raw)):
        path.write_bytes(with_digest(raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :]))
        with pytest.raises((StoreDamagedError, StoreTooNewError, WrongPassphraseError)):
            Vault.unlock(directory, PASSPHRASE)


def test_a_file_cut_at_any_length_is_refused(directory: Path) -> None:
    path = directory / KEYS_FILE
    raw = path.read_bytes()
    for length in range(len(raw)):
        path.write_bytes(raw[:length])
        with pytest.raises(StoreDamagedError):
            Vault.unlock(directory, PASSPHRASE)

    for length in range(len(raw) - 32):
        path.write_bytes(with_digest(raw[:length]))
        with pytest.raises(StoreDamagedError):
            Vault.unlock(directory, PASSPHRASE)


def test_a_file_larger_than_we_write_is_refused(directory: Path) -> None:
    (directory / KEYS_FILE).write_bytes(bytes(keyfile.FILE_BYTES_MAX + 1))
    with pytest.raises(StoreDamagedError):
        Vault.unlock(directory, PASSPHRASE)


@pytest.mark.parametrize(
    ("memory_kib", "iterations", "lanes"),
    [
        (1 << 40, 3, 1),
        (256 * 1024 + 1, 3, 1),
        (64 * 1024, 11, 1),
        (64 * 1024, 1 << 60, 1),
        (64 * 1024, 3, 5),
        (63, 1, 1),
        (64, 0, 1),
        (64, 1, 0),
        (-1, 1, 1),
    ],
)
def test_an_absurd_cost_is_refused_before_it_is_paid(
    directory: Path, memory_kib: int, iterations: int, lanes: int
) -> None:
    with_header(directory, pack([1, 1, memory_kib, iterations, lanes, bytes(16)]))
    started = time.monotonic()
    with pytest.raises(StoreDamagedError):
        Vault.unlock(directory, PASSPHRASE)
    assert time.monotonic() - started < 0.2


@pytest.mark.parametrize("header", [[9, 1, 64, 1, 1, bytes(16)], [1, 9, 64, 1, 1, bytes(16)]])
def test_a_slot_that_only_a_newer_program_knows_is_not_guessed_at(directory: Path, header: list[int | bytes]) -> None:
    with_header(directory, pack([*header]))
    with pytest.raises(StoreTooNewError):
        Vault.unlock(directory, PASSPHRASE)


def test_a_file_of_a_newer_version_is_not_guessed_at(directory: Path) -> None:
    path = directory / KEYS_FILE
    raw = path.read_bytes()[:-32]
    path.write_bytes(with_digest(raw[:8] + b"\x00\x05" + raw[10:]))
    with pytest.raises(StoreTooNewError):
        Vault.unlock(directory, PASSPHRASE)


def test_a_slot_made_cheaper_to_guess_does_not_open(tmp_path: Path) -> None:
    Vault.create(tmp_path, PASSPHRASE, profile=KdfProfile.STANDARD).close()
    slot = keyfile.decode_file((tmp_path / KEYS_FILE).read_bytes()).slots[0]
    header = keyfile.decode_header(slot.header)
    assert isinstance(header, keyfile.SlotHeader)
    cheaper = keyfile.encode_header(replace(header, cost=KdfCost(memory_kib=64, iterations=1, lanes=1)))
    change_keys(tmp_path, lambda file: replace(file, slots=(replace(slot, header=cheaper),)))
    with pytest.raises(WrongPassphraseError):
        Vault.unlock(tmp_path, PASSPHRASE)


def test_secrets_or_slots_of_another_store_do_not_open_here(directory: Path, tmp_path: Path) -> None:
    Vault.create(tmp_path / "other", PASSPHRASE, profile=WEAK).close()
    other = keyfile.decode_file((tmp_path / "other" / KEYS_FILE).read_bytes())
    mine = (directory / KEYS_FILE).read_bytes()

    change_keys(directory, lambda file: replace(file, sealed_secrets=other.sealed_secrets))
    with pytest.raises(StoreDamagedError):
        Vault.unlock(directory, PASSPHRASE)

    (directory / KEYS_FILE).write_bytes(mine)
    change_keys(directory, lambda file: replace(file, slots=other.slots))
    with pytest.raises(WrongPassphraseError):
        Vault.unlock(directory, PASSPHRASE)
