"""Rows in columns: they come back as they were, and what does not fit together is refused."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pytest

from gridlog_protocol import columns
from gridlog_protocol.canonical import ITEMS_MAX, Value, pack
from gridlog_protocol.codec import decode
from gridlog_protocol.column_forms import Elements
from gridlog_protocol.columns import read_op_parts, record_columns
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceId
from gridlog_protocol.limits import SEGMENT_OPS_MAX
from gridlog_protocol.segment import salt_block

OPS: list[list[Any]] = [
    [b"rest of it", *range(12), [["note", 0, "甲"], ["tags", 1, "a", None], ["note", 16, "k", "乙"]]],
    [0, *range(12, 24), []],
    [b"or another", *range(24, 36), [["tags", 2, "a"], ["note", 0, "丙"]]],
    [2, *range(36, 48), [["note", 0, "丁"], ["tags", 1, "b", 7], ["note", 16, "k", "戊"]]],
]
ID_1, ID_2, ID_3, ID_4 = (b"fifteen of it: %d" % number for number in range(1, 5))
RECORDS: list[list[Value]] = [
    [ID_1, "patrol", 1, None, [], [["note", 0, ["", [0, "甲", 1, "乙"]]], ["tags", 0, ["a", [0, 1], "b", []], 7]]],
    [ID_2, "patrol", 1, [0, 0], [], [], [[7]]],
    [
        ID_3,
        "visit",
        2,
        None,
        [],
        [["gone", 0, [], 3], ["note", 2, ["", [], "x", [0, None]]], ["tags", 0, ["a", []], 9]],
    ],
    [ID_4, "patrol", 1, None, [], [["note", 0, ["", [0, "丙", 1, "丁"]]], ["tags", 0, ["c", [0, 2], "d", []], 8]]],
]


def op_columns(rows: list[list[Any]]) -> Value:
    return columns.op_columns([[row[at] for row in rows] for at in range(13)], [row[13] for row in rows])


def read_op_columns(value: Value, count_max: int) -> list[list[Any]]:
    taken, edits = read_op_parts(value, count_max, Elements())
    return [[*row, of_op] for row, of_op in zip(zip(*taken, strict=True), edits, strict=True)]


def read_record_columns(value: Value, count_max: int) -> list[Any]:
    return columns.read_record_columns(value, count_max, Elements())


def test_rows_come_back_as_they_were() -> None:
    assert read_op_columns(op_columns(OPS), 4) == OPS
    assert read_record_columns(record_columns(RECORDS), 4) == RECORDS
    assert read_record_columns(record_columns([]), 4) == []


def test_rows_of_one_form_name_their_fields_once() -> None:
    written = op_columns([OPS[0], OPS[3]] * 100)

    assert isinstance(written, list)
    assert pack(written).count(b"tags") == 1
    assert written[2] == [0] * 200


def changed(value: Value, path: tuple[int, ...], element: Value) -> Value:
    assert isinstance(value, list)
    head, *rest = path
    inner = changed(value[head], tuple(rest), element) if rest else element
    return [*value[:head], inner, *value[head + 1 :]]


@pytest.mark.parametrize(
    ("path", "element"),
    [
        pytest.param((0,), [[0]] * 12, id="a column too few"),
        pytest.param((0,), [[0]] * 14, id="a column too many"),
        pytest.param((0, 3), [0], id="a short column"),
        pytest.param((0, 3), 7, id="no column"),
        pytest.param((0,), [[[None] * 5, bytes(50)], *([[0] * 5] * 12)], id="more ops than there may be"),
        pytest.param((1, 0), ["note", 0], id="a form cut short"),
        pytest.param((1, 0), [7, 0, 1], id="a field without a name"),
        pytest.param((1, 0), ["note", 0, 0], id="an edit of nothing"),
        pytest.param((1, 0), ["note", 0, 3], id="an edit too long"),
        pytest.param((1, 0), ["fee", 0, 1], id="a field without values"),
        pytest.param((2, 0), 9, id="an unknown form"),
        pytest.param((2, 0), -1, id="a form before the first"),
        pytest.param((2, 0), True, id="a form that is no number"),
        pytest.param((2, 1), 0, id="more edits than values"),
        pytest.param((2, 0), 1, id="values left over"),
        pytest.param((2,), [0, 1, 2], id="an op without a form"),
        pytest.param((3,), [], id="no values"),
        pytest.param((3, 0), [], id="values of one field missing"),
        pytest.param((3, 1), 0, id="values that are none"),
    ],
)
def test_op_columns_that_do_not_fit_are_refused(path: tuple[int, ...], element: Value) -> None:
    with pytest.raises(ProtocolError) as refused:
        read_op_columns(changed(op_columns(OPS), path, element), 4)
    assert refused.value.code == "malformed"


@pytest.mark.parametrize(
    ("path", "element"),
    [
        pytest.param((0,), [[0]] * 4, id="a column too few"),
        pytest.param((1, 0), ["note", 0, 0, 2, 1, 0, 1, 0], id="elements without keys"),
        pytest.param((1, 0), ["note", 0, 4, 1, 0], id="unknown flags"),
        pytest.param((1, 0), ["note", 0, 0, 1, 2, 0], id="a form cut short"),
        pytest.param((1, 0), ["note", 0, 0, 1, ITEMS_MAX + 1], id="more heads than there may be"),
        pytest.param((2, 0), 9, id="an unknown form"),
        pytest.param((2, 0), 1, id="values left over"),
        pytest.param((2,), [0], id="records without a form"),
        pytest.param((3,), [], id="no values"),
        pytest.param((4,), [9, []], id="the end of no record"),
        pytest.param((4,), [0], id="an end without what was seen"),
    ],
)
def test_record_columns_that_do_not_fit_are_refused(path: tuple[int, ...], element: Value) -> None:
    with pytest.raises(ProtocolError) as refused:
        read_record_columns(changed(record_columns(RECORDS), path, element), 4)
    assert refused.value.code == "malformed"


def test_a_form_of_many_empty_fields_does_not_multiply_in_memory() -> None:
    empty: list[Value] = []
    for number in range(2_000):
        empty += [f"f{number}", 0, 1, 0]
    count = 20_000
    column: list[Value] = [0] * count
    named: list[Value] = [[column, bytes(10 * count)], column, column, column, column]
    bomb: list[Value] = [named, [empty], column, [[]] * 2_000, []]

    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError) as refused:
            read_record_columns(bomb, ITEMS_MAX)
        assert refused.value.code == "malformed"
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_run_of_ops_is_bounded() -> None:
    row: list[Any] = [*([0] * 13), []]
    full = op_columns([row] * SEGMENT_OPS_MAX)

    assert len(read_op_columns(full, SEGMENT_OPS_MAX)) == SEGMENT_OPS_MAX
    with pytest.raises(ProtocolError):
        read_op_columns(op_columns([row] * (SEGMENT_OPS_MAX + 1)), SEGMENT_OPS_MAX)


def test_texts_of_one_byte_are_counted_over_all_segments_of_a_message() -> None:
    # A squeezed body of some hundred bytes: each segment has as many edits of nothing as a message may have elements.
    ops, edits, segments = 256, 512, 24
    zeros: list[Value] = [0] * ops
    kinds = b"\0".join([b"k"] * ops)
    records: list[Value] = [[None, *zeros[1:]], b"\x70\0\x80" + bytes(7)]
    named: list[Value] = [records, zeros, kinds, [1] * ops, *([zeros] * 3), [1000, *zeros[1:]], *([zeros] * 5)]
    run: list[Value] = [named, [["f", 0, 1] * edits], zeros, [bytes(ops * edits - 1)]]
    rows: list[Value] = [
        [
            bytes(8),
            1 + ops * at,
            bytes(32),
            bytes(8),
            bytes(16),
            roots_of(1 + ops * at, ops),
            [bytes(8)],
            run,
            bytes(64),
        ]
        for at in range(segments)
    ]

    tracemalloc.start()
    try:
        with pytest.raises(ProtocolError, match="malformed"):
            decode(b"\0" + pack([3, 1, bytes(8), 0, 1, rows, [], None, None, {}]), device=DeviceId(bytes(16)))
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def roots_of(first_seq: int, count: int) -> Value:
    return [[block, bytes(16)] for block in range(salt_block(first_seq), salt_block(first_seq + count - 1) + 1)]
