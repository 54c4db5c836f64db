"""Reading published division codes and keeping one street of them."""

import json
from pathlib import Path

import pytest

from tools.divisions.extract import (
    DivisionsError,
    read_divisions,
    read_extract,
    street_extract,
    written,
)

KEPT = Path(__file__).parents[3] / "tools/demo/data/420106001.json"


def divisions(**changed: object) -> str:
    content: dict[str, object] = {
        "source": "invented for tests, 2023-06-30",
        "areas": [{"code": "990101", "name": "甲区", "cityCode": "9901"}],
        "streets": [{"code": "990101001", "name": "乙街道", "areaCode": "990101"}],
        "villages": [
            {"code": "990101001002", "name": "丁社区", "streetCode": "990101001"},
            {"code": "990101001001", "name": "丙社区", "streetCode": "990101001"},
        ],
    }
    return json.dumps(content | changed)


def test_a_street_is_taken_out_with_its_district_and_communities_in_order_of_code() -> None:
    extract = street_extract(read_divisions(divisions()), "990101001")
    assert extract.district.name == "甲区"
    assert [community.name for community in extract.communities] == ["丙社区", "丁社区"]
    assert extract.as_of == "2023-06-30"


def test_an_extract_survives_being_written_and_read() -> None:
    extract = street_extract(read_divisions(divisions()), "990101001")
    assert read_extract(written(extract)) == extract


def test_the_kept_street_has_its_twelve_communities_and_says_where_they_come_from() -> None:
    extract = read_extract(KEPT.read_text("utf-8"))
    assert (extract.district.code, extract.street.code) == ("420106", "420106001")
    assert len(extract.communities) == 12
    assert "china-division 2.7.0" in extract.source
    assert extract.as_of == "2023-06-30"


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ({"code": "99010100100", "name": "丙", "streetCode": "990101001"}, "must be 12 digits"),
        ({"code": "9901010０1001", "name": "丙", "streetCode": "990101001"}, "must be 12 digits"),
        ({"code": "990101001001", "name": "丙", "streetCode": "990101009"}, "does not exist"),
        ({"code": "990101001001", "name": " ", "streetCode": "990101001"}, "name is missing"),
        ({"code": 990101001001, "name": "丙", "streetCode": "990101001"}, "code is missing"),
        ("990101001001", "code is missing"),
    ],
)
def test_a_bad_row_is_named_with_its_fault(row: object, fault: str) -> None:
    with pytest.raises(DivisionsError, match=rf"^villages\[0\].*{fault}"):
        read_divisions(divisions(villages=[row]))


def test_a_code_that_occurs_twice_is_refused() -> None:
    row = {"code": "990101001001", "name": "丙社区", "streetCode": "990101001"}
    with pytest.raises(DivisionsError, match=r"villages\[1\]: 990101001001 occurs twice"):
        read_divisions(divisions(villages=[row, row]))


def test_every_problem_is_reported_but_a_flood_is_cut_short() -> None:
    with pytest.raises(DivisionsError) as raised:
        read_divisions(divisions(villages=[{}] * 30))
    assert len(raised.value.problems) == 30
    assert str(raised.value).endswith("and 20 more")


@pytest.mark.parametrize("text", ["", "[]", divisions(source="somewhere"), divisions(streets=None)])
def test_a_file_of_another_shape_is_refused(text: str) -> None:
    with pytest.raises(DivisionsError):
        read_divisions(text)


def test_an_unknown_street_and_one_without_communities_are_refused() -> None:
    with pytest.raises(DivisionsError, match="not among"):
        street_extract(read_divisions(divisions()), "990101777")
    with pytest.raises(DivisionsError, match="no communities"):
        street_extract(read_divisions(divisions(villages=[])), "990101001")
