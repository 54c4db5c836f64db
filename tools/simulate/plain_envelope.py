"""Envelopes without cryptography, in place of `gridlog_protocol.envelope`: the same shape, a check sum, no secrets.

HPKE draws its own randomness and would take most of a world's time. Everything around the seal is the production
code's: addresses, the binding of an answer to its request, and what is refused.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from gridlog import driver
from gridlog_protocol.envelope import HEADER_BYTES, Header, Opened, Purpose, key_id
from gridlog_protocol.errors import ProtocolError
from gridlog_server.service import exchange
from tools.simulate.replacing import replaced

_CHECK_BYTES = 8


class PlainOpened(Opened):
    """A body that nobody could have forged: the world has no forgers."""

    def verify(self, key: Ed25519PublicKey) -> None:
        """Accept it."""


def seal(
    body: bytes,
    *,
    purpose: Purpose,
    address: bytes,
    reader: X25519PublicKey,
    sender: Ed25519PrivateKey,
    context: bytes = b"",
) -> bytes:
    """Put a header before a body, and a check sum between."""
    del sender
    return Header(purpose, key_id(reader), address).packed() + _check(body, context) + body


def read_header(raw: bytes) -> Header:
    """Read the part in clear. Raises ProtocolError `malformed`."""
    if len(raw) < HEADER_BYTES + _CHECK_BYTES:
        raise ProtocolError("malformed", detail="envelope too short")
    return Header(Purpose(raw[2]), raw[3:7], raw[7:HEADER_BYTES])


def open_sealed(raw: bytes, *, reader: X25519PrivateKey, context: bytes = b"") -> Opened:
    """Return the body. Raises ProtocolError `malformed` for what was cut short or answers another request."""
    del reader
    body = raw[HEADER_BYTES + _CHECK_BYTES :]
    if raw[HEADER_BYTES : HEADER_BYTES + _CHECK_BYTES] != _check(body, context):
        raise ProtocolError("malformed", detail="the seal does not open")
    return PlainOpened(body, b"", b"")


@contextmanager
def plain_envelopes() -> Iterator[None]:
    """Let both shells use these envelopes."""
    with (
        replaced(driver, "seal", seal),
        replaced(driver, "read_header", read_header),
        replaced(driver, "open_sealed", open_sealed),
        replaced(exchange, "seal", seal),
        replaced(exchange, "read_header", read_header),
        replaced(exchange, "open_sealed", open_sealed),
    ):
        yield


def _check(body: bytes, context: bytes) -> bytes:
    return hashlib.sha256(context + body).digest()[:_CHECK_BYTES]
