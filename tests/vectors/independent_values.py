"""Values and rows of the wire, written from protocol/README.md alone: see `independent`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import msgpack

BODY_BYTES_MAX = WINDOW_MAX = 4_194_304
MESSAGE_BYTES_MAX = 1_048_576
TIME_MAX, POSITION_MAX, SEQ_MAX = (1 << 47) - 1, (1 << 62) - 1, (1 << 53) - 1
WORD, COUNT_MAX, OPS_MAX = 256, 131_072, 4_096


class RefusedError(Exception):
    """What was read breaks the protocol; `code` says how."""

    def __init__(self, code: str = "malformed") -> None:
        self.code = code
        super().__init__(code)


def need(holds: object, code: str = "malformed") -> None:
    if not holds:
        raise RefusedError(code)


def shown(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, list):
        return [shown(each) for each in value]
    return {name: shown(each) for name, each in value.items()} if isinstance(value, dict) else value


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


# 2. Values.


def pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(_in_order(value), use_bin_type=True)
    return packed


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_order(value[name]) for name in sorted(value)}
    return [_in_order(each) for each in value] if isinstance(value, list) else value


def unpack(raw: bytes) -> Any:
    try:
        value = msgpack.unpackb(raw, raw=False, ext_hook=_nothing_else, object_pairs_hook=_distinct)
        _check(value, 16)
        need(pack(value) == raw)
    except (ValueError, TypeError, msgpack.UnpackException):
        raise RefusedError from None
    return value


def _distinct(pairs: list[tuple[Any, Any]]) -> dict[Any, Any]:
    need(len(dict(pairs)) == len(pairs))
    return dict(pairs)


def _nothing_else(*_: object) -> None:
    raise RefusedError


def _check(value: Any, depth: int) -> None:
    if isinstance(value, (list, dict)):
        need(depth)
        for each in value.values() if isinstance(value, dict) else value:
            _check(each, depth - 1)
        need(all(isinstance(name, str) for name in value) if isinstance(value, dict) else True)
    elif value is not None and not isinstance(value, (str, bytes, bool)):
        need(isinstance(value, int) and value < 1 << 63)


class Row:
    """An array, read from the left."""

    def __init__(self, value: Any) -> None:
        need(isinstance(value, list))
        self.left: list[Any] = list(value)

    def any(self) -> Any:
        need(self.left)
        return self.left.pop(0)

    def number(self, low: int = 0, high: int = (1 << 63) - 1) -> int:
        value = self.any()
        need(isinstance(value, int) and not isinstance(value, bool) and low <= value <= high)
        return int(value)

    def signed(self) -> int:
        return self.number(-(1 << 63))

    def flag(self) -> bool:
        value = self.any()
        need(isinstance(value, bool))
        return bool(value)

    def bytes(self, *sizes: int) -> bytes:
        value = self.any()
        need(isinstance(value, bytes) and len(value) in sizes)
        return bytes(value)

    def text(self, bytes_max: int = WORD) -> str:
        value = self.any()
        need(isinstance(value, str) and len(value.encode()) <= bytes_max)
        return str(value)

    def map(self) -> dict[str, Any]:
        value = self.any()
        need(isinstance(value, dict))
        return dict(value)

    def items(self, count_max: int = COUNT_MAX) -> list[Any]:
        value = self.any()
        need(isinstance(value, list) and len(value) <= count_max)
        return list(value)

    def each(self, read: Callable[[Row], Any], count_max: int = COUNT_MAX) -> list[Any]:
        return [whole(value, read) for value in self.items(count_max)]

    def maybe(self, read: Callable[[Row], Any]) -> Any:
        value = self.any()
        return None if value is None else read(Row([value]))

    def end(self) -> None:
        need(not self.left)


def whole(value: Any, read: Callable[[Row], Any]) -> Any:
    row = Row(value)
    result = read(row)
    row.end()
    return result
