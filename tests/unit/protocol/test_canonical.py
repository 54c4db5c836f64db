"""One value, one sequence of bytes: everything else is refused, and cheaply."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path

import msgpack
import pytest

from gridlog_protocol.canonical import (
    DEPTH_MAX,
    INTEGER_MAX,
    INTEGER_MIN,
    ITEMS_MAX,
    NotCanonicalError,
    Value,
    is_nested_within,
    pack,
    pack_settled,
    settled,
    unpack,
)

EDGE_CASES = json.loads((Path(__file__).parents[2] / "data" / "edge_cases.json").read_text("utf-8"))
TEXTS = [
    *EDGE_CASES["round_trip"],
    "a\0b",
    "\u202egpj.exe\u202c",
    "\u2066x\u2069",
    "𱁬𠀀𰻝",
    "👩🏽‍🚒",
    "\ufeff",
    "\u0301e",
]
MEBIBYTE = 1 << 20


def nested(depth: int) -> Value:
    value: Value = None
    for _ in range(depth):
        value = [value]
    return value


def long_array(count: int, item: bytes) -> bytes:
    return b"\xdd" + struct.pack(">I", count) + item * count


@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back_exactly_nul_bidi_rare_characters_and_all(text: str) -> None:
    assert unpack(pack([text, {text: text}])) == [text, {text: text}]


@pytest.mark.parametrize("number", [0, -1, -32, -33, 127, 128, 255, 256, 1 << 32, INTEGER_MIN, INTEGER_MAX])
def test_integers_of_64_bits_come_back_exactly(number: int) -> None:
    assert unpack(pack(number)) == number


def test_maps_are_written_in_the_order_of_their_keys() -> None:
    assert pack({"b": 1, "a": 2, "𠮷": 3, "～": 4}) == pack({"～": 4, "𠮷": 3, "a": 2, "b": 1})
    assert list(unpack(pack({"𠮷": 0, "～": 0, "é": 0, "z": 0}))) == ["z", "é", "～", "𠮷"]  # type: ignore[arg-type]


def test_true_is_not_one() -> None:
    assert pack(value=True) != pack(1)
    assert unpack(b"\xc3") is True


@pytest.mark.parametrize(
    "value",
    [0.5, float("nan"), INTEGER_MAX + 1, INTEGER_MIN - 1, "\ud800", {"\udfff": 1}, {1: 2}, {b"k": 1}, (1, 2), {1, 2}],
    ids=repr,
)
def test_a_value_without_one_spelling_cannot_be_written(value: object) -> None:
    with pytest.raises(NotCanonicalError):
        pack(value)  # type: ignore[arg-type]
    with pytest.raises(NotCanonicalError):
        pack([[value]])  # type: ignore[list-item]
    with pytest.raises(NotCanonicalError):
        pack_settled([settled(value)])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xc0\xc0", id="something behind the value"),
        pytest.param(b"\x92\xc0", id="an array cut short"),
        pytest.param(b"\xc1", id="the byte that msgpack never uses"),
        pytest.param(b"\xcc\x05", id="a small number in two bytes"),
        pytest.param(b"\xd0\x05", id="a positive number as signed"),
        pytest.param(b"\xd3" + bytes(7) + b"\x05", id="a small number in nine bytes"),
        pytest.param(b"\xcf" + b"\xff" * 8, id="a number beyond 63 bits"),
        pytest.param(b"\xcb" + struct.pack(">d", 1.0), id="a float"),
        pytest.param(b"\xca" + struct.pack(">f", float("nan")), id="not a number"),
        pytest.param(b"\xd9\x01a", id="a short text with a long header"),
        pytest.param(b"\xc5\x00\x01a", id="short bytes with a long header"),
        pytest.param(b"\xdc\x00\x01\xc0", id="a short array with a long header"),
        pytest.param(b"\xde\x00\x01\xa1a\xc0", id="a short map with a long header"),
        pytest.param(b"\x82\xa1a\x01\xa1a\x02", id="a key twice"),
        pytest.param(b"\x82\xa1b\x01\xa1a\x02", id="keys out of order"),
        pytest.param(b"\x81\x01\x02", id="a number as key"),
        pytest.param(b"\x81\xc4\x01a\x02", id="bytes as key"),
        pytest.param(b"\x81\xc0\x02", id="nil as key"),
        pytest.param(b"\x81\x90\x02", id="an array as key"),
        pytest.param(b"\xa1\xff", id="text that is not UTF-8"),
        pytest.param(b"\xa2\xc0\x80", id="an overlong NUL"),
        pytest.param(b"\xa3\xed\xa0\x80", id="a lone surrogate"),
        pytest.param(b"\xa6\xed\xa0\xbd\xed\xb8\x80", id="a surrogate pair spelt as two characters"),
        pytest.param(b"\xa4\xf4\x90\x80\x80", id="a character beyond Unicode"),
        pytest.param(b"\xd4\x01\x00", id="an extension"),
        pytest.param(b"\xc7\x00\x05", id="an empty extension"),
        pytest.param(msgpack.packb(msgpack.Timestamp(1)), id="a timestamp extension"),
        pytest.param(b"\xdb\xff\xff\xff\xffa", id="a text that claims 4 GiB"),
        pytest.param(b"\xdd\xff\xff\xff\xff\xc0", id="an array that claims four billion elements"),
        pytest.param(b"\xdf\xff\xff\xff\xff\xc0", id="a map that claims four billion elements"),
        pytest.param(b"\x91" * 100_000, id="100,000 open arrays"),
        pytest.param(b"\x81\xa0" * 100_000, id="100,000 open maps"),
    ],
)
def test_bytes_that_are_not_the_one_spelling_are_refused(raw: bytes) -> None:
    with pytest.raises(NotCanonicalError):
        unpack(raw)


def test_nesting_stops_at_its_limit_in_both_directions() -> None:
    assert unpack(pack(nested(DEPTH_MAX))) == nested(DEPTH_MAX)
    with pytest.raises(NotCanonicalError, match="deeper"):
        pack(nested(DEPTH_MAX + 1))
    with pytest.raises(NotCanonicalError, match="deeper"):
        unpack(b"\x91" * (DEPTH_MAX + 1) + b"\xc0")
    with pytest.raises(NotCanonicalError, match="deeper"):
        unpack(b"\x81\xa0" * (DEPTH_MAX + 1) + b"\xc0")


def test_the_depth_of_a_value_is_that_of_its_deepest_part() -> None:
    value: Value = {"shallow": 1, "deep": [0, {"deeper": []}]}

    assert is_nested_within(value, 4)
    assert not is_nested_within(value, 3)
    assert is_nested_within("text", 0)


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(long_array(4 * MEBIBYTE - 5, b"\x80"), id="empty maps in one array"),
        pytest.param(long_array(4 * MEBIBYTE // 16, b"\x9f" + b"\x80" * 15), id="empty maps in many arrays"),
        pytest.param(b"\x94" + long_array(MEBIBYTE - 8, b"\x80") * 4, id="empty maps in four arrays"),
        pytest.param(long_array(4 * MEBIBYTE // 3, b"\x81\xa0\xc0"), id="maps of one"),
        pytest.param(long_array(4 * MEBIBYTE // 3, b"\xa2ab"), id="short texts"),
        pytest.param(long_array(ITEMS_MAX, b"\xa2ab"), id="just as many short texts as are allowed"),
    ],
)
def test_a_bomb_takes_little_memory(bomb: bytes) -> None:
    assert peak_of_refusing(bomb) < 24 * MEBIBYTE


def test_a_thousand_open_arrays_take_no_more_than_their_first_elements() -> None:
    # msgpack makes room for 10,000 elements at most before it has read them, in 1,024 levels at most.
    claims = (b"\xdd" + struct.pack(">I", ITEMS_MAX)) * 1000

    assert peak_of_refusing(claims + b"\xc0" * ITEMS_MAX) < 80 * MEBIBYTE


def peak_of_refusing(bomb: bytes) -> int:
    tracemalloc.start()
    try:
        with pytest.raises(NotCanonicalError):
            unpack(bomb + b"\xc0")
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_elements_are_counted_over_the_whole_value() -> None:
    row: list[Value] = [None] * (ITEMS_MAX // 4)
    assert unpack(pack([row, row, row])) == [row, row, row]

    with pytest.raises(NotCanonicalError, match="more elements"):
        unpack(pack([row, row, row, row]))
