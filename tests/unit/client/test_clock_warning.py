"""A worker is warned of a wrong clock in plain words, and the flash is spared what he would not notice."""

from __future__ import annotations

import pytest

from gridlog.clock_warning import clock_warning, is_worth_keeping
from gridlog_sync.clocks import Offset

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
RIGHT, HOUR_AHEAD = Offset(50, 100), Offset(HOUR_MS, 100)


@pytest.mark.parametrize(
    ("ahead_ms", "zh", "en"),
    [
        (72 * HOUR_MS, "快约 3 天", "about 3 days ahead of"),
        (-26 * HOUR_MS, "慢约 26 小时", "about 26 hours behind"),
        (10 * MINUTE_MS + 20_000, "快约 10 分钟", "about 10 minutes ahead of"),
    ],
)
def test_the_warning_says_how_wrong_the_clock_is_and_that_nothing_is_lost(ahead_ms: int, zh: str, en: str) -> None:
    text = clock_warning(Offset(ahead_ms, 0))
    assert text is not None
    assert zh in text.zh
    assert "不会丢失" in text.zh
    assert en in text.en
    assert "Nothing is lost" in text.en


@pytest.mark.parametrize("offset", [None, RIGHT, Offset(5 * MINUTE_MS, 3 * MINUTE_MS)])
def test_nobody_is_warned_of_what_may_be_right(offset: Offset | None) -> None:
    assert clock_warning(offset) is None


@pytest.mark.parametrize(
    ("offset", "on_disk", "is_worth"),
    [
        (None, None, False),
        (RIGHT, None, False),
        (RIGHT, Offset(-700, 90), False),
        (HOUR_AHEAD, None, True),
        (HOUR_AHEAD, RIGHT, True),
        (RIGHT, HOUR_AHEAD, True),
        (HOUR_AHEAD, Offset(HOUR_MS + MINUTE_MS, 100), False),
        (HOUR_AHEAD, Offset(2 * HOUR_MS, 100), True),
    ],
)
def test_an_offset_is_written_only_if_the_worker_would_read_something_else(
    offset: Offset | None, on_disk: Offset | None, *, is_worth: bool
) -> None:
    assert is_worth_keeping(offset, on_disk) is is_worth
