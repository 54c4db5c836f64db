"""Are the server's estimates true? Each act has a time on the world's clock, and the phone's clocks are known.

The rule it keeps: it shares no code with `clocks`. What it allows for is what no server can know: the time that the
request was under way, and what drift makes of the time between writing and sending.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gridlog_protocol.ids import shown
from gridlog_protocol.ops import Op

from .witness import Act, ActId, act_of

FINE_MS = 120_000
DAY_MS = 86_400_000
DRIFT_PARTS = 5_000
ROUNDING_MS = 2


@dataclass(frozen=True, slots=True)
class Sending:
    """When a request left on the world's clock, from which boot, and by which setting of which phone's clock."""

    sent_ms: int
    boot: bytes
    setting: str


@dataclass(frozen=True, slots=True)
class Dated:
    """An op with what the server made of its clock. `tier` counts from 0, fine. `received_ms` is the world's time."""

    op: Op
    at_ms: int
    within_ms: int
    tier: int
    sending: Sending
    received_ms: int


def findings_in_estimates(dated: Iterable[Dated], acts: Mapping[ActId, Act]) -> Iterator[str]:
    """Say which estimates are further from the truth than they may be, and which clocks were judged wrongly."""
    for each in dated:
        act = acts.get(act_of(each.op))
        if act is not None:
            yield from _wrong(each, act)


def _wrong(dated: Dated, act: Act) -> Iterator[str]:
    name = f"op {dated.op.id.seq} of {shown(dated.op.id.device)[:4]}"
    under_way_ms = dated.received_ms - dated.sending.sent_ms
    drift_ms = (dated.received_ms - act.at_ms) // DRIFT_PARTS + ROUNDING_MS
    late_ms = dated.at_ms - act.at_ms
    if dated.op.clock.boot != dated.sending.boot and act.setting != dated.sending.setting:
        # Restarted, and its clock set by hand: nobody can know more than the bounds, but they must be right.
        if abs(late_ms) > dated.within_ms + under_way_ms:
            yield f"{name} is dated {late_ms} ms after its time, and {dated.within_ms} ms were promised"
        return
    if not -drift_ms <= late_ms <= drift_ms + under_way_ms:
        yield f"{name} is dated {late_ms} ms after its time, {under_way_ms} ms under way"
    doubt_ms = 2 * drift_ms + under_way_ms
    off_ms = abs(dated.op.clock.wall_ms - act.at_ms)
    lowest = (off_ms > FINE_MS + doubt_ms) + (off_ms > DAY_MS + doubt_ms)
    highest = (off_ms > FINE_MS - doubt_ms) + (off_ms > DAY_MS - doubt_ms)
    if not lowest <= dated.tier <= highest:
        yield f"{name} has tier {dated.tier}, by a clock that was {off_ms} ms off"
