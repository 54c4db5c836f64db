"""The clock of a phone: wrong by an offset, drifting, set by hand; and the time since boot, which nobody can set."""

from __future__ import annotations

from dataclasses import dataclass

from .dice import Dice, is_so

DAY_MS = 86_400_000
OFFSET_DAYS_MAX = 30
DRIFT_PPM_MAX = 200


@dataclass(slots=True)
class PhoneClock:
    """What a phone believes, given the world's true time."""

    offset_ms: int
    drift_ppm: int
    begun_ms: int
    boot: bytes
    booted_ms: int

    @staticmethod
    def drawn(dice: Dice, now_ms: int, *, is_wrong: bool) -> PhoneClock:
        """Draw a phone's clock: right to the millisecond, or wrong in some way."""
        offset_ms = drawn_offset_ms(dice) if is_wrong else 0
        drift_ppm = dice.randint(-DRIFT_PPM_MAX, DRIFT_PPM_MAX) if is_wrong else 0
        return PhoneClock(offset_ms, drift_ppm, now_ms, dice.randbytes(8), now_ms - dice.randint(0, DAY_MS))

    def wall_ms(self, now_ms: int) -> int:
        """Return what the screen shows."""
        return now_ms + self.offset_ms + (now_ms - self.begun_ms) * self.drift_ppm // 1_000_000

    def since_boot_ms(self, now_ms: int) -> int:
        """Return the time since boot."""
        return now_ms - self.booted_ms

    def set_by_hand(self, dice: Dice) -> None:
        """Step: somebody sets the clock, or the network does."""
        self.offset_ms = drawn_offset_ms(dice)

    def reboot(self, dice: Dice, now_ms: int) -> None:
        """Begin a new boot."""
        self.boot, self.booted_ms = dice.randbytes(8), now_ms


def drawn_offset_ms(dice: Dice) -> int:
    """Draw how wrong a clock is: mostly a little, sometimes by weeks, in either direction."""
    if is_so(dice, 0.3):
        return 0
    reach_ms = dice.choice((2_000, 120_000, DAY_MS, OFFSET_DAYS_MAX * DAY_MS))
    return dice.randint(-reach_ms, reach_ms)
