"""The kinds that come with the product: complete, practical, and safe to show."""

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import (
    Kind,
    KindSet,
    Merge,
    Required,
    Sensitivity,
    check_record,
    check_value,
    shipped,
    shipped_envelope,
    shipped_kinds,
)
from gridlog_protocol.kinds.times import moment_ms

WORKER = bytes(range(16))
NOW = "2026-11-22T09:30:00+08:00"

GIVEN_AT_CREATION = {
    "patrol": {"grid_code", "occurred_at", "patrol_type", "started_at", "leader"},
    "household_visit": {
        "grid_code", "occurred_at", "household_id", "purpose", "visitors", "started_at", "result", "consent",
    },
    "mediation": {
        "grid_code", "occurred_at", "source", "dispute_category", "mediators", "facts", "risk_level",
        "confidentiality",
    },
    "household": {"grid_code", "household_id", "label"},
    "grid": {"grid_code"},
    "incident": {
        "grid_code", "occurred_at", "title", "category", "event_level", "severity", "source", "discovered_at",
        "place_text", "description", "first_receiver",
    },
    "attachment": {"grid_code", "sha256", "media_type", "bytes", "purpose"},
    "person": {"grid_code", "person_id", "display_name", "consents"},
    "daily_report": {"grid_code", "occurred_at", "user", "date"},
    "user": {"user_id"},
    "duty_item": set(),
}  # fmt: skip

FIRST_NOTES: dict[str, dict[str, Value]] = {
    "patrol": {"patrol_type": "daily", "started_at": "2026-11-22T09:10:00+08:00", "leader": WORKER},
    "household_visit": {
        "household_id": WORKER,
        "purpose": ["routine", "key_care"],
        "visitors": [WORKER],
        "started_at": "2026-11-22T09:10:00+08:00",
        "result": "not_home",
        "consent": {"informed": False, "scope": []},
    },
    "mediation": {
        "source": "proactive",
        "dispute_category": "neighbours",
        "facts": "楼上卫生间渗水，楼下吊顶发霉，双方对赔偿数额说法差六百元。",
        "risk_level": "low",
        "confidentiality": "normal",
        "mediators": [WORKER, "老校长"],
    },
    "household": {"household_id": WORKER, "label": "3-2-502"},
    "grid": {},
}


def kind_named(name: str) -> Kind:
    kind = shipped_kinds().get(name)
    assert kind is not None
    return kind


@pytest.mark.parametrize("name", GIVEN_AT_CREATION)
def test_a_device_gives_only_what_it_can_know(name: str) -> None:
    assert {field.name for field in kind_named(name).required_at_creation()} == GIVEN_AT_CREATION[name]


@pytest.mark.parametrize("name", FIRST_NOTES)
def test_a_first_note_is_accepted(name: str) -> None:
    kind = kind_named(name)
    view: dict[str, Value] = {"grid_code": "420106001002", "occurred_at": NOW, **FIRST_NOTES[name]}

    assert [check_value(kind.fields[field], value) for field, value in view.items()] == [None] * len(view)
    assert check_record(kind, view, now_ms=moment_ms(NOW) or 0, is_creation=True) == []


def test_every_field_says_why_in_a_sentence() -> None:
    for kind in shipped_kinds():
        for field in kind.fields.values():
            assert field.why.strip().endswith("."), f"{kind.name}.{field.name}"


def test_every_kind_has_the_envelope_first() -> None:
    names = list(shipped_envelope().fields)
    for kind in shipped_kinds():
        assert list(kind.fields)[: len(names)] == names


def test_what_the_op_header_says_is_never_edited() -> None:
    from_op = {field.name for field in shipped_envelope().fields.values() if field.from_op}

    assert from_op == {
        "id", "record_type", "schema_version", "created_by", "created_device", "created_at_device", "hlc",
    }  # fmt: skip


def test_no_list_shows_a_sensitive_field() -> None:
    for kind in shipped_kinds():
        for name in kind.title_fields:
            assert kind.fields[name].sensitivity is not Sensitivity.SENSITIVE


def test_personal_and_sensitive_values_are_committed_to_and_digested_apart() -> None:
    assert [one.is_committed for one in Sensitivity] == [False, False, True, True]
    assert [one.digest_class for one in Sensitivity] == [0, 0, 1, 2]


def test_whereabouts_care_and_facts_of_a_dispute_are_sensitive() -> None:
    for kind, name in (
        ("patrol", "track_chunks"), ("household_visit", "care_needs"), ("household", "care_tags"),
        ("mediation", "facts"), ("mediation", "sessions"), ("mediation", "agreement_text"),
    ):  # fmt: skip
        assert kind_named(kind).fields[name].sensitivity is Sensitivity.SENSITIVE


def test_the_grids_own_code_replaces_the_envelopes() -> None:
    field = kind_named("grid").fields["grid_code"]

    assert field.merge is Merge.IMMUT
    assert kind_named("patrol").fields["grid_code"].merge is Merge.MV
    assert check_value(field, "420106") is None
    assert check_value(field, "42010") is not None


def test_a_round_starts_at_zero_without_being_said() -> None:
    field = kind_named("patrol").fields["epoch"]

    assert field.required is Required.YES
    assert field.default == 0


def test_there_are_the_eighteen_types_of_dispute() -> None:
    type_ = kind_named("mediation").fields["dispute_category"].type

    assert len(getattr(type_, "options", ())) == 18


def test_sets_lists_and_maps_are_edited_by_element() -> None:
    patrol = kind_named("patrol")

    assert [name for name, field in patrol.fields.items() if field.has_elements] == [
        "transitions", "comments", "attachments", "tags", "companions", "checkpoints", "track_chunks", "checklist",
        "measurements", "findings", "result_quantities", "missed",
    ]  # fmt: skip


def test_a_site_adds_a_kind_without_changing_the_set_others_hold() -> None:
    empty = KindSet()

    one = empty.with_kind(kind_named("patrol"))

    assert empty.get("patrol") is None
    assert [kind.name for kind in one] == ["patrol"]
    assert len(one.with_kind(kind_named("patrol"))) == 1


def test_only_notices_and_catalogues_are_for_every_device() -> None:
    everywhere = [kind.name for kind in shipped_kinds() if not kind.scope_field]

    assert everywhere == ["notice", "grid", "duty_item", "incident_category"]
    assert {kind.scope_field for kind in shipped_kinds()} == {"", "grid_code"}


def test_a_kind_is_read_when_it_is_first_asked_for() -> None:
    shipped._read.cache_clear()

    kinds = shipped_kinds()
    assert len(kinds) == len(shipped.KIND_FILES)
    assert kinds.get("flood_watch") is None
    assert shipped._read.cache_info().currsize == 0

    assert kinds.get("grid") is kinds.get("grid")
    assert shipped._read.cache_info().currsize == 1


def test_every_kind_file_has_the_name_of_its_kind() -> None:
    assert [kind.name for kind in shipped_kinds()] == list(shipped.KIND_FILES)


def test_what_sends_a_worker_out_is_urgent() -> None:
    assert shipped_kinds().urgent() == {"task", "notice", "incident"}
