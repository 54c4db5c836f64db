"""A request on its way and what its answer changes, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import ClockFacts, Hlc
from gridlog_protocol.ids import Epoch, OpId
from gridlog_protocol.ops import Op
from gridlog_sync.session import Absorbed, Standing

from .entries import TakenAnswer


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way: its bytes, its ops with their size before compression, what it reported, and when.

    `is_question` says that it is a step of a repair; `about` is all that the device said of itself, then or before.
    """

    raw: bytes
    sent: tuple[Op, ...]
    sent_bytes: int
    counter: int
    status: dict[str, int | str]
    clock: ClockFacts
    epoch: Epoch
    salvaged: tuple[OpId, ...]
    is_question: bool
    about: Mapping[str, Value]


@dataclass(slots=True)
class Answered:
    """What an answer changes: `taken` goes to the journal first, then to memory.

    `salvaged` names ops of others of which the server has now what this device held; `order` is the counter of an
    order to be kept, 0 if there was none. `settle` works out what will be
    kept: that takes its time, and nobody needs it who only asks on.
    """

    absorbed: Absorbed
    salvaged: tuple[OpId, ...]
    server_ms: int
    settle: Callable[[], TakenAnswer]
    order: int
    _taken: TakenAnswer | None = None

    @property
    def taken(self) -> TakenAnswer:
        """What is kept."""
        # No `cached_property`: until Python 3.12 all stores of a process would wait for each other in it.
        if self._taken is None:
            self._taken = self.settle()
        return self._taken


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a request is composed from. `waiting` counts all pending ops, those that are not `sendable` now too."""

    standing: Standing
    sendable: Sequence[Op]
    waiting: int
    held: int
    hlc: Hlc
    server_ms: int
    counter: int
