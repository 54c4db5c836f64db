"""What is wrong with a phone after everything has healed."""

from __future__ import annotations

from collections.abc import Iterator

from tools.simulate.office import Office
from tools.simulate.worker import Worker

DRIFT_SINCE_MS = 10
"""What a clock may drift between the last answer and the end."""


def findings_at(worker: Worker, office: Office, now_ms: int) -> Iterator[str]:
    """Name what is stuck, unequal, untold or believed wrongly."""
    name, store, memory = worker.name, worker.store, worker.store.memory
    if memory.pending:
        yield f"{name}: {len(memory.pending)} ops are stuck"
    if worker.alarms + store.alarms:
        yield f"{name}: the digests differed on the way"
    if store.last_is_equal is not True:
        yield f"{name}: digests {store.last_is_equal} at the end"
    for made in office.store.tables.decisions:
        if made.op in memory.held:
            yield f"{name}: never learnt that its op {made.op.seq} was {made.verdict}"
    for op in memory.held:
        stored = office.store.tables.ops.get(op)
        if stored is None or stored.hold is None:
            yield f"{name}: takes its op {op.seq} for held, and it is not"
    if worker.refusals:
        yield f"{name}: refused at the end: {', '.join(worker.refusals)}"
    offset, ahead_ms = memory.offset, worker.clock.wall_ms(now_ms) - now_ms
    if offset is None or abs(offset.ahead_ms - ahead_ms) > offset.error_ms + DRIFT_SINCE_MS:
        yield f"{name}: believes its clock {offset}, and it is {ahead_ms} ms ahead"
