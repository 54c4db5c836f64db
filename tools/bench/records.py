"""Make up the records that a handheld holds, as a demo street writes them. Pure: the same seed, the same records.

Of ten, six are patrols that found something (20–80 Chinese characters), three visits (50–200), one is a mediation
(200–800). Each takes about 580 bytes of JSON. Of the vocabulary's halves a dictionary for compression is trained on
one, on streets that exist nowhere; what is measured is written with the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from importlib.resources import files
from random import Random

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import ClockFacts, Stamp, reading
from gridlog_protocol.ids import DeviceId, Epoch, Incarnation, OpId, Position, RecordId, UserId, record_id
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.ops import Intent, Op, Seen
from gridlog_protocol.state import RecordState
from gridlog_sync.merge import Entry, apply
from gridlog_sync.writing import edits_for
from tools.demo.acts import Setting
from tools.demo.grammar import Grammar
from tools.demo.mediations import registered
from tools.demo.patrols import begun
from tools.demo.visits import visit_fields
from tools.demo.vocabulary import TRAINING, Half
from tools.demo.world import Street, make_street, make_workers
from tools.divisions.extract import StreetExtract, read_extract

START_MS = 1_795_000_000_000
EPOCH = Epoch(b"benchlog")
FIRST_DAY = date(2026, 1, 5)
_TRAINING_DAYS = 3_000
_PER_DAY = 500
_MS_APART = 60_000
_TEN = ("patrol",) * 6 + ("household_visit",) * 3 + ("mediation",)
_LEFT_OUT = ("companions", "weather")
"""A patrol says little besides what it found, so that a record is as long as the targets assume."""


@dataclass(frozen=True, slots=True)
class Form:
    """What one worker wrote in one form."""

    id: RecordId
    kind: str
    values: Mapping[str, Value]
    author: int


def forms(
    count: int, *, seed: int = 1, half: Half | None = None, first_day: date = FIRST_DAY, alone: bool = False
) -> Iterator[Form]:
    """Yield forms in the order in which they were written, by the workers of a street, 500 on each day.

    `alone` is one of them, as on his own handheld: he leads his patrols, and it is he who visits and mediates.
    `half` is the half of the vocabulary that they are written with; None takes all of it. `TRAINING` also makes up
    the street's codes and the first day, so that what is trained on it remembers neither.
    """
    rng, grammar, street = Random(seed), Grammar.load(half), _street(seed, half)
    workers = make_workers(street, rng)
    if half == TRAINING:
        first_day = FIRST_DAY + timedelta(days=rng.randrange(_TRAINING_DAYS))
    deck: list[str] = []
    author = rng.randrange(len(workers))
    for number in range(count):
        author = author if alone else rng.randrange(len(workers))
        day = first_day + timedelta(days=number // _PER_DAY)
        # Dealt, not diced: a mediation is five patrols long, and twenty notes would not weigh what twenty others do.
        deck = deck or rng.sample(_TEN, len(_TEN))
        kind = deck.pop()
        values = _filled(kind, Setting(workers[author], street, rng, grammar, day))
        yield Form(record_id(START_MS + number * _MS_APART, rng.randbytes(10)), kind, values, author)


def confirmed_records(count: int, *, seed: int = 1, half: Half | None = None) -> Iterator[RecordState]:
    """Yield the same records as a server sends them: merged and stamped, each at a position of its own."""
    kinds, rng = shipped_kinds(), Random(seed)
    writers = [
        (DeviceId(rng.randbytes(16)), Incarnation(rng.randbytes(8)), UserId(rng.randbytes(16))) for _ in range(100)
    ]
    for position, form in enumerate(forms(count, seed=seed, half=half), 1):
        kind = kinds.get(form.kind)
        assert kind is not None
        device, incarnation, user = writers[form.author]
        edits = edits_for(kind, form.values, shown={}, rounds={}, undecided=set(), is_creation=True)
        wall_ms = START_MS + position * _MS_APART
        facts = ClockFacts(reading(wall_ms), wall_ms, bytes(8), position, START_MS)
        op_id, seen = OpId(device, incarnation, position), Seen(EPOCH, Position(0), 0)
        op = Op(op_id, user, form.id, form.kind, kind.version, Intent.CREATE, seen, facts, tuple(edits), bytes(16))
        yield apply(None, Entry(op, Stamp(facts.hlc), Position(position)))


def scopes(seed: int = 1) -> list[str]:
    """Return the codes of the street's grids."""
    return [grid.code for grid in _street(seed, None).grids()]


def _street(seed: int, half: Half | None) -> Street:
    extract = read_extract(files("tools.demo").joinpath("data/420106001.json").read_text(encoding="utf-8"))
    if half == TRAINING:
        extract = _nowhere(extract, Random(seed))
    return make_street(
        extract, Random(seed), communities=6, grids_per_community=1, households_per_grid=200, made_at_ms=START_MS
    )


def _nowhere(extract: StreetExtract, rng: Random) -> StreetExtract:
    code = str(rng.randrange(110_000_000, 660_000_000))
    return replace(
        extract,
        district=replace(extract.district, code=code[:6]),
        street=replace(extract.street, code=code),
        communities=tuple(replace(each, code=f"{code}{each.code[-3:]}") for each in extract.communities),
    )


def _filled(kind: str, setting: Setting) -> Mapping[str, Value]:
    rng, minute = setting.rng, setting.rng.randint(8 * 60, 18 * 60)
    if kind == "patrol":
        summary: dict[str, Value] = {"summary": setting.grammar.finding(rng)}
        patrol = begun(setting, setting.grid(), minute)
        return {name: patrol[name] for name in patrol if name not in _LEFT_OUT} | summary
    if kind == "household_visit":
        return visit_fields(setting, rng.choice(setting.grid().households), "met", minute)
    story = setting.grammar.story(rng)
    parties = setting.grammar.word(rng, "name"), setting.grammar.word(rng, "name")
    return registered(setting, story, parties, minute)
