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


class NotCanonicalError(ValueError):
    """The bytes are not the one way to write this value, or the value cannot be written."""


def pack(value: Value) -> bytes:
    """Encode a value. Raises NotCanonicalError for floats, big integers, lone surrogates or deep nesting."""
    packed: bytes = msgpack.packb(_ordered(value, DEPTH_MAX), use_bin_type=True)
    return packed


def unpack(raw: bytes, *, items_max: int = 1 << 20) -> Value:
    """Decode bytes, refusing everything `pack` would not have written.

    `items_max` bounds the elements of any one array or map before memory is taken for it.
    Raises NotCanonicalError.
    """
    try:
        value: Value = msgpack.unpackb(
            raw,
            raw=False,
            strict_map_key=True,
            object_pairs_hook=_map,
            ext_hook=_no_extension,
            max_array_len=min(items_max, len(raw)),
            max_map_len=min(items_max, len(raw)),
            max_str_len=len(raw),
            max_bin_len=len(raw),
            max_ext_len=0,
        )
        is_same = pack(value) == raw
    except NotCanonicalError:
        raise
    except (ValueError, TypeError, RecursionError, msgpack.UnpackException) as reason:
        raise NotCanonicalError(f"not canonical msgpack: {type(reason).__name__}") from None
    if not is_same:
        raise NotCanonicalError("not in canonical form")
    return value


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


def _map(pairs: list[tuple[Any, Any]]) -> dict[str, Value]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise NotCanonicalError("map key occurs twice")
    return result


def _no_extension(code: int, _data: bytes) -> Value:
    raise NotCanonicalError(f"extension type {code}")
