"""Make up a street: real communities, and below them invented grids, homes and workers.

Pure: the same extract and the same `random.Random` give the same street.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from gridlog_protocol.ids import ID_BYTES, RecordId, TenantId, UserId, record_id
from tools.demo.grammar import Grammar
from tools.divisions.extract import Division, StreetExtract

# One small block, so that an invented number is known at a glance.
PHONE_PREFIX = "1990000"

# Somewhere on the river bank of the city, in units of 1e-5 degrees.
STREET_POINT = (3_057_000, 11_432_000)
STREET_SPREAD = 900

OCCUPANCY_WEIGHTS = {"owner": 62, "rented": 26, "vacant": 6, "group_rent": 3, "unknown": 3}
VISIT_CLASS_WEIGHTS = {"general": 82, "attention": 13, "key": 5}


@dataclass(frozen=True, slots=True)
class Household:
    """One home. Its residents are invented."""

    household_id: RecordId
    address_id: RecordId
    grid_code: str
    label: str
    occupancy: str
    resident_count: int
    visit_class: str
    contact_name: str
    contact_phone: str


@dataclass(frozen=True, slots=True)
class Grid:
    """A base grid: what one pair of workers looks after."""

    code: str
    name: str
    community_code: str
    point: tuple[int, int]
    households: tuple[Household, ...]


@dataclass(frozen=True, slots=True)
class Community:
    """A real community with invented grids."""

    code: str
    name: str
    grids: tuple[Grid, ...]


@dataclass(frozen=True, slots=True)
class Street:
    """The street that a demo plays in; its district is the tenant."""

    tenant: TenantId
    district_name: str
    code: str
    name: str
    communities: tuple[Community, ...]

    def grids(self) -> tuple[Grid, ...]:
        """Return all base grids in the order of their codes."""
        return tuple(grid for community in self.communities for grid in community.grids)

    def grid(self, code: str) -> Grid:
        """Return the grid of this code. Raises KeyError."""
        return {grid.code: grid for grid in self.grids()}[code]


@dataclass(frozen=True, slots=True)
class Worker:
    """A grid worker. A pair of partners (AB角) shares its grids, so two handhelds edit one record."""

    name: str
    staff_no: str
    user_id: UserId
    grids: tuple[str, ...]
    partner: str
    """The partner's `staff_no`."""
    partner_id: UserId


def make_street(
    extract: StreetExtract,
    rng: Random,
    *,
    communities: int,
    grids_per_community: int,
    households_per_grid: int,
    made_at_ms: int,
) -> Street:
    """Make up grids and homes below the first few communities of a street."""
    assert 0 < grids_per_community < 1000, "a base grid has three digits below its community"
    grammar = Grammar.load()
    taken = extract.communities[:communities]
    return Street(
        tenant=TenantId(extract.district.code),
        district_name=extract.district.name,
        code=extract.street.code,
        name=extract.street.name,
        communities=tuple(
            Community(
                found.code,
                found.name,
                tuple(
                    _grid(found, number, households_per_grid, rng, grammar, made_at_ms)
                    for number in range(1, grids_per_community + 1)
                ),
            )
            for found in taken
        ),
    )


def make_workers(street: Street, rng: Random, *, grids_per_pair: int = 1) -> tuple[Worker, ...]:
    """Make up a pair of partners for every grid, or for every few neighbouring grids."""
    grammar = Grammar.load()
    codes = [grid.code for grid in street.grids()]
    workers: list[Worker] = []
    for first in range(0, len(codes), grids_per_pair):
        shared = tuple(codes[first : first + grids_per_pair])
        number = len(workers) // 2 + 1
        staff = [f"W{street.code[-3:]}{number:03d}{letter}" for letter in "AB"]
        people = [UserId(rng.randbytes(ID_BYTES)) for _ in staff]
        for mine, other in ((0, 1), (1, 0)):
            name = grammar.word(rng, "name")
            workers.append(Worker(name, staff[mine], people[mine], shared, staff[other], people[other]))
    return tuple(workers)


def _grid(
    community: Division,
    number: int,
    households: int,
    rng: Random,
    grammar: Grammar,
    made_at_ms: int,
) -> Grid:
    code = f"{community.code}{number:03d}"
    labels = _labels()
    latitude, longitude = (middle + rng.randint(-STREET_SPREAD, STREET_SPREAD) for middle in STREET_POINT)
    return Grid(
        code=code,
        name=f"{short_name(community.name)}第{number}网格",
        community_code=community.code,
        point=(latitude, longitude),
        households=tuple(_household(code, next(labels), rng, grammar, made_at_ms) for _ in range(households)),
    )


def short_name(community: str) -> str:
    """Leave out the committee: people say 沙湖社区."""
    return community.removesuffix("居委会").removesuffix("村委会")


def _labels() -> Iterator[str]:
    # Building, unit, room: two homes a landing, six storeys, three units.
    building = 0
    while True:
        building += 1
        for unit in range(1, 4):
            for storey in range(1, 7):
                for door in (1, 2):
                    yield f"{building}-{unit}-{storey}0{door}"


def _household(grid_code: str, label: str, rng: Random, grammar: Grammar, made_at_ms: int) -> Household:
    occupancy = _weighted(rng, OCCUPANCY_WEIGHTS)
    return Household(
        household_id=record_id(made_at_ms, rng.randbytes(10)),
        address_id=record_id(made_at_ms, rng.randbytes(10)),
        grid_code=grid_code,
        label=label,
        occupancy=occupancy,
        resident_count=0 if occupancy == "vacant" else rng.choice((1, 2, 2, 3, 3, 3, 4, 5)),
        visit_class=_weighted(rng, VISIT_CLASS_WEIGHTS),
        contact_name=grammar.word(rng, "name"),
        contact_phone=invented_phone(rng),
    )


def invented_phone(rng: Random) -> str:
    """Return eleven digits of the block that stands for nobody."""
    return f"{PHONE_PREFIX}{rng.randrange(10_000):04d}"


def _weighted(rng: Random, weights: dict[str, int]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]
