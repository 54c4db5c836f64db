"""Wrap the master key in a slot for each credential, and the store's secrets under the master key. Pure: no I/O.

Each sealing names its purpose and the store, so nothing sealed for one place opens in another. A slot's wrapping is
bound to its header twice: the cost and salt go into the key derivation and into the seal. The recovery slot is HPKE
(RFC 9180, base mode), its header and store in `info`.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from gridlog.credentials import Badge, Credential, Pin, Recovery, typed_bytes
from gridlog.errors import StoreDamagedError, StorePart
from gridlog.kdf import KEY_BYTES, SALT_BYTES, KdfCost, derive_key
from gridlog.keyfile import (
    KeyFile,
    RecoveryHeader,
    Secrets,
    Slot,
    SlotHeader,
    SlotKind,
    StoreId,
    Tenure,
    decode_header,
    decode_secrets,
    encode_header,
    encode_secrets,
)
from gridlog_protocol.ids import ID_BYTES, SHORT_ID_BYTES, DeviceId, Incarnation

Entropy = Callable[[int], bytes]
"""Given a count, that many unpredictable bytes."""

NONCE_BYTES = 12

_SLOT_PURPOSE = b"gridlog key slot v1"
_SECRETS_PURPOSE = b"gridlog store secrets v1"
_HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


def wrap_master_key(
    master_key: bytes, credential: str | Pin | Badge, *, store_id: StoreId, cost: KdfCost, entropy: Entropy
) -> Slot:
    """Make a slot that the credential opens. A PIN's begins without attempts."""
    is_bound = isinstance(credential, Pin) and bool(credential.device_secret)
    kind = kind_of(credential)
    header = SlotHeader(kind, cost, entropy(SALT_BYTES), is_bound)
    raw = encode_header(header)
    purpose = _SLOT_PURPOSE + store_id + raw
    key = _wrapping_key(header, credential, purpose)
    return Slot(kind, raw, _sealed(key, master_key, purpose=purpose, entropy=entropy))


def wrap_for_recovery(master_key: bytes, public_key: bytes, *, store_id: StoreId) -> Slot:
    """Make the slot that the organisation opens. Raises ValueError for bytes that are no usable X25519 key."""
    header = encode_header(RecoveryHeader(public_key))
    reader = X25519PublicKey.from_public_bytes(public_key)
    sealed = _HPKE.encrypt(master_key, reader, _SLOT_PURPOSE + store_id + header)
    return Slot(SlotKind.RECOVERY, header, sealed)


def draw_keys(passphrase: str, *, cost: KdfCost, entropy: Entropy) -> tuple[KeyFile, bytes, Secrets]:
    """Draw the keys of a new store: the file with a passphrase's slot, the master key, and what it protects."""
    store_id = StoreId(entropy(ID_BYTES))
    master_key = entropy(KEY_BYTES)
    secrets = Secrets(
        device_id=DeviceId(entropy(ID_BYTES)),
        tenures=(Tenure(1, Incarnation(entropy(SHORT_ID_BYTES))),),
        signing_seed=entropy(KEY_BYTES),
        exchange_private=entropy(KEY_BYTES),
        journal_keys=((1, entropy(KEY_BYTES)),),
        has_end=True,
    )
    slot = wrap_master_key(master_key, passphrase, store_id=store_id, cost=cost, entropy=entropy)
    sealed = seal_secrets(secrets, master_key, store_id=store_id, entropy=entropy)
    return KeyFile(store_id, (slot,), sealed, secrets.version), master_key, secrets


def unwrap_master_key(slot: Slot, credential: Credential, *, store_id: StoreId) -> bytes | None:
    """Open a slot with the credential of its kind; None if it is another secret. Raises StoreDamagedError.

    Whoever tries a PIN counts first: `unlocking` does.
    """
    try:
        master_key = _unwrapped(slot, credential, _SLOT_PURPOSE + store_id + slot.header)
    except InvalidTag:
        return None
    if len(master_key) != KEY_BYTES:
        raise StoreDamagedError(StorePart.KEYS)
    return master_key


def kind_of(credential: Credential) -> SlotKind:
    """Return the kind of slot that a credential opens."""
    match credential:
        case str():
            return SlotKind.PASSPHRASE
        case Pin():
            return SlotKind.PIN
        case Badge():
            return SlotKind.BADGE
        case Recovery():
            return SlotKind.RECOVERY


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
    secrets = decode_secrets(raw)
    if secrets.version != file.secrets_version:
        raise StoreDamagedError(StorePart.KEYS)
    return secrets


def _unwrapped(slot: Slot, credential: Credential, purpose: bytes) -> bytes:
    header = decode_header(slot.header)
    if isinstance(header, SlotHeader) and not isinstance(credential, Recovery):
        return _opened(_wrapping_key(header, credential, purpose), slot.wrapped, purpose=purpose)
    assert isinstance(credential, Recovery), "each kind of credential has its own kind of slot"
    try:
        return _HPKE.decrypt(slot.wrapped, credential.private_key, purpose)
    except ValueError:
        # Too short to hold a share at all, or a share that is no key.
        raise InvalidTag from None


def _wrapping_key(header: SlotHeader, credential: str | Pin | Badge, purpose: bytes) -> bytes:
    match credential:
        case str():
            typed, secret = typed_bytes(credential), b""
        case Pin():
            # A device that always gives its secret also opens a PIN that was set without one.
            typed, secret = (
                typed_bytes(credential.digits),
                credential.device_secret if header.is_device_bound else b"",
            )
        case Badge():
            typed, secret = credential.secret, b""
    return derive_key(typed, cost=header.cost, salt=header.salt, associated=purpose, secret=secret)


def _sealed(key: bytes, plain: bytes, *, purpose: bytes, entropy: Entropy) -> bytes:
    nonce = entropy(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, purpose)


def _opened(key: bytes, sealed: bytes, *, purpose: bytes) -> bytes:
    if len(sealed) < NONCE_BYTES:
        raise InvalidTag
    return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], purpose)
