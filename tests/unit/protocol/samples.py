"""One worker with one handheld and one server: the cast of the wire tests."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import ClockFacts, reading
from gridlog_protocol.ids import DeviceId, Epoch, Incarnation, OpId, Position, TenantId, UserId, record_id
from gridlog_protocol.ops import Action, Edit, Intent, Op, Seen, op_hash, op_salt
from gridlog_protocol.segment import Segment, chain_start, chain_through, cut, salt_block

TENANT = TenantId("420106")
DEVICE = DeviceId(b"a handheld 00001")
INCARNATION = Incarnation(b"1st life")
EPOCH = Epoch(b"epoch..1")
AUTHOR = UserId(b"a worker 0000001")
BOOT = b"booted 1"
START_MS = 1_795_000_000_000
RECORD = record_id(START_MS, b"ten bytes.")

DEVICE_SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(b"the handheld's signing key, 32 B")
DEVICE_EXCHANGE_KEY = X25519PrivateKey.from_private_bytes(b"the handheld's exchange key 32 B")
SERVER_SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(b"the server's signing key is 32 B")
SERVER_EXCHANGE_KEY = X25519PrivateKey.from_private_bytes(b"the server's exchange key's 32 B")
FOREIGN_SIGNING_KEY = Ed25519PrivateKey.from_private_bytes(b"somebody else's signing key 32 B")
FOREIGN_EXCHANGE_KEY = X25519PrivateKey.from_private_bytes(b"somebody else's exchange key 32B")


def root(block: int) -> bytes:
    return hashlib.sha256(b"root" + block.to_bytes(8, "big")).digest()[:16]


def roots(ops: Iterable[Op]) -> dict[int, bytes]:
    return {block: root(block) for block in {salt_block(op.id.seq) for op in ops}}


def text_edit(value: Value, *, field: str = "note", digest_class: int = 0) -> Edit:
    return Edit(field, Action.SET, "", value, digest_class)


def op(seq: int, *edits: Edit) -> Op:
    now_ms = START_MS + 60_000 * seq
    return Op(
        OpId(DEVICE, INCARNATION, seq),
        AUTHOR,
        RECORD,
        "patrol",
        1,
        Intent.CREATE if seq == 1 else Intent.EDIT,
        Seen(EPOCH, Position(40), seq - 1),
        ClockFacts(reading(now_ms), now_ms - 250, BOOT, 5_000_000 + 60_000 * seq, START_MS),
        edits or (text_edit(f"第{seq}条"),),
        op_salt(root(salt_block(seq)), seq),
    )


def run(first_seq: int, count: int) -> tuple[Op, ...]:
    return tuple(op(seq) for seq in range(first_seq, first_seq + count))


def signed(ops: Sequence[Op], *, chain_before: bytes | None = None) -> Segment:
    before = chain_before or chain_start(ops[0].id.device, ops[0].id.incarnation)
    return cut(ops, tenant=TENANT, chain_before=before, roots=roots(ops), key=DEVICE_SIGNING_KEY)


def chain_after(ops: Sequence[Op]) -> bytes:
    return chain_through(chain_start(DEVICE, INCARNATION), [op_hash(each) for each in ops])


def naming_position(one: Op, position: int) -> Op:
    return replace(one, seen=replace(one.seen, position=Position(position)))
