"""The clock of a phone: wrong by an offset, drifting, set by hand; and the time since boot, which nobody can set."""

from __future__ import annotations

from dataclasses import dataclass

from gridlog_protocol.clock import ClockFacts, reading
from gridlog_protocol.limits import CLOCK_DRIFT_PPM

from .dice import Dice, is_so

DAY_MS = 86_400_000
OFFSET_DAYS_MAX = 30


@dataclass(slots=True)
class PhoneClock:
    """What a phone believes, given the world's true time. One crystal drives both clocks, so both drift alike.

    `settings` counts how often the wall clock was set.
    """

    offset_ms: int
    drift_ppm: int
    begun_ms: int
    boot: bytes
    booted_ms: int
    settings: int = 0

    @staticmethod
    def drawn(dice: Dice, now_ms: int, *, is_wrong: bool) -> PhoneClock:
        """Draw a phone's clock: right to the millisecond, or wrong in some way."""
        offset_ms = drawn_offset_ms(dice) if is_wrong else 0
        drift_ppm = dice.randint(-CLOCK_DRIFT_PPM, CLOCK_DRIFT_PPM) if is_wrong else 0
        return PhoneClock(offset_ms, drift_ppm, now_ms, dice.randbytes(8), now_ms - dice.randint(0, DAY_MS))

    def wall_ms(self, now_ms: int) -> int:
        """Return what the screen shows."""
        return now_ms + self.offset_ms + (now_ms - self.begun_ms) * self.drift_ppm // 1_000_000

    def since_boot_ms(self, now_ms: int) -> int:
        """Return the time since boot."""
        since_ms = now_ms - self.booted_ms
        return since_ms + since_ms * self.drift_ppm // 1_000_000

    def facts(self, now_ms: int, *, server_ms: int) -> ClockFacts:
        """Return what the phone says about this moment, with a clock reading that takes nothing else in."""
        wall_ms = self.wall_ms(now_ms)
        return ClockFacts(reading(wall_ms), wall_ms, self.boot, self.since_boot_ms(now_ms), server_ms)

    def set_by_hand(self, dice: Dice) -> None:
        """Step: somebody sets the clock, or the network does."""
        self.offset_ms = drawn_offset_ms(dice)
        self.settings += 1

    def reboot(self, dice: Dice, now_ms: int) -> None:
        """Begin a new boot."""
        self.boot, self.booted_ms = dice.randbytes(8), now_ms


def drawn_offset_ms(dice: Dice) -> int:
    """Draw how wrong a clock is: mostly a little, sometimes by weeks, in either direction."""
    if is_so(dice, 0.3):
        return 0
    reach_ms = dice.choice((2_000, 120_000, DAY_MS, OFFSET_DAYS_MAX * DAY_MS))
    return dice.randint(-reach_ms, reach_ms)
