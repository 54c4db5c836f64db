"""How much each measure takes. The figures' names say the sizes of a full run; a small one only tries it out."""

from __future__ import annotations

from dataclasses import dataclass, fields

Figures = dict[str, float]
"""Figures by their names, which end in their units."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of records, devices and repetitions."""

    few: int = 20
    push: int = 1000
    push_many: int = 10_000
    repeated: int = 3
    """Pushing and fetching are measured so often, the floor in turns with them; the median counts."""
    devices: int = 50
    ops_each: int = 100
    bad_link: int = 500
    differing: int = 20
    stored: int = 50_000
    saves: int = 200
    searches: int = 60

    def scaled(self, scale: float) -> Sizes:
        """Return sizes of a run that is smaller by `scale`, none below 4."""
        return Sizes(**{each.name: max(4, round(scale * getattr(self, each.name))) for each in fields(self)})
