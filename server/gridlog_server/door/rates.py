"""Decide whether an address may ask again. Pure: the time is an argument.

The generic cell rate algorithm (ITU-T I.371): one number for each address, the time at which its bucket
is full again.
"""

from __future__ import annotations

from collections import OrderedDict

ADDRESSES_MAX = 100_000
"""Addresses remembered: 20 MB. Beyond, whoever asked least recently is forgotten, and begins with a full bucket."""


class Rates:
    """The buckets of all addresses that asked lately."""

    def __init__(self, *, per_minute: int, burst: int) -> None:
        self._interval_s = 60 / per_minute
        self._tolerance_s = self._interval_s * (burst - 1)
        self._full_at_s: OrderedDict[int, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at_s)

    def wait_s(self, address: int, *, now_s: float) -> float:
        """Take one request from the bucket and return 0, or return in how many seconds there is one."""
        full_at_s = max(self._full_at_s.get(address, now_s), now_s)
        wait_s = full_at_s - self._tolerance_s - now_s
        if wait_s > 0:
            return wait_s
        self._full_at_s[address] = full_at_s + self._interval_s
        self._full_at_s.move_to_end(address)
        self._forget(now_s)
        return 0.0

    def _forget(self, now_s: float) -> None:
        # A full bucket is no different from none. Two at a time: more go than come.
        for _ in range(2):
            oldest = next(iter(self._full_at_s))
            if self._full_at_s[oldest] > now_s and len(self._full_at_s) <= ADDRESSES_MAX:
                break
            del self._full_at_s[oldest]
