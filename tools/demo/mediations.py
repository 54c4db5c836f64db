"""A mediation as it is registered, talked over in a cellar without signal, and perhaps settled."""

from __future__ import annotations

from collections.abc import Iterator

from gridlog_protocol.canonical import Value
from tools.demo.acts import Act, Change, Fields, Setting, Write
from tools.demo.grammar import SessionResult
from tools.demo.vocabulary import Story
from tools.demo.world import invented_phone

# Cases of one month in one city, by a public bulletin of August 2016; kinds it does not name get 2.
CATEGORY_WEIGHTS = {
    "marriage_family": 160,
    "neighbours": 278,
    "housing_homestead": 67,
    "contract": 44,
    "business": 31,
    "damages": 76,
    "forest_land": 18,
    "expropriation": 28,
    "environment": 4,
    "labour": 13,
    "consumer": 7,
    "medical": 55,
    "road_traffic": 33,
    "property_management": 1,
    "tourism": 2,
    "intellectual_property": 2,
    "internet": 2,
    "other": 54,
}
SOURCE_WEIGHTS = {
    "proactive": 455,
    "application": 378,
    "entrusted_police": 18,
    "entrusted_court": 8,
    "entrusted_petition": 5,
    "entrusted_department": 5,
}
RISK_WEIGHTS = {"low": 70, "medium": 22, "high": 7, "urgent": 1}
RESULTS: tuple[SessionResult, ...] = ("agreed", "agreed", "agreed", "continue", "failed")


def mediation_acts(setting: Setting, key: str, start_minute: int) -> Iterator[Act]:
    """Register a quarrel, hold one session, and write down how it ended."""
    rng, grammar = setting.rng, setting.grammar
    story = grammar.story(rng, setting.weighted(CATEGORY_WEIGHTS))
    a, b = grammar.word(rng, "name"), grammar.word(rng, "name")
    yield Write("mediation", key, registered(setting, story, (a, b), start_minute))
    result = rng.choice(RESULTS)
    yield Change(
        key,
        {
            "rights_notice": {"told": True, "at": setting.moment(start_minute + 12)},
            "sessions": [session(setting, story, (a, b), result, start_minute + 15)],
        },
    )
    if result == "agreed":
        yield Change(
            key,
            {
                "outcome": rng.choice(("written", "oral")),
                "agreement_text": grammar.settlement(rng, story, a=a, b=b),
                "perform_due": setting.day_after(rng.randint(3, 30)),
                "performance": "pending",
            },
        )
    elif result == "failed":
        yield Change(key, {"outcome": "failed"})


def session(setting: Setting, story: Story, parties: tuple[str, str], result: SessionResult, minute: int) -> Value:
    """Take the minutes of one session."""
    a, b = parties
    return {
        "id": setting.element_id(),
        "at": setting.moment(minute),
        "place": setting.grammar.word(setting.rng, "venue"),
        "present": list(dict.fromkeys((a, b, setting.worker.name))),
        "text": setting.grammar.session_note(setting.rng, story, a=a, b=b, result=result),
        "result": result,
    }


def party(setting: Setting, name: str, role: str) -> Fields:
    """Name one side of a quarrel."""
    return {
        "id": setting.element_id(),
        "kind": "person",
        "name": name,
        "phone": invented_phone(setting.rng),
        "role": role,
    }


def amount(setting: Setting) -> str:
    """Write an amount of money as decimal text."""
    return f"{setting.rng.randrange(100, 20_000, 50)}.00"


def registered(setting: Setting, story: Story, parties: tuple[str, str], minute: int) -> Fields:
    """Fill in the form of a quarrel as it is registered."""
    rng, grammar = setting.rng, setting.grammar
    a, b = parties
    first, second = party(setting, a, "申请人"), party(setting, b, "被申请人")
    mediators: list[Value] = [setting.worker.user_id]
    if setting.is_so(40):
        mediators.append(setting.worker.partner_id)
    return {
        "grid_code": setting.grid().code,
        "occurred_at": setting.moment(minute),
        "source": setting.weighted(SOURCE_WEIGHTS),
        "accepted_at": setting.moment(minute + 10),
        "dispute_category": story.category,
        "parties": [first, second],
        "party_claims": {
            str(first["id"]): grammar.claim(rng, story, side="a", a=a, b=b),
            str(second["id"]): grammar.claim(rng, story, side="b", a=a, b=b),
        },
        "mediators": mediators,
        "facts": grammar.mediation_facts(rng, story, a=a, b=b),
        "amount": amount(setting),
        "people_involved": rng.randint(2, 9),
        "risk_level": setting.weighted(RISK_WEIGHTS),
        "confidentiality": "private" if story.category == "marriage_family" else "normal",
    }
