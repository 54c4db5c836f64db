"""Join values that did not know of each other, for the rules MAX and MIN.

A join is commutative, associative and idempotent, so that every replica gets the same from any order of arrival.
Evidence is the exception by design: how and when a consent was given is not joined but taken whole from the value
that decided, so that nobody reads a method beside an answer it did not give.

Values may come from a newer version of the kind: nothing here fails on a value of any shape.
"""

from __future__ import annotations

from collections.abc import Sequence

from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.kinds.times import day_number, moment_ms
from gridlog_protocol.kinds.value_rules import amount_units
from gridlog_protocol.kinds.value_types import (
    Amount,
    Choice,
    Day,
    MapOf,
    Moment,
    SetOf,
    Struct,
    ValueType,
)


def join(type_: ValueType, values: Sequence[Value], *, upwards: bool) -> Value:
    """Join one or more values, the one with the latest stamp last. `upwards` is MAX, else MIN."""
    assert values, "nothing to join"
    if len(values) == 1 and not isinstance(type_, (Struct, MapOf, SetOf)):
        # As nearly all that is shown; structured values come out in the one form that a join gives them.
        return values[0]
    match type_:
        case Struct():
            return _join_structs(type_, values, upwards=upwards)
        case MapOf():
            return _join_maps(type_, values, upwards=upwards)
        case SetOf():
            return _join_sets(values, upwards=upwards)
        case _:
            return _furthest(type_, values, upwards=upwards)


def _furthest(type_: ValueType, values: Sequence[Value], *, upwards: bool) -> Value:
    # A value that cannot be read, or was cleared, says nothing: whichever way the join goes, it never wins.
    placed = [(place, value) for value in values if (place := _place(type_, value)) is not None]
    if not placed:
        return max(values, key=pack)
    _, furthest = max(placed, key=_first) if upwards else min(placed, key=_first)
    return furthest


def _place(type_: ValueType, value: Value) -> tuple[int, int, bytes] | None:
    """Place a value in a total order; options that only a newer version knows come last.

    Its bytes decide between two texts that name one instant: replicas must agree on one of them.
    """
    number = _number(type_, value)
    if number is not None:
        return 0, number, pack(value)
    return (1, 0, pack(value)) if isinstance(type_, Choice) and isinstance(value, str) else None


def _first(placed: tuple[tuple[int, int, bytes], Value]) -> tuple[int, int, bytes]:
    return placed[0]


def _number(type_: ValueType, value: Value) -> int | None:
    match type_:
        case Moment():
            return moment_ms(value)
        case Day():
            return day_number(value)
        case Amount():
            return amount_units(type_, value)
        case Choice():
            return type_.place(value) if isinstance(value, str) else None
        case _:
            return int(value) if isinstance(value, int) else None


def _join_maps(type_: MapOf, values: Sequence[Value], *, upwards: bool) -> Value:
    maps = [value for value in values if isinstance(value, dict)]
    if not maps:
        return max(values, key=pack)
    # A key that one side does not have is something it has not answered: it says nothing about the other's answer.
    keys = sorted({key for one in maps for key in one})
    return {key: join(type_.element, [one[key] for one in maps if key in one], upwards=upwards) for key in keys}


def _join_sets(values: Sequence[Value], *, upwards: bool) -> Value:
    lists = [value for value in values if isinstance(value, list)]
    if not lists:
        return max(values, key=pack)
    items = {pack(item): item for one in lists for item in one}
    packed = [{pack(item) for item in one} for one in lists]
    kept = frozenset.union(*map(frozenset, packed)) if upwards else _common(packed)
    return [items[raw] for raw in sorted(kept)]


def _common(packed: list[set[bytes]]) -> frozenset[bytes]:
    return frozenset(packed[0]).intersection(*packed[1:])


def _join_structs(type_: Struct, values: Sequence[Value], *, upwards: bool) -> Value:
    structs = [value for value in values if isinstance(value, dict)]
    if not structs:
        return max(values, key=pack)
    joined: dict[str, Value] = {}
    for name, member in type_.members.items():
        given = [one[name] for one in structs if one.get(name) is not None]
        if given and not member.is_evidence:
            joined[name] = join(member.type, given, upwards=upwards)
    # `min` keeps the first of equals, and the latest stamp comes last.
    latest_first = structs[::-1]
    deciding = min(latest_first, key=lambda one: _distance(one, joined)) if len(structs) > 1 else structs[0]
    evidence = {name: value for name, value in deciding.items() if not _is_joined(type_, name)}
    return {**evidence, **joined}


def _is_joined(type_: Struct, name: str) -> bool:
    # Members that only a newer version knows travel with the evidence.
    return name in type_.members and not type_.members[name].is_evidence


def _distance(one: dict[str, Value], joined: dict[str, Value]) -> int:
    """Count in how much a value differs from the join: the one that differs least decided it."""
    return sum(_difference(one.get(name), value) for name, value in joined.items())


def _difference(mine: Value, joined: Value) -> int:
    if isinstance(mine, list) and isinstance(joined, list):
        return len({pack(item) for item in mine} ^ {pack(item) for item in joined})
    return int(pack(mine) != pack(joined))
