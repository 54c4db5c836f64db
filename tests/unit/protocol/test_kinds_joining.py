"""What MAX and MIN make of values that did not know of each other."""

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Merge, join, shipped_kinds


def joined(kind_name: str, name: str, *values: Value) -> Value:
    kind = shipped_kinds().get(kind_name)
    assert kind is not None
    field = kind.fields[name]
    assert field.merge in (Merge.MAX, Merge.MIN)
    return join(field.type, values, upwards=field.merge is Merge.MAX)


def test_the_earliest_start_and_the_latest_end_are_true() -> None:
    early, late = "2026-11-22T09:10:00+08:00", "2026-11-22T01:10:01+00:00"

    assert joined("patrol", "started_at", early, late) == early
    assert joined("patrol", "ended_at", early, late) == late


def test_two_writings_of_one_instant_join_to_the_same_in_any_order() -> None:
    here, there = "2026-11-22T09:10:00+08:00", "2026-11-22T01:10:00+00:00"

    assert joined("patrol", "started_at", here, there) == joined("patrol", "started_at", there, here)


def test_the_higher_risk_and_the_stricter_secrecy_win() -> None:
    assert joined("mediation", "risk_level", "high", "low", "medium") == "high"
    assert joined("mediation", "confidentiality", "private", "normal") == "private"


def test_an_option_of_a_newer_version_counts_as_the_highest() -> None:
    assert joined("mediation", "risk_level", "explosive", "urgent") == "explosive"


def test_what_was_cleared_never_wins() -> None:
    start = "2026-11-22T09:10:00+08:00"

    assert joined("patrol", "started_at", start, None) == joined("patrol", "started_at", None, start) == start
    assert joined("patrol", "ended_at", start, None) == start


def test_of_each_item_the_worse_finding_survives() -> None:
    assert joined("patrol", "checklist", {"door": "ok", "lamp": "bad"}, {"door": "bad", "stairs": "na"}) == {
        "door": "bad",
        "lamp": "bad",
        "stairs": "na",
    }


def test_true_wins_and_what_nobody_answered_stays_unanswered() -> None:
    assert joined("household_visit", "quick_ratings", {"talked": True}, {"talked": False, "solved": False}) == {
        "talked": True,
        "solved": False,
    }


WIDE: Value = {"informed": True, "scope": ["care", "diary"], "method": "written", "at": "2026-11-01T09:00:00+08:00"}
NARROW: Value = {"informed": True, "scope": ["diary"], "method": "oral", "at": "2026-11-22T09:00:00+08:00"}
WITHDRAWN: Value = {"informed": False, "scope": [], "method": "oral", "at": "2026-11-21T09:00:00+08:00"}
OTHER: Value = {"informed": True, "scope": ["care"], "method": "guardian", "at": "2026-11-22T10:00:00+08:00"}


@pytest.mark.parametrize("values", [(WIDE, NARROW), (NARROW, WIDE)])
def test_the_narrower_consent_wins_with_its_own_evidence(values: tuple[Value, ...]) -> None:
    assert joined("household_visit", "consent", *values) == NARROW


@pytest.mark.parametrize("values", [(WIDE, WITHDRAWN, NARROW), (WITHDRAWN, NARROW, WIDE), (NARROW, WIDE, WITHDRAWN)])
def test_a_withdrawal_always_wins_with_its_own_evidence(values: tuple[Value, ...]) -> None:
    assert joined("household_visit", "consent", *values) == WITHDRAWN


def test_consents_that_share_nothing_leave_nothing_and_the_latest_speaks() -> None:
    assert joined("household_visit", "consent", NARROW, OTHER) == {
        "informed": True, "scope": [], "method": "guardian", "at": "2026-11-22T10:00:00+08:00",
    }  # fmt: skip


def test_evidence_is_taken_whole_never_mixed() -> None:
    silent: Value = {"informed": False, "scope": []}

    assert joined("household_visit", "consent", WIDE, silent) == silent


def test_a_member_of_a_newer_version_travels_with_the_evidence() -> None:
    newer: Value = {"told": True, "witness": "老梁"}

    assert joined("mediation", "rights_notice", newer, {"told": False}) == newer
