"""The keys on the server's disk: its own private ones, for its owner alone, and the public recovery key."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from .service.keys import ServerKeys

_MAGIC = b"gridlog server keys 1\n"


class KeyFileError(Exception):
    """The key file is missing or damaged. Restore it from its backup: devices trust no other keys."""


class RecoveryKeyError(Exception):
    """What should be the organisation's recovery key is none: no device may be told of it."""


def write_keys(path: Path, keys: ServerKeys) -> None:
    """Write a new key file durably. Raises FileExistsError."""
    content = _MAGIC + keys.signing.private_bytes_raw() + keys.exchange.private_bytes_raw()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


def read_keys(path: Path) -> ServerKeys:
    """Read the key file. Raises KeyFileError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise KeyFileError(f"{path} is missing") from None
    if not content.startswith(_MAGIC) or len(content) != len(_MAGIC) + 64:
        raise KeyFileError(f"{path} is damaged")
    seeds = content[len(_MAGIC) :]
    return ServerKeys(
        Ed25519PrivateKey.from_private_bytes(seeds[:32]), X25519PrivateKey.from_private_bytes(seeds[32:])
    )


def read_recovery_key(path: Path) -> bytes:
    """Return the public key that opens every store enrolled from now on: X25519, 32 bytes; empty if there is none.

    Raises RecoveryKeyError.
    """
    try:
        key = load_pem_public_key(path.read_bytes())
    except FileNotFoundError:
        return b""
    except ValueError:
        raise RecoveryKeyError(path) from None
    if not isinstance(key, X25519PublicKey):
        raise RecoveryKeyError(path)
    return key.public_bytes_raw()
