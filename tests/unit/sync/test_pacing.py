"""How much to send on a link that nobody knows, and how long to wait: bounds that hold whatever the link does."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlog_protocol.limits import BATCH_BYTES
from gridlog_sync.pacing import (
    BACKOFF_BASE_S,
    BACKOFF_CAP_S,
    CAP_BYTES,
    FLOOR_BYTES,
    RETRY_AFTER_MAX_S,
    ROUND_TRIP_BYTES,
    SLOW_S,
    START_BYTES,
    Broken,
    Pace,
    backoff_s,
)
from gridlog_sync.session import batch_of
from tests.unit.sync.building import Worker

SIZES = st.integers(0, 2 * CAP_BYTES)
SECONDS = st.floats(0, 100)
EVENTS = st.one_of(
    st.tuples(SIZES, SECONDS, st.booleans(), SECONDS),
    st.tuples(st.sampled_from(Broken), SIZES),
    st.tuples(SIZES),
)


def after(pace: Pace, event: tuple[object, ...]) -> Pace:
    match event:
        case (int(sent), float(up_s), bool(is_cut), float(down_s)):
            return pace.answered(sent_bytes=sent, up_s=up_s, is_cut=is_cut, down_s=down_s)
        case (Broken() as how, int(sent)):
            return pace.broken(how, sent_bytes=sent)
        case (int(sent),):
            return pace.refused(sent_bytes=sent)
        case _:
            raise AssertionError(event)


def carried_through(pace: Pace, bytes_per_second: int, exchanges: int = 20) -> Pace:
    """Play exchanges over a link of constant speed, always with more to send and to fetch than fits."""
    for _ in range(exchanges):
        up_s, down_s = pace.up_bytes / bytes_per_second, pace.down_bytes / bytes_per_second
        pace = pace.answered(sent_bytes=pace.up_bytes, up_s=up_s, is_cut=True, down_s=down_s)
    return pace


@given(st.lists(EVENTS, max_size=30))
def test_no_size_ever_leaves_its_bounds(events: list[tuple[object, ...]]) -> None:
    pace = Pace.fresh()
    for event in events:
        pace = after(pace, event)
        assert FLOOR_BYTES <= pace.up_bytes <= CAP_BYTES
        assert FLOOR_BYTES <= pace.down_bytes <= CAP_BYTES


@given(st.integers(FLOOR_BYTES, 1 << 22))
def test_on_a_steady_link_a_leg_comes_to_four_to_eight_seconds_or_to_a_bound(bytes_per_second: int) -> None:
    pace = carried_through(Pace.fresh(), bytes_per_second)
    assert pace.up_bytes == pace.down_bytes
    took_s = pace.up_bytes / bytes_per_second
    assert 4 <= took_s <= SLOW_S or (pace.up_bytes == CAP_BYTES and took_s < 4)
    assert carried_through(pace, bytes_per_second, 1) == pace


@given(st.lists(st.integers(1, 60_000), max_size=40), st.integers(1, CAP_BYTES))
def test_a_batch_is_a_prefix_of_what_waits_in_order_and_never_empty(sizes: list[int], bytes_max: int) -> None:
    pending = OPS[: len(sizes)]
    size = {op.id: each for op, each in zip(pending, sizes, strict=True)}
    sent = [op for run in batch_of(pending, lambda op: size[op.id], bytes_max=bytes_max) for op in run]
    assert sent == pending[: len(sent)]
    assert bool(sent) == bool(pending)
    assert len(sent) <= 1 or sum(size[op.id] for op in sent) <= bytes_max
    rest = pending[len(sent) :]
    assert not rest or sum(size[op.id] for op in [*sent, rest[0]]) > bytes_max


WORKER = Worker(1)
OPS = [WORKER.writes() for _ in range(40)]


def test_a_link_that_was_not_filled_teaches_no_larger_size() -> None:
    pace = Pace.fresh()
    assert pace.answered(sent_bytes=0, up_s=0.1, is_cut=False, down_s=0.1) == pace
    assert pace.answered(sent_bytes=START_BYTES, up_s=1.1, is_cut=False, down_s=0.1).up_bytes == 2 * START_BYTES
    quarter = START_BYTES // 4
    brisk = Pace(quarter, START_BYTES).answered(sent_bytes=quarter, up_s=1.0, is_cut=False, down_s=0.1)
    assert brisk.up_bytes == START_BYTES


def test_the_two_ways_learn_apart() -> None:
    pace = Pace.fresh().answered(sent_bytes=START_BYTES, up_s=20, is_cut=True, down_s=2)
    assert pace == Pace(START_BYTES // 2, 2 * START_BYTES)


@pytest.mark.parametrize(
    ("how", "sent", "expected"),
    [
        (Broken.BEFORE, 5000, Pace(64 << 10, 64 << 10)),
        (Broken.ASKING, 64 << 10, Pace(32 << 10, 64 << 10)),
        (Broken.ASKING, 6000, Pace(3000, 64 << 10)),
        (Broken.ASKING, 0, Pace(64 << 10, 32 << 10)),
        (Broken.ANSWERING, 6000, Pace(64 << 10, 32 << 10)),
    ],
)
def test_a_cut_halves_what_was_under_way(how: Broken, sent: int, expected: Pace) -> None:
    assert Pace(64 << 10, 64 << 10).broken(how, sent_bytes=sent) == expected


def test_the_server_is_told_of_a_room_only_while_it_is_less_than_all() -> None:
    assert Pace.fresh().room == START_BYTES
    assert Pace(START_BYTES, CAP_BYTES).room is None
    assert CAP_BYTES == BATCH_BYTES


@given(st.integers(-1000, 1 << 20))
def test_what_a_budget_allows_fits_into_it(left_bytes: int) -> None:
    pace = Pace(CAP_BYTES, CAP_BYTES).within(left_bytes)
    assert min(pace.up_bytes, pace.down_bytes) >= 1
    if left_bytes > ROUND_TRIP_BYTES + 2:
        assert pace.up_bytes + pace.down_bytes + ROUND_TRIP_BYTES <= left_bytes
    small = replace(pace, up_bytes=1, down_bytes=1)
    assert small.within(left_bytes) == small


@given(st.integers(0, 10**9), st.floats(0, 1, exclude_max=True), st.none() | st.floats(allow_nan=False))
def test_a_pause_is_never_longer_than_its_cap_and_never_shorter_than_the_server_wishes(
    failures: int, chance: float, retry_after_s: float | None
) -> None:
    pause_s = backoff_s(failures, chance=chance, retry_after_s=retry_after_s)
    wish_s = min(max(retry_after_s or 0, 0), RETRY_AFTER_MAX_S)
    assert wish_s <= pause_s <= wish_s + BACKOFF_CAP_S


def test_pauses_grow_with_failures_and_spread_over_their_whole_length() -> None:
    assert [backoff_s(failures, chance=0.5) for failures in (1, 2, 3)] == [1, 2, 4]
    assert backoff_s(1, chance=0) == 0
    assert backoff_s(1, chance=0.999) == pytest.approx(BACKOFF_BASE_S, rel=0.01)
    assert backoff_s(40, chance=0.5) == BACKOFF_CAP_S / 2
