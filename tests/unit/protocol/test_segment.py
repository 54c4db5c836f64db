"""Ops under one signature: re-cut at will, and nothing in them can be changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.edit_codec import edit_row, read_edit
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceId, Epoch, Incarnation, TenantId, UserId
from gridlog_protocol.limits import OP_BYTES_MAX, SEGMENT_OPS_MAX, SEQ_MAX, VALUE_DEPTH_MAX
from gridlog_protocol.ops import Action, Edit, op_hash
from gridlog_protocol.segment import Segment, chain_start, verify
from gridlog_protocol.segment_codec import read_segment, segment_row
from tests.unit.protocol.samples import (
    BOOT,
    DEVICE,
    DEVICE_SIGNING_KEY,
    FOREIGN_SIGNING_KEY,
    INCARNATION,
    TENANT,
    chain_after,
    op,
    root,
    run,
    signed,
    text_edit,
)

KEY = DEVICE_SIGNING_KEY.public_key()
BEYOND: list[Value] = [0] * (SEGMENT_OPS_MAX + 1)


def row_of(segment: Segment) -> list[Value]:
    row = segment_row(segment)
    assert isinstance(row, list)
    return row


def with_element(row: list[Value], path: tuple[int, ...], value: Value) -> Value:
    head, *rest = path
    inner = row[head]
    changed = with_element(inner, tuple(rest), value) if rest and isinstance(inner, list) else value
    return [*row[:head], changed, *row[head + 1 :]]


def read_again(segment: Segment) -> Segment:
    return read_segment(segment_row(segment), DEVICE)


def test_a_segment_that_travelled_verifies_and_names_each_op() -> None:
    ops = run(250, 12)

    segment = read_again(signed(ops))

    assert segment.ops == ops
    assert verify(segment, tenant=TENANT, key=KEY) == [op_hash(each) for each in ops]


def test_ops_cut_otherwise_keep_their_hashes_and_their_chain() -> None:
    ops = run(1, 300)
    whole = verify(read_again(signed(ops)), tenant=TENANT, key=KEY)

    first = read_again(signed(ops[:123]))
    second = read_again(signed(ops[123:], chain_before=chain_after(ops[:123])))

    assert verify(first, tenant=TENANT, key=KEY) + verify(second, tenant=TENANT, key=KEY) == whole
    assert [each.salt for each in (*first.ops, *second.ops)] == [each.salt for each in ops]


def test_a_full_segment_of_one_record_costs_few_bytes_for_each_op() -> None:
    long, short = (len(pack(segment_row(signed(run(2, count))))) for count in (202, 2))

    assert (long - short) / 200 < 55


SEGMENT = signed(run(1, 3))
OTHERWISE = [
    replace(SEGMENT, chain_before=bytes(32)),
    replace(SEGMENT, ops=SEGMENT.ops[:2]),
    replace(SEGMENT, ops=(*SEGMENT.ops, op(4))),
    replace(SEGMENT, ops=SEGMENT.ops[::-1]),
    replace(SEGMENT, ops=(op(1, text_edit("另一句")), *SEGMENT.ops[1:])),
    replace(SEGMENT, signature=bytes(64)),
]


@pytest.mark.parametrize("otherwise", OTHERWISE)
def test_a_segment_that_was_changed_does_not_verify(otherwise: Segment) -> None:
    with pytest.raises(ProtocolError) as refused:
        verify(otherwise, tenant=TENANT, key=KEY)
    assert refused.value.code == "bad_signature"


def test_another_devices_signature_does_not_verify() -> None:
    with pytest.raises(ProtocolError) as refused:
        verify(SEGMENT, tenant=TENANT, key=FOREIGN_SIGNING_KEY.public_key())
    assert refused.value.code == "bad_signature"


def test_a_segment_verifies_for_its_tenant_and_sender_only() -> None:
    stolen = read_segment(segment_row(SEGMENT), DeviceId(b"another handheld"))

    for segment, tenant in ((SEGMENT, TenantId("420107")), (stolen, TENANT)):
        with pytest.raises(ProtocolError):
            verify(segment, tenant=tenant, key=KEY)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param((0,), INCARNATION[:7], id="short incarnation"),
        pytest.param((1,), 0, id="seq 0"),
        pytest.param((1,), SEQ_MAX, id="a run beyond the highest seq"),
        pytest.param((5,), [], id="no salt root"),
        pytest.param((5,), [[0, root(0)], [1, root(1)]], id="a salt root too many"),
        pytest.param((5,), [[0, root(0)], [0, root(0)]], id="a salt root twice"),
        pytest.param((5,), [[0, root(0), 0]], id="a salt root with something behind it"),
        pytest.param((6,), [], id="no boot id"),
        pytest.param((6,), [BOOT[:7]], id="short boot id"),
        pytest.param((7,), [], id="no ops"),
        pytest.param((7, 0), [[BEYOND, b""], *([BEYOND] * 12)], id="too many ops"),
        pytest.param((7, 0, 0, 0, 0), 0, id="a record of no earlier op"),
        pytest.param((7, 0, 0, 0, 1), -1, id="a record before the first"),
        pytest.param((7, 0, 0, 1), bytes(10), id="not a record id"),
        pytest.param((7, 0, 2, 0), "k" * 65, id="a long kind"),
        pytest.param((7, 0, 3, 0), 0, id="schema 0"),
        pytest.param((7, 0, 4, 0), 9, id="unknown intent"),
        pytest.param((7, 0, 5, 0), -1, id="a negative position"),
        pytest.param((7, 0, 5, 0), 1 << 62, id="a position beyond all"),
        pytest.param((7, 0, 6, 0), 1, id="an own op before the first"),
        pytest.param((7, 0, 7, 0), -1, id="a clock before 1970"),
        pytest.param((7, 0, 7, 0), 1 << 47, id="a clock beyond its 63 bits"),
        pytest.param((7, 0, 8, 0), 1 << 16, id="a counter beyond its 16 bits"),
        pytest.param((7, 0, 10, 0), 1, id="an unknown boot"),
        pytest.param((7, 1, 0), ["note", 0, 1] * 513, id="too many edits"),
        pytest.param((8,), bytes(63), id="short signature"),
    ],
)
def test_a_segment_of_another_layout_is_refused(path: tuple[int, ...], value: Value) -> None:
    with pytest.raises(ProtocolError) as refused:
        read_segment(with_element(row_of(SEGMENT), path, value), DEVICE)
    assert refused.value.code == "malformed"


def test_a_segment_with_one_element_more_or_less_is_refused() -> None:
    row = row_of(SEGMENT)
    for changed in (row[:-1], [*row, None], with_element(row, (7, 0, 0), [None])):
        with pytest.raises(ProtocolError):
            read_segment(changed, DEVICE)


def test_an_op_above_its_limit_is_too_large() -> None:
    with pytest.raises(ProtocolError) as refused:
        read_again(signed((op(1, text_edit("长" * (OP_BYTES_MAX // 3))),)))
    assert refused.value.code == "too_large"


@pytest.mark.parametrize(
    ("edit", "elements"),
    [
        (Edit("note", Action.SET, "", None, 0), 3),
        (Edit("count", Action.COUNT, "", -3, 0), 3),
        (Edit("checks", Action.SET, "gas", "ok", 1), 4),
        (Edit("tags", Action.ADD, "k", None, 0), 4),
        (Edit("items", Action.ADD, "k", {"id": "k"}, 2), 4),
        (Edit("tags", Action.REMOVE, "k", None, 0), 3),
        (Edit("tags", Action.REMOVE, "k", 0, 0), 4),
        (Edit("odd", Action.REMOVE, "", None, 0), 3),
    ],
)
def test_each_kind_of_edit_has_one_shortest_row(edit: Edit, elements: int) -> None:
    row = edit_row(edit)

    assert isinstance(row, list)
    assert len(row) == elements
    assert read_edit(row) == edit


@pytest.mark.parametrize(
    "row",
    [
        ["note", 0, "", "a key that could be left out"],
        ["tags", 2, "k", None],
        ["tags", 1, "no key"],
        ["note", 4, 0],
        ["note", 0x30, 0],
        ["note", -1, 0],
        ["note", False, 0],
        ["note", 0],
        ["note", 0, "k", 0, 0],
        ["f" * 257, 0, 0],
        ["note", 0, "k" * 257, 0],
        ["note", 0, 5, 0],
        "note",
    ],
)
def test_an_edit_of_another_layout_is_refused(row: Value) -> None:
    with pytest.raises(ProtocolError):
        read_edit(row)


def test_a_value_that_would_not_fit_into_an_answer_is_refused() -> None:
    deep: Value = "bottom"
    for _ in range(VALUE_DEPTH_MAX):
        deep = [deep]

    assert read_edit(["note", 0, deep]).value == deep
    with pytest.raises(ProtocolError):
        read_edit(["note", 0, [deep]])


def test_the_chain_starts_otherwise_for_each_incarnation() -> None:
    starts = {chain_start(DEVICE, INCARNATION), chain_start(DEVICE, Incarnation(bytes(8)))}

    assert len(starts) == 2


def test_ops_of_two_authors_or_epochs_never_share_a_segment() -> None:
    ops = run(1, 2)
    strangers = (
        replace(ops[1], author=UserId(bytes(16))),
        replace(ops[1], seen=replace(ops[1].seen, epoch=Epoch(bytes(8)))),
        op(3),
    )
    for stranger in strangers:
        with pytest.raises(AssertionError):
            signed((ops[0], stranger))
