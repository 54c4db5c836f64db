"""The server's log as a hash chain: what a receipt and a cursor point into.

The log gives a position, gapless and in commit order, to every entry that changes what is shown. An entry's link
covers the op's hash and the stamp it was given: neither can change once anybody has a receipt for a later position.
"""

from __future__ import annotations

import hashlib
from enum import IntEnum

from .canonical import pack
from .clock import Stamp
from .ids import Epoch, OpId, Position, TenantId


class EntryType(IntEnum):
    """Why an entry is in the log."""

    ACCEPTED = 1
    """An op came in and took effect."""


def log_start(tenant: TenantId, epoch: Epoch) -> bytes:
    """Return the log hash at position 0 of an epoch."""
    return hashlib.sha256(b"gridlog v1 log" + pack([tenant, epoch])).digest()


def log_next(
    before: bytes, *, position: Position, entry_type: EntryType, op: OpId, op_hash: bytes, stamp: Stamp
) -> bytes:
    """Return the log hash at `position`, given the one before it."""
    entry = pack([position, int(entry_type), op.device, op.incarnation, op.seq, op_hash, stamp])
    return hashlib.sha256(b"gridlog v1 log entry" + before + entry).digest()
