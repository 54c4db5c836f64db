"""Seal a message to its reader and sign it by its sender: what the radio, a proxy or a courier carries.

The signature is inside the seal, so a carrier reads a version, a key id, an opaque address and a size. It covers
the header, the reader's key and the context: a sealed message can be re-targeted to no other reader, request or
purpose. The signed body is sealed with HPKE (RFC 9180, base mode, X25519 / HKDF-SHA256 / AES-256-GCM).

    0   version  1 B     1
    1   suite    1 B     1
    2   purpose  1 B     see Purpose
    3   key id   4 B     first bytes of SHA-256 of the reader's X25519 public key
    7   address  8 B     request: device handle or code id; response: first bytes of SHA-256 of the request
    15  sealed           32 B X25519 share, then AES-256-GCM of (64 B Ed25519 signature, body), 16 B tag
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from .errors import ProtocolError
from .limits import MESSAGE_BYTES_MAX
from .versions import SPOKEN, V1

SUITE = 1
HEADER_BYTES = 15
OVERHEAD_BYTES = HEADER_BYTES + 32 + 16 + 64
"""What an envelope adds to its body."""

_HPKE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class Purpose(IntEnum):
    """Which conversation a message belongs to. A message never passes for one of another purpose."""

    SYNC_REQUEST = 1
    SYNC_RESPONSE = 2
    ENROL_REQUEST = 3
    ENROL_RESPONSE = 4
    LIVE_HELLO = 5


@dataclass(frozen=True, slots=True)
class Header:
    """The part in clear."""

    purpose: Purpose
    key_id: bytes
    address: bytes

    def packed(self) -> bytes:
        """Return the 15 bytes that lead an envelope."""
        return bytes((V1, SUITE, self.purpose)) + self.key_id + self.address


@dataclass(frozen=True, slots=True)
class Opened:
    """A body that was sealed to us. Nobody has vouched for it until `verify` has passed."""

    body: bytes
    signature: bytes
    signed: bytes

    def verify(self, key: Ed25519PublicKey) -> None:
        """Check that `key` signed this message for us. Raises ProtocolError `bad_signature`."""
        try:
            key.verify(self.signature, self.signed)
        except InvalidSignature:
            raise ProtocolError("bad_signature", detail="message") from None


def key_id(key: X25519PublicKey) -> bytes:
    """Return the 4 bytes by which an envelope names its reader's key."""
    return hashlib.sha256(key.public_bytes_raw()).digest()[:4]


def reply_address(request: bytes) -> bytes:
    """Return the address of a response: the first 8 bytes of the hash of the request it answers."""
    return hashlib.sha256(request).digest()[:8]


def seal(
    body: bytes,
    *,
    purpose: Purpose,
    address: bytes,
    reader: X25519PublicKey,
    sender: Ed25519PrivateKey,
    context: bytes = b"",
) -> bytes:
    """Sign and seal a body.

    `context` is what both sides know and is not sent with it: for a response, its request; for a hello, the challenge
    that it answers.
    """
    header = Header(purpose, key_id(reader), address).packed()
    signature = sender.sign(_signed_bytes(header, reader, context, body))
    return header + _HPKE.encrypt(signature + body, reader, _info(header, context))


def read_header(raw: bytes) -> Header:
    """Read an envelope's clear part. Raises ProtocolError `malformed`, `too_large` or `unsupported_version`."""
    if len(raw) > MESSAGE_BYTES_MAX:
        raise ProtocolError("too_large", detail=f"at most {MESSAGE_BYTES_MAX} bytes")
    if len(raw) < 1 or raw[0] not in SPOKEN:
        raise ProtocolError("unsupported_version", detail=f"versions {list(SPOKEN)}")
    if len(raw) < OVERHEAD_BYTES:
        raise ProtocolError("malformed", detail="envelope too short")
    if raw[1] != SUITE:
        raise ProtocolError("unsupported_version", detail=f"suites [{SUITE}]")
    try:
        purpose = Purpose(raw[2])
    except ValueError:
        raise ProtocolError("malformed", detail="unknown purpose") from None
    return Header(purpose, raw[3:7], raw[7:15])


def open_sealed(raw: bytes, *, reader: X25519PrivateKey, context: bytes = b"") -> Opened:
    """Open an envelope that was sealed to `reader`. Raises ProtocolError `malformed` if anything was changed."""
    header = raw[:HEADER_BYTES]
    try:
        plain = _HPKE.decrypt(raw[HEADER_BYTES:], reader, _info(header, context))
    except (InvalidTag, ValueError):
        raise ProtocolError("malformed", detail="the seal does not open") from None
    signature, body = plain[:64], plain[64:]
    signed = _signed_bytes(header, reader.public_key(), context, body)
    return Opened(body, signature, signed)


def _info(header: bytes, context: bytes) -> bytes:
    return b"gridlog v1 envelope" + header + hashlib.sha256(context).digest()


def _signed_bytes(header: bytes, reader: X25519PublicKey, context: bytes, body: bytes) -> bytes:
    known = header + reader.public_bytes_raw() + hashlib.sha256(context).digest()
    return b"gridlog v1 signed" + known + body
