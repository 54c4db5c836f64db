"""Refusals that come in the clear: advice of whoever answers, never an order."""

from __future__ import annotations

import pytest

from gridlog import RefusedError
from gridlog_protocol.errors import Recovery

BUSY = b'{"code": "unavailable"}'


@pytest.mark.parametrize(("header", "seconds"), [("30", 30.0), ("0", 0.0), ("999999999", 999_999_999.0)])
def test_a_busy_server_says_how_long_to_wait(header: str, seconds: float) -> None:
    assert RefusedError.from_problem(BUSY, retry_after=header).retry_after_s == seconds


@pytest.mark.parametrize("header", [None, "", "-5", "1e9", "٣", "9999999999", "Sun, 22 Nov 2026 08:00:00 GMT"])
def test_a_wish_in_any_other_form_is_none(header: str | None) -> None:
    assert RefusedError.from_problem(BUSY, retry_after=header).retry_after_s is None


def test_only_who_says_later_is_waited_for() -> None:
    refused = RefusedError.from_problem(b'{"code": "revoked"}', retry_after="30")
    assert (refused.recovery, refused.retry_after_s) == (Recovery.REPORT, None)
