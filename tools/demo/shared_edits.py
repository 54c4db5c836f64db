"""Two partners edit one record that both hold, neither knowing of the other. Pure."""

from __future__ import annotations

from datetime import date, datetime
from random import Random

from gridlog_protocol.canonical import Value
from tools.demo.acts import Change, Fields, Setting, Write
from tools.demo.grammar import Grammar
from tools.demo.mediations import amount, party, session
from tools.demo.patrols import checkpoint, noise
from tools.demo.visits import demand_fields
from tools.demo.world import Street, Worker

EDITS_MINUTE = 16 * 60


def plan_shared_edits(
    record: Write,
    pair: tuple[Worker, Worker],
    street: Street,
    rng: Random,
    grammar: Grammar,
    day: date,
) -> tuple[list[Change], list[Change]]:
    """Plan what the first and the second partner make of `record`, edits that meet when merged."""
    first, second = (Setting(worker, street, rng, grammar, day) for worker in pair)
    match record.kind:
        case "patrol":
            edits = [_of_patrol(setting, record) for setting in (first, second)]
        case "household_visit":
            edits = [_of_visit(first, is_met=True), _of_visit(second, is_met=False)]
        case "mediation":
            edits = [
                _of_mediation(first, record, risk="medium"),
                _of_mediation(second, record, risk="high"),
            ]
        case kind:
            raise AssertionError(f"no shared edits for {kind}")
    mine, theirs = ([Change(record.key, fields) for fields in side] for side in edits)
    return mine, theirs


def _of_patrol(setting: Setting, record: Write) -> list[Fields]:
    """Both tell the day in their words, bring somebody along, count, and check more points."""
    grid = setting.street.grid(str(record.fields["grid_code"]))
    started = datetime.fromisoformat(str(record.fields["started_at"]))
    minute = max(EDITS_MINUTE, started.hour * 60 + started.minute) + setting.rng.randint(5, 30)
    return [
        {
            "summary": setting.grammar.patrol_summary(setting.rng),
            "companions": [setting.worker.user_id, setting.grammar.word(setting.rng, "polite")],
            "handled_on_spot": setting.rng.randint(1, 8),
        },
        {
            "checkpoints": [checkpoint(setting, grid, 11 + setting.rng.randrange(8), minute)],
            "measurements": [noise(setting, minute)],
            "ended_at": setting.moment(minute + setting.rng.randint(5, 25)),
            "weather": setting.rng.choice(("sunny", "rain", "wind")),
        },
    ]


def _of_visit(setting: Setting, *, is_met: bool) -> list[Fields]:
    """One met somebody, the other found nobody: a person has to decide which counts."""
    visitors: list[Value] = [setting.worker.user_id]
    due = setting.day_after(setting.rng.randint(7, 30))
    if not is_met:
        return [{"result": "not_home", "visitors": visitors}, {"next_visit_due": due}]
    who = setting.grammar.word(setting.rng, "polite")
    met: Fields = {
        "result": "met",
        "visitors": visitors,
        "consent": {
            "informed": True,
            "scope": ["diary"],
            "method": "oral",
            "at": setting.moment(EDITS_MINUTE),
        },
        "persons_met": [who],
        "content": setting.grammar.visit_content(setting.rng, who=who),
    }
    return [met, {**demand_fields(setting), "next_visit_due": due}]


def _of_mediation(setting: Setting, record: Write, *, risk: str) -> list[Fields]:
    """Each heard another sum and fears another outcome; each brings a party and a session."""
    rng, grammar = setting.rng, setting.grammar
    story = grammar.story(rng, str(record.fields["dispute_category"]))
    names = _party_names(record)
    return [
        {
            "amount": amount(setting),
            "risk_level": risk,
            "people_involved": rng.randint(2, 30),
            "mediators": [setting.worker.user_id],
            "parties": [party(setting, grammar.word(rng, "name"), "利害关系人")],
        },
        {
            "rights_notice": {"told": True, "at": setting.moment(EDITS_MINUTE)},
            "sessions": [session(setting, story, names, "continue", EDITS_MINUTE + 5)],
        },
    ]


def _party_names(record: Write) -> tuple[str, str]:
    parties = record.fields["parties"]
    assert isinstance(parties, list)
    names = [str(one["name"]) for one in parties if isinstance(one, dict)]
    return names[0], names[1]
