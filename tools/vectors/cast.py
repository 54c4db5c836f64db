"""Who appears in the vectors: two handhelds, one server, and what they wrote. All else follows."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog_protocol.clock import ClockFacts, Stamp, reading
from gridlog_protocol.ids import DeviceId, Epoch, Incarnation, OpId, Position, TenantId, UserId, record_id
from gridlog_protocol.ops import Action, Edit, Intent, Op, Seen, op_hash, op_salt
from gridlog_protocol.segment import Segment, chain_start, chain_through, cut, salt_block
from gridlog_protocol.state import RecordState
from gridlog_sync.merge import Entry, fold

TENANT = TenantId("420106")
DEVICE = DeviceId(bytes(range(16)))
INCARNATION = Incarnation(bytes(range(0x10, 0x18)))
EPOCH = Epoch(bytes(range(0x20, 0x28)))
AUTHOR = UserId(bytes(range(0x30, 0x40)))
OTHER_DEVICE = DeviceId(bytes(range(0xC0, 0xD0)))
OTHER_INCARNATION = Incarnation(bytes(range(0xD0, 0xD8)))
OTHER_AUTHOR = UserId(bytes(range(0xE0, 0xF0)))
HANDLE = bytes(range(0x50, 0x58))
BOOTS = (bytes(range(0x40, 0x48)), bytes(range(0x48, 0x50)))
START_MS = 1_795_000_000_000
SERVER_MS = START_MS + 90_000

DEVICE_SIGNING = Ed25519PrivateKey.from_private_bytes(b"\x80" * 32)
DEVICE_EXCHANGE = X25519PrivateKey.from_private_bytes(b"\x81" * 32)
SERVER_SIGNING = Ed25519PrivateKey.from_private_bytes(b"\x90" * 32)
SERVER_EXCHANGE = X25519PrivateKey.from_private_bytes(b"\x91" * 32)
FOREIGN_SIGNING = Ed25519PrivateKey.from_private_bytes(b"\xa0" * 32)
FOREIGN_EXCHANGE = X25519PrivateKey.from_private_bytes(b"\xa1" * 32)

PATROL = record_id(START_MS, bytes(range(0xA0, 0xAA)))
VISIT = record_id(START_MS + 61_000, bytes(range(0xB0, 0xBA)))


def root(block: int) -> bytes:
    """Return the salt root of a block."""
    return sha256(b"root of block %d" % block).digest()[:16]


def op(  # noqa: PLR0913 - What makes an op.
    seq: int,
    *edits: Edit,
    record: bytes = PATROL,
    kind: str = "patrol",
    intent: Intent = Intent.EDIT,
    position: int = 0,
    own_seq: int | None = None,
    after_ms: int = 0,
    counter: int = 0,
    wall_off_ms: int = 0,
    boot: int = 0,
) -> Op:
    """Return one op of the first handheld."""
    clock = ClockFacts(
        reading(START_MS + after_ms, counter),
        START_MS + after_ms + wall_off_ms,
        BOOTS[boot],
        3_600_000 + after_ms if boot == 0 else 5_000 + after_ms,
        START_MS - 1_000_000 + 1_000 * boot,
    )
    return Op(
        OpId(DEVICE, INCARNATION, seq),
        AUTHOR,
        type(PATROL)(record),
        kind,
        1,
        intent,
        Seen(EPOCH, Position(position), seq - 1 if own_seq is None else own_seq),
        clock,
        edits,
        op_salt(root(salt_block(seq)), seq),
    )


SET, ADD, REMOVE, COUNT = Action.SET, Action.ADD, Action.REMOVE, Action.COUNT
NOTE = Edit("summary", SET, "", "楼道堆物，已清理。", 0)
PHONE = Edit("phone", SET, "", "13800138000", 1)
OPS: tuple[Op, ...] = (
    op(1, NOTE, PHONE, Edit("companions", ADD, "李师傅", None, 0), intent=Intent.CREATE),
    op(2, Edit("handled_on_spot", COUNT, "", 2, 0), after_ms=60_000, position=7),
    op(
        3,
        Edit("summary", SET, "", None, 0),
        Edit("demand_state", SET, "d1", [0, "open"], 1),
        after_ms=60_000,
        counter=1,
    ),
    op(
        4,
        Edit("result", SET, "", "met", 0),
        Edit("persons_met", ADD, "p1", {"id": "p1", "point": [3057000, 11432000], "seal": b"\x01\x02"}, 2),
        record=VISIT,
        kind="household_visit",
        intent=Intent.CREATE,
        after_ms=61_000,
        wall_off_ms=-259_200_000,
        boot=1,
        own_seq=1,
    ),
    op(5, Edit("companions", REMOVE, "李师傅", None, 0), after_ms=62_000, position=12, boot=1),
    op(
        6,
        Edit("deleted", SET, "", {"reason": "重复登记了"}, 0),
        intent=Intent.WITHDRAW,
        after_ms=63_000,
        position=12,
        boot=1,
    ),
    op(
        7,
        Edit("state", SET, "", [0, "cancelled", True], 0),
        record=VISIT,
        kind="household_visit",
        after_ms=64_000,
        boot=1,
    ),
    op(8, NOTE, intent=Intent.PROPOSE, after_ms=65_000, boot=1),
)
TEXTS: tuple[Op, ...] = tuple(
    op(seq, Edit("summary", SET, "", summary, 0), Edit("note", SET, "", note, 0), Edit("route", SET, "", route, 0))
    for seq, (summary, note, route) in enumerate(
        (("䶮师傅说𬀩字难写 🙂", "一\0二", "\ufe10"), ("“路灯”——三盏·不亮", "三", "四"), ("", "", "")), start=1
    )
)
"""Texts whose column is bytes, and two whose column stays an array: for a NUL, and for a code that changed."""
BLOCK_END: tuple[Op, ...] = (op(255, NOTE, after_ms=70_000), op(256, PHONE, after_ms=71_000))
"""Two ops that lie in two blocks of salts."""


def foreign(seq: int, *edits: Edit, after_ms: int) -> Op:
    """Return an op of the second handheld, which had seen nothing."""
    mine = op(seq, *edits, after_ms=after_ms, own_seq=0)
    other = OpId(OTHER_DEVICE, OTHER_INCARNATION, seq)
    return Op(
        other, OTHER_AUTHOR, mine.record, mine.kind, 2, mine.intent, mine.seen, mine.clock, mine.edits, mine.salt
    )


FOREIGN = (
    foreign(
        1, Edit("summary", SET, "", "路灯三盏不亮。", 0), Edit("companions", ADD, "王姐", None, 0), after_ms=30_000
    ),
)


def chain_before(ops: Sequence[Op]) -> bytes:
    """Return a chain value for a run: the true one from seq 1, an invented one for others."""
    first = ops[0].id
    return (
        chain_start(first.device, first.incarnation) if first.seq == 1 else sha256(b"before %d" % first.seq).digest()
    )


def chain_after(ops: Sequence[Op]) -> bytes:
    """Return the chain value after a run."""
    return chain_through(chain_before(ops), [op_hash(each) for each in ops])


def segment(ops: Sequence[Op], *, key: Ed25519PrivateKey = DEVICE_SIGNING) -> Segment:
    """Return a run under one signature."""
    roots = {salt_block(each.id.seq): root(salt_block(each.id.seq)) for each in ops}
    return cut(ops, tenant=TENANT, chain_before=chain_before(ops), roots=roots, key=key)


def record_states() -> list[RecordState]:
    """Return what the server makes of the ops: concurrent heads, removals, an ended record, a part of one."""
    log = [*OPS[:3], *FOREIGN, *OPS[3:7]]
    entries = [Entry(each, Stamp(each.clock.hlc + 3), Position(10 + at)) for at, each in enumerate(log)]
    whole = []
    for name in (PATROL, VISIT):
        state = fold(None, [entry for entry in entries if entry.op.record == name])
        assert state is not None
        whole.append(state)
    part = fold(None, [entry for entry in entries if entry.op.id.device == OTHER_DEVICE])
    assert part is not None
    return [*whole, part]
