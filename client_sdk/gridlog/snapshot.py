"""Keep an image of the store beside its journal, sealed, so that opening it need not read the whole journal.

    magic "GRIDLOGS" | version u16 | store id 16 | seq u64 | hash 32 | nonce 12 | sealed key 48 | chunk ...
    chunk   length u32 | AES-256-GCM of zstd(part), nonce: its number (11 bytes) and 1 for the last one, else 0

The numbers are big-endian. Each snapshot has a random key of its own, wrapped by one that the master key gives (AAD:
everything before), so chunks are counted and none can be moved, repeated or dropped: the STREAM construction (Hoang
et al., "Online Authenticated-Encryption and its Nonce-Reuse Misuse-Resistance", 2015), as age has it.

`seq` and `hash` say of which journal, up to which frame, it is the image. The rule: a snapshot is never the truth.
One that is missing or damaged costs time; one that knows more than the journal shows that the journal lost something.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gridlog.disk import disk_errors, remove_durably, replace_durably
from gridlog.frames import NONCE_BYTES, PAYLOAD_BYTES_MAX
from gridlog.kdf import KEY_BYTES
from gridlog.keydisk import SNAPSHOT_FILE
from gridlog.vault import Vault

_log = logging.getLogger("gridlog.store")

_MAGIC = b"GRIDLOGS"
_VERSION = 1
_TAG_BYTES = 16
_PLACE_BYTES = 8 + 32
_HEADER_BYTES = len(_MAGIC) + 2 + 16 + _PLACE_BYTES
_KEY_FROM = _HEADER_BYTES + NONCE_BYTES
_CHUNKS_FROM = _KEY_FROM + KEY_BYTES + _TAG_BYTES
_CHUNK_BYTES_MAX = PAYLOAD_BYTES_MAX * 9 // 8
_LEVEL = 3


class SnapshotRefusedError(ValueError):
    """These bytes are not a snapshot of this store, or not all of one."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot whose header is genuine: of the journal up to the frame `seq`, where its hash is `hash`."""

    path: Path
    seq: int
    hash: bytes
    key: AESGCM

    def parts(self) -> Iterator[bytes]:
        """Yield the parts of the image. Raises SnapshotRefusedError, DiskFailedError."""
        decompressor = zstandard.ZstdDecompressor()
        with disk_errors(), self.path.open("rb") as file:
            file.seek(_CHUNKS_FROM)
            number, length = 0, file.read(4)
            while length:
                sealed = file.read(_length(length))
                length = file.read(4)
                yield _opened(self.key, sealed, number, decompressor, is_last=not length)
                number += 1
        if number == 0:
            raise SnapshotRefusedError("no chunk")


def find_snapshot(directory: Path, vault: Vault) -> Snapshot | None:
    """Return the snapshot of a store if there is one with a genuine header. Raises DiskFailedError."""
    path = directory / SNAPSHOT_FILE
    with disk_errors():
        if not path.exists():
            return None
        with path.open("rb") as file:
            header = file.read(_CHUNKS_FROM)
    try:
        return _read_header(path, header, vault)
    except SnapshotRefusedError as reason:
        _log.warning("the snapshot is not used: %s", reason)
        return None


def write_snapshot(directory: Path, vault: Vault, *, seq: int, hash_: bytes, parts: Iterable[bytes]) -> int:
    """Put an image of the journal up to a frame on the disk, durably; return its size in bytes.

    A cut leaves the old snapshot or the new. Raises DiskFullError, DiskFailedError: the old one is still there.
    """
    header = _MAGIC + _VERSION.to_bytes(2, "big") + vault.store_id + seq.to_bytes(8, "big") + hash_
    key, nonce = vault.entropy(KEY_BYTES), vault.entropy(NONCE_BYTES)
    wrapped = vault.snapshot_wrapping().encrypt(nonce, key, header)
    return replace_durably(directory / SNAPSHOT_FILE, chain((header + nonce + wrapped,), _chunks(AESGCM(key), parts)))


def snapshot_bytes(directory: Path) -> int:
    """Return the size of the snapshot, in bytes; 0 if there is none. Raises DiskFailedError."""
    path = directory / SNAPSHOT_FILE
    with disk_errors():
        return path.stat().st_size if path.exists() else 0


def remove_snapshot(directory: Path) -> None:
    """Remove the snapshot, if there is one. Raises DiskFailedError."""
    remove_durably([directory / SNAPSHOT_FILE])


def _read_header(path: Path, raw: bytes, vault: Vault) -> Snapshot:
    header = raw[:_HEADER_BYTES]
    if not header.startswith(_MAGIC) or len(raw) < _CHUNKS_FROM:
        raise SnapshotRefusedError("not a snapshot")
    if int.from_bytes(header[len(_MAGIC) : len(_MAGIC) + 2], "big") != _VERSION:
        raise SnapshotRefusedError("another version wrote it")
    try:
        key = vault.snapshot_wrapping().decrypt(raw[_HEADER_BYTES:_KEY_FROM], raw[_KEY_FROM:], header)
    except InvalidTag:
        raise SnapshotRefusedError("the seal of its header does not hold") from None
    place = header[-_PLACE_BYTES:]
    return Snapshot(path, int.from_bytes(place[:8], "big"), place[8:], AESGCM(key))


def _chunks(key: AESGCM, parts: Iterable[bytes]) -> Iterator[bytes]:
    compressor = zstandard.ZstdCompressor(_LEVEL)
    rest = iter(parts)
    part, number = next(rest, None), 0
    while part is not None:
        following = next(rest, None)
        sealed = key.encrypt(_nonce(number, is_last=following is None), compressor.compress(part), None)
        yield len(sealed).to_bytes(4, "big") + sealed
        part, number = following, number + 1


def _opened(
    key: AESGCM, sealed: bytes, number: int, decompressor: zstandard.ZstdDecompressor, *, is_last: bool
) -> bytes:
    try:
        return decompressor.decompress(key.decrypt(_nonce(number, is_last=is_last), sealed, None))
    except (InvalidTag, zstandard.ZstdError, ValueError):
        raise SnapshotRefusedError(f"chunk {number} is not what was written there") from None


def _nonce(number: int, *, is_last: bool) -> bytes:
    return number.to_bytes(NONCE_BYTES - 1, "big") + bytes([is_last])


def _length(raw: bytes) -> int:
    length = int.from_bytes(raw, "big")
    if len(raw) < 4 or length > _CHUNK_BYTES_MAX:
        raise SnapshotRefusedError("no chunk has that length")
    return length
