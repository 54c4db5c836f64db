"""Run coroutines without an event loop: the world's queue decides when each goes on, so a seed decides everything."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import Any


class Reply:
    """What a coroutine waits for: bytes that may never come."""

    def __init__(self) -> None:
        self._value: bytes | None = None

    def __await__(self) -> Generator[Reply, None, bytes]:
        """Wait until somebody answers."""
        yield self
        assert self._value is not None, "a reply goes on only with its answer"
        return self._value

    def answer(self, value: bytes) -> None:
        """Say what the coroutine gets when it goes on."""
        self._value = value


class Running:
    """A coroutine that waits for replies. `is_over` tells whether it has ended, one way or the other."""

    def __init__(self, coroutine: Coroutine[Any, Any, object], ended: Callable[[Exception | None], None]) -> None:
        self._coroutine = coroutine
        self._ended = ended
        self.waits_for: Reply | None = None
        self.is_over = False

    def go_on(self, failure: Exception | None = None) -> None:
        """Go on with the reply, or with the failure to get one."""
        self.waits_for = None
        try:
            while self.waits_for is None:
                waited = self._coroutine.throw(failure) if failure else self._coroutine.send(None)
                failure = None
                self.waits_for = waited
        except StopIteration:
            self.is_over = True
            self._ended(None)
        except Exception as reason:  # noqa: BLE001 - handed to whoever started it, who knows what to expect.
            self.is_over = True
            self._ended(reason)

    def drop(self) -> None:
        """Forget it in the middle: the process died."""
        self.is_over = True
        self.waits_for = None
        self._coroutine.close()
