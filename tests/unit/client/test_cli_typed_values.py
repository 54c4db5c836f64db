"""What somebody types on a command line, and the values and changes that come of it."""

import pytest

from gridlog.assignments import changes_of, field_named, kind_named, wanted_values
from gridlog.errors import UnknownKindError
from gridlog.typed_plain import WrongValueError
from gridlog.typed_values import typed
from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import UserId
from gridlog_protocol.kinds import Field, Kind, check_value, shipped_kinds
from gridlog_sync.writing import Add, Change, Count, Remove

ME = UserId(bytes.fromhex("0123456789abcdef0123456789abcdef"))
NOW = "2026-11-22T09:10:30+08:00"
OTHER = bytes(range(16))


def kind(name: str = "patrol") -> Kind:
    return kind_named(shipped_kinds(), name)


def field(name: str, kind_name: str = "patrol") -> Field:
    return kind(kind_name).fields[name]


def read(name: str, text: str, kind_name: str = "patrol") -> Value:
    return typed(field(name, kind_name), text, me=ME, now=NOW)


def changes(*words: str, kind_name: str = "patrol") -> dict[str, Change]:
    return changes_of(kind(kind_name), words, me=ME, now=NOW)


def refusal(*words: str, kind_name: str = "patrol") -> WrongValueError:
    with pytest.raises(WrongValueError) as refused:
        changes(*words, kind_name=kind_name)
    return refused.value


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("patrol_type", "daily", "daily"),
        ("patrol_type", "日常巡查", "daily"),
        ("patrol_type", "Daily", "daily"),
        ("patrol_type", " ｄａｉｌｙ ", "daily"),
        ("handled_on_spot", "３", 3),
        ("leader", "me", ME),
        ("leader", "我", ME),
        ("leader", "00010203-0405-0607-0809-0A0B0C0D0E0F", OTHER),
        ("companions", "me、王五，000102030405060708090a0b0c0d0e0f", [ME, "王五", OTHER]),
        ("companions", '["王,五"]', ["王,五"]),
        ("started_at", "now", NOW),
        ("started_at", "现在", NOW),
        ("started_at", "9:05", "2026-11-22T09:05:00+08:00"),
        ("started_at", "2026-1-2 03:04", "2026-01-02T03:04:00+08:00"),
        ("started_at", "2026年11月2日 03：04", "2026-11-02T03:04:00+08:00"),
        ("started_at", "2026-11-22T09:10:11Z", "2026-11-22T09:10:11+00:00"),
        ("started_at", "2026-11-22 09:10+0530", "2026-11-22T09:10:00+05:30"),
        ("grid_code", "420106001001001", "420106001001001"),
        ("summary", "  一切正常\n再见 ", "  一切正常\n再见 "),
        ("checklist", "exit=有问题, lamp＝ok", {"exit": "bad", "lamp": "ok"}),
        ("checklist", '{"exit": "bad"}', {"exit": "bad"}),
        ("summary", " ", None),
        ("companions", "", []),
    ],
)
def test_what_is_typed_becomes_the_value_of_its_field(name: str, text: str, value: Value) -> None:
    assert read(name, text) == value


@pytest.mark.parametrize(
    ("text", "flag"), [("yes", True), ("是", True), ("TRUE", True), ("no", False), ("否", False), ("0", False)]
)
def test_yes_and_no_are_read_in_both_languages(text: str, flag: object) -> None:
    assert read("no_contact", text, "household") is flag


def test_a_day_is_today_or_a_date() -> None:
    assert read("next_visit_due", "今天", "household_visit") == "2026-11-22"
    assert read("next_visit_due", "2026/12/1", "household_visit") == "2026-12-01"


def test_a_struct_is_typed_member_by_member_in_either_language_or_as_json() -> None:
    consent = {"informed": True, "scope": ["diary", "care"], "method": "oral"}
    assert read("consent", "informed=yes, scope=diary,care, method=oral", "household_visit") == consent
    assert read("consent", "已告知=是，同意范围=走访记录、关爱服务，方式=口头", "household_visit") == consent
    text = '{"informed": true, "scope": ["diary", "关爱服务"], "method": "oral"}'
    assert read("consent", text, "household_visit") == consent


def test_a_comma_inside_a_member_belongs_to_the_member() -> None:
    added = changes("missed+=checkpoint_id=P7, reason=门锁着，没人，改天再来")["missed"]
    assert isinstance(added, Add)
    assert isinstance(added.elements[0], dict)
    assert added.elements[0]["reason"] == "门锁着，没人，改天再来"


def test_an_element_gets_an_id_and_says_who_and_when() -> None:
    first, second = changes("comments+=路灯坏了", "comments+=text=修好了,at=10:00")["comments"].elements  # type: ignore[union-attr]
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert (first["by"], first["at"], first["text"]) == (ME, NOW, "路灯坏了")
    assert second["at"] == "2026-11-22T10:00:00+08:00"
    assert first["id"] != second["id"]


def test_an_element_keeps_the_id_it_is_given() -> None:
    value = read("checkpoints", '[{"id": "a", "checkpoint_id": "P1", "method": "qr", "result": "正常"}]')
    assert value == [{"id": "a", "at": NOW, "checkpoint_id": "P1", "method": "qr", "result": "normal"}]


def test_an_element_with_everything_passes_the_judgement_of_its_field() -> None:
    text = "checkpoint_id=P1, method=gps, acc_m=8, result=normal, point=30.54321, 114.31234, note=门口"
    value = read("checkpoints", text)
    assert check_value(field("checkpoints"), value) is None
    assert isinstance(value, list)
    assert isinstance(value[0], dict)
    assert value[0]["point"] == [3054321, 11431234]


def test_places_and_amounts_in_json_do_not_round_on_the_way() -> None:
    text = '{"device": "000102030405060708090a0b0c0d0e0f", "seq": 1, "from": "09:00", "to": "09:05", '
    value = read("track_chunks", text + '"polyline": [[30.00001, 114.29999], ["-0.1", 0]]}')
    assert isinstance(value, list)
    assert isinstance(value[0], dict)
    assert value[0]["polyline"] == [[3000001, 11429999], [-10000, 0]]
    measured = read("measurements", '{"kind": "noise", "value": 55.1, "unit": "dB"}')
    assert isinstance(measured, list)
    assert isinstance(measured[0], dict)
    assert measured[0]["value"] == "55.10"


def test_a_polygon_is_geojson_in_degrees() -> None:
    ring = "[[114.3, 30.5], [114.4, 30.5], [114.4, 30.6], [114.3, 30.5]]"
    value = read("boundary", f'{{"type": "Polygon", "coordinates": [{ring}]}}', "grid")
    assert check_value(field("boundary", "grid"), value) is None
    assert isinstance(value, dict)
    assert value["coordinates"] == [
        [[11430000, 3050000], [11440000, 3050000], [11440000, 3060000], [11430000, 3050000]]
    ]


@pytest.mark.parametrize(
    ("word", "says"),
    [
        ("patrol_type=weekly", "They are: daily, special"),
        ("handled_on_spot=many", "Enter a whole number"),
        ("handled_on_spot=3.5", "Enter a whole number"),
        ("started_at=tomorrow", "“2026-11-22 09:10”, or “now”"),
        ("started_at=2026-13-01 09:10", "or “now”"),
        ("started_at=25:00", "or “now”"),
        ("leader=bob", "For yourself, say “me”"),
        ("route_id=12", "32 digits"),
        ("checkpoints+=P1", "The names are: checkpoint_id"),
        ("checkpoints+={not json", "is not JSON"),
        ('checkpoints+=[{"colour": 1}]', "a part that this version does not know"),
        ("checkpoints+=checkpoint_id=P1, point=somewhere", "latitude and longitude"),
        ("checkpoints+=[[1]]", "the wrong kind of value"),
        ("measurements+=kind=noise, value=loud, unit=dB", "such as 12.50"),
        ("measurements+=kind=noise, value=1.234, unit=dB", "such as 12.50"),
        ("boundary=114.3", "There is no field"),
        ("summary", "Write field=value"),
        ("=x", "Write field=value"),
        ("sumary=x", "Did you mean summary"),
        ("zzz=x", "gridlog kinds patrol"),
        ("weather+=sunny", "use weather="),
        ("comments-=x", "only grows"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_to_type_instead(word: str, says: str) -> None:
    refused = refusal(word)
    assert says in refused.text.en
    assert refused.text.zh


def test_a_refusal_shows_what_was_typed_but_does_not_obey_it() -> None:
    assert "\x1b" not in refusal("\x1b[31m=x").text.zh
    assert "\x1b" not in refusal("\x1b[31m").text.en
    assert "\udce4" not in refusal("\udce4=x").text.zh


def test_a_flag_that_is_neither_is_refused() -> None:
    assert "yes or no" in refusal("no_contact=maybe", kind_name="household").text.en


def test_assignments_set_add_remove_and_count() -> None:
    assert changes("weather=雨", "companions+=王五", "handled_on_spot+=2") == {
        "weather": "rain",
        "companions": Add(("王五",)),
        "handled_on_spot": Count(2),
    }
    assert changes("companions-=王五、me", "handled_on_spot-=2") == {
        "companions": Remove(("王五", ME)),
        "handled_on_spot": Count(-2),
    }


def test_a_field_may_be_added_to_more_than_once() -> None:
    assert changes("companions+=王五", "companions+=赵六") == {"companions": Add(("王五", "赵六"))}
    assert changes("handled_on_spot+=2", "handled_on_spot-=1") == {"handled_on_spot": Count(1)}
    assert changes("companions-=王五", "companions-=赵六") == {"companions": Remove(("王五", "赵六"))}


def test_a_field_set_twice_is_a_slip() -> None:
    assert "more than once" in refusal("weather=rain", "weather=snow").text.en
    assert "more than once" in refusal("companions=a", "companions+=b").text.en


def test_structured_elements_of_a_set_are_removed_by_their_id() -> None:
    assert changes("parties-=p1,p2", kind_name="mediation") == {"parties": Remove(("p1", "p2"))}


def test_only_the_first_equals_sign_ends_the_name() -> None:
    assert changes("summary=a=b+=c") == {"summary": "a=b+=c"}


def test_fields_and_kinds_go_by_name_or_label() -> None:
    assert field_named(kind("巡查"), "巡查小结") is field("summary")
    assert field_named(kind("Patrol"), " handled on the SPOT ") is field("handled_on_spot")
    assert changes("巡查小结＝好") == {"summary": "好"}
    with pytest.raises(UnknownKindError):
        kind("drone_flight")


def test_a_search_asks_for_one_element_or_a_whole_value() -> None:
    assert wanted_values(kind(), ["companions=王五", "天气=雨"], me=ME, now=NOW) == {
        "companions": "王五",
        "weather": "rain",
    }
    with pytest.raises(WrongValueError):
        wanted_values(kind(), ["companions+=王五"], me=ME, now=NOW)
