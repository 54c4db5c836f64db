"""What each merge rule shows of the surviving heads, and what it calls a conflict. On the shipped kinds."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Merge, shipped_kinds
from gridlog_protocol.ops import Action, Edit, Op
from gridlog_sync import rules
from gridlog_sync.rules import RULES, UNKNOWN, rule_of
from tests.unit.sync.building import Worker, add, conflicting, count, kind, log_of, put, remove, shown, state_of

PHOTOS = [bytes([number]) * 16 for number in range(5)]


def both_offline(of: str, mine: tuple[Edit, ...], theirs: tuple[Edit, ...]) -> tuple[Op, Op]:
    return Worker(1, of=of).writes(*mine, at=1), Worker(2, of=of).writes(*theirs, at=2)


def test_photos_of_both_partners_stay() -> None:
    ops = both_offline(
        "patrol",
        tuple(add("attachments", photo.hex()) for photo in PHOTOS[:2]),
        tuple(add("attachments", photo.hex()) for photo in PHOTOS[2:4]),
    )

    assert shown(*ops)["attachments"] == PHOTOS[:4]
    assert conflicting(*ops) == {}


def test_two_descriptions_are_both_kept_for_a_person_to_decide() -> None:
    mine, theirs = both_offline("patrol", (put("summary", "路灯坏了"),), (put("summary", "路灯不亮"),))

    assert shown(mine, theirs)["summary"] == "路灯不亮"
    assert conflicting(mine, theirs) == {"summary": "hard"}


def test_an_ordinary_op_that_saw_both_descriptions_resolves_them_and_can_be_undone_by_another() -> None:
    ops = both_offline("patrol", (put("summary", "路灯坏了"),), (put("summary", "路灯不亮"),))
    leader = Worker(3)
    resolved = leader.writes(put("summary", "路灯坏了"), seen=2)

    assert conflicting(*ops, resolved) == {}
    assert shown(*ops, resolved)["summary"] == "路灯坏了"
    assert shown(*ops, resolved, leader.writes(put("summary", "路灯不亮"), seen=3))["summary"] == "路灯不亮"


def test_two_units_that_finish_leave_two_result_texts_and_both_quantity_lines() -> None:
    line: dict[str, dict[str, Value]] = {key: {"id": key, "item": "posters", "count": 3} for key in ("a", "b")}
    lead = (put("summary", "已清理"), add("result_quantities", "a", line["a"]), add("attachments", PHOTOS[0].hex()))
    helper = (
        put("summary", "清理完毕"),
        add("result_quantities", "b", line["b"]),
        add("attachments", PHOTOS[1].hex()),
    )
    ops = both_offline("patrol", lead, helper)

    assert shown(*ops)["result_quantities"] == [line["a"], line["b"]]
    assert shown(*ops)["attachments"] == PHOTOS[:2]
    assert conflicting(*ops) == {"summary": "hard"}


def test_the_higher_of_two_risk_levels_stands() -> None:
    for mine, theirs in (("high", "urgent"), ("urgent", "high")):
        ops = both_offline("mediation", (put("risk_level", mine),), (put("risk_level", theirs),))

        assert shown(*ops)["risk_level"] == "urgent"
        assert conflicting(*ops) == {}


def test_who_saw_a_maximum_may_lower_it() -> None:
    raised = Worker(1, of="mediation").writes(put("risk_level", "urgent"))
    lowered = Worker(2, of="mediation").writes(put("risk_level", "medium"), seen=1)

    assert shown(raised, lowered)["risk_level"] == "medium"


def test_of_two_resident_counts_the_later_stands_and_the_author_of_the_other_is_told() -> None:
    monday = put("resident_count", 3, digest_class=1)
    tuesday = put("resident_count", 4, digest_class=1)
    ops = both_offline("household", (monday,), (tuesday,))

    assert shown(*ops)["resident_count"] == 4
    assert conflicting(*ops) == {"resident_count": "soft"}


def test_a_withdrawn_consent_wins_and_the_care_need_is_kept() -> None:
    given: Value = {"informed": True, "scope": ["diary", "care"], "method": "oral"}
    withdrawn: Value = {"informed": False, "scope": [], "method": "written"}
    visitor = Worker(1, of="household_visit")
    creation = visitor.creates(put("consent", given, digest_class=1))
    withdrawal = visitor.writes(put("consent", withdrawn, digest_class=1), at=1)
    colleague = Worker(2, of="household_visit")
    late = colleague.writes(
        put("consent", given, digest_class=1), add("care_needs", "escort", digest_class=2), seen=1, at=9
    )

    values = shown(creation, withdrawal, late)
    assert values["consent"] == withdrawn
    assert values["care_needs"] == ["escort"]


def test_agreed_and_failed_are_both_shown_until_the_supervisor_decides() -> None:
    ops = both_offline("mediation", (put("outcome", "written"),), (put("outcome", "failed"),))

    assert conflicting(*ops) == {"outcome": "hard"}


def test_fixes_on_the_spot_of_both_partners_are_added_up() -> None:
    ops = both_offline("patrol", (count("handled_on_spot", 5),), (count("handled_on_spot", 3),))

    assert shown(*ops)["handled_on_spot"] == 8
    assert conflicting(*ops) == {}


def test_a_counter_counts_what_is_taken_back_and_each_op_once() -> None:
    wang = Worker(1)
    five, minus = wang.writes(count("handled_on_spot", 5)), wang.writes(count("handled_on_spot", -2))

    assert shown(five, minus)["handled_on_spot"] == 3
    assert shown(five, minus, five)["handled_on_spot"] == 3


def test_met_and_not_home_are_two_values_until_one_is_chosen() -> None:
    met, not_home = put("result", "met"), put("result", "not_home")
    ops = both_offline("household_visit", (met,), (not_home,))

    assert conflicting(*ops) == {"result": "hard"}


def test_a_withdrawn_draft_and_an_unseen_edit_both_stay() -> None:
    why: Value = {"by": bytes(16), "at": "2026-11-22T09:10:00+08:00", "reason": "重复登记了"}
    wang = Worker(1)
    created = wang.creates(put("summary", "a"))
    withdrawn = wang.writes(put("deleted", why), seen=1)
    edited = Worker(2).writes(put("summary", "b"), seen=1)

    values = shown(created, withdrawn, edited)
    assert values["summary"] == "b"
    assert values["deleted"] == why


def test_checkpoints_are_listed_by_their_stamps_and_the_first_under_an_id_stands() -> None:
    def checkpoint(key: str, method: str) -> dict[str, Value]:
        return {"id": key, "checkpoint_id": "东门", "at": "2026-11-22T09:10:00+08:00", "method": method}

    first, same = checkpoint("b", "qr"), checkpoint("b", "gps")
    other = checkpoint("a", "qr")
    ops = both_offline("patrol", (add("checkpoints", "b", first),), (add("checkpoints", "b", same),))
    third = Worker(3).writes(add("checkpoints", "a", other), at=3)

    assert shown(*ops, third)["checkpoints"] == [first, other]
    assert conflicting(*ops) == {"checkpoints": "soft"}


def test_of_two_first_values_of_a_fixed_field_the_earliest_stamp_stands() -> None:
    ops = both_offline(
        "household_visit",
        (put("household_id", PHOTOS[0], digest_class=1),),
        (put("household_id", PHOTOS[1], digest_class=1),),
    )

    assert shown(*ops)["household_id"] == PHOTOS[0]
    assert conflicting(*ops) == {"household_id": "soft"}


def test_each_item_of_a_checklist_keeps_the_worse_answer() -> None:
    ops = both_offline(
        "patrol",
        (put("checklist", "bad", key="drain"), put("checklist", "ok", key="lamp")),
        (put("checklist", "ok", key="drain"), put("checklist", "bad", key="lamp")),
    )

    assert shown(*ops)["checklist"] == {"drain": "bad", "lamp": "bad"}


def test_an_answer_of_a_map_is_joined_in_the_order_of_its_options() -> None:
    field = kind().fields["checklist"]
    ops = both_offline("patrol", (put("checklist", "ok", key="drain"),), (put("checklist", "bad", key="drain"),))
    heads = state_of(log_of(*ops)).fields["checklist"].cells["drain"].heads

    assert [RULES[merge].pick(field, heads) for merge in (Merge.MIN, Merge.MAX)] == ["ok", "bad"]


def test_a_patrol_began_at_the_earlier_and_ended_at_the_later_of_two_times() -> None:
    nine, ten = "2026-11-22T09:00:00+08:00", "2026-11-22T10:00:00+08:00"
    ops = both_offline(
        "patrol",
        (put("started_at", nine), put("ended_at", ten)),
        (put("started_at", ten), put("ended_at", nine)),
    )

    assert shown(*ops)["started_at"] == nine
    assert shown(*ops)["ended_at"] == ten


def test_concurrent_writes_that_say_the_same_are_no_conflict() -> None:
    ops = both_offline(
        "patrol", (put("summary", "a"), put("weather", "rain")), (put("summary", "a"), put("weather", "rain"))
    )

    assert conflicting(*ops) == {}


def test_a_field_that_was_cleared_is_not_shown() -> None:
    wang = Worker(1)

    assert "weather" not in shown(wang.writes(put("weather", "rain")), wang.writes(put("weather", None)))


def test_a_set_without_elements_is_not_shown() -> None:
    wang = Worker(1)

    assert "tags" not in shown(wang.writes(add("tags", "flood")), wang.writes(remove("tags", "flood")))


def test_every_merge_of_a_kind_file_has_a_rule() -> None:
    assert set(RULES) == set(Merge)


def test_a_rule_is_one_file_that_the_package_finds_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "planted.py").write_text(
        "from gridlog_sync.rules.register import LastWriter\n"
        "class Planted(LastWriter):\n"
        "    pass\n"
        "RULES = {'PLANTED': Planted()}\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "gridlog_sync.rules.planted", raising=False)

    found = {str(merge): type(rule).__name__ for merge, rule in rules._found().items()}

    assert found["PLANTED"] == "Planted"
    assert len(found) == len(RULES) + 1


ACTIONS = {
    Merge.AWSET: {Action.ADD, Action.REMOVE},
    Merge.APPEND: {Action.ADD},
    Merge.COUNTER: {Action.COUNT},
}


@pytest.mark.parametrize("name", [kind.name for kind in shipped_kinds()])
def test_every_shipped_field_takes_the_edits_of_its_rule_only(name: str) -> None:
    for field in kind(name).fields.values():
        assert rule_of(field).actions(field) == ACTIONS.get(field.merge, {Action.SET}), field.name


def test_a_field_of_a_newer_kind_takes_any_edit() -> None:
    assert rule_of(None) is UNKNOWN
    assert UNKNOWN.actions(kind().fields["summary"]) == set(Action)
