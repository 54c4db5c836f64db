"""Keep what devices salvaged of ops whose authors do not bring them back: held, for a person to look at.

Each becomes a held op of the server itself, named by the op that it is left of, so that many devices may offer the
same. The author is whom the device named; the device stands in the field of the hold. When the op itself comes after
all, what was salvaged of it is rejected, unless somebody has released it already.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from gridlog_protocol.clock import ClockFacts, Hlc, milliseconds_of
from gridlog_protocol.ids import SERVER_DEVICE, DeviceId, OpId, Position
from gridlog_protocol.kinds import KindSet, Merge
from gridlog_protocol.ops import SALT_BYTES, Action, Edit, Intent, Op, Seen, op_hash
from gridlog_protocol.salvage import Salvage
from gridlog_protocol.segment import chain_next, chain_start
from gridlog_server.store.contract import Transaction
from gridlog_server.store.tenancy import Tenancy
from gridlog_sync.admission import Chain

from .giving_way import salvage_id
from .pushing import Work

_ELEMENTS = (Merge.AWSET, Merge.APPEND)


async def keep_salvaged(
    transaction: Transaction,
    offered: Sequence[Salvage],
    *,
    device: DeviceId,
    kinds: KindSet,
    tenancy: Tenancy,
    secret: bytes,
    now_ms: int,
) -> None:
    """Hold what `device` offers, unless the op is here, or somebody offered it before. `secret` makes salts."""
    new: list[Op] = []
    for each in {salvage.op: salvage for salvage in offered}.values():
        kept = _kept_as(each.op, tenancy)
        is_here = (
            await transaction.ledger.ops(*each.op[:2], each.op.seq, each.op.seq)
            # An older backup may have what a newer life had lost, and kept as salvage.
            or (kept == each.op and await _is_left_of_what_is_here(transaction, each))
        )
        if each.writes and not is_here and not await transaction.ledger.ops(*kept[:2], 1, 1):
            new.append(_held(each, kept, kinds, tenancy, secret, now_ms))
    if not new:
        return
    work = await Work.load(transaction, new, kinds, tenancy, now_ms, sent=None)
    for op in new:
        hashed = op_hash(op)
        work.keep_held(op, hashed, None, Position(0), "salvaged", device.hex()[:8])
        work.chains[(op.id.device, op.id.incarnation)] = Chain(1, chain_next(chain_start(*op.id[:2]), hashed))
    await transaction.ledger.write(work.commit())


async def _is_left_of_what_is_here(transaction: Transaction, salvage: Salvage) -> bool:
    """Tell whether the op that it is left of is here."""
    history = await transaction.ledger.ops_of_record(salvage.record)
    return any(salvage_id(each.op.id) == salvage.op for each in history)


def _kept_as(op: OpId, tenancy: Tenancy) -> OpId:
    """Return the id for what is left of an op. What was salvaged before, and is lost once more, keeps its own."""
    is_of_ours = any(bytes(op.incarnation) == each.epoch for each in tenancy.epochs)
    return op if op.device == SERVER_DEVICE and op.seq == 1 and not is_of_ours else salvage_id(op)


def _held(salvage: Salvage, kept: OpId, kinds: KindSet, tenancy: Tenancy, secret: bytes, now_ms: int) -> Op:
    kind = kinds.get(salvage.kind)
    edits = []
    for write in salvage.writes:
        field = kind.fields.get(write.field) if kind else None
        action = Action.ADD if field is not None and field.merge in _ELEMENTS else Action.SET
        action = Action.COUNT if field is not None and field.merge is Merge.COUNTER else action
        edits.append(Edit(write.field, action, write.key, write.value, write.digest_class))
    return Op(
        kept,
        salvage.author,
        salvage.record,
        salvage.kind,
        salvage.schema,
        Intent.CREATE if salvage.is_creation else Intent.EDIT,
        Seen(tenancy.epoch, Position(0), 0),
        ClockFacts(Hlc(salvage.stamp), milliseconds_of(salvage.stamp), bytes(8), 0, now_ms),
        tuple(edits),
        hmac.digest(secret, b"gridlog v1 salvage salt" + kept.incarnation, "sha256")[:SALT_BYTES],
    )
