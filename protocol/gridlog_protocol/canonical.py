"""Canonical msgpack: one value, one sequence of bytes. Strict in both directions.

A value is None, bool, a 64-bit signed integer, text without lone surrogates, bytes, a list, or a map from text to
values. There are no floats (coordinates are integers, amounts are decimal text), so NaN cannot occur. Maps are
written in the order of their keys' UTF-8 bytes, numbers in their shortest form. Bytes that do not decode to a value
that encodes to the same bytes are refused: hashes and signatures are made over this form.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgpack

Value: TypeAlias = "bool | int | str | bytes | list[Value] | dict[str, Value] | None"

INTEGER_MIN = -(1 << 63)
INTEGER_MAX = (1 << 63) - 1
DEPTH_MAX = 16
"""Arrays and maps inside one another: a page of records nests nine deep around its values."""
ITEMS_MAX = 1 << 17
"""Elements of all arrays and maps of one message together: a full batch of small ops has 80,000."""


class NotCanonicalError(ValueError):
    """The bytes are not the one way to write this value, or the value cannot be written."""


def pack(value: Value) -> bytes:
    """Encode a value. Raises NotCanonicalError for floats, big integers, lone surrogates or deep nesting."""
    packed: bytes = msgpack.packb(_ordered(value, DEPTH_MAX), use_bin_type=True)
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
        _check(value, DEPTH_MAX)
        is_same = bool(msgpack.packb(value, use_bin_type=True) == raw)
    except NotCanonicalError:
        raise
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as reason:
        raise NotCanonicalError(f"not canonical msgpack: {type(reason).__name__}") from None
    if not is_same:
        raise NotCanonicalError("not in canonical form")
    return value


def is_nested_within(value: Value, depth_max: int) -> bool:
    """Tell whether arrays and maps nest at most `depth_max` deep in a value; a number or text has depth 0."""
    if not isinstance(value, (list, dict)):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth_max > 0 and all(is_nested_within(item, depth_max - 1) for item in inner)


def _ordered(value: Value, depth: int) -> Value:
    # Ordered by how often each kind occurs: this runs for every value of every op.
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise NotCanonicalError("text has a lone surrogate") from None
        return value
    if value is None or isinstance(value, (bool, bytes)):
        return value
    if isinstance(value, int):
        if not INTEGER_MIN <= value <= INTEGER_MAX:
            raise NotCanonicalError("integer beyond 64 bits")
        return value
    if depth == 0:
        raise NotCanonicalError(f"nested deeper than {DEPTH_MAX}")
    if isinstance(value, list):
        return [_ordered(item, depth - 1) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise NotCanonicalError("map key is not text")
        keys = sorted(value, key=_utf8)
        return {key: _ordered(value[key], depth - 1) for key in keys}
    raise NotCanonicalError(f"a {type(value).__name__} cannot be written")


def _utf8(key: str) -> bytes:
    try:
        return key.encode()
    except UnicodeEncodeError:
        raise NotCanonicalError("map key has a lone surrogate") from None


def _check(value: Value, depth: int) -> None:
    # Decoded text has no surrogates, and decoded maps are in order: see `_map`. No copy is made.
    if value is None or isinstance(value, (str, bytes, bool)):
        return
    if isinstance(value, int):
        if value > INTEGER_MAX:
            raise NotCanonicalError("integer beyond 64 bits")
        return
    if depth == 0:
        raise NotCanonicalError(f"nested deeper than {DEPTH_MAX}")
    if isinstance(value, list):
        for item in value:
            _check(item, depth - 1)
        return
    if not isinstance(value, dict):
        raise NotCanonicalError(f"a {type(value).__name__} cannot be written")
    for key, item in value.items():
        if not isinstance(key, str):
            raise NotCanonicalError("map key is not text")
        _check(item, depth - 1)


def _map(pairs: list[tuple[Any, Any]]) -> dict[str, Value]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise NotCanonicalError("map key occurs twice")
    # The order of code points is the order of UTF-8 bytes.
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
