"""When did it really happen, and how wrong is whose clock? Estimates from what an op and its request say about time.

The rule it keeps: an estimate takes the facts of one phone and the server's own clock, so a wrong clock changes no
one else's. It orders nothing and refuses nothing: stamps order, and an op of any tier is accepted.

    what is known                         estimate                              how far the truth may be from it
    sent since the same boot              receipt - (time since, by the boot)   what drift makes of that time
    sent since a later boot               wall clock - (how wrong it was        the bounds: the last server time
                                          when it sent)                         that the phone knew, and receipt
    nothing of the moment of sending      wall clock                            the same bounds

The time that a request takes to arrive comes on top of each: the server cannot see it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from gridlog_protocol.clock import ClockFacts
from gridlog_protocol.limits import CLOCK_CORRECTED_MS, CLOCK_DRIFT_PPM, CLOCK_FINE_MS


class Tier(IntEnum):
    """How far a phone's wall clock was from the estimate. Stored as a number: the worse, the higher."""

    FINE = 0
    """Within `CLOCK_FINE_MS`, and what drift explains."""
    CORRECTED = 1
    """Within `CLOCK_CORRECTED_MS`."""
    REVIEW = 2
    """Beyond, or what the phone says about time contradicts itself."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """When ops came in (the server's clock, Unix ms), and what their phone said about time as it sent them.

    `sent` is None if nobody knows: somebody else carried them, or an older app sent them.
    """

    received_ms: int
    sent: ClockFacts | None


@dataclass(frozen=True, slots=True)
class Estimate:
    """When an op happened (Unix ms), and how far the truth may be from it, the way to the server left out (ms)."""

    at_ms: int
    within_ms: int
    tier: Tier


def estimated(said: ClockFacts, arrival: Arrival, *, before: ClockFacts | None) -> Estimate:
    """Estimate when an op happened. `before` are the facts of the op that its author wrote before it, if any."""
    guess = _guess(said, arrival)
    # Whoever had heard the server's time wrote after it, and nothing is written after its own receipt.
    latest_ms = arrival.received_ms
    earliest_ms = min(said.server_ms, latest_ms)
    at_ms = min(max(guess.at_ms, earliest_ms), latest_ms)
    is_contradicted = (
        not guess.is_consistent
        or abs(at_ms - guess.at_ms) > CLOCK_FINE_MS + guess.drift_ms
        or said.server_ms > latest_ms + CLOCK_FINE_MS
        or (before is not None and _runs_backwards(before, said))
    )
    bound_ms = max(at_ms - earliest_ms, latest_ms - at_ms)
    within_ms = min(guess.drift_ms, bound_ms) if guess.is_by_boot else bound_ms
    return Estimate(at_ms, within_ms, Tier.REVIEW if is_contradicted else _tier(said.wall_ms - at_ms, guess.drift_ms))


@dataclass(frozen=True, slots=True)
class Offset:
    """How far a phone's wall clock is ahead of the server's (ms; negative: behind), and by how much this may err."""

    ahead_ms: int
    error_ms: int

    @property
    def is_beyond_doubt(self) -> bool:
        """Tell whether the clock is further off than is fine, whatever the error."""
        return abs(self.ahead_ms) > CLOCK_FINE_MS + self.error_ms


def offset_by_answer(asked: ClockFacts, answered: ClockFacts, *, server_ms: int) -> Offset:
    """Compare a phone's clock with the time that the server named in its answer.

    The server named it somewhere between asking and answer, so the middle of the two errs by half the round trip at
    most. The round trip is measured since boot: somebody may set the wall clock meanwhile. Source: F. Cristian,
    "Probabilistic clock synchronization" (1989).
    """
    error_ms = (max(answered.monotonic_ms - asked.monotonic_ms, 0) + 1) // 2
    return Offset(answered.wall_ms - server_ms - error_ms, error_ms)


def newest_offset(known: Offset | None, measured: Offset) -> Offset:
    """Return what is known after one more measurement: an answer that came very late says less than an older one."""
    return measured if known is None or measured.error_ms <= CLOCK_FINE_MS else known


@dataclass(frozen=True, slots=True)
class _Guess:
    at_ms: int
    drift_ms: int = 0
    is_by_boot: bool = False
    is_consistent: bool = True


def _guess(said: ClockFacts, arrival: Arrival) -> _Guess:
    sent = arrival.sent
    if sent is None:
        return _Guess(said.wall_ms)
    by_wall_ms = said.wall_ms - (sent.wall_ms - arrival.received_ms)
    if said.boot != sent.boot:
        return _Guess(by_wall_ms)
    since_ms = sent.monotonic_ms - said.monotonic_ms
    if since_ms < 0:
        # Later than its own sending, by a clock that nobody can set: what else it says is no better.
        return _Guess(by_wall_ms, is_consistent=False)
    drift_ms = since_ms * CLOCK_DRIFT_PPM // 1_000_000
    return _Guess(arrival.received_ms - since_ms, drift_ms, is_by_boot=True)


def _runs_backwards(before: ClockFacts, said: ClockFacts) -> bool:
    return before.boot == said.boot and said.monotonic_ms < before.monotonic_ms


def _tier(ahead_ms: int, drift_ms: int) -> Tier:
    if abs(ahead_ms) <= CLOCK_FINE_MS + drift_ms:
        return Tier.FINE
    return Tier.CORRECTED if abs(ahead_ms) <= CLOCK_CORRECTED_MS + drift_ms else Tier.REVIEW
