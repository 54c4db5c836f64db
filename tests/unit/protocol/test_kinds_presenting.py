"""How values read: in both languages, masked where they must be, and never obeyed by a terminal."""

from dataclasses import replace

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import UserId
from gridlog_protocol.kinds import Field, shipped_kinds
from gridlog_protocol.kinds.presenting import masked, shown_element, shown_value, title_of, visible

WHO = UserId(bytes.fromhex("0123456789abcdef0123456789abcdef"))


def field(kind: str, name: str) -> Field:
    found = shipped_kinds().get(kind)
    assert found is not None
    return found.fields[name]


@pytest.mark.parametrize(
    ("kind", "name", "value", "zh", "en"),
    [
        ("patrol", "patrol_type", "daily", "日常巡查", "Daily"),
        ("patrol", "started_at", "2026-11-22T09:10:00+08:00", "2026-11-22 09:10", "2026-11-22 09:10"),
        ("patrol", "handled_on_spot", 3, "3", "3"),
        ("patrol", "leader", WHO, "01234567…", "01234567…"),
        ("patrol", "companions", [WHO, "王五"], "01234567…、王五", "01234567…, 王五"),
        ("patrol", "checklist", {"exit": "bad"}, "exit：有问题", "exit: Bad"),
        ("household_visit", "next_visit_due", "2026-12-01", "2026-12-01", "2026-12-01"),
        ("household_visit", "purpose", ["routine", "policy"], "日常走访、政策宣传", "Routine, Policy"),
        ("household", "no_contact", True, "是", "yes"),
        ("household", "no_contact", False, "否", "no"),
        (
            "household_visit",
            "consent",
            {"scope": ["diary", "care"], "informed": True, "method": "oral"},
            "已告知：是，同意范围：走访记录、关爱服务，方式：口头",
            "informed: yes; scope: Visit diary, Care; method: By word of mouth",
        ),
        (
            "patrol",
            "checkpoints",
            [
                {"id": "a", "checkpoint_id": "P1", "result": "normal", "point": [3054321, 11431234]},
                {"id": "b", "checkpoint_id": "P2", "result": "unreachable"},
            ],
            "点位：P1，位置：30.54321, 114.31234，结果：正常；点位：P2，结果：无法到达",
            "checkpoint: P1; place: 30.54321, 114.31234; result: Normal / checkpoint: P2; result: Unreachable",
        ),
    ],
)
def test_a_value_reads_as_people_say_it(kind: str, name: str, value: Value, zh: str, en: str) -> None:
    assert shown_value(field(kind, name), value, "zh") == zh
    assert shown_value(field(kind, name), value, "en") == en


def test_a_place_south_west_of_nowhere_keeps_its_signs_and_zeroes() -> None:
    point: Value = [{"id": "a", "point": [-5, -100_000]}]
    assert shown_value(field("patrol", "checkpoints"), point, "en") == "place: -0.00005, -1.00000"


def test_what_this_version_does_not_know_is_shown_as_it_is() -> None:
    assert shown_value(None, {"a": [True, None, b"\x01\x02"]}, "en") == "a: yes, —, 0102"
    assert shown_value(field("patrol", "patrol_type"), "drone", "zh") == "drone"
    assert shown_value(field("household_visit", "consent"), {"informed": True, "fee": 3}, "en") == (
        "informed: yes; fee: 3"
    )


@pytest.mark.parametrize("value", ["not a moment", 5, [], {}, [1, 2], [[1, 2], 3], {"x": None}, b"", None])
@pytest.mark.parametrize("name", ["started_at", "patrol_type", "checkpoints", "checklist", "companions", "leader"])
def test_a_value_of_any_shape_has_a_text(name: str, value: Value) -> None:
    assert isinstance(shown_value(field("patrol", name), value, "zh"), str)
    assert isinstance(shown_element(field("patrol", name), value, "zh"), str)


def test_one_element_reads_by_the_type_of_the_elements() -> None:
    assert shown_element(field("household_visit", "purpose"), "routine", "zh") == "日常走访"
    assert shown_element(field("patrol", "checklist"), "bad", "en") == "Bad"
    assert shown_element(field("patrol", "summary"), "走完", "en") == "走完"


def test_people_are_called_by_their_names_where_names_are_known() -> None:
    assert shown_value(field("patrol", "companions"), [WHO, "王五"], "zh", names={WHO: "张三"}) == "张三、王五"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("13812348000", "138****8000"),
        ("87654321", "8*****21"),
        ("张三", "张*"),
        ("欧阳小明", "欧**明"),
        ("张", "*"),
        ("", ""),
    ],
)
def test_a_masked_text_keeps_its_ends(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_a_masked_field_is_masked_unless_the_reader_is_meant_to_see_it() -> None:
    phone = field("household", "contact_phone")
    assert shown_value(phone, "13812348000", "zh") == "138****8000"
    assert shown_value(phone, "13812348000", "zh", is_whole=True) == "13812348000"
    assert shown_value(phone, None, "zh") == "—"
    assert shown_element(phone, "13812348000", "zh") == "138****8000"


def test_a_masked_field_of_an_unforeseen_shape_stays_masked() -> None:
    phone = replace(field("household", "contact_phone"))
    assert "13812348000" not in shown_value(phone, ["13812348000"], "zh")


def test_characters_that_steer_a_terminal_or_turn_the_reading_direction_are_shown_not_obeyed() -> None:
    assert visible("a\x1b[31mb\u202ec\u200bd\u2066\ue000\U000e0041") == (
        r"a\u001b[31mb\u202ec\u200bd\u2066\ue000\U000e0041"
    )


def test_a_text_of_several_lines_stands_on_one() -> None:
    assert visible("一\r\n二\n三\t\u3000四") == "一↵二↵三\\u0009\u3000四"


def test_no_part_of_a_value_escapes_the_escaping() -> None:
    hostile = "\x1b]0;x\x07"
    values: list[Value] = [hostile, [hostile], {hostile: hostile}, {"checkpoint_id": hostile}, [{hostile: [hostile]}]]
    for name in ("summary", "checkpoints", "checklist", "companions", "patrol_type", "started_at"):
        for value in values:
            assert "\x1b" not in shown_value(field("patrol", name), value, "zh", names={UserId(b"x"): hostile})


def test_a_line_of_a_list_says_what_a_record_is() -> None:
    kinds = shipped_kinds()
    patrol: dict[str, Value] = {"patrol_type": "daily", "started_at": "2026-11-22T09:10:00+08:00", "summary": "小结"}
    assert title_of(kinds.get("patrol"), patrol, "zh") == "日常巡查 · 2026-11-22 09:10"
    assert title_of(kinds.get("patrol"), {}, "zh") == ""
    assert title_of(None, patrol, "zh") == ""


def test_a_line_of_a_list_names_a_flag_that_is_set_and_is_silent_about_one_that_is_not() -> None:
    household = shipped_kinds().get("household")
    assert title_of(household, {"label": "2-1-301", "no_contact": True}, "en").startswith("2-1-301 · ")
    assert title_of(household, {"label": "2-1-301", "no_contact": False}, "en") == "2-1-301"
