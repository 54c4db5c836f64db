"""A visit to a home as it is filled in at the door, and what is added on the stairs afterwards."""

from __future__ import annotations

from collections.abc import Iterator

from gridlog_protocol.canonical import Value
from tools.demo.acts import Act, Change, Fields, Setting, Write
from tools.demo.world import Household

RESULT_WEIGHTS = {"met": 58, "not_home": 27, "phone": 5, "refused": 4, "vacant": 4, "moved": 2}
PURPOSES = ("routine", "key_care", "follow_up", "policy", "verify", "festival", "agency")
DEMAND_CATEGORIES = ("facility", "noise", "parking", "benefit", "repair", "sanitation", "other")
HANDLING_WEIGHTS = {"self": 60, "incident": 25, "task": 15}
CARE_NEEDS = ("meal_help", "cleaning_help", "escort", "errands", "daily_call", "home_safety")


def visit_acts(setting: Setting, key: str, household: Household, start_minute: int) -> Iterator[Act]:
    """Knock at one door; when somebody opens, a demand or a suggestion may be added later."""
    result = setting.weighted(RESULT_WEIGHTS)
    yield Write("household_visit", key, visit_fields(setting, household, result, start_minute))
    if result not in ("met", "phone"):
        return
    added: Fields = {"next_visit_due": setting.day_after(setting.rng.randint(14, 45))}
    if setting.is_so(40):
        added |= demand_fields(setting)
    if setting.is_so(20):
        added["suggestions"] = [
            {
                "id": setting.element_id(),
                "text": setting.grammar.suggestion(setting.rng),
                "topic": setting.rng.choice(DEMAND_CATEGORIES),
            }
        ]
    if setting.is_so(60):
        yield Change(key, added)


def visit_fields(setting: Setting, household: Household, result: str, start_minute: int) -> Fields:
    """Fill in the form of a visit that ended with `result`."""
    rng = setting.rng
    minutes = rng.randint(8, 20) if result in ("met", "phone") else rng.randint(1, 3)
    visitors: list[Value] = [setting.worker.user_id]
    if setting.is_so(25):
        visitors.append(setting.worker.partner_id)
    fields: Fields = {
        "grid_code": household.grid_code,
        "occurred_at": setting.moment(start_minute),
        "household_id": household.household_id,
        "purpose": list[Value](rng.sample(PURPOSES, rng.choice((1, 1, 1, 2, 2, 3)))),
        "visitors": visitors,
        "started_at": setting.moment(start_minute),
        "ended_at": setting.moment(start_minute + minutes),
        "result": result,
        "consent": {"informed": False, "scope": []},
    }
    if result in ("met", "phone"):
        fields |= _told(setting, result, start_minute)
    return fields


def demand_fields(setting: Setting) -> Fields:
    """Take down what a resident asks for, and what was promised."""
    demand = setting.element_id()
    handling = setting.weighted(HANDLING_WEIGHTS)
    row: Fields = {
        "id": demand,
        "category": setting.rng.choice(DEMAND_CATEGORIES),
        "text": setting.grammar.demand(setting.rng),
        "handling": handling,
    }
    if handling == "self":
        row["promised_at"] = setting.moment((24 * setting.rng.randint(1, 7) + 17) * 60)
    return {
        "demands": [row],
        "demand_state": {demand: "promised" if handling == "self" else "open"},
    }


def _told(setting: Setting, result: str, minute: int) -> Fields:
    rng, grammar = setting.rng, setting.grammar
    who = grammar.word(rng, "polite")
    scope: list[Value] = ["diary"]
    scope += [more for more in ("contact", "care") if setting.is_so(55)]
    fields: Fields = {
        "consent": {
            "informed": True,
            "scope": scope,
            "method": "oral",
            "at": setting.moment(minute + 1),
        },
        "persons_met": [who],
        "content": grammar.visit_content(rng, who=who, is_phone=result == "phone"),
        "quick_ratings": {
            "door_open": result == "met",
            "talked": True,
            "solved": setting.is_so(35),
        },
    }
    if setting.is_so(45):
        fields["satisfaction"] = rng.choice((3, 4, 4, 5, 5))
    if "care" in scope and setting.is_so(25):
        fields["care_needs"] = list[Value](rng.sample(CARE_NEEDS, rng.randint(1, 2)))
    return fields
