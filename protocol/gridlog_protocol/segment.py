"""A segment: a run of ops of one device and incarnation, hash-chained and signed once.

The chain runs over op hashes, not over segments, so the same ops may travel again in other cuts. Salts derive from
roots that belong to blocks of sequence numbers, for the same reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .canonical import pack
from .errors import ProtocolError
from .ids import DeviceId, Epoch, Incarnation, TenantId, UserId
from .limits import SALT_BLOCK_OPS
from .ops import Op, op_hash


@dataclass(frozen=True, slots=True)
class Segment:
    """Ops with contiguous `seq`, of one author, naming positions of one epoch.

    `roots` maps each salt block that the ops touch to its 16-byte root. `packed` has each op at rest, if the segment
    was read: whoever keeps the ops need not write them again.
    """

    incarnation: Incarnation
    first_seq: int
    chain_before: bytes
    epoch: Epoch
    author: UserId
    roots: Mapping[int, bytes]
    ops: tuple[Op, ...]
    signature: bytes
    packed: tuple[bytes, ...] = field(default=(), compare=False, repr=False)


def salt_block(seq: int) -> int:
    """Return the block whose salt root serves the op with this `seq`."""
    return seq // SALT_BLOCK_OPS


def chain_start(device: DeviceId, incarnation: Incarnation) -> bytes:
    """Return the chain value before the first op of an incarnation."""
    return hashlib.sha256(b"gridlog v1 chain" + device + incarnation).digest()


def chain_next(before: bytes, hashed: bytes) -> bytes:
    """Return the chain value after an op with the hash `hashed`."""
    return hashlib.sha256(before + hashed).digest()


def chain_through(before: bytes, hashes: Sequence[bytes]) -> bytes:
    """Return the chain value after a run of op hashes."""
    for hashed in hashes:
        before = chain_next(before, hashed)
    return before


def cut(
    ops: Sequence[Op],
    *,
    tenant: TenantId,
    chain_before: bytes,
    chain_after: bytes | None = None,
    roots: Mapping[int, bytes],
    key: Ed25519PrivateKey,
) -> Segment:
    """Sign a run of ops. They must be contiguous, of one incarnation, author and epoch: anything else is our bug.

    `chain_after` spares hashing the ops again whoever has kept the chain as they were written.
    """
    first = ops[0]
    assert all(op.id.seq == first.id.seq + index for index, op in enumerate(ops))
    assert all(
        (op.id.device, op.id.incarnation, op.author, op.seen.epoch)
        == (first.id.device, first.id.incarnation, first.author, first.seen.epoch)
        for op in ops
    )
    chain_after = chain_after or chain_through(chain_before, [op_hash(op) for op in ops])
    signed = signed_bytes(tenant, first, len(ops), chain_before, chain_after)
    blocks = sorted({salt_block(op.id.seq) for op in ops})
    return Segment(
        first.id.incarnation,
        first.id.seq,
        chain_before,
        first.seen.epoch,
        first.author,
        {block: roots[block] for block in blocks},
        tuple(ops),
        key.sign(signed),
    )


def verify(segment: Segment, *, tenant: TenantId, key: Ed25519PublicKey) -> list[bytes]:
    """Check the signature over a segment and return the hash of each op.

    Raises ProtocolError `bad_signature`.
    """
    hashes = [op_hash(op) for op in segment.ops]
    first = segment.ops[0]
    chain_after = chain_through(segment.chain_before, hashes)
    count = len(segment.ops)
    signed = signed_bytes(tenant, first, count, segment.chain_before, chain_after)
    try:
        key.verify(segment.signature, signed)
    except InvalidSignature:
        raise ProtocolError("bad_signature", detail=f"segment at seq {segment.first_seq}") from None
    return hashes


def signed_bytes(tenant: TenantId, first: Op, count: int, chain_before: bytes, chain_after: bytes) -> bytes:
    """Return what a device signs of a run of `count` ops that begins with `first`."""
    return b"gridlog v1 segment" + pack(
        [
            tenant,
            first.id.device,
            first.id.incarnation,
            first.seen.epoch,
            first.id.seq,
            count,
            chain_before,
            chain_after,
        ]
    )
