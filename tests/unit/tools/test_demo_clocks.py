"""The clocks of the demo: who gets an odd one, and that a phone in the past is so in everything that it says."""

from __future__ import annotations

import pytest

from gridlog.device_clock import DeviceClock
from gridlog_protocol.clock import Hlc
from gridlog_sync.clocks import Arrival, Tier, estimated
from tools.demo.clocks import AWAY_MS, HOUR_MS, ODD, RIGHT, DemoClock, stories
from tools.dice import dice


@pytest.mark.parametrize(("count", "odd"), [(12, 4), (4, 2), (2, 0)])
def test_every_odd_clock_is_given_once_and_never_to_a_phone_that_is_killed(count: int, odd: int) -> None:
    for seed in range(20):
        told = stories(dice(seed, "clocks"), count)
        assert len(told) == count
        assert [story for story in ODD if story in told] == [*ODD[:odd]]
        assert (told[0], told[-1]) == (RIGHT, RIGHT)


def test_a_phone_in_the_past_says_of_everything_that_it_was_then() -> None:
    clock = DemoClock(HOUR_MS)
    now_ms = DeviceClock().wall_ms()
    clock.back_ms = AWAY_MS
    said = clock.facts(Hlc(0), server_ms=now_ms)
    clock.back_ms = 0
    sent = clock.facts(Hlc(0), server_ms=now_ms)

    assert said.boot == sent.boot
    assert said.server_ms == now_ms - AWAY_MS
    found = estimated(said, Arrival(sent.wall_ms - HOUR_MS, sent), before=None)
    assert found.tier is Tier.CORRECTED
    assert found.at_ms == pytest.approx(now_ms - AWAY_MS, abs=60_000)
