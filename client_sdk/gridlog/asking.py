"""A request on its way and what its answer changes, as values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from gridlog_protocol.clock import ClockFacts, Hlc
from gridlog_protocol.ids import Epoch, OpId
from gridlog_protocol.ops import Op
from gridlog_sync.session import Absorbed, Standing

from .entries import TakenAnswer


@dataclass(frozen=True, slots=True)
class Asked:
    """A request on its way: its bytes, its ops with their size before compression, what it reported, and when.

    `is_question` says that it is a step of a repair.
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


@dataclass(frozen=True)
class Answered:
    """What an answer changes: `taken` goes to the journal first, then to memory.

    `salvaged` names ops of others of which the server has now what this device held. `settle` works out what will be
    kept: that takes its time, and nobody needs it who only asks on.
    """

    absorbed: Absorbed
    salvaged: tuple[OpId, ...]
    server_ms: int
    settle: Callable[[], TakenAnswer]

    @cached_property
    def taken(self) -> TakenAnswer:
        """What is kept."""
        return self.settle()


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
