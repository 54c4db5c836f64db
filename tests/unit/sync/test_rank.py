"""Workflows: the later step wins in one round, going back opens a new one, and what contradicts goes to a person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Choice
from gridlog_protocol.limits import ROUNDS_MAX
from gridlog_protocol.ops import Action, Edit, Op
from gridlog_sync.rules import Before, rule_of
from gridlog_sync.view import rounds_of, values_of
from gridlog_sync.writing import InvalidRecordError, edits_for
from tests.unit.sync.building import Worker, add, conflicting, kind, log_of, put, shown, state_of

MACHINES: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "data" / "state_machines.json").read_text(encoding="utf-8")
)["machines"]
KIND_OF = {
    "Patrol": ("patrol", "state"),
    "HouseholdVisit": ("household_visit", "state"),
    "MediationNote": ("mediation", "state"),
    "Incident": ("incident", "state"),
    "Task": ("task", "state"),
    "Proposal": ("proposal", "state"),
    "Review": ("patrol", "review_state"),
}
TRANSITIONS = [
    (kind_name, field, each["frm"], each["to"], each["epoch"])
    for name, machine in MACHINES.items()
    for kind_name, field in [KIND_OF[name.split(" ")[0].split("(")[0]]]
    for each in machine["transitions"]
    if each["frm"] != "(new)"
]


ENDS = {"cancelled"}


def stage(number: int, option: str) -> Edit:
    return put("state", [number, option, True] if option in ENDS else [number, option])


def both(of: str, base: Edit, mine: Edit, theirs: Edit) -> tuple[Op, Op, Op]:
    """Two people step on from the same state without knowing of each other."""
    first = Worker(1, of=of).creates(base)
    return first, Worker(2, of=of).writes(mine, seen=1, at=1), Worker(3, of=of).writes(theirs, seen=1, at=2)


def ends_of(kind_name: str, name: str) -> set[str]:
    type_ = kind(kind_name).fields[name].type
    assert isinstance(type_, Choice)
    return {option.value for option in type_.options if option.is_negative}


@pytest.mark.parametrize(("kind_name", "name", "start", "end", "opens_a_round"), TRANSITIONS)
def test_a_step_forward_raises_the_rank_and_any_other_the_round(
    kind_name: str, name: str, start: str, end: str, opens_a_round: int
) -> None:
    field = kind(kind_name).fields[name]
    before = Before(start, {"": 3}, is_undecided=start == end)

    ((action, key, value),) = rule_of(field).steps(field, end, before)

    assert (action, key) == (Action.SET, "")
    assert isinstance(value, list)
    assert value[:2] == [3 if start == end else 3 + opens_a_round, end]
    assert (value[2:] == [True]) == (end in ends_of(kind_name, name))


def test_the_kind_files_have_the_ranks_and_ends_of_every_workflow() -> None:
    for name, machine in MACHINES.items():
        kind_name, field = KIND_OF[name.split(" ")[0].split("(")[0]]
        type_ = kind(kind_name).fields[field].type
        assert isinstance(type_, Choice)
        assert {option.value: option.rank for option in type_.options} == machine["ranks"]
        assert ends_of(kind_name, field) == set(machine["negative_terminal"])


def test_a_failed_check_and_a_passed_one_leave_the_work_in_progress_for_a_person_to_review() -> None:
    ops = both("incident", stage(0, "done"), stage(1, "in_progress"), stage(0, "verified"))

    assert shown(*ops)["state"] == "in_progress"
    assert rounds_of(state_of(log_of(*ops)), kind("incident")) == {"state": {"": 1}}
    assert conflicting(*ops) == {"state": "hard"}


def test_a_reassigned_task_stays_dispatched_and_the_old_leads_evidence_is_kept() -> None:
    base = Worker(1, of="task").creates(stage(0, "accepted"))
    reassigned = Worker(2, of="task").writes(stage(1, "dispatched"), seen=1, at=1)
    finished = Worker(3, of="task").writes(stage(0, "done"), add("attachments", "ab" * 16), seen=1, at=2)

    values = shown(base, reassigned, finished)
    assert (values["state"], values["attachments"]) == ("dispatched", [bytes.fromhex("ab" * 16)])
    assert conflicting(base, reassigned, finished) == {"state": "hard"}


def test_a_cancelled_task_that_somebody_finished_is_cancelled_and_reviewed() -> None:
    ops = both("task", stage(0, "in_progress"), stage(0, "cancelled"), stage(0, "done"))

    assert shown(*ops)["state"] == "cancelled"
    assert conflicting(*ops) == {"state": "hard"}


def test_agreed_and_failed_are_siblings_that_a_supervisor_decides() -> None:
    ops = both("mediation", stage(0, "in_session"), stage(0, "agreed"), stage(0, "failed"))
    decided = Worker(4, of="mediation").writes(stage(0, "agreed"), seen=3)

    assert conflicting(*ops) == {"state": "hard"}
    assert conflicting(*ops, decided) == {}
    assert shown(*ops, decided)["state"] == "agreed"


def test_two_steps_forward_agree_on_the_later_one() -> None:
    ops = both("incident", stage(0, "dispatched"), stage(0, "received"), stage(0, "done"))

    assert shown(*ops)["state"] == "done"
    assert conflicting(*ops) == {}


def test_the_same_step_taken_twice_is_one_step() -> None:
    ops = both("incident", stage(0, "received"), stage(0, "done"), stage(0, "done"))

    assert conflicting(*ops) == {}


def test_each_demand_has_a_workflow_of_its_own() -> None:
    def demand(key: str, option: str) -> Edit:
        return put("demand_state", [0, option], key=key)

    first = Worker(1, of="household_visit").creates(demand("d1", "open"), demand("d2", "open"))
    mine = Worker(2, of="household_visit").writes(demand("d1", "solved"), seen=1, at=1)
    theirs = Worker(3, of="household_visit").writes(demand("d2", "promised"), demand("d1", "promised"), seen=1, at=2)

    assert shown(first, mine, theirs)["demand_state"] == {"d1": "solved", "d2": "promised"}


def test_work_that_the_canceller_did_not_know_is_shown_with_the_cancellation() -> None:
    base = Worker(1, of="task").creates(stage(0, "in_progress"))
    cancelled = Worker(2, of="task").writes(stage(0, "cancelled"), seen=1, at=1)
    worked = Worker(3, of="task").writes(add("attachments", "ab" * 16), seen=1, at=2)

    assert conflicting(base, cancelled) == {}
    assert conflicting(base, cancelled, worked) == {"state": "hard"}
    settled = Worker(2, of="task").writes(stage(0, "cancelled"), seen=3, at=4)
    assert conflicting(base, cancelled, worked, settled) == {}


def test_a_form_names_the_round_it_showed() -> None:
    state = state_of(log_of(*both("incident", stage(0, "done"), stage(1, "in_progress"), stage(1, "dispatched"))))
    of = kind("incident")

    (edit,) = edits_for(
        of, {"state": "done"}, shown=values_of(state, of), rounds=rounds_of(state, of), is_creation=False
    )

    assert edit.value == [1, "done"]


NO_STAGES: list[Value] = [None, "finished", 3, [], ["finished"], [0], [0, "dreaming"], [-1, "finished"]]
NO_STAGES += [
    [True, "finished"],
    [ROUNDS_MAX + 1, "finished"],
    [0, "finished", True],
    [0, "cancelled", 1],
    [0, None],
    {"round": 0},
]


@pytest.mark.parametrize("value", NO_STAGES)
def test_what_is_no_stage_is_a_fault(value: Value) -> None:
    field = kind().fields["state"]

    fault = rule_of(field).fault(field, put("state", value))

    assert fault is not None
    assert fault.text.zh
    assert rule_of(field).fault(field, put("state", [ROUNDS_MAX, "finished"])) is None


def test_a_state_cannot_be_cleared_or_made_up_in_a_form() -> None:
    for wrong in (None, "dreaming", 7):
        with pytest.raises(InvalidRecordError):
            edits_for(kind(), {"state": wrong}, shown={"state": "planned"}, is_creation=False)


def test_a_state_of_a_newer_kind_is_shown_and_stands_behind_those_that_are_known() -> None:
    strange = Worker(2).writes(put("state", [0, "hovering"]), at=5)

    assert shown(strange)["state"] == "hovering"
    assert shown(Worker(1).writes(stage(0, "planned")), strange)["state"] == "planned"
    assert shown(Worker(1).writes(put("state", {"odd": 1})))["state"] == {"odd": 1}
