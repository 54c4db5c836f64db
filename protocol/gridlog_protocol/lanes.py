"""What a device may say in `extras` about the answer it wants: how much of it, and how far it is with what is urgent.

A peer that does not know these keys leaves them alone, and everything still arrives: in larger pieces, in its turn.
"""

from __future__ import annotations

from collections.abc import Mapping

from .canonical import INTEGER_MAX, Value
from .ids import Position
from .limits import PAGE_BYTES
from .rows import Row

ROOM = "room"
"""Request: bytes of records, packed as at rest, that the answer may carry. One record always goes."""

URGENT = "urgent"
"""Answer: the position up to which urgent records came ahead of their turn. Request: the same, handed back."""


def room_of(extras: Mapping[str, Value]) -> int:
    """Return how many bytes of records an answer may carry. Raises ProtocolError `malformed`."""
    if ROOM not in extras:
        return PAGE_BYTES
    return min(PAGE_BYTES, Row([extras[ROOM]], ROOM).whole(low=1))


def urgent_of(extras: Mapping[str, Value]) -> Position:
    """Return up to where urgent records came early, or 0. Raises ProtocolError `malformed`."""
    return Position(Row([extras.get(URGENT, 0)], URGENT).whole(high=INTEGER_MAX))
