"""The server's own keys: it signs receipts and answers with one, and requests are sealed to the other."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gridlog_protocol.envelope import key_id
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.invitation import fingerprint


@dataclass(frozen=True, slots=True)
class ServerKeys:
    """SSK signs; SXK opens requests."""

    signing: Ed25519PrivateKey
    exchange: X25519PrivateKey

    @staticmethod
    def generate() -> ServerKeys:
        """Draw new keys from the operating system's entropy."""
        return ServerKeys(Ed25519PrivateKey.generate(), X25519PrivateKey.generate())

    @property
    def public(self) -> tuple[bytes, bytes]:
        """The public halves, 32 bytes each: signing, exchange."""
        return self.signing.public_key().public_bytes_raw(), self.exchange.public_key().public_bytes_raw()

    @property
    def fingerprint(self) -> bytes:
        """What an enrolment code pins."""
        return fingerprint(*self.public)

    def derived(self, purpose: bytes) -> bytes:
        """Return 32 bytes that only this server knows, others for each purpose: HKDF-SHA-256 (RFC 5869)."""
        return HKDF(hashes.SHA256(), 32, salt=None, info=purpose).derive(self.signing.private_bytes_raw())

    def reader(self, named: bytes) -> X25519PrivateKey:
        """Return the private key that an envelope names. Raises ProtocolError `unknown_key`."""
        if named != key_id(self.exchange.public_key()):
            raise ProtocolError("unknown_key")
        return self.exchange
