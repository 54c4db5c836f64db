"""The server's log as a hash chain: what a receipt and a cursor point into.

The log gives a position, gapless and in commit order, to every entry that changes what is shown. An entry's link
covers the op's hash and the stamp it was given: neither can change once anybody has a receipt for a later position.
A decision is an entry too, and its link covers who decided, when and why.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum

from .canonical import pack, pack_settled
from .clock import Stamp
from .ids import Epoch, OpId, Position, TenantId


class EntryType(IntEnum):
    """Why an entry is in the log."""

    ACCEPTED = 1
    """An op came in and took effect."""
    RELEASED = 2
    """Somebody decided that a held op takes effect now."""
    REJECTED = 3
    """Somebody decided that a held op never takes effect."""
    GAP_CLOSED = 4
    """Somebody decided that ops which never came are not waited for any more."""


@dataclass(frozen=True, slots=True)
class Ruling:
    """Who decided, when by the server's clock (Unix milliseconds), and why.

    `follows` is the position of the decision that brought this one about, 0 if a person made it.
    """

    by: str
    at_ms: int
    reason: str
    follows: Position = Position(0)  # noqa: RUF009 - an int.


def log_start(tenant: TenantId, epoch: Epoch) -> bytes:
    """Return the log hash at position 0 of an epoch."""
    return hashlib.sha256(b"gridlog v1 log" + pack([tenant, epoch])).digest()


def decided_hash(said: bytes, ruling: Ruling) -> bytes:
    """Return what stands in a decision's entry in place of the op's hash.

    `said` is the op's hash or, for a closed gap, `gap_hash`. So the log proves the decision as it proves the op.
    """
    facts = pack([said, ruling.by, ruling.at_ms, ruling.reason, ruling.follows])
    return hashlib.sha256(b"gridlog v1 decision" + facts).digest()


def gap_hash(first_seq: int, last_seq: int, chain_after: bytes) -> bytes:
    """Return 32 bytes for a closed gap: its first and last missing seq, and the chain value where it goes on."""
    return hashlib.sha256(b"gridlog v1 gap" + pack([first_seq, last_seq, chain_after])).digest()


def log_next(
    before: bytes, *, position: Position, entry_type: EntryType, op: OpId, op_hash: bytes, stamp: Stamp
) -> bytes:
    """Return the log hash at `position`, given the one before it."""
    entry = pack_settled([position, int(entry_type), op.device, op.incarnation, op.seq, op_hash, stamp])
    return hashlib.sha256(b"gridlog v1 log entry" + before + entry).digest()
