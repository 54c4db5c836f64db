"""The forms of one column: every text comes back, each column has one form, and no byte string is two texts."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlog_protocol.canonical import Value
from gridlog_protocol.column_forms import column_form, id_form, read_column, read_id_form
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import record_id
from gridlog_protocol.rows import Row

CHANGED = [0x1E3F, *range(0x9FB4, 0x9FBC), *range(0xE000, 0xF900), *range(0xFE10, 0xFE1A)]
CHANGED += [0x20087, 0x20089, 0x200CC, 0x215D7, 0x2298F, 0x241FE]
TEXTS = st.lists(st.text(), max_size=8)


def read(value: Value, count_max: int = 100) -> list[Value]:
    return read_column(value, "note", count_max)


def is_refused(value: Value, count_max: int = 100) -> bool:
    with pytest.raises(ProtocolError) as refused:
        read(value, count_max)
    return refused.value.code == "malformed"


@given(TEXTS)
def test_texts_come_back_whatever_they_are(texts: list[Value]) -> None:
    assert read(column_form(texts)) == texts


def test_a_column_of_texts_is_one_text_in_gb_18030() -> None:
    assert column_form(["楼道堆物", "", "a"]) == "楼道堆物\0\0a".encode("gb18030")
    assert column_form(["𬀩🙂"]) == "𬀩🙂".encode("gb18030")
    assert read(b"") == [""]


@pytest.mark.parametrize("values", [[], ["a", None], ["a", 1], [b"a"], ["a\0b", "c"], ["甲", "\ufe10"]])
def test_any_other_column_stays_an_array(values: list[Value]) -> None:
    assert column_form(values) is values
    assert read(values) == values


@pytest.mark.parametrize(
    "value", [["甲"], ["a", ""], b"\xff", "甲".encode("gb18030")[:1], b"\x81\x30", "甲", 7, None]
)
def test_a_column_in_another_form_is_refused(value: Value) -> None:
    assert is_refused(value)


def test_a_column_has_no_more_elements_than_it_may() -> None:
    assert read(b"a\0b", 2) == ["a", "b"]
    assert is_refused(b"a\0b\0", 2)
    assert is_refused([1, 2, 3], 2)


def test_every_character_is_read_again_or_keeps_its_column_an_array() -> None:
    kept = []
    for first in range(0, 0x110000, 256):
        block: list[Value] = [chr(code) for code in range(first, first + 256) if not 0xD800 <= code < 0xE000]
        assert read(column_form(block), 256) == block
        if column_form(block) is block:
            kept += [ord(str(text)) for text in block if column_form([text]) == [text]]

    assert sorted(kept) == sorted([0, *CHANGED])


def test_no_two_byte_strings_are_one_text() -> None:
    pairs = (bytes(each) for each in product(range(0x81, 0xFF), range(0x40, 0xFF)))
    quadruples = (
        bytes(each) for each in product(range(0x81, 0xFF), range(0x30, 0x3A), range(0x81, 0xFF, 5), range(0x30, 0x3A))
    )
    for raw in (*pairs, *quadruples):
        try:
            text = raw.decode("gb18030")
        except UnicodeDecodeError:
            continue
        assert text.encode("gb18030") == raw


def test_ids_travel_as_distances_and_rests() -> None:
    ids = [
        record_id(at, bytes([at % 251]) * 10) for at in (1_795_000_000_000, 1_795_000_000_007, 1_794_999_999_999, 0)
    ]
    written = id_form(ids)

    assert written[0] == [1_795_000_000_000, 7, -8, -1_794_999_999_999]
    assert read_id_form(Row(written, "ids"), 4) == ids
    assert read_id_form(Row(id_form([]), "ids"), 4) == []


@pytest.mark.parametrize(
    "written",
    [
        [[0], b""],
        [[0], bytes(11)],
        [[-1], bytes(10)],
        [[1 << 48], bytes(10)],
        [["0"], bytes(10)],
        [[0, 0], bytes(20)],
    ],
)
def test_ids_that_do_not_fit_are_refused(written: list[Value]) -> None:
    with pytest.raises(ProtocolError) as refused:
        read_id_form(Row(written, "ids"), 1)
    assert refused.value.code == "malformed"
