"""Phones with clocks of every kind: what the server makes of their ops is true, and each phone's own affair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gridlog_protocol.clock import ClockFacts
from gridlog_protocol.limits import CLOCK_DRIFT_PPM, CLOCK_FINE_MS
from gridlog_sync.clocks import Arrival, Estimate, Tier, estimated
from gridlog_sync.testing.clocks import DAY_MS, PhoneClock
from tools.dice import dice as seeded

START_MS = 1_795_000_000_000
YEAR_MS = 365 * DAY_MS
SPAN_MS = st.integers(0, YEAR_MS)
TRANSFER_MS = st.integers(0, 25_000)


@dataclass(frozen=True, slots=True)
class Told:
    """One op as it happened, and what the server made of it."""

    true_ms: int
    said: ClockFacts
    estimate: Estimate
    drift_ms: int


def told(phone: PhoneClock, dice: Random, *, waits_ms: int, transfer_ms: int, is_set: bool, boots: bool) -> Told:
    """Let a phone write and send, its clock set or itself restarted in between."""
    said = phone.facts(START_MS, server_ms=START_MS - DAY_MS)
    sent_ms = START_MS + waits_ms
    if is_set:
        phone.set_by_hand(dice)
    if boots:
        phone.reboot(dice, START_MS + waits_ms // 2)
    sent = phone.facts(sent_ms, server_ms=START_MS - DAY_MS)
    found = estimated(said, Arrival(sent_ms + transfer_ms, sent), before=None)
    return Told(START_MS, said, found, waits_ms * CLOCK_DRIFT_PPM // 1_000_000 + 2)


@given(seed=st.integers(0, 1 << 32), waits_ms=SPAN_MS, transfer_ms=TRANSFER_MS, is_set=st.booleans())
def test_within_one_boot_an_estimate_errs_by_drift_and_transfer_whatever_the_wall_clock_says(
    seed: int, waits_ms: int, transfer_ms: int, *, is_set: bool
) -> None:
    dice = seeded(seed, "phone")
    phone = PhoneClock.drawn(dice, START_MS, is_wrong=True)

    op = told(phone, dice, waits_ms=waits_ms, transfer_ms=transfer_ms, is_set=is_set, boots=False)

    assert -op.drift_ms <= op.estimate.at_ms - op.true_ms <= op.drift_ms + transfer_ms
    wall_off_ms = abs(op.said.wall_ms - op.true_ms)
    if op.estimate.tier is Tier.FINE:
        assert wall_off_ms <= CLOCK_FINE_MS + 2 * op.drift_ms + transfer_ms
    else:
        assert wall_off_ms > CLOCK_FINE_MS - 2 * op.drift_ms - transfer_ms


@given(seed=st.integers(0, 1 << 32), waits_ms=SPAN_MS, transfer_ms=TRANSFER_MS, is_set=st.booleans())
def test_after_another_boot_the_truth_is_within_what_the_estimate_says(
    seed: int, waits_ms: int, transfer_ms: int, *, is_set: bool
) -> None:
    dice = seeded(seed, "phone")
    phone = PhoneClock.drawn(dice, START_MS, is_wrong=True)

    op = told(phone, dice, waits_ms=waits_ms, transfer_ms=transfer_ms, is_set=is_set, boots=True)

    assert abs(op.estimate.at_ms - op.true_ms) <= op.estimate.within_ms
    if not is_set:
        assert abs(op.estimate.at_ms - op.true_ms) <= op.drift_ms + transfer_ms


@given(waits_ms=SPAN_MS, transfer_ms=TRANSFER_MS, boots=st.booleans())
def test_a_right_clock_is_fine_however_long_ago_it_was(waits_ms: int, transfer_ms: int, *, boots: bool) -> None:
    dice = seeded(1, "phone")
    phone = PhoneClock.drawn(dice, START_MS, is_wrong=False)

    assert (
        told(phone, dice, waits_ms=waits_ms, transfer_ms=transfer_ms, is_set=False, boots=boots).estimate.tier
        is Tier.FINE
    )


@given(
    seed=st.integers(0, 1 << 32),
    lie_ms=st.integers(-YEAR_MS, YEAR_MS),
    boots=st.booleans(),
    has_facts=st.booleans(),
)
def test_no_facts_whatever_date_an_op_outside_what_is_certain(
    seed: int, lie_ms: int, *, boots: bool, has_facts: bool
) -> None:
    dice = seeded(seed, "phone")
    phone = PhoneClock.drawn(dice, START_MS, is_wrong=True)
    said = phone.facts(START_MS, server_ms=max(START_MS + lie_ms, 0))
    if boots:
        phone.reboot(dice, START_MS)
    sent = replace(phone.facts(START_MS, server_ms=0), monotonic_ms=dice.randint(0, YEAR_MS)) if has_facts else None
    received_ms = START_MS + DAY_MS

    found = estimated(said, Arrival(received_ms, sent), before=None)

    assert min(said.server_ms, received_ms) <= found.at_ms <= received_ms
    assert 0 <= found.within_ms <= max(received_ms - said.server_ms, 0)
