"""The requests and answers in which invented records travel, as the codec makes them. Pure: one seed, one message.

Keys, salts and ids are drawn from the seed: they compress as little as real ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridlog_protocol.clock import ClockFacts, reading
from gridlog_protocol.ids import DeviceId, Epoch, Incarnation, OpId, Position, RecordId, TenantId, UserId
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.messages import Accepted, ReceiptNote, SyncRequest, SyncResponse
from gridlog_protocol.ops import Intent, Op, Seen, op_salt
from gridlog_protocol.segment import cut, salt_block
from gridlog_protocol.state import RecordState
from gridlog_sync.writing import edits_for
from tools.bench.records import START_MS, confirmed_records, forms
from tools.demo.vocabulary import Half

TENANT = TenantId("420106")
_APART_MS = (20_000, 900_000)
_BOOT_MS = 36_000_000


def written_ops(count: int, *, seed: int = 1, half: Half | None = None, kind: str | None = None) -> list[Op]:
    """Return the creations of so many records by one handheld, minutes apart; of one kind only, if it is named."""
    kinds, rng = shipped_kinds(), Random(f"ops {seed}")
    device, incarnation, author = (rng.randbytes(size) for size in (16, 8, 16))
    epoch, boot, root = Epoch(rng.randbytes(8)), rng.randbytes(8), rng.randbytes(16)
    position, known_ms = Position(rng.randrange(1_000, 900_000)), START_MS - rng.randrange(3_600_000)
    ops: list[Op] = []
    wall_ms = START_MS
    for form in forms(12 * count if kind else count, seed=seed, half=half, alone=True):
        if len(ops) == count or kind not in (None, form.kind):
            continue
        seq = len(ops) + 1
        of_kind = kinds.get(form.kind)
        assert of_kind is not None
        edits = edits_for(of_kind, form.values, shown={}, rounds={}, undecided=set(), is_creation=True)
        wall_ms += rng.randrange(*_APART_MS)
        record = RecordId(wall_ms.to_bytes(6, "big") + form.id[6:])
        facts = ClockFacts(reading(wall_ms), wall_ms, boot, wall_ms - START_MS + _BOOT_MS, known_ms)
        ops.append(
            Op(
                OpId(DeviceId(device), Incarnation(incarnation), seq),
                UserId(author),
                record,
                form.kind,
                of_kind.version,
                Intent.CREATE,
                Seen(epoch, position, seq - 1),
                facts,
                tuple(edits),
                op_salt(root, seq),
            )
        )
    return ops


def request(ops: Sequence[Op], rng: Random) -> SyncRequest:
    """Return the request that pushes a run of ops."""
    roots = {salt_block(op.id.seq): rng.randbytes(16) for op in ops}
    key = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
    segment = cut(ops, tenant=TENANT, chain_before=rng.randbytes(32), roots=roots, key=key)
    counter = ops[-1].clock.wall_ms + rng.randrange(60_000)
    return SyncRequest(counter, rng.randbytes(8), ops[-1].seen.position, 1, (segment,), clock=ops[-1].clock)


def answer(records: Sequence[RecordState], rng: Random) -> SyncResponse:
    """Return the answer that brings records to a device which pushed a few ops."""
    head = Position(max(_positions(records)) + rng.randrange(3))
    server_ms, pushed = START_MS + rng.randrange(10**9), rng.randrange(1, 20)
    accepted = Accepted(rng.randrange(1, 5_000), pushed, Position(head + 1), {})
    receipt = ReceiptNote(accepted.first_seq + pushed - 1, head, rng.randbytes(32), server_ms, rng.randbytes(64))
    return SyncResponse(
        server_ms,
        b"",
        rng.randbytes(8),
        Position(min(_positions(records)) - 1),
        head,
        1,
        rng.randbytes(16),
        has_more=False,
        known_seq=receipt.up_to_seq,
        accepted=(accepted,),
        changes=tuple(records),
        receipt=receipt,
    )


def dialogues(
    count: int, *, seed: int, half: Half | None, sizes: Sequence[int]
) -> Iterator[SyncRequest | SyncResponse]:
    """Yield requests that push, and answers that bring, so many records, some in each message."""
    rng = Random(f"dialogues {seed}")
    ops = written_ops(count, seed=seed, half=half)
    while ops:
        size = rng.choice(sizes)
        yield request(ops[:size], rng)
        ops = ops[size:]
    records = list(confirmed_records(count, seed=seed, half=half))
    while records:
        size = rng.choice(sizes)
        yield answer(records[:size], rng)
        records = records[size:]


def _positions(records: Sequence[RecordState]) -> list[int]:
    return [field.changed for record in records for field in record.fields.values()]
