"""The planned day: every field and every record is one that a store would take."""

from collections.abc import Iterable
from datetime import date
from pathlib import Path

import pytest

from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.kinds import Kind, Merge, check_record, check_value, shipped_kinds
from gridlog_protocol.kinds.times import moment_ms
from tools.demo.day import Act, Change, Load, Write, plan_day, plan_shared_edits
from tools.demo.grammar import Grammar
from tools.demo.world import Street, Worker, make_street, make_workers
from tools.dice import dice
from tools.divisions.extract import read_extract

DAY = date(2026, 11, 22)
NOW_MS = moment_ms("2026-11-22T23:30:00+08:00") or 0
BUSY = Load(patrols=2, visits_min=12, visits_max=15, mediation_percent=100)
STEPS = {"patrol": "submit", "household_visit": "submit", "mediation": "accepted"}


def made_street() -> Street:
    extract = Path(__file__).parents[3] / "tools/demo/data/420106001.json"
    return make_street(
        read_extract(extract.read_text("utf-8")),
        dice(1),
        communities=2,
        grids_per_community=1,
        households_per_grid=60,
        made_at_ms=1_795_000_000_000,
    )


STREET = made_street()
PAIR: tuple[Worker, Worker] = make_workers(STREET, dice(2))[:2]  # type: ignore[assignment]
GRAMMAR = Grammar.load()


def day(seed: int, load: Load = BUSY) -> list[Act]:
    return plan_day(PAIR[0], STREET, dice(seed), GRAMMAR, DAY, load=load)


def kind_of(name: str) -> Kind:
    kind = shipped_kinds().get(name)
    assert kind is not None
    return kind


def apply(kind: Kind, view: dict[str, Value], fields: dict[str, Value]) -> None:
    for name, value in fields.items():
        before = view.get(name)
        if isinstance(before, list) and isinstance(value, list):
            view[name] = before + [item for item in value if item not in before]
        elif isinstance(before, dict) and isinstance(value, dict):
            view[name] = before | value
        elif kind.fields[name].merge is Merge.COUNTER and isinstance(before, int):
            assert isinstance(value, int)
            view[name] = before + value
        else:
            view[name] = value


def check(acts: Iterable[Act]) -> dict[str, tuple[Kind, dict[str, Value]]]:
    """Judge every act as a store does when it is written, and return the records."""
    records: dict[str, tuple[Kind, dict[str, Value]]] = {}
    for act in acts:
        if isinstance(act, Write):
            assert act.key not in records
            records[act.key] = (kind_of(act.kind), {})
        kind, view = records[act.key]
        for name, value in act.fields.items():
            assert check_value(kind.fields[name], value) is None, (act.key, name, value)
        apply(kind, view, act.fields)
        found = check_record(
            kind,
            view,
            now_ms=NOW_MS,
            fields=list(act.fields),
            is_creation=isinstance(act, Write),
        )
        assert found == [], (act, found)
    return records


@pytest.mark.parametrize("seed", range(30))
def test_every_act_of_a_day_is_one_that_a_store_would_take(seed: int) -> None:
    for kind, view in check(day(seed)).values():
        assert check_record(kind, view, now_ms=NOW_MS, is_creation=True, step=STEPS[kind.name]) == []


def test_a_day_has_patrols_visits_and_a_mediation() -> None:
    kinds = [act.kind for act in day(1) if isinstance(act, Write)]
    assert kinds.count("patrol") == 2
    assert 12 <= kinds.count("household_visit") <= 15
    assert kinds.count("mediation") == 1


def test_the_same_seed_plans_the_same_day() -> None:
    assert day(5) == day(5)
    assert day(5) != day(6)


def test_a_day_comes_without_floats() -> None:
    for act in day(3):
        pack(act.fields)


def test_no_home_is_visited_twice_and_all_are_in_the_workers_grids() -> None:
    homes = [act.fields["household_id"] for act in day(8) if "household_id" in act.fields]
    known = {home.household_id for code in PAIR[0].grids for home in STREET.grid(code).households}
    assert len(homes) == len(set(map(bytes, homes)))  # type: ignore[arg-type]
    assert set(homes) <= known


def test_a_worker_with_few_homes_visits_them_all() -> None:
    acts = day(1, Load(patrols=0, visits_min=500, visits_max=500, mediation_percent=0))
    assert sum(isinstance(act, Write) for act in acts) == 60


def shared(kind: str, seed: int) -> tuple[Write, list[Change], list[Change]]:
    record = next(act for act in day(seed) if isinstance(act, Write) and act.kind == kind)
    return (record, *plan_shared_edits(record, PAIR, STREET, dice(seed), GRAMMAR, DAY))


@pytest.mark.parametrize("kind", list(STEPS))
@pytest.mark.parametrize("seed", range(20))
def test_each_partner_alone_makes_edits_that_a_store_would_take(kind: str, seed: int) -> None:
    record, mine, theirs = shared(kind, seed)
    check([record, *mine])
    check([record, *theirs])


def values(changes: list[Change], field: str) -> list[Value]:
    return [change.fields[field] for change in changes if field in change.fields]


def test_partners_sum_up_one_patrol_in_two_ways_and_both_count() -> None:
    _, mine, theirs = shared("patrol", 1)
    assert values(mine, "summary") != values(theirs, "summary")
    assert values(mine, "companions") != values(theirs, "companions")
    assert values(mine, "handled_on_spot")
    assert values(theirs, "handled_on_spot")


def test_one_partner_met_somebody_where_the_other_found_nobody() -> None:
    _, mine, theirs = shared("household_visit", 1)
    assert values(mine, "result") == ["met"]
    assert values(theirs, "result") == ["not_home"]


def test_partners_heard_two_sums_and_fear_two_risks_in_one_mediation() -> None:
    _, mine, theirs = shared("mediation", 1)
    assert values(mine, "amount") != values(theirs, "amount")
    assert values(mine, "risk_level") != values(theirs, "risk_level")
