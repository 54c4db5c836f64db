"""Check what the server says that it has received of this device."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import Incarnation
from gridlog_protocol.messages import ReceiptNote
from gridlog_protocol.ops import Op
from gridlog_protocol.receipts import Receipt, verify_receipt
from gridlog_sync.session import Absorbed

from .errors import ForeignServerError, RefusedError
from .memory import Memory


def check_receipt(note: ReceiptNote, incarnation: Incarnation, memory: Memory) -> None:
    """Check a receipt against our own chain. A server that signs another history is not the one we trust.

    Raises RefusedError `fork`, ForeignServerError.
    """
    enrolled = memory.enrolled
    assert enrolled is not None
    chain_head = memory.chain_at(incarnation, note.up_to_seq)
    if chain_head is None:
        raise RefusedError("fork", "a receipt for ops that this store never wrote")
    receipt = Receipt(
        enrolled.tenant,
        memory.device,
        incarnation,
        note.up_to_seq,
        chain_head,
        note.log_position,
        note.log_hash,
        note.server_ms,
    )
    try:
        verify_receipt(receipt, note.signature, Ed25519PublicKey.from_public_bytes(enrolled.server_signing_key))
    except ProtocolError:
        raise ForeignServerError from None


def receipt_of(absorbed: Absorbed, sent: Sequence[Op], memory: Memory) -> tuple[Incarnation, ReceiptNote] | None:
    """Return the receipt of an answer, checked, with the incarnation that it is for; None if it has none for us."""
    note = absorbed.receipt
    if note is None or not sent:
        return None
    last = sent[-1].id
    if note.up_to_seq > last.seq:
        # It covers more than we sent: ops whose answer was lost, or those of another copy of this store, which we
        # cannot check. What we sent is settled all the same; sent again under another name it would count twice.
        # Our next op gets a receipt of its own, or meets the copy's as a fork.
        return None
    check_receipt(note, last.incarnation, memory)
    return last.incarnation, note
