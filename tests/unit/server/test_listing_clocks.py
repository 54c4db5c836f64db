"""What an administrator reads about clocks: nothing of fine ones, and of others how wrong and how well known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridlog_protocol.texts import Language
from gridlog_server.listing_clocks import discrepancy
from gridlog_sync.clocks import Estimate, Tier
from tests.contracts.facts import accepted, an_op

HOUR_MS = 3_600_000


def said(tier: Tier, language: Language, *, off_ms: int, within_ms: int = 0) -> str:
    stored = accepted(an_op(1), 1)
    at_ms = stored.op.clock.wall_ms - off_ms
    return discrepancy(replace(stored, when=Estimate(at_ms, within_ms, tier)), language)


def test_of_a_fine_clock_nothing_is_said() -> None:
    assert said(Tier.FINE, "zh", off_ms=60_000, within_ms=9 * HOUR_MS) == ""


@pytest.mark.parametrize(
    ("language", "tier", "off_ms", "within_ms", "begins", "ends"),
    [
        ("zh", Tier.REVIEW, 72 * HOUR_MS, 0, "⚠ 需核查：手机显示 ", "，快 3 天"),
        ("zh", Tier.CORRECTED, -HOUR_MS // 2, 5 * HOUR_MS, "有偏差：手机显示 ", "，慢 30 分钟，估计可差 5 小时"),
        ("en", Tier.REVIEW, -26 * HOUR_MS, 0, "⚠ review: phone said ", ", 26 hours behind"),
        ("en", Tier.CORRECTED, HOUR_MS, 5 * HOUR_MS, "corrected: ", "60 minutes ahead, give or take 5 hours"),
    ],
)
def test_of_a_wrong_clock_it_is_said_how_wrong_and_how_well_that_is_known(
    language: Language, tier: Tier, off_ms: int, within_ms: int, begins: str, ends: str
) -> None:
    text = said(tier, language, off_ms=off_ms, within_ms=within_ms)
    assert text.startswith(begins)
    assert text.endswith(ends)
