"""What kinds say and what they refuse to hold: labels in both languages, no identity numbers, no profiles."""

from collections import Counter
from collections.abc import Iterator

import pytest

from gridlog_protocol.kinds import (
    Choice,
    Kind,
    ListOf,
    MapOf,
    Merge,
    Sensitivity,
    SetOf,
    Struct,
    ValueType,
    Words,
    shipped_kinds,
)
from gridlog_protocol.texts import Text

KINDS = {kind.name: kind for kind in shipped_kinds()}

NOT_ABOUT_PEOPLE = {
    "grid.name", "patrol_route.name", "patrol_route.points.name", "patrol_route.checklist.name",
    "duty_item.name", "duty_item.materials", "incident_category.major", "incident_category.minor",
    "patrol.measurements.unit", "patrol.result_quantities.unit", "incident.result_quantities.unit",
    "mediation.investigations.place", "mediation.sessions.place", "mediation.court_confirmation.no",
    "address.standard_code", "address.qr_code", "address.street_lane", "address.compound", "address.building_no",
    "address.unit_no", "address.floor", "address.room", "address.full_text",
    "device.model", "device.os", "device.app_version",
}  # fmt: skip
"""Names of things, codes and units: no sentence about a person fits in."""

NOT_STORED = (
    "身份证", "宗教", "民族", "政治", "党员", "人脸", "指纹", "诊断", "病", "收入", "前科", "上访", "吸毒",
    "id card", "religio", "ethnic", "politic", "face", "fingerprint", "diagnos", "income", "criminal", "petitioner",
    "drug",
)  # fmt: skip


def parts(path: str, label: Text, type_: ValueType) -> Iterator[tuple[str, Text, ValueType]]:
    """Yield every value of a type with its path and label, nested ones too."""
    yield path, label, type_
    match type_:
        case Struct():
            for name, member in type_.members.items():
                yield from parts(f"{path}.{name}", member.label, member.type)
        case SetOf() | ListOf() | MapOf():
            yield from parts(path, label, type_.element)


def parts_of(kind: Kind) -> Iterator[tuple[str, Text, ValueType]]:
    for name, field in kind.fields.items():
        yield from parts(f"{kind.name}.{name}", field.label, field.type)


def labels_of(kind: Kind) -> Iterator[tuple[str, Text]]:
    yield kind.name, kind.label
    for path, label, type_ in parts_of(kind):
        yield path, label
        for option in type_.options if isinstance(type_, Choice) else ():
            yield f"{path}={option.value}", option.label


@pytest.mark.parametrize("name", KINDS)
def test_everything_has_a_label_in_both_languages(name: str) -> None:
    for path, label in labels_of(KINDS[name]):
        assert label.zh.strip(), path
        assert label.en.strip(), path
        assert label.en.isascii(), path


@pytest.mark.parametrize("name", KINDS)
def test_no_two_answers_of_a_choice_read_alike(name: str) -> None:
    for path, _, type_ in parts_of(KINDS[name]):
        if isinstance(type_, Choice):
            for language in ("zh", "en"):
                spoken = Counter(option.label.spoken(language).casefold() for option in type_.options)
                assert max(spoken.values()) == 1, path


@pytest.mark.parametrize("name", KINDS)
def test_no_two_fields_of_a_kind_read_alike(name: str) -> None:
    fields = KINDS[name].fields.values()

    for language in ("zh", "en"):
        spoken = Counter(field.label.spoken(language).casefold() for field in fields)
        assert [label for label, times in spoken.items() if times > 1] == []


def test_no_two_kinds_read_alike() -> None:
    for language in ("zh", "en"):
        assert len({kind.label.spoken(language).casefold() for kind in KINDS.values()}) == len(KINDS)


@pytest.mark.parametrize("name", KINDS)
def test_free_text_takes_no_identity_number(name: str) -> None:
    unguarded = {
        path
        for path, _, type_ in parts_of(KINDS[name])
        if isinstance(type_, Words) and not type_.pattern and "id_number" not in type_.forbid
    }

    assert unguarded <= NOT_ABOUT_PEOPLE


def test_every_exception_is_still_needed() -> None:
    paths = {
        path
        for kind in KINDS.values()
        for path, _, type_ in parts_of(kind)
        if isinstance(type_, Words) and not type_.forbid
    }

    assert paths >= NOT_ABOUT_PEOPLE


@pytest.mark.parametrize("name", KINDS)
def test_nothing_asks_for_what_may_not_be_stored(name: str) -> None:
    for path, label in labels_of(KINDS[name]):
        asked = [word for word in NOT_STORED if word in label.zh or word in label.en.casefold()]
        assert asked == [], path


def test_a_band_of_years_is_all_that_is_known_of_an_age() -> None:
    person = KINDS["person"].fields

    assert person["is_minor_u14"].sensitivity is Sensitivity.SENSITIVE
    assert {field.sensitivity for name, field in person.items() if name not in KINDS["grid"].fields} <= {
        Sensitivity.PERSONAL,
        Sensitivity.SENSITIVE,
    }


@pytest.mark.parametrize("name", [kind.name for kind in KINDS.values() if not kind.scope_field])
def test_what_every_device_holds_is_about_no_person(name: str) -> None:
    for field in KINDS[name].fields.values():
        assert field.sensitivity in (Sensitivity.PUBLIC, Sensitivity.INTERNAL), field.name


@pytest.mark.parametrize("name", ["user", "device"])
def test_accounts_and_devices_stay_on_the_server_unless_a_grid_is_named(name: str) -> None:
    scope = KINDS[name].fields[KINDS[name].scope_field]

    assert scope not in KINDS[name].required_at_creation()
    assert scope.merge is Merge.SERVER


@pytest.mark.parametrize("path", ["person.phone", "person.full_name", "user.phone", "household.contact_phone"])
def test_lists_show_names_and_numbers_only_in_part(path: str) -> None:
    kind, name = path.split(".")

    assert KINDS[kind].fields[name].is_masked
    assert name not in KINDS[kind].title_fields
