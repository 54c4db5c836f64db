"""Refusals that come in the clear: advice of whoever answers, never an order."""

from __future__ import annotations

import pytest

from gridlog import RefusedError
from gridlog_protocol.errors import Recovery

BUSY = b'{"code": "unavailable"}'


def read(content: bytes, *, retry_after: str | None = None) -> RefusedError:
    refused = RefusedError.from_problem(content, retry_after=retry_after)
    assert refused is not None
    return refused


@pytest.mark.parametrize(("header", "seconds"), [("30", 30.0), ("0", 0.0), ("999999999", 999_999_999.0)])
def test_a_busy_server_says_how_long_to_wait(header: str, seconds: float) -> None:
    assert read(BUSY, retry_after=header).retry_after_s == seconds


@pytest.mark.parametrize("header", [None, "", "-5", "1e9", "٣", "9999999999", "Sun, 22 Nov 2026 08:00:00 GMT"])
def test_a_wish_in_any_other_form_is_none(header: str | None) -> None:
    assert read(BUSY, retry_after=header).retry_after_s is None


def test_only_who_says_later_is_waited_for() -> None:
    refused = read(b'{"code": "revoked"}', retry_after="30")
    assert (refused.recovery, refused.retry_after_s) == (Recovery.REPORT, None)


@pytest.mark.parametrize(
    "content",
    [b'{"title": "Bad Gateway", "status": 502}', b'{"code": "made_up"}', b"<html>", b"[" * 200_000, b'{"code": 7}'],
)
def test_a_problem_that_is_not_our_servers_is_no_refusal(content: bytes) -> None:
    assert RefusedError.from_problem(content) is None
