"""The hybrid clock: it always rises, whatever the wall clock does, and stays in 63 bits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlog_protocol.canonical import INTEGER_MAX
from gridlog_protocol.clock import (
    MILLISECONDS_MAX,
    Hlc,
    Stamp,
    counter_of,
    milliseconds_of,
    observe,
    reading,
    tick,
)

READINGS = st.builds(reading, st.integers(0, MILLISECONDS_MAX), st.integers(0, 0xFFFF))


@given(milliseconds=st.integers(0, MILLISECONDS_MAX), counter=st.integers(0, 0xFFFF))
def test_a_reading_gives_back_its_two_parts(milliseconds: int, counter: int) -> None:
    clock = reading(milliseconds, counter)

    assert (milliseconds_of(clock), counter_of(clock)) == (milliseconds, counter)


def test_the_highest_reading_is_a_signed_64_bit_number() -> None:
    assert reading(MILLISECONDS_MAX, 0xFFFF) == INTEGER_MAX


@pytest.mark.parametrize(("milliseconds", "counter"), [(-1, 0), (MILLISECONDS_MAX + 1, 0), (0, -1), (0, 1 << 16)])
def test_a_reading_out_of_range_is_refused(milliseconds: int, counter: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        reading(milliseconds, counter)


@given(last=READINGS, wall_ms=st.integers(-(1 << 60), 1 << 60))
def test_a_tick_rises_however_the_wall_clock_jumps(last: Hlc, wall_ms: int) -> None:
    assert tick(last, wall_ms) > last


def test_a_tick_follows_a_wall_clock_that_is_ahead_and_starts_its_counter_again() -> None:
    assert tick(reading(1000, 7), 2000) == reading(2000, 0)


def test_a_full_counter_carries_into_the_milliseconds() -> None:
    assert tick(reading(1000, 0xFFFF), 1000) == reading(1001, 0)


@given(last=READINGS, stamps=st.lists(READINGS.map(Stamp)))
def test_a_clock_is_never_behind_a_stamp_that_it_saw(last: Hlc, stamps: list[Stamp]) -> None:
    assert observe(last, stamps) == max(last, *stamps, 0)
