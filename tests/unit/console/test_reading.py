from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from gridlog_protocol.canonical import Value
from gridlog_server.console.differences import marked
from gridlog_server.console.fields import Reader, lines_of, plumbing_of
from gridlog_server.console.places import places_of
from gridlog_server.console.speaking import Speech
from tests.unit.server.building import KINDS

PATROL = KINDS.get("patrol")
NOON_MS = 1_795_000_000_000


def chunk(seq: int, *line: tuple[int, int]) -> Value:
    return {"id": f"t{seq}", "seq": seq, "polyline": [[*place] for place in line]}


def test_what_two_versions_have_in_common_is_not_marked_and_nothing_is_lost() -> None:
    one, other = "北门井盖松动，已用警示带围挡", "北门井盖破损，已设警示锥"
    pieces = marked(one, other)
    assert "".join(each.text for each in pieces) == one
    assert [each.text for each in pieces if not each.is_common] == ["松动", "用", "带围挡"]
    assert [each.is_common for each in marked(one, one)] == [True]
    assert [each.is_common for each in marked(one, "")] == [False]
    assert marked("", one) == []


def test_long_texts_are_compared_by_lines() -> None:
    one = "\n".join(f"第{number}行说的是同样的话，谁也没有改过" for number in range(400))
    pieces = marked(one, one.replace("第7行", "第七行"))
    assert "".join(each.text for each in pieces) == one
    assert len([each for each in pieces if not each.is_common]) == 1


def test_between_two_chunks_that_lie_apart_there_is_a_gap_and_no_line() -> None:
    values: dict[str, Value] = {
        "track_chunks": [
            chunk(0, (3_055_000, 11_430_000), (3_055_010, 11_430_010)),
            chunk(1, (3_055_011, 11_430_011), (3_055_020, 11_430_020)),
            chunk(2, (3_056_000, 11_431_000), (3_056_010, 11_431_010)),
        ],
        "checkpoints": [{"id": "c", "point": [3_055_000, 11_430_000]}, {"id": "d", "point": "nonsense"}],
    }
    places = places_of(PATROL, values, "zh")
    assert len(places["lines"]) == 3
    assert places["gaps"] == [[(30.5502, 114.3002), (30.56, 114.31)]]
    assert [point["at"] for point in places["points"] if isinstance(point, dict)] == [(30.55, 114.3)]


def test_the_matter_comes_first_and_nothing_that_somebody_wrote_is_left_out() -> None:
    values: dict[str, Value] = {
        "tags": ["a"],
        "summary": "第一行\n第二行\u202e",
        "later_field": "后来的版本才知道的",
        "grid_code": "420106001001001",
        "occurred_at": "2026-11-21T12:35:00+08:00",
        "epoch": 3,
    }
    reader = Reader("zh", {})
    lines = lines_of(PATROL, values, reader)
    assert [each.name for each in lines] == ["occurred_at", "grid_code", "summary", "tags", "later_field"]
    assert lines[2].text == "第一行\n第二行\\u202e"
    assert [each.name for each in plumbing_of(PATROL, values, reader)] == ["epoch"]


@pytest.mark.parametrize(
    ("language", "moment", "ago"),
    [("zh", "2026年11月18日 周三 19:06", "3小时前"), ("en", "Wed 18 Nov 2026, 19:06", "3 hours ago")],
)
def test_a_moment_has_its_date_spelled_out_in_the_offices_zone(language: str, moment: str, ago: str) -> None:
    say = Speech("zh" if language == "zh" else "en", ZoneInfo("Asia/Shanghai"), NOON_MS + 3 * 3_600_000)
    assert say.moment(NOON_MS) == moment
    assert say.ago(NOON_MS) == ago
    assert say.number(1_234_567) == "1,234,567"
