"""The server's private keys on disk: one small file that only its owner may read."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from .service.keys import ServerKeys

_MAGIC = b"gridlog server keys 1\n"


class KeyFileError(Exception):
    """The key file is missing or damaged. Restore it from its backup: devices trust no other keys."""


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
