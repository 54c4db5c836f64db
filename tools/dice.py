"""Seeded dice for invented worlds: whoever has the seed sees the same throws."""

from __future__ import annotations

from random import Random


def dice(seed: int, *purpose: str) -> Random:
    """Return dice for one purpose. Throws for one purpose do not shift those for another."""
    return Random("/".join((str(seed), *purpose)))
