"""Ops and record states at rest and on the air: complete, and damage is told."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from gridlog_protocol.canonical import NotCanonicalError, Value, pack, unpack
from gridlog_protocol.clock import Stamp, reading
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceId, Incarnation, OpId, Position
from gridlog_protocol.op_codec import pack_op, unpack_op
from gridlog_protocol.ops import op_hash
from gridlog_protocol.state import PENDING, Cell, Covered, FieldState, Head, Origin, RecordState, is_ended
from gridlog_protocol.state_codec import Authors, PackedRecord, pack_record, read_record, record_row, unpack_record
from tests.unit.protocol.samples import AUTHOR, DEVICE, INCARNATION, RECORD, START_MS, op, text_edit

OTHER = OpId(DeviceId(b"another handheld"), Incarnation(b"2nd life"), 5)
MINE = OpId(DEVICE, INCARNATION, 3)
HERE = Position(44)


def head(op_id: OpId, value: Value, *, after_ms: int = 0, position: Position = HERE) -> Head:
    return Head(op_id, AUTHOR, Stamp(reading(START_MS + after_ms, 2)), position, value)


def record(**fields: FieldState) -> RecordState:
    return RecordState(RECORD, "patrol", 2, Origin(OpId(DEVICE, INCARNATION, 1), AUTHOR, 9), MappingProxyType(fields))


def plain(*heads: Head, covered: Covered | None = None, digest_class: int = 0) -> FieldState:
    cell = Cell(heads, covered or Covered())
    return FieldState(digest_class, Position(44), MappingProxyType({"": cell}))


NOTE = plain(head(OTHER, "乙"), head(MINE, "甲", after_ms=5))
TAGS = FieldState(
    2,
    Position(50),
    MappingProxyType({"a": Cell((head(MINE, None, after_ms=5),)), "b": Cell((), Covered()), "c": Cell(())}),
)
SEEN = Covered(40, MappingProxyType({(DEVICE, INCARNATION): 2, (OTHER.device, OTHER.incarnation): 4}))
RECORDS = [
    record(),
    record(note=NOTE),
    record(note=NOTE, tags=TAGS),
    replace(record(note=NOTE), origin=None),
    record(note=plain(head(MINE, {"k": [1, b"\0", None]}, position=PENDING))),
]


def sent(one: RecordState, *, base_position: int = 44) -> RecordState:
    authors = Authors(base_position)
    row = record_row(one, authors)
    reader = Authors(base_position, authors.rows)
    return read_record(unpack(pack(row)), reader)


@pytest.mark.parametrize("one", RECORDS)
def test_a_record_comes_back_from_the_air_and_from_the_store(one: RecordState) -> None:
    assert sent(one) == one
    assert sent(one, base_position=0) == one
    assert unpack_record(pack_record(one)) == one


def test_only_a_store_keeps_what_the_writes_had_seen() -> None:
    one = record(note=plain(head(MINE, "甲"), covered=SEEN))

    assert unpack_record(pack_record(one)) == one
    assert sent(one) == record(note=plain(head(MINE, "甲")))


WITHDRAWN = plain(head(OTHER, {"reason": "重复登记了"}), covered=SEEN)
CANCELLED = plain(head(OTHER, [0, "cancelled", True]), covered=SEEN)
ENDED = [
    record(note=NOTE, deleted=WITHDRAWN, tags=TAGS),
    record(state=CANCELLED),
    record(deleted=WITHDRAWN, state=CANCELLED),
]


@pytest.mark.parametrize("one", ENDED)
def test_of_a_cell_that_ends_a_record_what_its_writes_had_seen_travels_too(one: RecordState) -> None:
    assert sent(one) == one
    assert sent(one, base_position=0) == one


def test_of_other_cells_of_an_ended_record_it_does_not() -> None:
    seen = record(note=plain(head(MINE, "甲"), covered=SEEN), deleted=WITHDRAWN)

    assert sent(seen).fields["note"].cells[""].covered == Covered()
    assert sent(seen).fields["deleted"] == seen.fields["deleted"]


def test_a_cleared_withdrawal_and_the_end_of_an_element_end_no_record() -> None:
    restored = record(deleted=plain(head(OTHER, None), covered=SEEN))
    element = Cell((head(OTHER, [0, "solved", True]),), SEEN)
    solved = record(demand_state=FieldState(0, HERE, MappingProxyType({"d1": element})))

    assert sent(restored).fields["deleted"].cells[""].covered == Covered()
    assert sent(solved).fields["demand_state"].cells["d1"].covered == Covered()


@pytest.mark.parametrize("covered", [7, [], [[]], [[0], [0]], [[-1]], [[0, 9, 1]], [[0, 0]], [["x"]], [[1 << 62]]])
def test_what_was_seen_must_fit_the_cells(covered: Value) -> None:
    authors = Authors(44, [(DEVICE, INCARNATION, AUTHOR)])
    row: list[Value] = [RECORD, "patrol", 1, None, [WRITE], [["deleted", 0, ["", [0, {"reason": "重复"}]]]]]
    assert read_record([*row, [[7]]], authors).fields["deleted"].cells[""].covered == Covered(7)

    with pytest.raises(ProtocolError) as refused:
        read_record([*row, covered], authors)
    assert refused.value.code == "malformed"


def test_an_op_that_wrote_many_fields_is_named_once() -> None:
    few, many = (record(**{f"field{index}": plain(head(MINE, 0)) for index in range(count)}) for count in (1, 21))
    row = record_row(many, Authors())

    assert isinstance(row, list)
    assert len(pack(row[4])) == len(pack([row[4][0]]))  # type: ignore[index]
    assert (len(pack_record(many)) - len(pack_record(few))) / 20 < 20


def test_heads_come_in_the_order_that_settles_ties_however_they_were_sent() -> None:
    one = record(note=plain(head(MINE, "甲", after_ms=5), head(OTHER, "乙")))

    assert [each.value for each in sent(one).fields["note"].cells[""].heads] == ["乙", "甲"]


FIELD: list[Value] = ["note", 0, ["", [0, "甲"]]]
WRITE: list[Value] = [0, 3, 0, 0, 0]


@pytest.mark.parametrize(
    ("element", "value"),
    [
        pytest.param(0, bytes(16), id="not a record id"),
        pytest.param(1, "k" * 65, id="a long kind"),
        pytest.param(2, 0, id="schema 0"),
        pytest.param(3, [9, 1, 0], id="an origin by nobody"),
        pytest.param(3, [1, 0], id="an origin by no write"),
        pytest.param(3, [0, 1, -START_MS - 1], id="an origin before 1970"),
        pytest.param(3, [0, 1 << 47], id="an origin beyond its 47 bits"),
        pytest.param(4, [[9, 3, 0, 0, 0]], id="a write by nobody"),
        pytest.param(4, [[0, 0, 0, 0, 0]], id="a write with seq 0"),
        pytest.param(4, [[0, 3, -START_MS - 1, 0, 0]], id="a stamp before 1970"),
        pytest.param(4, [[0, 3, 1 << 47, 0, 0]], id="a stamp beyond its 63 bits"),
        pytest.param(4, [[0, 3, 0, 0, 45]], id="a position below 0"),
        pytest.param(4, [[0, 3, 0, 0, -(1 << 62)]], id="a position beyond all"),
        pytest.param(4, [[*WRITE, 0]], id="a long write"),
        pytest.param(5, [FIELD, FIELD], id="a field twice"),
        pytest.param(5, [["note", 3, ["", [0, "甲"]]]], id="an unknown class"),
        pytest.param(5, [["note", 0, ["", [0, "甲"]], 45]], id="a change below 0"),
        pytest.param(5, [["note", 0, ["", [0, "甲"]], 0]], id="a change that says nothing new"),
        pytest.param(5, [["note", 0, ["", []]]], id="a removal at no position"),
        pytest.param(5, [["note", 0, ["", [0, "甲"], "", []]]], id="an element twice"),
        pytest.param(5, [["note", 0, ["", [1, "甲"]]]], id="a value without its write"),
        pytest.param(5, [["note", 0, ["", [0]]]], id="a write without its value"),
        pytest.param(5, [["note", 0, [""]]], id="an element without heads"),
        pytest.param(5, [["n" * 257, 0, [], 0]], id="a long name"),
        pytest.param(5, [["note", 0, ["k" * 257, []], 0]], id="a long key"),
    ],
)
def test_a_record_of_another_layout_is_refused(element: int, value: Value) -> None:
    row: list[Value] = [RECORD, "patrol", 1, None, [WRITE], [FIELD]]
    authors = Authors(44, [(DEVICE, INCARNATION, AUTHOR)])
    assert read_record(row, authors).fields["note"].cells[""].heads[0].value == "甲"

    with pytest.raises(ProtocolError) as refused:
        read_record([*row[:element], value, *row[element + 1 :]], authors)
    assert refused.value.code == "malformed"


ONE = op(7, text_edit("甲"), text_edit("13800138000", field="phone", digest_class=1))


def test_a_stored_op_comes_back_with_everything_its_hash_needs() -> None:
    again = unpack_op(pack_op(ONE))

    assert again == ONE
    assert op_hash(again) == op_hash(ONE)


@pytest.mark.parametrize("raw", [pack_op(ONE), pack_record(RECORDS[2])], ids=["op", "record"])
def test_damage_at_rest_is_told(raw: bytes) -> None:
    for length in range(len(raw)):
        for read in (unpack_op, unpack_record):
            with pytest.raises((ProtocolError, NotCanonicalError)):
                read(raw[:length])


def test_a_stored_op_does_not_pass_for_a_record_or_the_other_way_round() -> None:
    with pytest.raises(ProtocolError):
        unpack_record(pack_op(ONE))
    with pytest.raises(ProtocolError):
        unpack_op(pack_record(RECORDS[1]))


@pytest.mark.parametrize(
    ("ends", "fields"),
    [
        (False, {"note": NOTE, "tags": TAGS}),
        (False, {"note": plain(head(MINE, "deleted"))}),
        (False, {"deleted": plain(head(MINE, None))}),
        (True, {"deleted": plain(head(MINE, {"reason": "写错了"}))}),
        (True, {"deleted": plain(head(OTHER, None), head(MINE, {"reason": "写错了"}, after_ms=5))}),
        (False, {"state": plain(head(MINE, [0, "verified"]))}),
        (True, {"note": NOTE, "state": plain(head(MINE, [0, "cancelled", True], after_ms=5))}),
        (False, {"steps": FieldState(0, HERE, MappingProxyType({"k": Cell((head(MINE, [0, "x", True]),))}))}),
    ],
)
def test_whether_a_record_has_ended_is_told_from_its_bytes(*, ends: bool, fields: dict[str, FieldState]) -> None:
    state = record(**fields)
    packed = PackedRecord(pack_record(state), state.id, state.kind)

    assert packed.is_ended is is_ended(state) is ends
    assert packed.state == state
    assert packed.is_ended is ends
