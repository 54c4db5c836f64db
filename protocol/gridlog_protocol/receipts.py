"""What the server signs back: your ops up to here are in my durable log.

The rule it keeps: a receipt is made after the commit that makes it true. It names the device's chain and the
server's log, so neither side can later show another history.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .canonical import pack
from .errors import ProtocolError
from .ids import DeviceId, Incarnation, Position, TenantId


@dataclass(frozen=True, slots=True)
class Receipt:
    """The server holds every op of this incarnation up to `up_to_seq`, whose chain value is `chain_head`.

    `log_position` and `log_hash` are the head of the server's log at that moment, `server_ms` its clock.
    """

    tenant: TenantId
    device: DeviceId
    incarnation: Incarnation
    up_to_seq: int
    chain_head: bytes
    log_position: Position
    log_hash: bytes
    server_ms: int

    @property
    def number(self) -> str:
        """The receipt number that people read."""
        return receipt_number(self.log_position, self.log_hash)


def receipt_number(log_position: Position, log_hash: bytes) -> str:
    """Return what people read off a receipt, e.g. `1042-3f9c`: log position, first four digits of the log hash."""
    return f"{log_position}-{log_hash[:2].hex()}"


def sign_receipt(receipt: Receipt, key: Ed25519PrivateKey) -> bytes:
    """Return the server's signature over a receipt (64 bytes)."""
    return key.sign(_signed_bytes(receipt))


def verify_receipt(receipt: Receipt, signature: bytes, key: Ed25519PublicKey) -> None:
    """Check a receipt. Raises ProtocolError `bad_signature`."""
    try:
        key.verify(signature, _signed_bytes(receipt))
    except InvalidSignature:
        raise ProtocolError("bad_signature", detail="receipt") from None


def _signed_bytes(receipt: Receipt) -> bytes:
    return b"gridlog v1 receipt" + pack(
        [
            receipt.tenant,
            receipt.device,
            receipt.incarnation,
            receipt.up_to_seq,
            receipt.chain_head,
            receipt.log_position,
            receipt.log_hash,
            receipt.server_ms,
        ]
    )
