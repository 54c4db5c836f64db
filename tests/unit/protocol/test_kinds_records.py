"""What a record as a whole must keep: what is asked for, when, and what contradicts what."""

from collections.abc import Collection, Mapping

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Kind, check_record, shipped_kinds
from gridlog_protocol.kinds.times import DAY_MS, MINUTE_MS, moment_ms

WHO = bytes(16)
NOW = "2026-11-22T09:30:00+08:00"
NOW_MS = moment_ms(NOW) or 0

VISIT: Mapping[str, Value] = {
    "grid_code": "420106001002",
    "occurred_at": "2026-11-22T09:10:00+08:00",
    "household_id": WHO,
    "purpose": ["routine"],
    "visitors": [WHO],
    "started_at": "2026-11-22T09:10:00+08:00",
    "result": "met",
    "content": "家里老两口，身体还行，就是楼下路灯暗。",
    "consent": {"informed": True, "scope": ["diary", "care"]},
}
MEDIATION: Mapping[str, Value] = {
    "grid_code": "420106001002",
    "occurred_at": "2026-11-22T09:10:00+08:00",
    "source": "proactive",
    "dispute_category": "neighbours",
    "facts": "两家共用院墙，一家要砌高，一家说挡光。",
    "risk_level": "low",
    "confidentiality": "normal",
    "mediators": [WHO],
}
REFUSED: Value = {"informed": False, "scope": []}
TOLD: Value = {"told": True}
SIGNED: Value = {"at": "2026-11-22T09:10:00+08:00", "attachment": WHO, "sha256": bytes(32)}
SESSION: Value = {"id": "s1"}


def shipped(name: str) -> Kind:
    kind = shipped_kinds().get(name)
    assert kind is not None
    return kind


def found(
    kind: str,
    view: Mapping[str, Value],
    *,
    fields: Collection[str] | None = None,
    is_creation: bool = False,
    step: str | None = None,
) -> list[tuple[str, str]]:
    violations = check_record(shipped(kind), view, now_ms=NOW_MS, fields=fields, is_creation=is_creation, step=step)
    return [(violation.field, violation.rule) for violation in violations]


def test_a_creation_lacks_nothing_it_must_give() -> None:
    assert found("household_visit", VISIT, is_creation=True) == []
    assert found("household_visit", {**VISIT, "purpose": [], "result": None}, is_creation=True) == [
        ("purpose", "required"), ("result", "required"),
    ]  # fmt: skip


def test_a_creation_is_judged_whole_whatever_was_touched() -> None:
    assert ("visitors", "required") in found("household_visit", {}, fields=["result"], is_creation=True)


def test_blanks_are_nothing() -> None:
    assert found("household_visit", {**VISIT, "content": "　\n"}) == [("content", "required")]


def test_an_edit_is_not_refused_for_an_old_fault_elsewhere() -> None:
    view = {**VISIT, "visitors": [], "content": None}

    assert found("household_visit", view, fields=["satisfaction"]) == []
    assert found("household_visit", view, fields=["visitors"]) == [("visitors", "required")]


def test_a_visit_that_met_somebody_needs_its_diary() -> None:
    view = {**VISIT, "content": None}

    assert found("household_visit", view, fields=["result"]) == [("content", "required")]
    assert found("household_visit", view, fields=["content"]) == [("content", "required")]
    assert found("household_visit", {**view, "result": "not_home"}, fields=["result"]) == []


@pytest.mark.parametrize(
    ("ended_at", "wanted"),
    [
        ("2026-11-22T09:10:00+08:00", []),
        ("2026-11-22T05:10:00+00:00", []),
        ("2026-11-22T05:10:01+00:00", [("ended_at", "span")]),
        ("2026-11-22T09:09:59+08:00", [("ended_at", "order")]),
    ],
)
def test_a_visit_ends_after_it_starts_and_lasts_at_most_four_hours(
    ended_at: str, wanted: list[tuple[str, str]]
) -> None:
    view = {**VISIT, "ended_at": ended_at}

    assert found("household_visit", view) == wanted
    assert found("household_visit", view, fields=["started_at"]) == wanted
    assert found("household_visit", view, fields=["result"]) == []


@pytest.mark.parametrize(("due", "is_right"), [("2026-11-22", False), ("2026-11-23", True), ("2026-11-21", False)])
def test_the_next_visit_is_on_a_later_day(due: str, *, is_right: bool) -> None:
    assert (found("household_visit", {**VISIT, "next_visit_due": due}) == []) is is_right


def test_the_day_of_a_moment_is_the_one_on_the_workers_calendar() -> None:
    at_midnight = {**VISIT, "occurred_at": "2026-11-22T00:30:00+08:00", "next_visit_due": "2026-11-22"}

    assert found("household_visit", at_midnight, fields=["next_visit_due"]) == [("next_visit_due", "order")]


def test_persons_are_named_only_after_they_were_informed() -> None:
    view: dict[str, Value] = {**VISIT, "consent": REFUSED, "persons_met": ["陆奶奶"]}

    assert found("household_visit", view, fields=["persons_met"]) == [("consent", "needs")]


def test_care_needs_the_consent_to_care() -> None:
    view: dict[str, Value] = {**VISIT, "consent": {"informed": True, "scope": ["diary"]}, "care_needs": ["escort"]}

    assert found("household_visit", view, fields=["care_needs"]) == [("consent", "needs")]
    assert found("household_visit", {**view, "consent": VISIT["consent"]}, fields=["care_needs"]) == []


def test_nobody_is_refused_the_withdrawal_of_a_consent() -> None:
    view: dict[str, Value] = {**VISIT, "consent": REFUSED, "care_needs": ["escort"], "persons_met": ["陆奶奶"]}

    assert found("household_visit", view, fields=["consent"]) == []


@pytest.mark.parametrize(
    ("offset_ms", "comments", "wanted"),
    [
        (10 * MINUTE_MS, [], []),
        (11 * MINUTE_MS, [], [("occurred_at", "in_future")]),
        (-90 * DAY_MS, [], []),
        (-91 * DAY_MS, [], [("occurred_at", "too_old")]),
        (-91 * DAY_MS, [{"text": "补录"}], []),
    ],
)
def test_what_lies_in_the_future_or_long_ago_is_questioned(
    offset_ms: int, comments: list[Value], wanted: list[tuple[str, str]]
) -> None:
    view = {**VISIT, "occurred_at": NOW, "comments": comments}

    violations = check_record(
        shipped("household_visit"), view, now_ms=NOW_MS - offset_ms, fields=["occurred_at"], is_creation=False
    )

    assert [(violation.field, violation.rule) for violation in violations] == wanted


def test_a_patrol_begins_without_what_it_needs_to_be_handed_in() -> None:
    patrol: dict[str, Value] = {
        "grid_code": "420106001002", "occurred_at": NOW, "patrol_type": "daily", "started_at": NOW, "leader": WHO,
    }  # fmt: skip

    assert found("patrol", patrol, is_creation=True) == []
    assert found("patrol", patrol, step="finished", fields=[]) == [("checkpoints", "required")]
    assert found("patrol", patrol, step="submit", fields=[]) == [
        ("ended_at", "required"), ("checkpoints", "required"),
    ]  # fmt: skip


def test_a_case_is_accepted_with_two_parties() -> None:
    one: dict[str, Value] = {**MEDIATION, "accepted_at": NOW, "parties": [{"id": "p1"}]}

    assert found("mediation", one) == []
    assert found("mediation", one, step="accepted") == [("parties", "too_few_items")]
    assert found("mediation", {**one, "parties": [{"id": "p1"}, {"id": "p2"}]}, step="accepted") == []


def test_a_session_needs_the_rights_told() -> None:
    view: dict[str, Value] = {**MEDIATION, "sessions": [SESSION]}

    assert found("mediation", view, fields=["sessions"]) == [("rights_notice", "needs")]
    assert found("mediation", {**view, "rights_notice": TOLD}, fields=["sessions"]) == []


def test_an_outcome_of_mediation_needs_a_session_but_a_withdrawal_does_not() -> None:
    assert found("mediation", {**MEDIATION, "outcome": "oral"}, fields=["outcome"]) == [("sessions", "needs")]
    assert found("mediation", {**MEDIATION, "outcome": "withdrawn"}, fields=["outcome"]) == []


def test_only_a_written_agreement_has_a_text_and_a_signing() -> None:
    view: dict[str, Value] = {**MEDIATION, "rights_notice": TOLD, "sessions": [SESSION], "outcome": "written"}

    assert found("mediation", view, step="agreed", fields=[]) == [
        ("agreement_text", "required"), ("agreement_signed", "required"),
    ]  # fmt: skip
    assert found("mediation", {**view, "outcome": "oral"}, step="agreed", fields=[]) == []


@pytest.mark.parametrize(
    ("applied_at", "wanted"),
    [
        ("2026-12-22", []),
        ("2026-12-23", [("court_confirmation", "span")]),
        ("2026-11-21", [("court_confirmation", "order")]),
    ],
)
def test_court_confirmation_is_applied_for_within_thirty_days(applied_at: str, wanted: list[tuple[str, str]]) -> None:
    view: dict[str, Value] = {
        **MEDIATION, "agreement_text": "本周内付清。", "agreement_signed": SIGNED,
        "court_confirmation": {"applied_at": applied_at},
    }  # fmt: skip

    assert found("mediation", view) == wanted


def test_malformed_values_break_no_check_twice() -> None:
    view: dict[str, Value] = {**VISIT, "started_at": 3, "ended_at": ["x"], "consent": "yes", "occurred_at": b""}

    assert found("household_visit", view) == []


def test_every_violation_speaks_both_languages() -> None:
    for kind in shipped_kinds():
        for violation in check_record(kind, {}, now_ms=NOW_MS, is_creation=True, step="submit"):
            assert violation.text.zh
            assert violation.text.en
            assert "{" not in violation.text.zh + violation.text.en
