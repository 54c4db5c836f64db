"""When an op happened, by what its phone said: each row of the table in `clocks`, and each contradiction."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridlog_protocol.clock import ClockFacts, Hlc
from gridlog_sync.clocks import Arrival, Estimate, Offset, Tier, estimated, newest_offset, offset_by_answer

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
NOW_MS = 1_795_000_000_000
BOOT, LATER_BOOT = b"booted 1", b"booted 2"
SENT = ClockFacts(Hlc(0), NOW_MS, BOOT, 400 * DAY_MS, 0)


def earlier(by_ms: int, *, wall_off_ms: int = 0, server_ms: int = 0) -> ClockFacts:
    """Return what a phone said `by_ms` before it sent, its wall clock wrong by `wall_off_ms`."""
    wall_ms = NOW_MS - by_ms + wall_off_ms
    return ClockFacts(Hlc(0), wall_ms, BOOT, SENT.monotonic_ms - by_ms, server_ms)


def arrived(said: ClockFacts, sent: ClockFacts | None = SENT, *, before: ClockFacts | None = None) -> Estimate:
    return estimated(said, Arrival(NOW_MS, sent), before=before)


@pytest.mark.parametrize(
    ("wall_off_ms", "tier"),
    [
        (0, Tier.FINE),
        (-2 * MINUTE_MS, Tier.FINE),
        (2 * MINUTE_MS + 1, Tier.CORRECTED),
        (-DAY_MS, Tier.CORRECTED),
        (-DAY_MS - 1, Tier.REVIEW),
        (3 * DAY_MS, Tier.REVIEW),
    ],
)
def test_within_one_boot_the_estimate_is_exact_and_the_wall_clock_only_gives_the_tier(
    wall_off_ms: int, tier: Tier
) -> None:
    sent = replace(SENT, wall_ms=NOW_MS + wall_off_ms)
    assert arrived(earlier(0, wall_off_ms=wall_off_ms), sent) == Estimate(NOW_MS, 0, tier)
    assert arrived(earlier(MINUTE_MS, wall_off_ms=wall_off_ms), sent).at_ms == NOW_MS - MINUTE_MS


def test_a_clock_that_was_set_right_before_sending_is_found_out_all_the_same() -> None:
    found = arrived(earlier(HOUR_MS, wall_off_ms=3 * DAY_MS))
    assert (found.at_ms, found.tier) == (NOW_MS - HOUR_MS, Tier.REVIEW)


def test_an_op_of_a_year_ago_is_fine_and_drift_is_what_is_unknown_of_it() -> None:
    year_ms = 365 * DAY_MS
    assert arrived(earlier(year_ms)) == Estimate(NOW_MS - year_ms, year_ms // 5000, Tier.FINE)
    assert arrived(earlier(year_ms, wall_off_ms=year_ms // 5000)).tier is Tier.FINE
    assert arrived(earlier(year_ms, wall_off_ms=year_ms // 5000 + 2 * MINUTE_MS + 1)).tier is Tier.CORRECTED


def test_after_another_boot_the_wall_clock_is_corrected_by_how_wrong_it_was_at_sending() -> None:
    said = replace(earlier(5 * HOUR_MS, wall_off_ms=-HOUR_MS, server_ms=NOW_MS - 6 * HOUR_MS), boot=LATER_BOOT)
    found = arrived(said, replace(SENT, wall_ms=NOW_MS - HOUR_MS))
    assert found == Estimate(NOW_MS - 5 * HOUR_MS, 5 * HOUR_MS, Tier.CORRECTED)


@pytest.mark.parametrize("wall_off_ms", [3 * DAY_MS, -3 * DAY_MS])
def test_a_clock_that_was_set_between_two_boots_stays_within_the_bounds_and_is_for_review(wall_off_ms: int) -> None:
    said = replace(earlier(HOUR_MS, wall_off_ms=wall_off_ms, server_ms=NOW_MS - 2 * HOUR_MS), boot=LATER_BOOT)
    found = arrived(said)
    assert found.at_ms == (NOW_MS if wall_off_ms > 0 else said.server_ms)
    assert (found.within_ms, found.tier) == (2 * HOUR_MS, Tier.REVIEW)


def test_of_ops_that_somebody_else_carried_only_the_bounds_are_known() -> None:
    said = earlier(HOUR_MS, server_ms=NOW_MS - 3 * HOUR_MS)
    assert arrived(said, None) == Estimate(NOW_MS - HOUR_MS, 2 * HOUR_MS, Tier.FINE)
    ahead = arrived(replace(said, wall_ms=NOW_MS + DAY_MS), None)
    assert (ahead.at_ms, ahead.tier) == (NOW_MS, Tier.REVIEW)


@pytest.mark.parametrize(
    ("said", "before"),
    [
        (earlier(-1), None),
        (earlier(HOUR_MS, server_ms=NOW_MS - HOUR_MS + 3 * MINUTE_MS), None),
        (earlier(0, server_ms=NOW_MS + 3 * MINUTE_MS), None),
        (earlier(HOUR_MS), earlier(HOUR_MS - 1)),
    ],
    ids=["after its own sending", "before a time it knew", "knows the future", "before the op before it"],
)
def test_facts_that_contradict_each_other_are_for_review_and_never_date_an_op_after_its_receipt(
    said: ClockFacts, before: ClockFacts | None
) -> None:
    found = arrived(said, before=before)
    assert found.tier is Tier.REVIEW
    assert found.at_ms <= NOW_MS


def test_the_time_since_boot_begins_anew_with_each_boot() -> None:
    assert arrived(earlier(HOUR_MS), before=replace(earlier(0), boot=LATER_BOOT)).tier is Tier.FINE


def test_half_a_round_trip_is_the_most_that_an_offset_can_err() -> None:
    asked = ClockFacts(Hlc(0), NOW_MS + 500_000, BOOT, 1000, 0)
    answered = replace(asked, wall_ms=asked.wall_ms + 301, monotonic_ms=1301)
    for on_the_way_up_ms in (0, 150, 301):
        found = offset_by_answer(asked, answered, server_ms=NOW_MS + on_the_way_up_ms)
        assert found.error_ms == 151
        assert abs(found.ahead_ms - 500_000) <= found.error_ms


def test_a_clock_set_while_the_answer_was_on_its_way_does_not_change_the_round_trip() -> None:
    asked = ClockFacts(Hlc(0), NOW_MS + DAY_MS, BOOT, 1000, 0)
    answered = ClockFacts(Hlc(0), NOW_MS + 200, BOOT, 1200, 0)
    assert offset_by_answer(asked, answered, server_ms=NOW_MS + 100) == Offset(0, 100)


def test_an_offset_is_beyond_doubt_above_two_minutes_and_its_error() -> None:
    assert not Offset(-2 * MINUTE_MS - 40, 40).is_beyond_doubt
    assert Offset(-2 * MINUTE_MS - 41, 40).is_beyond_doubt


def test_an_answer_that_a_courier_brings_does_not_replace_what_a_quick_one_said() -> None:
    quick, late = Offset(3 * DAY_MS, 50), Offset(2 * DAY_MS, HOUR_MS)
    assert newest_offset(quick, late) == quick
    assert newest_offset(None, late) == late
    assert newest_offset(late, quick) == quick
