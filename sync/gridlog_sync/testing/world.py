"""Virtual time: what happens when, and the trace of it.

The rule it keeps: one seed decides everything. Things due at the same instant happen in the order in which they were
planned, and the hash over all that was noted tells whether two runs were the same. A limit on steps, because a bug
may loop for ever.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field


class EndlessWorldError(Exception):
    """More steps than any world needs: something keeps planning the next one."""


@dataclass(order=True, slots=True)
class _Planned:
    at_ms: int
    number: int
    act: Callable[[], None] = field(compare=False)


class World:
    """The clock on the wall of the world, and the queue of what is to happen."""

    def __init__(
        self, start_ms: int, *, steps_max: int, grain_ms: int = 1, listener: Callable[[str], None] | None = None
    ) -> None:
        """`grain_ms` makes time coarse, so that many things happen in the same instant."""
        self.now_ms = start_ms
        self.start_ms = start_ms
        self.steps = 0
        self._steps_max = steps_max
        self._grain_ms = grain_ms
        self._listener = listener
        self._planned: list[_Planned] = []
        self._number = 0
        self._trace = hashlib.sha256()

    def after(self, delay_ms: int, act: Callable[[], None]) -> None:
        """Plan something."""
        self._number += 1
        delay_ms = -(-max(0, delay_ms) // self._grain_ms) * self._grain_ms
        heapq.heappush(self._planned, _Planned(self.now_ms + delay_ms, self._number, act))

    def note(self, *facts: object) -> None:
        """Write what happened into the trace."""
        line = " ".join((f"{(self.now_ms - self.start_ms) / 1000:9.3f}", *map(str, facts)))
        self._trace.update(line.encode() + b"\n")
        if self._listener is not None:
            self._listener(line)

    def run(self, until_ms: int) -> None:
        """Let everything happen that is due until then. Raises EndlessWorldError."""
        while self._planned and self._planned[0].at_ms <= until_ms:
            self.steps += 1
            if self.steps > self._steps_max:
                raise EndlessWorldError(f"more than {self._steps_max} steps")
            planned = heapq.heappop(self._planned)
            self.now_ms = planned.at_ms
            planned.act()
        self.now_ms = max(self.now_ms, until_ms)

    @property
    def trace_hash(self) -> str:
        """Return the hash over everything noted so far."""
        return self._trace.hexdigest()
