"""What opens a store: a passphrase, a PIN, a badge, the organisation's recovery key. Pure: no I/O.

A passphrase is a plain `str`. A PIN is short, so it counts its attempts, and the device adds a secret of its own; a
PIN without one is guessed in minutes by whoever copied the files, and needs somebody's explicit word. None of these
has a repr, so that no traceback or log prints a secret.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog.errors import WeakPassphraseError
from gridlog.vault_errors import PlainPinError, WeakPinError

PASSPHRASE_CHARACTERS_MIN = 8
PIN_DIGITS_MIN = 6
PIN_DIGITS_MAX = 32
SECRET_BYTES_MIN = 16
SECRET_BYTES_MAX = 1024


@dataclass(frozen=True, slots=True, repr=False)
class Pin:
    """Digits that a worker remembers, and what the handheld adds.

    `device_secret` is 16 to 1024 bytes from a place that a copy of the store's files does not include: a key store,
    a TPM, a badge kept apart from the handheld. Empty means a plain PIN. Raises ValueError for another length.
    """

    digits: str
    device_secret: bytes = b""

    def __post_init__(self) -> None:
        if self.device_secret:
            _refuse_short(self.device_secret)


@dataclass(frozen=True, slots=True, repr=False)
class Badge:
    """The secret on a card, 16 to 1024 unpredictable bytes. Raises ValueError for another length."""

    secret: bytes

    def __post_init__(self) -> None:
        _refuse_short(self.secret)


@dataclass(frozen=True, slots=True, repr=False)
class Recovery:
    """The private half of the organisation's recovery key: for its office, never for a handheld in the street."""

    private_key: X25519PrivateKey


Credential: TypeAlias = str | Pin | Badge | Recovery
"""A `str` is a passphrase."""


def normalised(typed: str) -> str:
    """Return the one form of what was typed that keyboards agree on (NFKC): full-width letters become plain ones."""
    return unicodedata.normalize("NFKC", typed)


def typed_bytes(typed: str) -> bytes:
    """Return what a key is derived from."""
    # A terminal may hand over undecodable bytes as lone surrogates; they too are part of what was typed.
    return normalised(typed).encode("utf-8", "surrogatepass")


def refuse_weak_passphrase(passphrase: str) -> None:
    """Raise WeakPassphraseError for one that is too short."""
    if len(normalised(passphrase)) < PASSPHRASE_CHARACTERS_MIN:
        raise WeakPassphraseError(PASSPHRASE_CHARACTERS_MIN)


def refuse_weak_pin(pin: Pin, *, allows_plain: bool) -> None:
    """Raise WeakPinError for what everybody tries first, and PlainPinError for a plain PIN that nobody allowed."""
    digits = normalised(pin.digits)
    is_number = digits.isascii() and digits.isdigit() and PIN_DIGITS_MIN <= len(digits) <= PIN_DIGITS_MAX
    if not is_number or _is_run(digits):
        raise WeakPinError(PIN_DIGITS_MIN)
    if not pin.device_secret and not allows_plain:
        raise PlainPinError


def _is_run(digits: str) -> bool:
    """Tell whether each digit follows from the last by one step, as in 000000, 123456 and 987654."""
    return len({(int(after) - int(before)) % 10 for before, after in pairwise(digits)}) == 1


def _refuse_short(secret: bytes) -> None:
    if not SECRET_BYTES_MIN <= len(secret) <= SECRET_BYTES_MAX:
        raise ValueError(f"a secret has {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes")
