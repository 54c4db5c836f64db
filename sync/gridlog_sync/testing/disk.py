"""A modelled disk: what is durable, and what was written but not synced, which a crash keeps, loses, or tears.

Chunks are framed, so that a reader after a crash finds whole chunks only, as a database with a journal does. Every
write and every sync is a moment at which the phone may die, or the disk be full.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from enum import Enum

from .dice import Dice

_CHECK_BYTES = 8
_LENGTH_BYTES = 4


class DiskWorldError(Exception):
    """Base of what a disk can do to its writer."""


class PowerCutError(DiskWorldError):
    """The phone died in the middle of it. Whoever was waiting never hears anything."""


class NoSpaceError(DiskWorldError):
    """The disk is full: nothing of this write is there."""


class Fate(Enum):
    """What becomes of one disk operation."""

    DONE = "done"
    POWER_CUT = "power cut"
    NO_SPACE = "no space"


class Disk:
    """One append-only file. `fate` is asked at every operation."""

    def __init__(self, dice: Dice, fate: Callable[[], Fate], content: bytes = b"") -> None:
        self._dice = dice
        self._fate = fate
        self._durable = content
        self._pending = b""

    def write(self, chunk: bytes) -> None:
        """Put a chunk behind the others; it is safe after `sync`. Raises PowerCutError or NoSpaceError."""
        self._suffer(is_writing=True)
        self._pending += len(chunk).to_bytes(_LENGTH_BYTES, "big") + _check(chunk) + chunk

    def sync(self) -> None:
        """Make everything written durable. Raises PowerCutError, before or after it is."""
        self._suffer(is_writing=False)
        self._durable += self._pending
        self._pending = b""
        self._suffer(is_writing=False)

    def crash(self) -> None:
        """Lose power: of what was not synced the disk keeps all, nothing, or a part."""
        kept = self._dice.choice((0, len(self._pending), self._dice.randint(0, len(self._pending))))
        self._durable, self._pending = self._durable + self._pending[:kept], b""
        self._durable = self._durable[: _whole_bytes(self._durable)]

    def chunks(self) -> list[bytes]:
        """Return the whole chunks, those not synced yet included, as a process that reads its own file sees them."""
        return _whole(self._durable + self._pending)

    def copied(self) -> bytes:
        """Return what a backup made now would hold."""
        return self._durable

    def put_back(self, copy: bytes) -> None:
        """Replace everything by an older copy."""
        self._durable, self._pending = copy, b""

    def _suffer(self, *, is_writing: bool) -> None:
        match self._fate():
            case Fate.POWER_CUT:
                raise PowerCutError
            case Fate.NO_SPACE if is_writing:
                raise NoSpaceError
            case _:
                pass


def _check(chunk: bytes) -> bytes:
    return hashlib.sha256(chunk).digest()[:_CHECK_BYTES]


def _whole_bytes(content: bytes) -> int:
    return sum(_LENGTH_BYTES + _CHECK_BYTES + len(chunk) for chunk in _whole(content))


def _whole(content: bytes) -> list[bytes]:
    found: list[bytes] = []
    at = 0
    while at + _LENGTH_BYTES + _CHECK_BYTES <= len(content):
        length = int.from_bytes(content[at : at + _LENGTH_BYTES], "big")
        begin = at + _LENGTH_BYTES + _CHECK_BYTES
        chunk = content[begin : begin + length]
        if len(chunk) < length or _check(chunk) != content[at + _LENGTH_BYTES : begin]:
            break
        found.append(chunk)
        at = begin + length
    return found
