"""Wrap the master key under a passphrase, and the store's secrets under the master key.

Each sealing names its purpose and the store, so nothing sealed for one place opens in another. A slot's wrapping is
bound to its header twice: the cost and salt go into the key derivation and into the seal.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gridlog.errors import StoreDamagedError, StorePart, WrongPassphraseError
from gridlog.kdf import KEY_BYTES, SALT_BYTES, KdfCost, derive_key
from gridlog.keyfile import (
    KeyFile,
    Secrets,
    Slot,
    SlotHeader,
    SlotKind,
    StoreId,
    decode_header,
    decode_secrets,
    encode_header,
    encode_secrets,
)

Entropy = Callable[[int], bytes]
"""Given a count, that many unpredictable bytes."""

NONCE_BYTES = 12

_SLOT_PURPOSE = b"gridlog key slot v1"
_SECRETS_PURPOSE = b"gridlog store secrets v1"


def wrap_master_key(
    master_key: bytes, passphrase: str, *, store_id: StoreId, cost: KdfCost, entropy: Entropy
) -> Slot:
    """Make a slot that the passphrase opens."""
    header = encode_header(SlotHeader(SlotKind.PASSPHRASE, cost, entropy(SALT_BYTES)))
    purpose = _SLOT_PURPOSE + store_id + header
    key = _wrapping_key(header, passphrase, purpose)
    return Slot(header, _sealed(key, master_key, purpose=purpose, entropy=entropy))


def unwrap_master_key(file: KeyFile, passphrase: str) -> bytes:
    """Find the slot that the passphrase opens. Raises WrongPassphraseError or StoreDamagedError."""
    for slot in file.slots:
        purpose = _SLOT_PURPOSE + file.store_id + slot.header
        key = _wrapping_key(slot.header, passphrase, purpose)
        try:
            master_key = _opened(key, slot.wrapped, purpose=purpose)
        except InvalidTag:
            continue
        if len(master_key) != KEY_BYTES:
            raise StoreDamagedError(StorePart.KEYS)
        return master_key
    raise WrongPassphraseError


def seal_secrets(secrets: Secrets, master_key: bytes, *, store_id: StoreId, entropy: Entropy) -> bytes:
    """Seal the secrets for the key file."""
    purpose = _SECRETS_PURPOSE + store_id
    return _sealed(master_key, encode_secrets(secrets), purpose=purpose, entropy=entropy)


def open_secrets(file: KeyFile, master_key: bytes) -> Secrets:
    """Open the secrets. Raises StoreDamagedError: the master key was right, so they were changed."""
    try:
        raw = _opened(master_key, file.sealed_secrets, purpose=_SECRETS_PURPOSE + file.store_id)
    except InvalidTag:
        raise StoreDamagedError(StorePart.KEYS) from None
    return decode_secrets(raw)


def _wrapping_key(header: bytes, passphrase: str, purpose: bytes) -> bytes:
    slot = decode_header(header)
    return derive_key(passphrase, cost=slot.cost, salt=slot.salt, associated=purpose)


def _sealed(key: bytes, plain: bytes, *, purpose: bytes, entropy: Entropy) -> bytes:
    nonce = entropy(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, purpose)


def _opened(key: bytes, sealed: bytes, *, purpose: bytes) -> bytes:
    if len(sealed) < NONCE_BYTES:
        raise InvalidTag
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose)
