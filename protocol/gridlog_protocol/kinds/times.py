"""Read moments and days as numbers that can be compared. Pure: the clock is the caller's.

One text form only, so that equal times from one place are equal bytes: seconds, and a numeric offset.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_UNIX_START = datetime(1970, 1, 1, tzinfo=UTC)
_UNIX_START_DAY = _UNIX_START.date().toordinal()


def moment_ms(value: object) -> int | None:
    """Return the Unix milliseconds of a moment, or None if it is not one."""
    # `-00:00` would be a second way to write `+00:00`.
    if not isinstance(value, str) or not _MOMENT.fullmatch(value) or value.endswith("-00:00"):
        return None
    try:
        return (datetime.fromisoformat(value) - _UNIX_START) // timedelta(milliseconds=1)
    except ValueError:
        return None


def moment_text(milliseconds: int) -> str:
    """Return Unix milliseconds as a moment in UTC, to the second."""
    return (_UNIX_START + timedelta(seconds=milliseconds // 1000)).isoformat(timespec="seconds")


def day_number(value: object) -> int | None:
    """Return the days from 1970-01-01 to a day, or None if it is not one."""
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value).toordinal() - _UNIX_START_DAY
    except ValueError:
        return None


def elapsed_ms(first: object, then: object) -> int | None:
    """Return how long after `first` `then` comes, or None if either is not a time.

    Beside a day, a moment counts as the day on the calendar of whoever wrote it.
    """
    first_ms, then_ms = moment_ms(first), moment_ms(then)
    if first_ms is not None and then_ms is not None:
        return then_ms - first_ms
    first_day, then_day = _calendar_day(first, first_ms), _calendar_day(then, then_ms)
    if first_day is None or then_day is None:
        return None
    return (then_day - first_day) * DAY_MS


def _calendar_day(value: object, value_ms: int | None) -> int | None:
    return day_number(str(value)[:10]) if value_ms is not None else day_number(value)
