"""What a worker does to the store, as plain data, and what all invented forms share."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from random import Random
from typing import TypeAlias

from gridlog_protocol.canonical import Value
from tools.demo.grammar import Grammar
from tools.demo.world import Grid, Street, Worker

Fields: TypeAlias = dict[str, Value]

CHINA = timezone(timedelta(hours=8))


@dataclass(frozen=True, slots=True)
class Write:
    """A new record. `key` is a name that only the plan uses, for later changes of the record."""

    kind: str
    key: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class Change:
    """A later edit of a record: sets and lists name what is added, a counter what it grows by."""

    key: str
    fields: Fields


Act: TypeAlias = Write | Change


@dataclass(frozen=True, slots=True)
class Setting:
    """Who works where on which day, and the dice."""

    worker: Worker
    street: Street
    rng: Random
    grammar: Grammar
    day: date

    def grid(self) -> Grid:
        """Choose one of the worker's grids."""
        return self.street.grid(self.rng.choice(self.worker.grids))

    def moment(self, minute: int) -> str:
        """Write the moment so many minutes after midnight."""
        start = datetime.combine(self.day, time(), CHINA)
        return (start + timedelta(minutes=minute)).isoformat(timespec="seconds")

    def day_after(self, days: int) -> str:
        """Write the day so many days later."""
        return (self.day + timedelta(days=days)).isoformat()

    def element_id(self) -> str:
        """Name a new element of a list."""
        return self.rng.randbytes(8).hex()

    def is_so(self, percent: int) -> bool:
        """Throw the dice for something that happens so many times in a hundred."""
        return self.rng.randrange(100) < percent

    def weighted(self, weights: dict[str, int]) -> str:
        """Choose by weight."""
        return self.rng.choices(list(weights), list(weights.values()))[0]

    def near(self, grid: Grid) -> list[Value]:
        """Choose a point in the grid, in units of 1e-5 degrees."""
        return [middle + self.rng.randint(-180, 180) for middle in grid.point]
