"""Read positional rows strictly: each element has its type and bound, and none may be missing or left over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .canonical import INTEGER_MAX, INTEGER_MIN, Value
from .errors import ProtocolError


class Row:
    """One array of a message, read from left to right. Every method raises ProtocolError `malformed`."""

    __slots__ = ("_at", "_items", "_what")

    def __init__(self, value: Value, what: str) -> None:
        if not isinstance(value, list):
            raise ProtocolError("malformed", detail=f"{what}: not an array")
        self._items = value
        self._what = what
        self._at = 0

    def value(self) -> Value:
        """Take the next element, whatever it is."""
        try:
            value = self._items[self._at]
        except IndexError:
            raise self.malformed("too short") from None
        self._at += 1
        return value

    def whole(self, *, low: int = 0, high: int = INTEGER_MAX) -> int:
        """Take an integer within bounds."""
        value = self.value()
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.malformed(f"element {self._at - 1} is not an integer in range")
        return value

    def signed(self) -> int:
        """Take any 64-bit integer."""
        return self.whole(low=INTEGER_MIN)

    def flag(self) -> bool:
        """Take a boolean."""
        value = self.value()
        if not isinstance(value, bool):
            raise self.malformed(f"element {self._at - 1} is not a boolean")
        return value

    def blob(self, *sizes: int) -> bytes:
        """Take bytes of one of the given sizes."""
        value = self.value()
        if not isinstance(value, bytes) or len(value) not in sizes:
            raise self.malformed(f"element {self._at - 1} is not bytes of the right size")
        return value

    def text(self, bytes_max: int) -> str:
        """Take text of at most `bytes_max` UTF-8 bytes."""
        value = self.value()
        if not isinstance(value, str) or len(value.encode()) > bytes_max:
            raise self.malformed(f"element {self._at - 1} is not text within its limit")
        return value

    def rows(self, what: str, count_max: int) -> Iterator[Row]:
        """Take an array of rows."""
        for item in self.items(count_max):
            yield Row(item, what)

    def items(self, count_max: int) -> list[Value]:
        """Take an array of at most `count_max` elements."""
        value = self.value()
        if not isinstance(value, list) or len(value) > count_max:
            raise self.malformed(f"element {self._at - 1} is not an array within its limit")
        return value

    def mapping(self) -> dict[str, Value]:
        """Take a map."""
        value = self.value()
        if not isinstance(value, dict):
            raise self.malformed(f"element {self._at - 1} is not a map")
        return value

    @property
    def has_more(self) -> bool:
        """Tell whether elements are left."""
        return self._at < len(self._items)

    def end(self) -> None:
        """Check that nothing is left over."""
        if self.has_more:
            raise self.malformed("too long")

    def malformed(self, reason: str) -> ProtocolError:
        """Make the error that names this row."""
        return ProtocolError("malformed", detail=f"{self._what}: {reason}")


@contextmanager
def reading(value: Value, what: str) -> Iterator[Row]:
    """Read one row and check at the end that nothing is left over."""
    row = Row(value, what)
    yield row
    row.end()
