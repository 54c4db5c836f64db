"""Plan what a worker does in one offline day. Pure: the same dice give the same day.

09:10 patrol   10:40 visits   14:00 visits and perhaps a mediation   18:20 patrol
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from random import Random

from tools.demo.acts import Act, Change, Fields, Setting, Write
from tools.demo.grammar import Grammar
from tools.demo.mediations import mediation_acts
from tools.demo.patrols import patrol_acts
from tools.demo.shared_edits import plan_shared_edits
from tools.demo.visits import visit_acts
from tools.demo.world import Street, Worker

__all__ = ["TYPICAL", "Act", "Change", "Fields", "Load", "Write", "plan_day", "plan_shared_edits"]

PATROL_MINUTES = (9 * 60 + 10, 18 * 60 + 20)
VISITS_START_MINUTE = 10 * 60 + 40
VISITS_PAUSE_MINUTE = 12 * 60
AFTERNOON_MINUTE = 14 * 60
MEDIATION_MINUTE = 15 * 60
VISIT_MINUTES = 17


@dataclass(frozen=True, slots=True)
class Load:
    """How much happens in a day: by default what a household rota of a month makes of it."""

    patrols: int = 2
    visits_min: int = 12
    visits_max: int = 15
    mediation_percent: int = 5


TYPICAL = Load()


def plan_day(
    worker: Worker,
    street: Street,
    rng: Random,
    grammar: Grammar,
    day: date,
    *,
    load: Load = TYPICAL,
) -> list[Act]:
    """Plan the writes and changes of one worker's day, in the order in which they happen.

    Give a day that is over: a store refuses what lies in its future.
    """
    setting = Setting(worker, street, rng, grammar, day)
    prefix = f"{worker.staff_no}-{day:%m%d}"
    acts: list[Act] = []
    if load.patrols > 0:
        acts.extend(patrol_acts(setting, f"{prefix}-patrol-1", PATROL_MINUTES[0]))
    acts.extend(_visits(setting, prefix, rng.randint(load.visits_min, load.visits_max)))
    if setting.is_so(load.mediation_percent):
        acts.extend(mediation_acts(setting, f"{prefix}-mediation-1", MEDIATION_MINUTE))
    for number in range(2, load.patrols + 1):
        acts.extend(patrol_acts(setting, f"{prefix}-patrol-{number}", PATROL_MINUTES[1]))
    return acts


def _visits(setting: Setting, prefix: str, count: int) -> Iterator[Act]:
    homes = [home for code in setting.worker.grids for home in setting.street.grid(code).households]
    minute = VISITS_START_MINUTE
    for number, home in enumerate(setting.rng.sample(homes, min(count, len(homes))), 1):
        yield from visit_acts(setting, f"{prefix}-visit-{number}", home, minute)
        minute += VISIT_MINUTES
        if VISITS_PAUSE_MINUTE <= minute < AFTERNOON_MINUTE:
            minute = AFTERNOON_MINUTE
