"""Canonical msgpack: one value, one sequence of bytes. Strict in both directions.

A value is None, bool, a 64-bit signed integer, text without lone surrogates, bytes, a list, or a map from text to
values. There are no floats (coordinates are integers, amounts are decimal text), so NaN cannot occur. Maps are
written in the order of their keys' UTF-8 bytes, numbers in their shortest form. Bytes that do not decode to a value
that encodes to the same bytes are refused: hashes and signatures are made over this form.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeAlias

import msgpack

Value: TypeAlias = "bool | int | str | bytes | list[Value] | dict[str, Value] | None"

INTEGER_MIN = -(1 << 63)
INTEGER_MAX = (1 << 63) - 1
DEPTH_MAX = 16
"""Arrays and maps inside one another: a page of records nests nine deep around its values."""
_SETTLED_DEPTH_MAX = DEPTH_MAX - 9
ITEMS_MAX = 1 << 17
"""Elements of all arrays and maps of one message together: a full batch of small ops has 80,000."""


NESTING: frozenset[type] = frozenset({list, dict})
"""What may hold other values."""
_WRITTEN_AS_THEY_ARE: frozenset[type] = frozenset({str, bytes, bool, type(None)})
_TEXT: frozenset[type] = frozenset({str})


class NotCanonicalError(ValueError):
    """The bytes are not the one way to write this value, or the value cannot be written."""


def pack(value: Value) -> bytes:
    """Encode a value. Raises NotCanonicalError for floats, big integers, lone surrogates or deep nesting."""
    try:
        # Nearly every value is in order as it is, and goes to the encoder without a copy.
        return repacked(value if _is_in_order(value, DEPTH_MAX) else _ordered(value))
    except UnicodeEncodeError:
        raise NotCanonicalError("text has a lone surrogate") from None


def settled(value: Value) -> Value:
    """Return a value as `pack_settled` takes it: checked, with its maps in order. Raises NotCanonicalError."""
    if type(value) in _WRITTEN_AS_THEY_ARE or _is_in_order(value, _SETTLED_DEPTH_MAX):
        return value
    return _ordered(value)


def pack_settled(rows: Value) -> bytes:
    """Encode rows of our own making. What somebody else wrote in them went through `settled`, value by value.

    The same bytes as `pack`, without a walk over the rows, of which a record has ten for each value.
    Raises NotCanonicalError for lone surrogates.
    """
    try:
        return repacked(rows)
    except UnicodeEncodeError:
        raise NotCanonicalError("text has a lone surrogate") from None


def repacked(value: Value) -> bytes:
    """Encode a value that `unpack` has just returned, or a part of it: nothing is left to check."""
    packed: bytes = msgpack.packb(value)
    return packed


def unpack(raw: bytes, *, items_max: int = ITEMS_MAX) -> Value:
    """Decode bytes, refusing everything `pack` would not have written.

    `items_max` bounds the elements of all arrays and maps together: 4 MiB of empty maps would take 600 MiB.
    Raises NotCanonicalError.
    """
    # Every element takes a byte, so short bytes need no counting, and ordinary messages stay fast.
    counter = _Counter(items_max) if len(raw) > items_max else None
    length_max = min(items_max, len(raw))
    try:
        value: Value = msgpack.unpackb(
            raw,
            raw=False,
            strict_map_key=True,
            list_hook=counter.array if counter else None,
            object_pairs_hook=counter.map if counter else _map,
            ext_hook=_no_extension,
            max_array_len=length_max,
            max_map_len=length_max,
            max_str_len=len(raw),
            max_bin_len=len(raw),
            max_ext_len=0,
        )
        _is_in_order(value, DEPTH_MAX)
        is_same = repacked(value) == raw
    except NotCanonicalError:
        raise
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as reason:
        raise NotCanonicalError(f"not canonical msgpack: {type(reason).__name__}") from None
    if not is_same:
        raise NotCanonicalError("not in canonical form")
    return value


def glanced(raw: bytes) -> Value:
    """Decode bytes that this program has packed, without checking them: for a look at what others will check."""
    value: Value = msgpack.unpackb(raw, raw=False)
    return value


def is_nested_within(value: Value, depth_max: int) -> bool:
    """Tell whether arrays and maps nest at most `depth_max` deep in a value; a number or text has depth 0."""
    if not isinstance(value, (list, dict)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth_max > 0 and all(is_nested_within(item, depth_max - 1) for item in inner)


def _is_in_order(value: Value, depth: int) -> bool:
    """Check that a value can be written, and tell whether all maps in it are in order. Lone surrogates pass.

    This runs for every value of every op, so what is ordinary is told by its exact type, and a list of texts or
    bytes in one step.
    """
    if isinstance(value, dict):
        items: Collection[Value] = value.values()
        is_in_order = _has_keys_in_order(value)
    elif isinstance(value, list):
        items, is_in_order = value, True
    else:
        _check_single(value)
        return True
    if depth == 0:
        raise NotCanonicalError(f"nested deeper than {DEPTH_MAX}")
    if _WRITTEN_AS_THEY_ARE.issuperset(map(type, items)):
        return is_in_order
    for item in items:
        kind = type(item)
        if kind is int:
            if not INTEGER_MIN <= item <= INTEGER_MAX:  # type: ignore[operator]  # `kind` says that it is a number.
                raise NotCanonicalError("integer beyond 64 bits")
        elif kind not in _WRITTEN_AS_THEY_ARE and not _is_in_order(item, depth - 1):
            is_in_order = False
    return is_in_order


def _has_keys_in_order(value: dict[str, Value]) -> bool:
    if not _TEXT.issuperset(map(type, value)) and not all(isinstance(key, str) for key in value):
        raise NotCanonicalError("map key is not text")
    # The order of code points is the order of UTF-8 bytes.
    return len(value) < 2 or sorted(value) == list(value)


def _check_single(value: Value) -> None:
    if value is None or isinstance(value, (str, bytes, bool)):
        return
    if not isinstance(value, int):
        raise NotCanonicalError(f"a {type(value).__name__} cannot be written")
    if not INTEGER_MIN <= value <= INTEGER_MAX:
        raise NotCanonicalError("integer beyond 64 bits")


def _ordered(value: Value) -> Value:
    """Return a checked value with all its maps in order."""
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return value


def _map(pairs: list[tuple[Any, Any]]) -> dict[str, Value]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise NotCanonicalError("map key occurs twice")
    if len(result) > 1 and sorted(result) != list(result):
        raise NotCanonicalError("map keys are not in order")
    return result


class _Counter:
    """Counts elements while they are decoded, so that a bomb stops before it takes its memory."""

    __slots__ = ("_left",)

    def __init__(self, items_max: int) -> None:
        self._left = items_max

    def array(self, items: list[Value]) -> list[Value]:
        self._take(len(items))
        return items

    def map(self, pairs: list[tuple[Any, Any]]) -> dict[str, Value]:
        self._take(2 * len(pairs))
        return _map(pairs)

    def _take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise NotCanonicalError("more elements than one message may have")


def _no_extension(code: int, _data: bytes) -> Value:
    raise NotCanonicalError(f"extension type {code}")
