"""How edits name one element of a set, list or map."""

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field, check_element, check_size, element_key, element_of, shipped_kinds

WHO = bytes(range(16))
COMMENT: Value = {"id": "c1", "by": WHO, "at": "2026-11-22T09:10:00+08:00", "text": "收到"}


def field(kind_name: str, name: str) -> Field:
    kind = shipped_kinds().get(kind_name)
    assert kind is not None
    return kind.fields[name]


ELEMENTS: list[tuple[str, str, Value, str, Value]] = [
    ("patrol", "tags", "night", "night", None),
    ("patrol", "companions", WHO, WHO.hex(), None),
    ("patrol", "companions", "老梁", "老梁", None),
    ("patrol", "attachments", WHO, WHO.hex(), None),
    ("patrol", "comments", COMMENT, "c1", COMMENT),
    ("household_visit", "purpose", "routine", "routine", None),
    ("grid", "successors", "420106001003", "420106001003", None),
]


@pytest.mark.parametrize(("kind", "name", "element", "key", "value"), ELEMENTS)
def test_an_element_is_named_by_a_key_and_found_again(
    kind: str, name: str, element: Value, key: str, value: Value
) -> None:
    of = field(kind, name)

    assert element_key(of, element) == key
    assert element_of(of, key, value) == element
    assert check_element(of, key, value) is None


WRONG: list[tuple[str, str, str, Value, str]] = [
    ("patrol", "tags", "two words", None, "not_a_code"),
    ("patrol", "tags", "night", True, "wrong_key"),
    ("patrol", "attachments", WHO.hex().upper(), None, "wrong_type"),
    ("patrol", "attachments", "00", None, "wrong_type"),
    ("patrol", "companions", "110101190001010014", None, "forbidden_id_number"),
    ("patrol", "comments", "c2", COMMENT, "wrong_key"),
    ("patrol", "comments", "c1", None, "wrong_type"),
    ("patrol", "checklist", "door", "broken", "not_an_option"),
    ("patrol", "checklist", "the door", "ok", "wrong_key"),
    ("household_visit", "care_needs", "diagnosis", None, "not_an_option"),
]


@pytest.mark.parametrize(("kind", "name", "key", "value", "wanted"), WRONG)
def test_a_wrong_element_is_refused(kind: str, name: str, key: str, value: Value, wanted: str) -> None:
    violation = check_element(field(kind, name), key, value)

    assert violation is not None
    assert (violation.field, violation.rule) == (name, wanted)


def test_a_map_is_edited_by_its_own_keys() -> None:
    assert check_element(field("patrol", "checklist"), "fire_door", "bad") is None
    assert check_element(field("mediation", "party_claims"), "p1", "要求赔偿六百元") is None


def test_a_set_is_full_at_its_limit() -> None:
    attachments = field("patrol", "attachments")

    assert check_size(attachments, 20) is None
    violation = check_size(attachments, 21)
    assert violation is not None
    assert violation.rule == "too_many_items"
