"""Seal one journal entry into a frame, and open it again in its own place only. Pure: no I/O, nonces are given.

    type u8 | suite 1 u8 | epoch u32 | seq u64 | nonce 12 | AES-256-GCM of: length u32, zstd(payload), zeros
    type u8 | suite 2 u8 | epoch u32 | seq u64 | HPKE of the same, with what the seal covers as `info`

The second is what a locked store writes. The seal covers the store, the incarnation, the place and the hash of all
frames before, so a frame that was moved, repeated, changed or taken from another store does not open. The chain of
hashes runs over the frames as they stand on the disk: it can be followed without a key, even after an epoch's key was
destroyed. Zeros hide the exact length: buckets of 128 bytes, growing with the frame but never beyond 12 % of it.

Behind the last entry stands an END without content, which the next entry replaces: a journal without one was cut off.
It is of the incarnation of the entry before it (zeros before the first), since nobody knows which one writes next.

Nonces are random rather than counted: a copy of the store put back would count the same numbers again.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from gridlog.keyfile import StoreId
from gridlog_protocol.ids import Incarnation

PAYLOAD_BYTES_MAX = 8 << 20
"""More than any op or answer may be; what claims to be larger is refused before memory is taken for it."""

FRAME_BYTES_MAX = PAYLOAD_BYTES_MAX * 9 // 8 + 1024
"""The largest payload, incompressible, with its padding and seal."""

NONCE_BYTES = 12
BUCKET_BYTES = 128

_SUITE = 1
"""AES-256-GCM over zstd. Another suite gets another number."""
_LOCKED_SUITE = 2
"""HPKE (X25519, HKDF-SHA-256, AES-256-GCM) over zstd."""
_HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)

_CHAIN_PURPOSE = b"gridlog journal v1"
_FRAME_PURPOSE = b"gridlog journal frame v1"
_HEADER_BYTES = 1 + 1 + 4 + 8
_LENGTH_BYTES = 4


class FrameType(IntEnum):
    """What a frame holds."""

    OP = 1
    ANSWER = 2
    ENROLMENT = 3
    FACT = 4
    DRAFT = 5
    BASE = 6
    END = 7


_TYPES = frozenset(FrameType)


@dataclass(frozen=True, slots=True)
class Frame:
    """One entry of the journal, opened."""

    seq: int
    type: FrameType
    payload: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a frame belongs: all that its seal is bound to, besides its own first bytes."""

    store_id: StoreId
    incarnation: Incarnation
    epoch: int
    seq: int
    previous_hash: bytes


class FrameRefusedError(ValueError):
    """These bytes are not the frame that was sealed for this place."""


class FrameTooNewError(ValueError):
    """The frame is genuine, but of a type that only a newer program writes."""


def first_hash(store_id: StoreId) -> bytes:
    """Return what the first frame follows."""
    return hashlib.sha256(_CHAIN_PURPOSE + store_id).digest()


def next_hash(previous_hash: bytes, frame: bytes) -> bytes:
    """Return the hash of the chain up to and including `frame`."""
    return hashlib.sha256(previous_hash + frame).digest()


def epoch_of(frame: bytes) -> int:
    """Read which epoch's key a frame claims to be sealed with; opening it shows whether that is true."""
    return int.from_bytes(frame[2:6], "big")


class FrameSealer:
    """Seals and opens frames. Its compressor is kept, since making one costs more than a frame: one thread only."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor()
        self._decompressor = zstandard.ZstdDecompressor()

    def seal(self, kind: FrameType, payload: bytes, *, place: Place, key: AESGCM, nonce: bytes) -> bytes:
        """Seal a payload for its place."""
        header = bytes((kind, _SUITE)) + _numbers(place)
        return header + nonce + key.encrypt(nonce, self._padded(payload), _associated(header, place))

    def seal_to(self, reader: X25519PublicKey, kind: FrameType, payload: bytes, *, place: Place) -> bytes:
        """Seal a payload for its place, so that only the private half of `reader` opens it."""
        header = bytes((kind, _LOCKED_SUITE)) + _numbers(place)
        return header + _HPKE.encrypt(self._padded(payload), reader, _associated(header, place))

    def open(self, frame: bytes, *, place: Place, key: AESGCM, inbox: X25519PrivateKey) -> Frame:
        """Open the frame that was sealed for this place. Raises FrameRefusedError or FrameTooNewError."""
        header, sealed = frame[:_HEADER_BYTES], frame[_HEADER_BYTES:]
        if header[2:] != _numbers(place):
            raise FrameRefusedError("not a frame of this place")
        associated = _associated(header, place)
        try:
            match header[1]:
                case 1:
                    padded = key.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], associated)
                case 2:
                    padded = _HPKE.decrypt(sealed, inbox, associated)
                case _:
                    raise FrameRefusedError("not a frame of this place")
        except (InvalidTag, ValueError):
            # ValueError: too short for a seal at all.
            raise FrameRefusedError("the seal does not hold") from None
        if header[0] not in _TYPES:
            raise FrameTooNewError(f"frame type {header[0]}")
        length = int.from_bytes(padded[:_LENGTH_BYTES], "big")
        payload = self._decompressed(padded[_LENGTH_BYTES : _LENGTH_BYTES + length])
        return Frame(place.seq, FrameType(header[0]), payload)

    def _padded(self, payload: bytes) -> bytes:
        assert len(payload) <= PAYLOAD_BYTES_MAX, "payloads are bounded before they come here"
        compressed = self._compressor.compress(payload)
        content = len(compressed).to_bytes(_LENGTH_BYTES, "big") + compressed
        return content.ljust(padded_bytes(len(content)), b"\0")

    def _decompressed(self, compressed: bytes) -> bytes:
        # The declared size is checked first: zstandard ignores `max_output_size` for a frame that declares its size.
        try:
            declared = zstandard.get_frame_parameters(compressed)
            if max(declared.content_size, declared.window_size) > PAYLOAD_BYTES_MAX:
                raise FrameRefusedError("larger than anything that is written")
            return self._decompressor.decompress(
                compressed, max_output_size=PAYLOAD_BYTES_MAX, allow_extra_data=False
            )
        except zstandard.ZstdError:
            raise FrameRefusedError("not compressed as we do") from None


def padded_bytes(length: int) -> int:
    """Return the size that `length` bytes are padded to.

    Above 2 KiB this is Padmé (Nikitin et al., "Reducing metadata leakage from encrypted files"): only the first few
    bits of the size are kept, and ever fewer of them in proportion.
    """
    exponent = max(length, 2).bit_length() - 1
    kept_bits = exponent.bit_length()
    step = max(BUCKET_BYTES, 1 << (exponent - kept_bits) if exponent > kept_bits else 1)
    return -(-length // step) * step


def _numbers(place: Place) -> bytes:
    return place.epoch.to_bytes(4, "big") + place.seq.to_bytes(8, "big")


def _associated(header: bytes, place: Place) -> bytes:
    named = _FRAME_PURPOSE + place.store_id + place.incarnation
    return named + _numbers(place) + header[:2] + place.previous_hash
