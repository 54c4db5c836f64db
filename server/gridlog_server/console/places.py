"""Find in a record where things were: its points and its tracks, for a map without tiles. Pure.

The rule it keeps: between two chunks of a track nothing is known, and nothing is drawn as if it were.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TypeAlias

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Kind
from gridlog_protocol.kinds import value_types as types
from gridlog_protocol.texts import Language

Degrees: TypeAlias = tuple[float, float]
_UNITS = 100_000
_NEAR_UNITS = 50
"""Chunks whose ends lie so near belong together: about 50 metres."""


def places_of(kind: Kind | None, values: Mapping[str, Value], language: Language) -> dict[str, list[object]]:
    """Return `points` with labels, `lines` and the `gaps` between lines, in degrees as `[latitude, longitude]`."""
    points: list[object] = []
    lines: list[list[Degrees]] = []
    for name, field in kind.fields.items() if kind else ():
        for label, type_, value in _parts(field.label.spoken(language), field.type, values.get(name), language):
            if isinstance(type_, types.Point) and (place := _degrees(value)):
                points.append({"at": place, "label": label})
            elif isinstance(type_, types.Line) and isinstance(value, list):
                line = [place for each in value if (place := _degrees(each))]
                lines += [line] if len(line) > 1 else []
    gaps = [[before[-1], after[0]] for before, after in pairwise(lines) if _is_apart(before, after)]
    return {"points": points, "lines": [*lines], "gaps": [*gaps]}


def has_places(kind: Kind | None, values: Mapping[str, Value]) -> bool:
    """Tell whether a map would show anything."""
    found = places_of(kind, values, "zh")
    return bool(found["points"] or found["lines"])


def _parts(
    label: str, type_: types.ValueType | None, value: Value, language: Language
) -> Iterator[tuple[str, types.ValueType | None, Value]]:
    match type_, value:
        case types.Struct(), dict():
            for name, member in type_.members.items():
                own = f"{label} · {member.label.spoken(language)}"
                yield from _parts(own, member.type, value.get(name), language)
        case ((types.ListOf() | types.SetOf()), list()):
            for number, each in enumerate(value, start=1):
                yield from _parts(f"{label} {number}", type_.element, each, language)
        case types.MapOf(), dict():
            for key, each in value.items():
                yield from _parts(f"{label} {key}", type_.element, each, language)
        case ((types.Point() | types.Line()), _):
            yield label, type_, value


def _degrees(value: Value) -> Degrees | None:
    match value:
        case [int() as latitude, int() as longitude] if abs(latitude) <= types.LATITUDE_MAX:
            return latitude / _UNITS, longitude / _UNITS
        case _:
            return None


def _is_apart(before: list[Degrees], after: list[Degrees]) -> bool:
    return any(abs(a - b) * _UNITS > _NEAR_UNITS for a, b in zip(before[-1], after[0], strict=True))
