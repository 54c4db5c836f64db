"""What each type of value accepts, and what a worker reads when it does not."""

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import (
    Amount,
    Choice,
    Code,
    Day,
    Digest32,
    Field,
    Flag,
    Identity,
    Line,
    ListOf,
    MapOf,
    Member,
    Merge,
    Moment,
    Option,
    Point,
    Reference,
    Required,
    Sensitivity,
    SetOf,
    Shape,
    Struct,
    ValueType,
    Whole,
    Words,
    check_delta,
    check_value,
    shipped_kinds,
)
from gridlog_protocol.texts import Text

LABEL = Text("水位", "Depth")
WHO = bytes(16)
RISK = Choice((Option("low", Text("低", "Low"), 0), Option("high", Text("高", "High"), 10)))
READING = Struct({"id": Member(LABEL, Code(), is_required=True), "value": Member(LABEL, Whole(0, 9))})
RING: Value = [[0, 0], [0, 9], [9, 9], [0, 0]]


def field(type_: ValueType, required: Required = Required.NO) -> Field:
    return Field("depth", LABEL, type_, required, Sensitivity.INTERNAL, Merge.LWW, "Test.")


def rule(type_: ValueType, value: Value) -> str | None:
    violation = check_value(field(type_), value)
    return violation.rule if violation is not None else None


ACCEPTED: list[tuple[ValueType, Value]] = [
    (Words(0, 3), ""),
    (Words(1, 3), "䶮𬀩x"),
    (Words(0, 40), "左到右\u202a嵌入\u202c与\x00"),
    (Words(0, 40, forbid=("id_number",)), "电话 138 0000 0000，订单 20261122093000123456"),
    (Code(), "槐荫里:3-2"),
    (RISK, "high"),
    (Flag(), False),
    (Whole(0, 5), 5),
    (Amount(14, 2, "0.00"), "0.00"),
    (Amount(14, 2), "-999999999999.99"),
    (Amount(4, 0), "1234"),
    (Moment(), "2026-11-22T09:10:00+08:00"),
    (Moment(), "0001-01-01T00:00:00+14:00"),
    (Day(), "2028-02-29"),
    (Identity(), WHO),
    (Reference("user", "identity"), WHO),
    (Reference("grid", "code"), "420106001002"),
    (Reference("user", "identity", 5), "老梁"),
    (Point(), [3054321, 11412345]),
    (Line(2), [[0, 0], [-9000000, 18000000]]),
    (Shape(9), {"type": "Polygon", "coordinates": [RING, RING]}),
    (Digest32(), bytes(32)),
    (READING, {"id": "a"}),
    (SetOf(Code(), 2), ["a", "b"]),
    (ListOf(READING, 2), [{"id": "a", "value": 1}, {"id": "b"}]),
    (MapOf(RISK, 2), {"a": "low"}),
]

REFUSED: list[tuple[ValueType, Value, str]] = [
    (Words(0, 3), "䶮𬀩xy", "too_long"),
    (Words(1, 3), "　", "too_short"),
    (Words(0, 9), "\ud800", "not_text"),
    (Words(0, 9), 3, "wrong_type"),
    (Words(0, 11, "[0-9]{11}", Text("11 位数字。", "11 digits.")), "138", "pattern"),
    (Code(), "a b", "not_a_code"),
    (Code(), "", "not_a_code"),
    (Code(3, 5), "ab", "too_short"),
    (Code(), "\ud800", "not_a_code"),
    (RISK, "medium", "not_an_option"),
    (RISK, 0, "not_an_option"),
    (Flag(), 1, "wrong_type"),
    (Whole(0, 5), 6, "too_large"),
    (Whole(0, 5), -1, "too_small"),
    (Whole(0, 5), True, "not_a_number"),
    (Amount(14, 2, "0.00"), "-0.01", "too_small"),
    (Amount(14, 2), "-0.00", "not_an_amount"),
    (Amount(14, 2), "1.5", "not_an_amount"),
    (Amount(14, 2), "01.50", "not_an_amount"),
    (Amount(4, 2), "100.00", "not_an_amount"),
    (Amount(14, 2), "１.50", "not_an_amount"),
    (Moment(), "2026-11-22T09:10:00Z", "not_a_moment"),
    (Moment(), "2026-11-22T09:10:00-00:00", "not_a_moment"),
    (Moment(), "2026-11-22T09:10+08:00", "not_a_moment"),
    (Moment(), "2026-11-31T09:10:00+08:00", "not_a_moment"),
    (Moment(), "２026-11-22T09:10:00+08:00", "not_a_moment"),
    (Day(), "2026-02-29", "not_a_day"),
    (Day(), "20260228", "not_a_day"),
    (Identity(), bytes(15), "wrong_type"),
    (Reference("user", "identity"), "老梁", "wrong_type"),
    (Reference("user", "identity", 5), WHO.hex(), "wrong_type"),
    (Reference("user", "identity", 20), "110101190001010014", "forbidden_id_number"),
    (Reference("grid", "code"), WHO, "not_a_code"),
    (Point(), [9000001, 0], "not_a_place"),
    (Point(), [1, True], "not_a_place"),
    (Point(), [1], "not_a_place"),
    (Line(1), [[0, 0], [0, 0]], "too_many_items"),
    (Line(2), [], "wrong_type"),
    (Line(2), [[0]], "not_a_place"),
    (Shape(7), {"type": "Polygon", "coordinates": [RING, RING]}, "too_many_items"),
    (Shape(9), {"type": "Point", "coordinates": [RING]}, "not_a_shape"),
    (Shape(9), {"type": "Polygon", "coordinates": [[[0, 0], [0, 9], [9, 9], [9, 0]]]}, "not_a_shape"),
    (Shape(9), {"type": "Polygon", "coordinates": [[[0, 0], [0, 0]]]}, "not_a_shape"),
    (Shape(9), [RING], "not_a_shape"),
    (Digest32(), "00", "wrong_type"),
    (READING, {"id": "a", "more": 1}, "unknown_member"),
    (READING, {"value": 1}, "required"),
    (READING, {"id": "a", "value": 10}, "too_large"),
    (READING, [], "wrong_type"),
    (SetOf(Code(), 2), ["a", "a"], "duplicate_item"),
    (SetOf(Code(), 2), ["a", "b", "c"], "too_many_items"),
    (SetOf(Code(), 2), "a", "wrong_type"),
    (ListOf(READING, 2), [{"id": "a", "value": 1}, {"id": "a"}], "duplicate_item"),
    (MapOf(RISK, 2), {"a b": "low"}, "wrong_key"),
    (MapOf(RISK, 2), {"a": "medium"}, "not_an_option"),
    (MapOf(RISK, 0), {"a": "low"}, "too_many_items"),
    (MapOf(RISK, 2), [], "wrong_type"),
]


@pytest.mark.parametrize(("type_", "value"), ACCEPTED)
def test_a_right_value_is_accepted(type_: ValueType, value: Value) -> None:
    assert rule(type_, value) is None


@pytest.mark.parametrize(("type_", "value", "wanted"), REFUSED)
def test_a_wrong_value_is_refused_with_a_code(type_: ValueType, value: Value, wanted: str) -> None:
    assert rule(type_, value) == wanted


@pytest.mark.parametrize(
    "text",
    [
        "证件样式 110101190001010014（校验位正确）",
        "11010119000101001X",
        "身份证11010119000101001x号",
        "１１０１０１１９０００１０１００１４",
        "110101 19000101 0014",
        "110101-1900-01-01-001X",
        "十五位 110101900101001",
    ],
)
def test_an_id_number_is_found_however_it_is_written(text: str) -> None:
    assert rule(Words(0, 99, forbid=("id_number",)), text) == "forbidden_id_number"


@pytest.mark.parametrize(
    "text",
    ["138 0000 0000", "灯杆编号 LD-0417", "3.141592653589793238462643", "110101199913010014", "2026-11-22 09:30:00"],
)
def test_other_numbers_are_not_taken_for_id_numbers(text: str) -> None:
    assert rule(Words(0, 99, forbid=("id_number",)), text) is None


def test_the_sentence_names_the_field_and_never_repeats_the_value() -> None:
    violation = check_value(field(Words(0, 5, forbid=("id_number",))), "赵启航的秘密")

    assert violation is not None
    assert violation.text == Text(
        "“水位”最多 5 个字，请删短一些。", "“Depth” may have at most 5 characters. Shorten it."
    )


def test_the_sentence_about_a_member_names_both() -> None:
    kind = shipped_kinds().get("household_visit")
    assert kind is not None

    violation = check_value(kind.fields["consent"], {"informed": True})

    assert violation is not None
    assert violation.text.zh == "请填写“告知与同意·同意范围”。"


def test_a_required_field_cannot_be_cleared() -> None:
    assert check_value(field(Flag()), None) is None
    violation = check_value(field(Flag(), Required.YES), None)
    assert violation is not None
    assert violation.rule == "required"


@pytest.mark.parametrize(("delta", "wanted"), [(200, None), (-200, None), (201, "too_large"), ("1", "not_a_number")])
def test_a_counter_moves_at_most_by_its_range(delta: Value, wanted: str | None) -> None:
    violation = check_delta(field(Whole(0, 200)), delta)

    assert (violation.rule if violation is not None else None) == wanted


@pytest.mark.parametrize(
    ("check_in", "wanted"),
    [
        ({"method": "gps", "acc_m": 100, "point": [0, 0]}, None),
        ({"method": "gps", "acc_m": 101, "point": [0, 0]}, "needs"),
        ({"method": "gps", "point": [0, 0]}, "needs"),
        ({"method": "gps", "acc_m": 5}, "needs"),
        ({"method": "manual"}, "needs"),
        ({"method": "manual", "note": "二维码被刮花"}, None),
        ({"method": "qr"}, None),
    ],
)
def test_a_checkpoint_is_proven_by_code_by_a_good_fix_or_by_a_reason(
    check_in: dict[str, Value], wanted: str | None
) -> None:
    kind = shipped_kinds().get("patrol")
    assert kind is not None
    stamp: Value = {
        "id": "a", "checkpoint_id": "p5", "at": "2026-11-22T09:10:00+08:00", "result": "normal", **check_in,
    }  # fmt: skip

    violation = check_value(kind.fields["checkpoints"], [stamp])

    assert (violation.rule if violation is not None else None) == wanted
