"""The track of a patrol: fixes become chunks as the kind demands, and chunks a line on a plain map. Pure.

A chunk covers at most ten minutes at one point per 20 seconds or slower, 31 points. Where nothing was measured for a
minute, or the worker paused, one chunk ends and another begins: the gap between them is drawn as a gap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds.times import moment_ms

POINTS_MAX = 31
CHUNK_MS_MAX = 10 * 60_000
APART_MS_MIN = 20_000
GAP_MS_MIN = 60_000
ACCURACY_M_MAX = 100
"""A fix that may be further off than this says nothing about the street."""
_UNITS = 100_000
_METRES_A_UNIT = 1.113_2


@dataclass(frozen=True, slots=True)
class Fix:
    """Where the phone was: units of 1e-5 degrees, and Unix milliseconds."""

    latitude: int
    longitude: int
    at_ms: int


@dataclass(slots=True)
class Chunk:
    """A piece of track without a gap."""

    key: str
    number: int
    fixes: list[Fix]

    def takes(self, fix: Fix) -> bool:
        """Tell whether the fix belongs into this chunk."""
        if len(self.fixes) >= POINTS_MAX or fix.at_ms - self.fixes[-1].at_ms > GAP_MS_MIN:
            return False
        return fix.at_ms - self.fixes[0].at_ms <= CHUNK_MS_MAX

    def row(self, device: bytes, spelled: Callable[[int], str]) -> dict[str, Value]:
        """Return it as the field `track_chunks` has it."""
        return {
            "id": self.key,
            "device": device,
            "seq": self.number,
            "from": spelled(self.fixes[0].at_ms),
            "to": spelled(self.fixes[-1].at_ms),
            "polyline": [[each.latitude, each.longitude] for each in self.fixes],
        }


class Track:
    """What was measured since the last chunk that is in the record: chunks that are done, and the one that grows."""

    def __init__(self, *, next_number: int, new_key: Callable[[], str]) -> None:
        self._new_key = new_key
        self._next_number = next_number
        self.chunks: list[Chunk] = []
        self._is_paused = False

    @property
    def last_ms(self) -> int:
        """When the last fix was taken, 0 if there is none."""
        return self.chunks[-1].fixes[-1].at_ms if self.chunks else 0

    def add(self, fix: Fix) -> bool:
        """Take a fix in, unless it is too early after the last, and tell whether it was taken."""
        if self.chunks and fix.at_ms - self.last_ms < APART_MS_MIN:
            return False
        if not self.chunks or self._is_paused or not self.chunks[-1].takes(fix):
            self.chunks.append(Chunk(self._new_key(), self._next_number, []))
            self._next_number += 1
        self.chunks[-1].fixes.append(fix)
        self._is_paused = False
        return True

    def pause(self) -> None:
        """End the chunk: what comes next begins another."""
        self._is_paused = True

    def take_done(self) -> list[Chunk]:
        """Hand over the chunks that will not grow any more, and keep the last."""
        done, self.chunks = self.chunks[:-1], self.chunks[-1:]
        return done


def chunked(fixes: Iterable[Fix], *, next_number: int, new_key: Callable[[], str]) -> list[Chunk]:
    """Return the chunks of a whole track, in the order of time."""
    track = Track(next_number=next_number, new_key=new_key)
    for fix in sorted(fixes, key=lambda each: each.at_ms):
        track.add(fix)
    return track.chunks


def fixes_of(rows: Value) -> list[list[Fix]]:
    """Return the pieces that a record has, in order; the points of a piece are spread over its time."""
    pieces = []
    for row in rows if isinstance(rows, list) else []:
        if not isinstance(row, dict):
            continue
        begun, ended, line = moment_ms(row.get("from")), moment_ms(row.get("to")), row.get("polyline")
        if begun is None or ended is None or not isinstance(line, list):
            continue
        points = [each for each in line if isinstance(each, list) and len(each) == 2]
        step = (ended - begun) / max(1, len(points) - 1)
        pieces.append(
            [
                Fix(latitude, longitude, round(begun + number * step))
                for number, (latitude, longitude) in enumerate(points)
                if isinstance(latitude, int) and isinstance(longitude, int)
            ]
        )
    return sorted((each for each in pieces if each), key=lambda each: each[0].at_ms)


def metres(pieces: Sequence[Sequence[Fix]]) -> int:
    """Return how far was walked, without the gaps."""
    return round(sum(_apart(a, b) for piece in pieces for a, b in pairwise(piece)))


@dataclass(frozen=True, slots=True)
class Drawing:
    """A track on a plain map: lines of `x,y` pairs in a box of `width` by `height`, gaps as lines of their own."""

    width: int
    height: int
    lines: tuple[str, ...]
    gaps: tuple[tuple[float, float, float, float], ...]
    start: tuple[float, float] | None
    end: tuple[float, float] | None
    bar_units: float
    bar_metres: int


def drawing(pieces: Sequence[Sequence[Fix]], *, width: int = 320, height: int = 200, margin: int = 16) -> Drawing:
    """Return a track as a drawing: north is up, and a degree of longitude as long as it is at this latitude."""
    fixes = [fix for piece in pieces for fix in piece]
    if not fixes:
        return Drawing(width, height, (), (), None, None, 0, 0)
    narrow = math.cos(math.radians(fixes[0].latitude / _UNITS))
    spots = [[(fix.longitude * narrow, -float(fix.latitude)) for fix in piece] for piece in pieces]
    xs, ys = zip(*(spot for piece in spots for spot in piece), strict=True)
    span = max(max(xs) - min(xs), (max(ys) - min(ys)) * (width / height), 20.0)
    scale = (width - 2 * margin) / span
    left, top = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2

    def placed(spot: tuple[float, float]) -> tuple[float, float]:
        return round((spot[0] - left) * scale + width / 2, 1), round((spot[1] - top) * scale + height / 2, 1)

    drawn = [[placed(spot) for spot in piece] for piece in spots]
    lines = tuple(" ".join(f"{x},{y}" for x, y in piece) for piece in drawn)
    gaps = tuple((*a[-1], *b[0]) for a, b in pairwise(drawn))
    bar_metres = _round_metres(span * _METRES_A_UNIT / 3)
    bar_units = round(bar_metres / _METRES_A_UNIT * scale, 1)
    return Drawing(width, height, lines, gaps, drawn[0][0], drawn[-1][-1], bar_units, bar_metres)


def _apart(a: Fix, b: Fix) -> float:
    narrow = math.cos(math.radians(a.latitude / _UNITS))
    return math.hypot(b.latitude - a.latitude, (b.longitude - a.longitude) * narrow) * _METRES_A_UNIT


def _round_metres(metres_wanted: float) -> int:
    size = 10 ** math.floor(math.log10(max(metres_wanted, 1)))
    return max(1, int(next(step * size for step in (5, 2, 1) if step * size <= max(metres_wanted, 1))))
