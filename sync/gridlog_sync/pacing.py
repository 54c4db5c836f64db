"""How much to send and to ask for next on a link nobody knows, and how long to wait after a failure.

The rules it keeps: no size leaves its bounds, whatever the link does; a size grows only after it was used and came
through in time. Pure: durations (seconds), chance and what happened are arguments.

    START --full, within 4 s--> doubled --...--> CAP     (within 1 s: quadrupled)
      |                            |
      +---- cut, or above 8 s: halved ----> ... FLOOR
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from gridlog_protocol.limits import BATCH_BYTES

START_BYTES = 72 << 10
"""What a link that nobody knows is trusted with: compressed, some 10 KB, or two seconds of a very bad one. A hundred
notes fit into it, which is more than most phones have when they come back."""

FLOOR_BYTES = 1 << 10
"""Below this the envelope weighs more than what it carries."""

CAP_BYTES = BATCH_BYTES
"""From here on sizes gain nothing, and a cut loses more."""

BRISK_S, SLOW_S = 4.0, 8.0
"""A leg of an exchange should take this long: shorter wastes round trips, longer loses too much with a cut."""

FAST_S = 1.0
"""What took no longer than this may be four times as large, and still takes no longer than it should."""

ROUND_TRIP_BYTES = 800
"""What a round trip costs beside what it carries: two envelopes, a segment's header, acknowledgements, a receipt."""

BACKOFF_BASE_S = 2.0
"""The first pause is at most this long: most cuts are over when the worker has left the lift."""

BACKOFF_CAP_S = 300.0
"""No pause is longer: a worker who walks back into coverage should not wait more than five minutes."""

RETRY_AFTER_MAX_S = 3600.0
"""A server's wish is obeyed up to an hour. It comes unsigned: whoever stands between must not silence a device."""


class Broken(Enum):
    """How far an exchange had come when its link broke."""

    BEFORE = "nothing was sent"
    ASKING = "the request was sent, at least in part, and nothing of an answer came"
    ANSWERING = "a part of the answer came"


@dataclass(frozen=True, slots=True)
class Pace:
    """How many bytes the next request may carry, and how many of records its answer: before compression, both."""

    up_bytes: int
    down_bytes: int

    @staticmethod
    def fresh() -> Pace:
        """Return the pace for a link that nobody knows."""
        return Pace(START_BYTES, START_BYTES)

    @property
    def room(self) -> int | None:
        """What to tell the server: None at the cap, where it need not hold back."""
        return self.down_bytes if self.down_bytes < CAP_BYTES else None

    def answered(self, *, sent_bytes: int, up_s: float, is_cut: bool, down_s: float) -> Pace:
        """Learn from an exchange that came through: `is_cut` says that the answer was full and more waits."""
        return Pace(
            _learned(self.up_bytes, up_s, is_full=2 * sent_bytes >= self.up_bytes),
            _learned(self.down_bytes, down_s, is_full=is_cut),
        )

    def broken(self, how: Broken, *, sent_bytes: int) -> Pace:
        """Learn from an exchange that did not. A server that nobody could reach teaches nothing about sizes."""
        match how:
            case Broken.BEFORE:
                return self
            case Broken.ASKING if sent_bytes:
                return self.refused(sent_bytes=sent_bytes)
            case Broken.ASKING | Broken.ANSWERING:
                return replace(self, down_bytes=_bounded(self.down_bytes // 2))

    def refused(self, *, sent_bytes: int) -> Pace:
        """Send less than what was too much: half of what was really sent, if that is less than was allowed."""
        return replace(self, up_bytes=_bounded(min(self.up_bytes, sent_bytes) // 2))

    def within(self, left_bytes: int) -> Pace:
        """Return a pace that leaves `left_bytes` unspent, as far as can be told beforehand: half for each way."""
        share = max(1, (left_bytes - ROUND_TRIP_BYTES) // 2)
        return Pace(min(self.up_bytes, share), min(self.down_bytes, share))


def backoff_s(failures: int, *, chance: float, retry_after_s: float | None = None) -> float:
    """Return how long to wait after so many failures in a row. `chance` is in [0, 1).

    Exponential with full jitter, after Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015:
    phones that lost the same mast must not all come back in the same second. A server's wish comes first, and the
    jitter on top of it.
    """
    # Beyond 2^16 the cap has long decided, and a float would overflow in the end.
    most = min(BACKOFF_CAP_S, BACKOFF_BASE_S * (1 << min(max(failures - 1, 0), 16)))
    wish = min(max(retry_after_s, 0.0), RETRY_AFTER_MAX_S) if retry_after_s is not None else 0.0
    return wish + chance * most


def _learned(allowed: int, took_s: float, *, is_full: bool) -> int:
    if took_s > SLOW_S:
        return _bounded(allowed // 2)
    if is_full and took_s <= BRISK_S:
        return _bounded(allowed * (4 if took_s <= FAST_S else 2))
    return allowed


def _bounded(size: int) -> int:
    return max(FLOOR_BYTES, min(size, CAP_BYTES))
