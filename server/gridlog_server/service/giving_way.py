"""Let what was salvaged of an op give way to the op itself: see `salvaging`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from gridlog_protocol.clock import Stamp
from gridlog_protocol.decisions import Decision, Verdict
from gridlog_protocol.ids import SERVER_DEVICE, Incarnation, OpId
from gridlog_protocol.log_chain import EntryType, Ruling, decided_hash
from gridlog_protocol.ops import Op
from gridlog_server.store.contract import Transaction

from .history import History

if TYPE_CHECKING:
    from .pushing import Work


def salvage_id(op: OpId) -> OpId:
    """Return the id under which the server keeps what is left of an op."""
    named = hashlib.sha256(b"gridlog v1 salvage" + op.device + op.incarnation + op.seq.to_bytes(8, "big")).digest()
    return OpId(SERVER_DEVICE, Incarnation(named[:8]), 1)


async def give_way(transaction: Transaction, work: Work, coming: Sequence[Op]) -> None:
    """Reject what was salvaged of ops that come now, before these are judged."""
    for op in coming:
        kept = salvage_id(op.id)
        for held in await transaction.ledger.ops(kept.device, kept.incarnation, kept.seq, kept.seq):
            if not held.is_waiting:
                continue
            ruling = Ruling("gridlog", work.now_ms, "填写人已送来 / its author sent it")
            position = work.note(EntryType.REJECTED, kept, decided_hash(held.hash, ruling), Stamp(0))
            rejected = replace(held, verdict=Verdict.REJECTED)
            work.decided.append(rejected)
            work.decisions.append(Decision(kept, held.hash, Verdict.REJECTED, position, Stamp(0), ruling))
            history = await transaction.ledger.ops_of_record(held.op.record)
            gone = {each.op.id: each for each in work.decided}
            work.history[held.op.record] = History(gone.get(each.op.id, each) for each in history)
