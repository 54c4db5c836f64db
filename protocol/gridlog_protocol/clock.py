"""The hybrid logical clock, and what an op says about time.

Order among concurrent writers comes from stamps, never from a wall clock: a phone three days ahead must not win
every conflict. A clock reading is one integer: 48 bits of Unix milliseconds, then a 16-bit counter.

Source: Kulkarni, Demirbas et al., "Logical Physical Clocks and Consistent Snapshots in Globally Distributed
Databases" (2014), with the layout of a 64-bit timestamp from section 6 of that paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NewType

Hlc = NewType("Hlc", int)
"""What a device claims: `milliseconds << 16 | counter`."""

Stamp = NewType("Stamp", int)
"""What the server made of the claim, once, at acceptance. Only stamps order anything."""

BOOT_ID_BYTES = 8
COUNTER_BITS = 16
MILLISECONDS_MAX = (1 << 47) - 1
"""Year 6429. A reading stays below 2^63, so that every store and language can hold it as a signed integer."""


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """Everything an op claims about time: evidence, from which the server estimates when it really happened.

    `wall_ms` is what the phone's clock said, `monotonic_ms` the time since the boot named by `boot` (8 random
    bytes), `server_ms` the last server time the phone knew (0 if none). All in milliseconds.
    """

    hlc: Hlc
    wall_ms: int
    boot: bytes
    monotonic_ms: int
    server_ms: int


def reading(milliseconds: int, counter: int = 0) -> Hlc:
    """Compose a clock reading. Raises ValueError outside 47 bits of milliseconds or 16 bits of counter."""
    if not 0 <= milliseconds <= MILLISECONDS_MAX or not 0 <= counter < 1 << COUNTER_BITS:
        raise ValueError("clock reading out of range")
    return Hlc(milliseconds << COUNTER_BITS | counter)


def milliseconds_of(clock: int) -> int:
    """Return the Unix milliseconds of a reading or stamp."""
    return clock >> COUNTER_BITS


def counter_of(clock: int) -> int:
    """Return the counter of a reading or stamp."""
    return clock & ((1 << COUNTER_BITS) - 1)


def tick(last: Hlc, wall_ms: int) -> Hlc:
    """Return the reading for a new event: above `last`, and at the wall clock if that is later.

    A full counter carries into the milliseconds, so the result always rises.
    """
    return Hlc(max(int(last) + 1, reading(min(max(wall_ms, 0), MILLISECONDS_MAX))))


def observe(last: Hlc, stamps: Iterable[Stamp]) -> Hlc:
    """Return a clock that is not behind anything received.

    Only stamps are taken in. The server bounds them by its own time, so no wrong phone drives others ahead.
    """
    return Hlc(max(last, *stamps, 0))
