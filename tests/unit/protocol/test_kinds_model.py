"""The shipped kinds are the agreed record model, field by field; where they differ, it says why."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from gridlog_protocol.kinds import Choice, Field, Merge, Required, Sensitivity, shipped_envelope, shipped_kinds

MODEL = json.loads((Path(__file__).parents[2] / "data" / "record_model.json").read_text(encoding="utf-8"))
ROWS = [(kind, *row) for kind, rows in MODEL["fields"].items() for row in rows]

RENAMED = {
    ("attachment", "id"): ("id", "It is the envelope's: an attachment is a record."),
    ("household", "pets"): ("notes", "One field for both: a field named pets would be filled in for no purpose."),
    ("device", "schema_version"): ("device_schema_version", "The envelope has a field of this name."),
    ("device", "storage_free"): ("storage_free_mb", "A name says its unit."),
    ("duty_item", "valid"): ("valid_from", "A list of a day needs a beginning and an end."),
    ("evaluation", "side"): ("sheets", "A sheet's side, scores and weight belong together: members of one line."),
    ("evaluation", "scores"): ("sheets", "As the side."),
    ("evaluation", "weight"): ("sheets", "As the side."),
    ("daily_report", "auto counts"): ("counts", "Names are snake_case."),
}

DIFFERENT: dict[tuple[str, str, str], tuple[str, str]] = {
    ("attachment", "id", "zh"): ("记录标识", "The envelope's label."),
    ("patrol", "checkpoints", "required"): ("conditional", "Needed to finish, not while walking."),
    ("mediation", "parties", "required"): ("conditional", "At first a mediator may know only who came."),
    ("incident", "first_receiver", "merge"): (
        "IMMUT",
        "The earliest writer is meant; ids of people have no order that MIN could join.",
    ),
    ("incident", "duplicate_of", "required"): ("conditional", "A merger has to say into what."),
    ("grid", "valid_from", "zh"): ("生效日期", "The row named two fields at once."),
    ("grid", "valid_to", "zh"): ("失效日期", "The row named two fields at once."),
    ("address", "room", "sensitivity"): (
        "personal",
        "The full text is personal because of its room: erasing it would be idle if the room stayed.",
    ),
    ("household", "contact_phone", "zh"): ("联系电话", "The row named two fields at once."),
    ("person", "erase_request", "merge"): (
        "MIN",
        "The first request starts the time limit. Its progress, which has ranks, is the field erase_state.",
    ),
    ("device", "public_key", "merge"): ("SERVER", "A device that gets a new key keeps its identity."),
    ("device", "wipe_ack_at", "zh"): ("擦除确认", "The row named two fields at once."),
    ("device", "app_version", "zh"): ("程序版本", "The row named two fields at once."),
    ("device", "app_version", "merge"): ("LWW", "Text has no highest, and a version may be put back."),
    ("device", "schema_version", "zh"): ("可读结构版本", "The envelope has a field of the model's name."),
    ("device", "storage_free", "zh"): ("存储余量", "The row named two fields at once."),
    ("duty_item", "materials", "required"): ("no", "Many items need no papers."),
    ("evaluation", "target", "required"): ("yes", "A rating of nothing is none."),
    ("evaluation", "target", "merge"): ("IMMUT", "Another target is another evaluation; its sheets are what grows."),
    ("daily_report", "user", "required"): ("yes", "Half of the natural key."),
    ("daily_report", "user", "merge"): ("IMMUT", "Half of the natural key: only the note is kept in versions."),
    ("daily_report", "date", "required"): ("yes", "Half of the natural key."),
    ("daily_report", "date", "merge"): ("IMMUT", "Half of the natural key."),
    ("daily_report", "auto counts", "required"): ("server", "Nobody counts by hand."),
    ("daily_report", "auto counts", "merge"): ("DERIVED", "Nobody counts by hand."),
}

ADDED = {
    "person": {"erase_state"},  # The progress of a request to erase.
    "visit_plan": {"starts_on", "ends_on"},  # The days that a plan is for.
    "patrol_route": {"name", "checklist"},  # What a list shows; which items a patrol must answer.
    "duty_item": {"valid_to"},
    "incident_category": {"is_emergency"},  # Whether the limit runs through the night.
    # What the steps of a proposal ask for: source to raise it, decision, owner and day to decide, result to rate.
    "proposal": {"source", "decision", "owner_unit", "due_on", "tasks", "result_text", "satisfaction"},
    "meeting": {"kind", "place", "attendees"},
}


def fields_of(kind: str) -> Mapping[str, Field]:
    if kind == "envelope":
        return shipped_envelope().fields
    found = shipped_kinds().get(kind)
    assert found is not None
    return found.fields


def name_in_kind(kind: str, name: str) -> str:
    return RENAMED[kind, name][0] if (kind, name) in RENAMED else name


def aspects(field: Field) -> dict[str, str]:
    # A label may add the unit in brackets.
    label = field.label.zh.partition("（")[0]
    return {
        "zh": label, "required": field.required.value, "sensitivity": field.sensitivity.value,
        "merge": field.merge.value,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "name", "zh", "required", "sensitivity", "merge"), ROWS, ids=lambda one: one if one.isascii() else ""
)
def test_a_field_is_as_agreed(kind: str, name: str, zh: str, required: str, sensitivity: str, merge: str) -> None:
    field = fields_of(kind)[name_in_kind(kind, name)]
    agreed = {"required": Required(required), "sensitivity": Sensitivity(sensitivity), "merge": Merge(merge)}
    wanted = {aspect: value.value for aspect, value in agreed.items()} | ({"zh": zh} if zh else {})

    for aspect, value in wanted.items():
        expected, _ = DIFFERENT.get((kind, name, aspect), (value, ""))
        assert aspects(field)[aspect] == expected, aspect


def test_every_difference_is_one_and_says_why() -> None:
    agreed = {
        (kind, name, aspect): value
        for kind, name, *values in ROWS
        for aspect, value in zip(("zh", "required", "sensitivity", "merge"), values, strict=True)
    }

    for key, (value, why) in DIFFERENT.items():
        assert agreed[key] != value, key
        assert why.endswith("."), key
    assert all(name in [row[1] for row in ROWS if row[0] == kind] for kind, name in RENAMED)


@pytest.mark.parametrize("kind", [kind for kind in MODEL["fields"] if kind != "envelope"])
def test_a_kind_has_no_field_that_nobody_agreed_on(kind: str) -> None:
    agreed = {name_in_kind(kind, name) for table, name, *_ in ROWS if table == kind}

    assert set(fields_of(kind)) - set(shipped_envelope().fields) - agreed == ADDED.get(kind, set())


def test_every_kind_is_in_the_model() -> None:
    assert {kind.name for kind in shipped_kinds()} == set(MODEL["fields"]) - {"envelope"}


@pytest.mark.parametrize("kind", MODEL["states"])
def test_states_have_the_agreed_names_and_ranks(kind: str) -> None:
    field = fields_of("envelope")["review_state"] if kind == "review_state" else fields_of(kind)["state"]
    assert isinstance(field.type, Choice)

    assert [[one.value, one.label.zh, one.rank] for one in field.type.options] == MODEL["states"][kind]
