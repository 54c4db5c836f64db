"""Protocol versions, each with its date, and how two sides agree on one.

The version is the first byte of every envelope. A change that an older reader would misread needs a new number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

V1: Final = 1
"""2026-11-22. The first version."""

SPOKEN: Final[tuple[int, ...]] = (V1,)
"""What this code reads and writes, oldest first."""


def negotiate(theirs: Sequence[int], ours: Sequence[int] = SPOKEN) -> int | None:
    """Return the highest version both sides speak, or None."""
    return max(set(theirs) & set(ours), default=None)
