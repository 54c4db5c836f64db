"""One realistic record of each kind is accepted whole, and what the record model forbids is refused."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import pytest

from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.kinds import Kind, check_delta, check_record, check_value, shipped_envelope, shipped_kinds
from gridlog_protocol.kinds.times import moment_ms
from gridlog_protocol.limits import OP_BYTES_MAX

EXAMPLES_FILE = Path(__file__).parents[2] / "data" / "kind_examples.json"
NOW_MS = moment_ms("2026-11-22T09:30:00+08:00") or 0
WHO = bytes.fromhex("01900000000070008000000000000001")
ID_NUMBER = "证件 110101190001010014"


def _bytes_where_meant(pairs: list[tuple[str, Value]]) -> Value:
    match pairs:
        case [("hex", str() as digits)]:
            return bytes.fromhex(digits)
        case _:
            return dict(pairs)


EXAMPLES: Mapping[str, Mapping[str, Value]] = json.loads(
    EXAMPLES_FILE.read_text(encoding="utf-8"), object_pairs_hook=_bytes_where_meant
)["records"]


def shipped(name: str) -> Kind:
    kind = shipped_kinds().get(name)
    assert kind is not None
    return kind


def changed(kind: str, field: str, **members: Value) -> Value:
    """Return a field of the example with members of it, or of its last element, changed."""
    value = EXAMPLES[kind][field]
    if isinstance(value, list):
        return [*value[:-1], {**cast("dict[str, Value]", value[-1]), **members}]
    assert isinstance(value, dict)
    return {**value, **members}


def found(kind: Kind, view: Mapping[str, Value], touched: Mapping[str, Value], step: str | None) -> set[str]:
    wrong = [check_value(kind.fields[name], value) for name, value in touched.items() if value is not None]
    disagreeing = check_record(kind, view, now_ms=NOW_MS, fields=touched, is_creation=step == "creation", step=step)
    return {f"{one.field}: {one.rule}" for one in [*wrong, *disagreeing] if one is not None}


def test_every_kind_has_an_example() -> None:
    assert [kind.name for kind in shipped_kinds()] == list(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_realistic_record_is_accepted_with_every_field(name: str) -> None:
    kind, example = shipped(name), EXAMPLES[name]

    assert set(kind.fields) - set(shipped_envelope().fields) <= set(example)
    assert found(kind, example, example, "creation") == set()
    assert len(pack(dict(example))) < OP_BYTES_MAX


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_a_creation_must_give_is_missed(name: str) -> None:
    kind = shipped(name)
    needed = {field.name for field in kind.required_at_creation()}

    assert found(kind, {}, {}, "creation") >= {f"{field}: required" for field in needed}


LINE: Value = {"id": "z", "at": "2026-11-22T09:00:00+08:00", "by": WHO, "text": "好"}
WRONG: list[tuple[str, dict[str, Value], str]] = [
    ("attachment", {"sha256": bytes(31)}, "sha256: wrong_type"),
    ("attachment", {"media_type": "image/gif"}, "media_type: pattern"),
    ("attachment", {"media_type": "image/png"}, "purpose: needs"),
    ("attachment", {"bytes": 5 * 2**20 + 1}, "bytes: too_large"),
    ("attachment", {"bytes": 0}, "bytes: too_small"),
    ("attachment", {"purpose": "selfie"}, "purpose: not_an_option"),
    ("attachment", {"taken_at": "2026-11-22T09:40:01+08:00"}, "taken_at: in_future"),
    ("attachment", {"taken_point": [9100000, 0]}, "taken_point: not_a_place"),
    ("attachment", {"caption": "水" * 101}, "caption: too_long"),
    ("attachment", {"caption": ID_NUMBER}, "caption: forbidden_id_number"),
    ("attachment", {"upload_state": "lost"}, "upload_state: not_an_option"),
    ("incident", {"title": "水"}, "title: too_short"),
    ("incident", {"title": "水" * 41}, "title: too_long"),
    ("incident", {"category": "no such"}, "category: not_a_code"),
    ("incident", {"event_level": 0}, "event_level: too_small"),
    ("incident", {"event_level": 6}, "event_level: too_large"),
    ("incident", {"severity": "fatal"}, "severity: not_an_option"),
    ("incident", {"source": ["rumour"]}, "source: not_an_option"),
    ("incident", {"source": []}, "source: required"),
    ("incident", {"reporter": {"phone": "138 0000 8000"}}, "reporter: too_long"),
    ("incident", {"reporter": {"phone": "1380000800"}}, "reporter: pattern"),
    ("incident", {"reporter": {"label": ID_NUMBER}}, "reporter: forbidden_id_number"),
    ("incident", {"place_text": "口" * 121}, "place_text: too_long"),
    ("incident", {"description": "水" * 1001}, "description: too_long"),
    ("incident", {"description": ID_NUMBER}, "description: forbidden_id_number"),
    ("incident", {"supplements": [LINE, LINE]}, "supplements: duplicate_item"),
    ("incident", {"people_involved": 100_001}, "people_involved: too_large"),
    ("incident", {"injured": -1}, "injured: too_small"),
    ("incident", {"photos_before": ["photo"]}, "photos_before: wrong_type"),
    ("incident", {"extension_requests": changed("incident", "extension_requests", reply_to=None)},
     "extension_requests: needs"),
    ("incident", {"extension_requests": changed("incident", "extension_requests", reason="")},
     "extension_requests: too_short"),
    ("incident", {"transfer_slips": changed("incident", "transfer_slips", reason=None)}, "transfer_slips: required"),
    ("incident", {"transfer_slips": changed("incident", "transfer_slips", legal_basis=None)},
     "transfer_slips: required"),
    ("incident", {"transfer_slips": changed("incident", "transfer_slips", answer="later")},
     "transfer_slips: not_an_option"),
    ("incident", {"transfer_slips": changed("incident", "transfer_slips", answer_at=None)}, "transfer_slips: needs"),
    ("incident", {"transfer_slips": changed("incident", "transfer_slips", reply_to=None)}, "transfer_slips: needs"),
    ("incident", {"transfer_slips": changed("incident", "transfer_slips", answer_at="2026-11-22T08:54:59+08:00")},
     "transfer_slips: order"),
    ("incident", {"whistles": changed("incident", "whistles", arrive_at="2026-11-22T08:44:59+08:00")},
     "whistles: order"),
    ("incident", {"whistles": changed("incident", "whistles", reply_to=None)}, "whistles: needs"),
    ("incident", {"whistles": changed("incident", "whistles", level="city")}, "whistles: not_an_option"),
    ("incident", {"consult_slips": changed("incident", "consult_slips", answer="市政恢复。")},
     "consult_slips: needs"),
    ("incident", {"completion_requests": changed("incident", "completion_requests", answer="confirmed")},
     "completion_requests: needs"),
    ("incident", {"result_text": "好" * 1001}, "result_text: too_long"),
    ("incident", {"result_quantities": changed("incident", "result_quantities", unit=None)},
     "result_quantities: needs"),
    ("incident", {"verify_result": "perhaps"}, "verify_result: not_an_option"),
    ("incident", {"satisfaction": 6}, "satisfaction: too_large"),
    ("task", {"origin": {"kind": "visit"}}, "origin: needs"),
    ("task", {"duty_item_code": "GG 017"}, "duty_item_code: not_a_code"),
    ("task", {"title": "办"}, "title: too_short"),
    ("task", {"instruction": "办" * 2001}, "instruction: too_long"),
    ("task", {"grid_scope": []}, "grid_scope: required"),
    ("task", {"priority": 5}, "priority: too_large"),
    ("task", {"deadline_at": "2026-12-06T18:00:01+08:00"}, "statutory_due: order"),
    ("task", {"percent_done": 101}, "percent_done: too_large"),
    ("task", {"checklist": {"取材料": "yes"}}, "checklist: wrong_type"),
    ("task", {"result_text": ID_NUMBER}, "result_text: forbidden_id_number"),
    ("task", {"return_reasons": changed("task", "return_reasons", text=" ")}, "return_reasons: too_short"),
    ("task", {"transfer_slips": changed("task", "transfer_slips", answer="accept")}, "transfer_slips: needs"),
    ("task", {"extension_requests": changed("task", "extension_requests", answer="granted")},
     "extension_requests: needs"),
    ("task", {"materials": {"一寸照片": {"copies": 2}}}, "materials: unknown_member"),
    ("task", {"evaluation": changed("task", "evaluation", score=0)}, "evaluation: too_small"),
    ("notice", {"kind": "gossip"}, "kind: not_an_option"),
    ("notice", {"title": "雨"}, "title: too_short"),
    ("notice", {"title": "雨" * 61}, "title: too_long"),
    ("notice", {"body": "雨" * 20_001}, "body: too_long"),
    ("notice", {"version": 0}, "version: too_small"),
    ("notice", {"audience": []}, "audience: required"),
    ("notice", {"level": None}, "level: required"),
    ("notice", {"expires_at": None}, "expires_at: required"),
    ("notice", {"expires_at": "2026-11-22T20:00:00+08:00"}, "expires_at: order"),
    ("notice", {"withdrawn": changed("notice", "withdrawn", reason="误")}, "withdrawn: too_short"),
    ("notice", {"withdrawn": changed("notice", "withdrawn", reason=None)}, "withdrawn: needs"),
    ("notice", {"withdrawn": changed("notice", "withdrawn", by=None)}, "withdrawn: needs"),
    ("notice", {"receipts": {"device": {"read_at": "now"}}}, "receipts: not_a_moment"),
    ("notice", {"match_rule": {"age_from": 131}}, "match_rule: too_large"),
    ("grid", {"grid_code": "42010"}, "grid_code: too_short"),
    ("grid", {"level": 10}, "level: too_large"),
    ("grid", {"valid_to": "2026-01-01"}, "valid_to: order"),
    ("address", {"division_code": "42010600100"}, "division_code: too_short"),
    ("address", {"division_code": "42010600100X"}, "division_code: pattern"),
    ("address", {"standard_code": "4" * 33}, "standard_code: too_long"),
    ("address", {"qr_code": "q" * 65}, "qr_code: too_long"),
    ("address", {"building_no": None}, "building_no: needs"),
    ("address", {"corrections": changed("address", "corrections", value=ID_NUMBER)},
     "corrections: forbidden_id_number"),
    ("address", {"floors": 0}, "floors: too_small"),
    ("address", {"built_year": 1799}, "built_year: too_small"),
    ("address", {"use": "palace"}, "use: not_an_option"),
    ("household", {"resident_count": 31}, "resident_count: too_large"),
    ("household", {"contact_phone": "1380000800"}, "contact_phone: pattern"),
    ("household", {"notes": "狗" * 201}, "notes: too_long"),
    ("household", {"care_tags": ["diabetes"]}, "care_tags: not_an_option"),
    ("person", {"person_id": "110101190001010014"}, "person_id: wrong_type"),
    ("person", {"display_name": ID_NUMBER}, "display_name: forbidden_id_number"),
    ("person", {"full_name": ID_NUMBER}, "full_name: forbidden_id_number"),
    ("person", {"phone": "138-0000"}, "phone: pattern"),
    ("person", {"birth_decade": "1947"}, "birth_decade: pattern"),
    ("person", {"birth_decade": "1930"}, "birth_decade: pattern"),
    ("person", {"birth_decade": "2030"}, "birth_decade: pattern"),
    ("person", {"consents": []}, "consents: required"),
    ("person", {"consents": changed("person", "consents", scope="everything")}, "consents: not_an_option"),
    ("person", {"consents": changed("person", "consents", answer=None)}, "consents: required"),
    ("person", {"erase_request": {"reason": "搬走了。"}}, "erase_request: required"),
    ("user", {"staff_no": "WG 0417"}, "staff_no: not_a_code"),
    ("user", {"phone": "0417"}, "phone: pattern"),
    ("user", {"roles": changed("user", "roles", role="king")}, "roles: not_an_option"),
    ("user", {"status": "gone"}, "status: not_an_option"),
    ("user", {"assignments": changed("user", "assignments", to="2025-12-31")}, "assignments: order"),
    ("user", {"whereabouts_note": {"text": "在" * 61}}, "whereabouts_note: too_long"),
    ("user", {"points": changed("user", "points", reason="")}, "points: too_short"),
    ("device", {"public_key": "AAEC"}, "public_key: pattern"),
    ("device", {"custody_log": changed("device", "custody_log", to=None)}, "custody_log: required"),
    ("device", {"status": "borrowed"}, "status: not_an_option"),
    ("device", {"wipe_ack_at": "2026-11-22T09:04:59+08:00"}, "wipe_ack_at: order"),
    ("device", {"offline_grace_h": 73}, "offline_grace_h: too_large"),
    ("visit_plan", {"ends_on": "2026-10-31"}, "ends_on: order"),
    ("visit_plan", {"rota": {"2026-11-22": [bytes([1]) * 16, bytes([2]) * 16, bytes(16)]}}, "rota: too_many_items"),
    ("patrol_route", {"points": changed("patrol_route", "points", checkpoint_id=None)}, "points: required"),
    ("duty_item", {"class": "other"}, "class: not_an_option"),
    ("duty_item", {"limit_h": "40"}, "limit_h: not_an_amount"),
    ("duty_item", {"valid_to": "2026-01-01"}, "valid_to: order"),
    ("incident_category", {"limit_h": "0.00"}, "limit_h: too_small"),
    ("incident_category", {"photo_rule": "video"}, "photo_rule: not_an_option"),
    ("proposal", {"issue": ID_NUMBER}, "issue: forbidden_id_number"),
    ("proposal", {"level": "city"}, "level: not_an_option"),
    ("proposal", {"due_on": "2026-11-19"}, "due_on: order"),
    ("meeting", {"attendees": []}, "attendees: required"),
    ("meeting", {"items": changed("meeting", "items", text="")}, "items: too_short"),
    ("evaluation", {"sheets": changed("evaluation", "sheets", side="resident", weight_percent=69)}, "sheets: needs"),
    ("evaluation", {"sheets": changed("evaluation", "sheets", scores={"speed": 6})}, "sheets: too_large"),
    ("daily_report", {"date": "昨天"}, "date: not_a_day"),
    ("daily_report", {"note": "忙" * 1001}, "note: too_long"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "touched", "wanted"), WRONG)
def test_what_the_model_forbids_is_refused(name: str, touched: dict[str, Value], wanted: str) -> None:
    assert found(shipped(name), {**EXAMPLES[name], **touched}, touched, None) == {wanted}


STEPS = [
    ("incident", "dispatched", {"owner_unit", "deadline_at"}),
    ("incident", "done", {"result_text"}),
    ("incident", "verified", {"verify_result"}),
    ("incident", "merged", {"duplicate_of"}),
    ("task", "dispatched", {"lead"}),
    ("task", "accepted", {"accepted_at"}),
    ("task", "done", {"result_text", "done_at"}),
    ("task", "verified", {"verify_result"}),
    ("proposal", "decided", {"decision", "owner_unit", "due_on"}),
    ("proposal", "rated", {"result_text", "satisfaction"}),
]


@pytest.mark.parametrize(("name", "step", "needed"), STEPS)
def test_a_step_asks_for_what_it_needs(name: str, step: str, needed: set[str]) -> None:
    kind = shipped(name)
    lacking = {field: value for field, value in EXAMPLES[name].items() if field not in needed}

    assert found(kind, EXAMPLES[name], {}, step) == set()
    assert found(kind, lacking, {}, step) == {f"{field}: required" for field in needed}


def test_a_notice_that_is_no_warning_needs_neither_level_nor_end() -> None:
    policy = {**EXAMPLES["notice"], "kind": "policy", "level": None, "expires_at": None}

    assert found(shipped("notice"), policy, {"kind": "policy"}, None) == set()


def test_an_order_from_above_comes_from_no_record() -> None:
    assert check_value(shipped("task").fields["origin"], {"kind": "superior"}) is None


@pytest.mark.parametrize(
    ("name", "field"), [("incident", "urge_count"), ("task", "done_count"), ("proposal", "supporters")]
)
def test_what_several_count_is_added_up(name: str, field: str) -> None:
    counter = shipped(name).fields[field]

    assert check_delta(counter, 1) is None
    assert check_delta(counter, "1") is not None
