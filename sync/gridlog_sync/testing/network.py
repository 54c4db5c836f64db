"""A bad network: what is sent may be lost, doubled, late, cut short, or go one way only. Each seed draws its own.

A partition is asymmetric: requests may pass while no answer does, which is when a server knows what its device does
not. Doubled bytes come late, sometimes very late: a courier is no different.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from .dice import Dice, is_so
from .world import World

COURIER_MS_MAX = 300_000


class Leg(Enum):
    """Which way bytes go."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class NetworkFaults:
    """How bad it is: shares of messages, and the reach of delays."""

    loss: float
    doubling: float
    truncation: float
    latency_ms_min: int
    latency_ms_max: int

    @staticmethod
    def drawn(dice: Dice) -> NetworkFaults:
        """Draw how bad it is in one world."""
        low_ms = dice.choice((50, 200, 1000))
        return NetworkFaults(
            dice.choice((0.0, dice.uniform(0, 0.3))),
            dice.choice((0.0, dice.uniform(0, 0.5))),
            dice.choice((0.0, dice.uniform(0, 0.1))),
            low_ms,
            dice.randint(low_ms, 5000),
        )


GOOD_NETWORK = NetworkFaults(0.0, 0.0, 0.0, 50, 50)


class Network:
    """Carries bytes between devices, each on a line of its own, and the server."""

    def __init__(self, world: World, dice: Dice, faults: NetworkFaults) -> None:
        self._world = world
        self._dice = dice
        self.faults = faults
        self._cut: set[tuple[str, Leg]] = set()

    def carry(self, line: str, leg: Leg, raw: bytes, deliver: Callable[[bytes], None]) -> None:
        """Send bytes. They arrive once, twice, late, short, or not at all."""
        copies = 1 + is_so(self._dice, self.faults.doubling)
        for number in range(copies):
            is_lost = is_so(self._dice, self.faults.loss)
            is_short = is_so(self._dice, self.faults.truncation)
            delay_ms = self._dice.randint(self.faults.latency_ms_min, self.faults.latency_ms_max)
            delay_ms += number * self._dice.randint(0, self._dice.choice((1000, 20_000, COURIER_MS_MAX)))
            if is_lost or (line, leg) in self._cut:
                self._world.note(line, leg.value, "lost")
                continue
            arriving = raw[: self._dice.randint(0, len(raw) - 1)] if is_short and leg is Leg.DOWN else raw
            self._world.after(delay_ms, lambda arriving=arriving: deliver(arriving))  # type: ignore[misc]

    def cut(self, line: str, leg: Leg) -> None:
        """Let nothing pass this way."""
        self._cut.add((line, leg))
        self._world.note(line, leg.value, "cut")

    def mend(self, line: str, leg: Leg) -> None:
        """Let everything pass again."""
        self._cut.discard((line, leg))
        self._world.note(line, leg.value, "mended")

    def heal(self) -> None:
        """End all faults."""
        self._cut.clear()
        self.faults = GOOD_NETWORK
