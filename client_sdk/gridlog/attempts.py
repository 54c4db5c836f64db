"""How many PINs may be tried, and how long the next one waits. Pure: the caller counts, durably, before it tries.

The count is what holds. The delays go by the device's clock, which a thief can set ahead: they slow him down, the ten
attempts stop him. Set back, the clock makes nobody wait for ever: the delay begins again at what it says now.
"""

from __future__ import annotations

ATTEMPTS_MAX = 10
"""After so many wrong PINs in a row the PIN's slot is destroyed."""

_DELAYS_S = (0, 0, 0, 30, 60, 300, 900, 1800, 3600, 3600)


def delay_s(attempts: int) -> int:
    """Return how many seconds lie between the last of `attempts` wrong PINs and the next try."""
    return _DELAYS_S[min(attempts, ATTEMPTS_MAX - 1)]


def wait_s(attempts: int, *, last_ms: int, now_ms: int) -> int:
    """Return how many seconds are left until the next try; the last one began at `last_ms` (Unix milliseconds)."""
    left_ms = last_ms + delay_s(attempts) * 1000 - max(now_ms, last_ms)
    return max(0, -(-left_ms // 1000))


def is_clock_behind(attempts: int, *, last_ms: int, now_ms: int) -> bool:
    """Tell whether a delay would never end, because the clock was set back since it began."""
    return delay_s(attempts) > 0 and now_ms < last_ms
