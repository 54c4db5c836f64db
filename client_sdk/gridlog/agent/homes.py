"""The doors of a grid: by building, by what is painted on them, by who lives there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gridlog import FieldStore, Record
from gridlog_protocol.texts import Text

HOMES_MAX = 5_000
"""More than any worker's grids have; a phone that holds more shows the first by number, and finds all by search."""
_NUMBERS = re.compile(r"(\d+)")
OTHERS = Text("其他", "Others")


@dataclass(frozen=True, slots=True)
class Home:
    """One household: what visits name it by, what is on its door, and its record."""

    household_id: bytes
    label: str
    contact: str
    grid_code: str
    visit_class: str
    wants_no_visits: bool

    @property
    def building(self) -> str:
        """The part of the label that its neighbours share; empty if there is none."""
        head, dash, _ = self.label.partition("-")
        return head if dash else ""


class Homes:
    """All homes that the phone knows, in the order of their doors."""

    def __init__(self, homes: Sequence[Home]) -> None:
        self._homes = sorted(homes, key=lambda each: _in_order(each.label))
        self._by_id = {each.household_id: each for each in self._homes}

    @staticmethod
    async def of(store: FieldStore) -> Homes:
        """Read them from the store."""
        records = await store.query("household", limit=HOMES_MAX)
        return Homes([home for home in map(_home, records) if home is not None])

    def __len__(self) -> int:
        return len(self._homes)

    def get(self, household_id: bytes) -> Home | None:
        """Return the home of this id."""
        return self._by_id.get(household_id)

    def labels(self) -> dict[bytes, str]:
        """Return what is on the doors, by the ids that visits name."""
        return {each.household_id: each.label for each in self._homes}

    def buildings(self) -> dict[str, int]:
        """Return how many homes each building has, in order."""
        counted: dict[str, int] = {}
        for each in self._homes:
            counted[each.building] = counted.get(each.building, 0) + 1
        return dict(sorted(counted.items(), key=lambda pair: (not pair[0], _in_order(pair[0]))))

    def in_building(self, building: str) -> list[Home]:
        """Return the homes of a building by their doors."""
        return [each for each in self._homes if each.building == building]

    def found(self, words: str, *, limit: int = 60) -> list[Home]:
        """Return the homes whose door or contact contains each of the words."""
        wanted = words.lower().split()
        matching = (
            each for each in self._homes if all(word in f"{each.label} {each.contact}".lower() for word in wanted)
        )
        return [each for each, _ in zip(matching, range(limit), strict=False)]


def _home(record: Record) -> Home | None:
    values = record.values
    household_id, label = values.get("household_id"), values.get("label")
    if not isinstance(household_id, bytes) or not isinstance(label, str):
        return None
    return Home(
        household_id,
        label,
        str(values.get("contact_name", "")),
        str(values.get("grid_code", "")),
        str(values.get("visit_class", "")),
        values.get("no_contact") is True,
    )


def _in_order(label: str) -> list[tuple[int, str]]:
    """Doors as people count them: 3-2-502 before 3-10-101."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _NUMBERS.split(label) if part]
