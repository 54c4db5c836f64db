"""The shorter forms of a column: texts written as one text, record ids in two parts.

Chinese takes three bytes a character in UTF-8 and two in GB 18030, whose common characters stand close together
besides: squeezed, a batch of notes takes a twentieth less. Joined, the texts of a column need no length each. Each
column has one form only; the layout is section 5.2 of the wire specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from .canonical import ITEMS_MAX, Value
from .errors import ProtocolError
from .ids import REST_BYTES, TIME_BYTES, TIME_END, RecordId, milliseconds_of_record
from .rows import Row

_CHARSET = "gb18030"
_BETWEEN = "\0"
_CHANGED = re.compile(
    "[\u1e3f\u9fb4-\u9fbb\ue000-\uf8ff\ufe10-\ufe19\U00020087\U00020089\U000200cc\U000215d7\U0002298f\U000241fe]"
)
"""Characters whose codes differ between the editions of GB 18030 (2000, 2005, 2022) and its implementations."""
_TEXT: frozenset[type] = frozenset({str})


class Elements:
    """How many elements the columns of one message may still have: a text of a joined one may take a single byte."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = ITEMS_MAX

    def take(self, count: int) -> None:
        """Count elements. Raises ProtocolError `malformed`."""
        self.left -= count
        if self.left < 0:
            raise _malformed("columns", "more elements than one message may have")


def column_form(values: list[Value]) -> Value:
    """Return what a column is written as: texts as one byte string where that can be, everything else as it is."""
    joined = _joined(values)
    return values if joined is None else joined


def read_column(value: Value, what: str, count_max: int) -> list[Value]:
    """Return the elements of a column of at most `count_max`. Raises ProtocolError `malformed`."""
    if isinstance(value, bytes):
        if value.count(0) >= count_max:
            raise _malformed(what, "more elements than it may have")
        try:
            joined = value.decode(_CHARSET)
        except UnicodeDecodeError:
            raise _malformed(what, "not text") from None
        # The codec reads no text from two byte strings, so there is no other form to look for than these characters.
        if not joined.isascii() and _CHANGED.search(joined):
            raise _malformed(what, "not in its one form")
        return [*joined.split(_BETWEEN)]
    values = Row([value], what).items(count_max)
    if _joined(values) is not None:
        raise _malformed(what, "not in its shorter form")
    return values


def apart(numbers: Iterable[int]) -> list[Value]:
    """Return each number's difference from the one before, the first one's from 0."""
    return [after - before for before, after in pairwise((0, *numbers))]


def id_form(ids: Sequence[RecordId]) -> list[Value]:
    """Write record ids: their milliseconds, each as its distance from the one before, and the rests as one."""
    return [apart(map(milliseconds_of_record, ids)), b"".join(each[TIME_BYTES:] for each in ids)]


def read_id_form(row: Row, count_max: int) -> list[Value]:
    """Read what `id_form` wrote: 16 bytes each, which others look into. Raises ProtocolError `malformed`."""
    times = [*accumulate(Row([each], "id").signed() for each in row.items(count_max))]
    if times and not 0 <= min(times) <= max(times) < TIME_END:
        raise row.malformed("a record id beyond all times")
    rests = read_rests(row, len(times))
    return [at.to_bytes(TIME_BYTES, "big") + rest for at, rest in zip(times, rests, strict=True)]


def read_rests(row: Row, count: int) -> list[bytes]:
    """Read the rests of `count` ids. Raises ProtocolError `malformed`."""
    joined = row.blob(count * REST_BYTES)
    return [joined[at : at + REST_BYTES] for at in range(0, len(joined), REST_BYTES)]


def _joined(values: list[Value]) -> bytes | None:
    if not values or not _TEXT.issuperset(map(type, values)):
        return None
    joined = _BETWEEN.join(values)  # type: ignore[arg-type]  # The line above says that they are texts.
    if joined.count(_BETWEEN) != len(values) - 1:
        return None
    return _encoded(joined)


def _encoded(text: str) -> bytes | None:
    if not text.isascii() and _CHANGED.search(text):
        return None
    try:
        return text.encode(_CHARSET)
    except UnicodeEncodeError:
        # A lone surrogate: nothing that can be written at all, as whoever packs it will say.
        return None


def _malformed(what: str, reason: str) -> ProtocolError:
    return ProtocolError("malformed", detail=f"{what}: {reason}")
