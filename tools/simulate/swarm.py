"""How bad one world is. Each seed draws its own rates, so that some worlds have one fault alone and others all."""

from __future__ import annotations

from dataclasses import dataclass

from gridlog_sync.testing.dice import Dice, is_so
from gridlog_sync.testing.network import NetworkFaults

EVERYTHING = 1 << 20


@dataclass(frozen=True, slots=True)
class OfficeFaults:
    """What happens to the server at a commit, as shares of commits."""

    dies_before_commit: float
    dies_after_commit: float
    no_space: float
    pause_ms_max: int
    """How long a request may stand between two steps, while others overtake it."""


@dataclass(frozen=True, slots=True)
class Pages:
    """How little fits into one message: small worlds must still need many pages."""

    touches_max: int
    page_records: int
    page_bytes: int
    batch_bytes: int
    """The largest batch, and the largest room for an answer."""
    start_bytes: int
    """What a device trusts an unknown link with."""


@dataclass(frozen=True, slots=True)
class Swarm:
    """Everything that one seed decides about how bad its world is."""

    network: NetworkFaults
    office: OfficeFaults
    pages: Pages
    grain_ms: int
    beat_ms: int
    creation: float
    joining_ms_max: int
    power_cut: float
    no_space: float
    partition: float
    clock_step: float
    are_clocks_wrong: bool
    has_liar: bool
    rollbacks: int
    clones: int
    devices: int
    acts: int
    reviews: int
    """How often a supervisor looks at a held op."""
    proposals: float


def drawn(dice: Dice) -> Swarm:
    """Draw one world's faults."""

    def rate(most: float) -> float:
        return dice.choice((0.0, dice.uniform(0, most)))

    # Not both: a store that renumbered beside its twin, and then gets a copy from before that, renumbers the same
    # ops again, and nothing tells the server that they are the same.
    copying = dice.random()
    return Swarm(
        network=NetworkFaults.drawn(dice),
        office=OfficeFaults(rate(0.08), rate(0.08), rate(0.05), dice.choice((0, 100, 3000))),
        pages=Pages(
            dice.choice((8, 16, EVERYTHING)),
            dice.choice((1, 2, 4, 256)),
            dice.choice((600, 2500, EVERYTHING)),
            dice.choice((500, 1500, EVERYTHING)),
            dice.choice((500, 8192)),
        ),
        grain_ms=dice.choice((1, 1, 1000)),
        beat_ms=dice.choice((1, 1000, 30_000, 60_000)),
        creation=dice.choice((0.06, 0.12, 0.25)),
        joining_ms_max=dice.choice((0, 0, 200_000, 450_000)),
        power_cut=rate(0.03),
        no_space=rate(0.02),
        partition=rate(0.3),
        clock_step=rate(0.1),
        are_clocks_wrong=is_so(dice, 0.7),
        has_liar=is_so(dice, 0.15),
        rollbacks=int(copying < 0.15),
        clones=int(copying > 0.85),
        devices=dice.randint(2, 4),
        acts=dice.randint(15, 60),
        reviews=dice.choice((0, 4, 12)),
        proposals=dice.choice((0.0, 0.1, 0.25)),
    )
