"""Slow down whoever guesses passwords, by account and by address. In memory, and bounded.

The rule it keeps: an attempt is counted before it is tried, so that a hundred at once are a hundred attempts. Nobody
is shut out for good: a stranger's guesses must not keep a supervisor from work for longer than a minute.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

_KEYS_MAX: Final = 10_000
_FORGOTTEN_AFTER_MS: Final = 30 * 60_000
_FIRST_PAUSE_MS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Patience:
    """After `free` attempts that failed each further one is followed by a pause, twice as long as the last."""

    free: int
    pause_ms_max: int


OF_ACCOUNT: Final = Patience(free=4, pause_ms_max=60_000)
OF_ADDRESS: Final = Patience(free=20, pause_ms_max=15 * 60_000)


@dataclass(slots=True)
class _Failures:
    count: int = 0
    last_ms: int = 0


class Guesses:
    """Attempts that failed, by whatever they were aimed at or came from."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures: OrderedDict[bytes, _Failures] = OrderedDict()

    def may_try(self, key: str, now_ms: int) -> bool:
        """Tell whether an attempt may be made now; if so, it counts as failed until `forgive`."""
        hashed = _hashed(key)
        failures = self._failures.get(hashed)
        if failures is not None and not 0 <= now_ms - failures.last_ms < _FORGOTTEN_AFTER_MS:
            del self._failures[hashed]
            failures = None
        if failures is not None and now_ms - failures.last_ms < self._pause_ms(failures.count):
            return False
        failures = failures or _Failures()
        failures.count += 1
        failures.last_ms = now_ms
        self._failures[hashed] = failures
        self._failures.move_to_end(hashed)
        if len(self._failures) > _KEYS_MAX:
            # The one that has been quiet for longest: its pause is over, or nearly.
            self._failures.popitem(last=False)
        return True

    def forget(self, key: str) -> None:
        """Forget all failures: the right password came."""
        self._failures.pop(_hashed(key), None)

    def forgive(self, key: str) -> None:
        """Take one attempt back: it did not fail."""
        failures = self._failures.get(_hashed(key))
        if failures is not None:
            failures.count -= 1

    def __len__(self) -> int:
        return len(self._failures)

    def _pause_ms(self, count: int) -> int:
        beyond = count - self._patience.free
        if beyond < 0:
            return 0
        # The exponent is bounded: a number of thousands of digits would be a pause of its own.
        return min(_FIRST_PAUSE_MS << min(beyond, 20), self._patience.pause_ms_max)


def _hashed(key: str) -> bytes:
    # Keys are typed by strangers: of whatever length.
    return hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=16).digest()
