"""Write ops as the server: what an administrator imports, what a supervisor decides.

The rule it keeps: they go through the same log, merge and digests as everybody's. Their device is the zero id and
their incarnation the epoch; they see by position only. Nobody signs them: the log's hash chain has them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gridlog_protocol.clock import ClockFacts, Hlc, reading
from gridlog_protocol.ids import SERVER_DEVICE, Incarnation, OpId, Position, RecordId, UserId
from gridlog_protocol.kinds import Kind, KindSet
from gridlog_protocol.limits import RECORD_BYTES_MAX
from gridlog_protocol.op_codec import pack_op
from gridlog_protocol.ops import SALT_BYTES, Edit, Intent, Op, Seen, op_hash
from gridlog_protocol.segment import chain_next
from gridlog_server.store.contract import StoredOp, Transaction
from gridlog_server.store.tenancy import Tenancy
from gridlog_sync.admission import Chain

from .pushing import Work
from .refusing import RefusedError


@dataclass(frozen=True, slots=True)
class Written:
    """One op to write: on which record, by whom, and the log's position up to which he had seen it."""

    record: RecordId
    kind: Kind
    author: UserId
    intent: Intent
    seen: Position
    edits: tuple[Edit, ...]


async def write_ops(
    transaction: Transaction,
    written: Sequence[Written],
    *,
    tenancy: Tenancy,
    kinds: KindSet,
    now_ms: int,
    entropy: Callable[[int], bytes],
) -> list[StoredOp]:
    """Write ops into the log, in their order, and return them with their positions. The caller has checked them.

    Raises RefusedError if a record would outgrow what fits into one answer.
    """
    if not written:
        return []
    incarnation = Incarnation(tenancy.epoch)
    chain = await transaction.ledger.chain(SERVER_DEVICE, incarnation)
    ops = [
        Op(
            OpId(SERVER_DEVICE, incarnation, chain.known_seq + 1 + index),
            each.author,
            each.record,
            each.kind.name,
            each.kind.version,
            each.intent,
            Seen(tenancy.epoch, each.seen, 0),
            ClockFacts(Hlc(reading(now_ms) + index), now_ms, bytes(8), 0, now_ms),
            each.edits,
            entropy(SALT_BYTES),
        )
        for index, each in enumerate(written)
    ]
    work = await Work.load(transaction, ops, kinds, tenancy, now_ms, sent=None)
    link, stored = chain.head, []
    for op in ops:
        hashed = op_hash(op)
        standing = work.records.get(op.record)
        if (standing.size if standing else 0) + len(pack_op(op)) > RECORD_BYTES_MAX:
            raise RefusedError(
                "这条记录的内容太多，再也写不下了。", "This record is full: nothing more fits into it."
            )
        link = chain_next(link, hashed)
        stored.append(work.take(op, hashed, None, None))
    work.chains[(SERVER_DEVICE, incarnation)] = Chain(chain.known_seq + len(ops), link)
    await transaction.ledger.write(work.commit())
    return stored
