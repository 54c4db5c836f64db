"""What the simulated world needs of chance. `random.Random(seed)` of the standard library fits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")


class Dice(Protocol):
    """Seeded throws: whoever has the seed sees the same ones."""

    def random(self) -> float:
        """Return a number from 0 up to, but without, 1."""
        ...

    def randint(self, a: int, b: int) -> int:
        """Return a whole number from `a` to `b`, both included."""
        ...

    def uniform(self, a: float, b: float) -> float:
        """Return a number between `a` and `b`."""
        ...

    def choice(self, seq: Sequence[T]) -> T:
        """Return one of these."""
        ...

    def randbytes(self, n: int) -> bytes:
        """Return `n` bytes."""
        ...


def is_so(dice: Dice, rate: float) -> bool:
    """Throw for something that happens in this share of cases, also if the share is 0."""
    return dice.random() < rate
