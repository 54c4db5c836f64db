"""Tell a device what became of its ops: runs that were accepted, and those that are held. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import Position
from gridlog_protocol.messages import Accepted, HeldOp
from gridlog_server.store.contract import StoredOp


def acknowledged(stored: Sequence[StoredOp]) -> tuple[tuple[Accepted, ...], tuple[HeldOp, ...]]:
    """Return the accepted ops in runs, and the held ones."""
    runs: list[list[StoredOp]] = []
    held: list[HeldOp] = []
    for each in stored:
        if each.hold is not None:
            # Also if it was released since: its effect comes as merged state, and the decision says so.
            held.append(HeldOp(each.op.id.seq, each.hold, each.hold_field or ""))
        elif runs and _follows(runs[-1][-1], each):
            runs[-1].append(each)
        else:
            runs.append([each])
    return tuple(_run(run) for run in runs), tuple(held)


def _follows(before: StoredOp, after: StoredOp) -> bool:
    return (
        before.position is not None
        and after.position == before.position + 1
        and after.op.id.seq == before.op.id.seq + 1
        and after.op.id.incarnation == before.op.id.incarnation
    )


def _run(run: Sequence[StoredOp]) -> Accepted:
    stamps = {
        offset: Stamp(each.stamp)
        for offset, each in enumerate(run)
        if each.stamp is not None and int(each.stamp) != int(each.op.clock.hlc)
    }
    first = run[0].position
    return Accepted(run[0].op.id.seq, len(run), Position(first if first is not None else 0), stamps)
