"""The clocks of the demo: three phones whose clock is wrong, and one that wrote three days ago and returns only now.

A phone's clock here is this machine's, put ahead or back. Nothing else is told to the store, and nothing to the
server: that it sees through the wrong clocks is what the demo shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from gridlog.device_clock import DeviceClock
from gridlog_protocol.clock import ClockFacts, Hlc
from gridlog_sync.clocks import Tier

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
AWAY_MS = 3 * DAY_MS
UP_MS = 30 * DAY_MS
"""How long every phone has been on: its boot lies before the day that it was away."""


class DemoClock(DeviceClock):
    """This machine's clock, `ahead_ms` wrong on the wall. `back_ms` puts the whole phone into the past."""

    def __init__(self, ahead_ms: int) -> None:
        super().__init__()
        self._ahead_ms = ahead_ms
        self.back_ms = 0

    def wall_ms(self) -> int:
        """See DeviceClock."""
        return super().wall_ms() + self._ahead_ms - self.back_ms

    def facts(self, hlc: Hlc, *, server_ms: int) -> ClockFacts:
        """See DeviceClock. In the past nobody has heard yet what the server said this morning."""
        facts = super().facts(hlc, server_ms=max(server_ms - self.back_ms, 0))
        return replace(facts, monotonic_ms=facts.monotonic_ms + UP_MS - self.back_ms)


@dataclass(frozen=True, slots=True)
class ClockStory:
    """What is odd about a phone's clock, and what the server must make of it."""

    title: str
    tier: Tier = Tier.FINE
    ahead_ms: int = 0
    away_ms: int = 0


RIGHT = ClockStory("right")
ODD = (
    ClockStory("3 days ahead", Tier.REVIEW, ahead_ms=3 * DAY_MS),
    ClockStory("26 hours behind", Tier.REVIEW, ahead_ms=-26 * HOUR_MS),
    ClockStory("10 minutes ahead", Tier.CORRECTED, ahead_ms=10 * MINUTE_MS),
    ClockStory("right, wrote three days ago", away_ms=AWAY_MS),
)


def stories(rng: Random, count: int) -> Sequence[ClockStory]:
    """Give each of `count` phones its clock. The first and the last are killed in mid-work, and have right ones."""
    told = [RIGHT] * count
    inner = range(1, count - 1)
    for place, story in zip(rng.sample(inner, min(len(ODD), len(inner))), ODD, strict=False):
        told[place] = story
    return told
