"""Judge a value by its type: `fault` says what is wrong with it, and tells the worker what to do.

One function a type. Values come from peers, so nothing here may fail on a value of any shape.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import singledispatch
from typing import TypeAlias

from gridlog_protocol.canonical import INTEGER_MAX, INTEGER_MIN, Value, pack
from gridlog_protocol.ids import ID_BYTES
from gridlog_protocol.kinds import value_types as types
from gridlog_protocol.kinds.conditions import broken
from gridlog_protocol.kinds.forbidden import forbidden_in
from gridlog_protocol.kinds.sentences import part_of, sentence
from gridlog_protocol.kinds.times import day_number, moment_ms
from gridlog_protocol.texts import Text

_CODE = re.compile(r"[\w.:/-]+")
_HEX_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a value: a stable code, and a sentence for the worker."""

    rule: str
    text: Text


_Rule: TypeAlias = Callable[[types.ValueType, Value, Text], "Fault | None"]
_RULES: dict[type, _Rule] = {}


def fault(type_: types.ValueType, value: Value, label: Text) -> Fault | None:
    """Return what is wrong with `value`, or None. `label` is what the worker calls it."""
    # `singledispatch` looks its function up behind three calls, each time.
    rule = _RULES.get(type(type_))
    if rule is None:
        rule = _RULES[type(type_)] = _fault.dispatch(type(type_))
    return rule(type_, value, label)


@singledispatch
def _fault(type_: types.ValueType, value: Value, label: Text) -> Fault | None:  # noqa: ARG001
    raise AssertionError(f"no rule for {type_}")


def is_code(value: Value) -> bool:
    """Tell whether a value can be a code, or the key of a map."""
    return isinstance(value, str) and len(value) <= types.CODE_CHARACTERS_MAX and _CODE.fullmatch(value) is not None


def is_id(value: Value) -> bool:
    """Tell whether a value is a 16-byte name."""
    return isinstance(value, bytes) and len(value) == ID_BYTES


def is_hex_id(key: str) -> bool:
    """Tell whether an element's key is a 16-byte name, written in hex."""
    return _HEX_ID.fullmatch(key) is not None


def _wrong(rule: str, label: Text, **facts: Text | str | int) -> Fault:
    return Fault(rule, sentence(rule, label, **facts))


@_fault.register
def _(type_: types.Words, value: Value, label: Text) -> Fault | None:
    found = _text_fault(type_, value, label)
    if found is not None or not isinstance(value, str):
        return found
    forbidden = forbidden_in(value, type_.forbid)
    return _wrong(f"forbidden_{forbidden}", label) if forbidden is not None else None


@_fault.register
def _(type_: types.Code, value: Value, label: Text) -> Fault | None:
    if not is_code(value):
        return _wrong("not_a_code", label)
    return _text_fault(type_, value, label)


@_fault.register
def _(type_: types.Choice, value: Value, label: Text) -> Fault | None:
    is_option = isinstance(value, str) and type_.option(value) is not None
    return None if is_option else _wrong("not_an_option", label)


@_fault.register
def _(_: types.Flag, value: Value, label: Text) -> Fault | None:
    return None if isinstance(value, bool) else _wrong("wrong_type", label)


@_fault.register
def _(type_: types.Whole, value: Value, label: Text) -> Fault | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return _wrong("not_a_number", label)
    if value < max(type_.minimum, INTEGER_MIN):
        return _wrong("too_small", label, limit=type_.minimum)
    if value > min(type_.maximum, INTEGER_MAX):
        return _wrong("too_large", label, limit=type_.maximum)
    return None


@_fault.register
def _(type_: types.Amount, value: Value, label: Text) -> Fault | None:
    units = amount_units(type_, value)
    if units is None or len(str(abs(units))) > type_.digits:
        return _wrong("not_an_amount", label, example=_example(type_))
    lowest = amount_units(type_, type_.minimum)
    if lowest is not None and units < lowest:
        return _wrong("too_small", label, limit=type_.minimum or "")
    return None


def amount_units(type_: types.Amount, value: Value) -> int | None:
    """Return an amount as a whole number of its smallest unit, or None if it is not written as one."""
    decimals = rf"\.[0-9]{{{type_.scale}}}" if type_.scale else ""
    if not isinstance(value, str) or len(value) > type_.digits + 2:
        return None
    if not re.fullmatch(rf"-?(?:0|[1-9][0-9]*){decimals}", value):
        return None
    units = int(value.replace(".", ""))
    # `-0.00` would be a second way to write nothing.
    return None if units == 0 and value.startswith("-") else units


def _example(type_: types.Amount) -> str:
    return f"12.{'5'.ljust(type_.scale, '0')}" if type_.scale else "12"


@_fault.register
def _(_: types.Moment, value: Value, label: Text) -> Fault | None:
    return _wrong("not_a_moment", label) if moment_ms(value) is None else None


@_fault.register
def _(_: types.Day, value: Value, label: Text) -> Fault | None:
    return _wrong("not_a_day", label) if day_number(value) is None else None


@_fault.register
def _(_: types.Identity, value: Value, label: Text) -> Fault | None:
    return None if is_id(value) else _wrong("wrong_type", label)


@_fault.register
def _(type_: types.Reference, value: Value, label: Text) -> Fault | None:
    if is_id(value) if type_.form == "identity" else is_code(value):
        return None
    if type_.name_characters_max is None:
        return _wrong("wrong_type" if type_.form == "identity" else "not_a_code", label)
    # A name that reads as an id in hex would be taken for one when it is an element's key.
    if isinstance(value, str) and is_hex_id(value):
        return _wrong("wrong_type", label)
    name = types.Words(1, type_.name_characters_max, forbid=("id_number",))
    return fault(name, value, label)


@_fault.register
def _(_: types.Point, value: Value, label: Text) -> Fault | None:
    is_place = _is_position(value, types.LATITUDE_MAX, types.LONGITUDE_MAX)
    return None if is_place else _wrong("not_a_place", label)


@_fault.register
def _(type_: types.Line, value: Value, label: Text) -> Fault | None:
    if not isinstance(value, list) or not value:
        return _wrong("wrong_type", label)
    if len(value) > type_.points_max:
        return _wrong("too_many_items", label, limit=type_.points_max)
    are_places = all(_is_position(one, types.LATITUDE_MAX, types.LONGITUDE_MAX) for one in value)
    return None if are_places else _wrong("not_a_place", label)


@_fault.register
def _(type_: types.Shape, value: Value, label: Text) -> Fault | None:
    if not isinstance(value, dict) or set(value) != {"type", "coordinates"}:
        return _wrong("not_a_shape", label)
    rings = value["coordinates"]
    if value["type"] != "Polygon" or not isinstance(rings, list) or not rings:
        return _wrong("not_a_shape", label)
    if sum(len(ring) for ring in rings if isinstance(ring, list)) > type_.points_max:
        return _wrong("too_many_items", label, limit=type_.points_max)
    return None if all(_is_ring(ring) for ring in rings) else _wrong("not_a_shape", label)


@_fault.register
def _(_: types.Digest32, value: Value, label: Text) -> Fault | None:
    is_digest = isinstance(value, bytes) and len(value) == 32
    return None if is_digest else _wrong("wrong_type", label)


@_fault.register
def _(type_: types.Struct, value: Value, label: Text) -> Fault | None:
    if not isinstance(value, dict):
        return _wrong("wrong_type", label)
    if not value.keys() <= type_.members.keys():
        return _wrong("unknown_member", label)
    for name, member in type_.members.items():
        # Only a fault needs to be called by its name.
        if _member_fault(member, value.get(name), label) is not None:
            return _member_fault(member, value.get(name), part_of(label, member.label))
    for check in type_.checks:
        rule = broken(check, value)
        if rule is not None:
            return Fault(rule, check.text)
    return None


@_fault.register
def _(type_: types.SetOf, value: Value, label: Text) -> Fault | None:
    found = _items_fault(type_, value, label)
    if found is not None or not isinstance(value, list):
        return found
    has_struct = isinstance(type_.element, types.Struct)
    return _repeated_id(value, label) if has_struct else _repeated(value, label)


@_fault.register
def _(type_: types.ListOf, value: Value, label: Text) -> Fault | None:
    found = _items_fault(type_, value, label)
    if found is not None or not isinstance(value, list):
        return found
    return _repeated_id(value, label)


@_fault.register
def _(type_: types.MapOf, value: Value, label: Text) -> Fault | None:
    if not isinstance(value, dict):
        return _wrong("wrong_type", label)
    if len(value) > type_.items_max:
        return _wrong("too_many_items", label, limit=type_.items_max)
    if not all(is_code(key) for key in value):
        return _wrong("wrong_key", label)
    faults = (fault(type_.element, item, label) for item in value.values())
    return next((found for found in faults if found is not None), None)


def _text_fault(type_: types.Words | types.Code, value: Value, label: Text) -> Fault | None:
    if not isinstance(value, str):
        return _wrong("wrong_type", label)
    try:
        value.encode()
    except UnicodeEncodeError:
        return _wrong("not_text", label)
    if len(value) > type_.characters_max:
        return _wrong("too_long", label, limit=type_.characters_max)
    if len(value.strip()) < type_.characters_min:
        return _wrong("too_short", label, limit=type_.characters_min)
    if type_.pattern is not None and not re.fullmatch(type_.pattern, value):
        return _wrong("pattern", label, hint=type_.hint or "")
    return None


def _is_position(value: Value, first_max: int, second_max: int) -> bool:
    if not isinstance(value, list) or len(value) != 2:
        return False
    limits = zip(value, (first_max, second_max), strict=True)
    return all(type(one) is int and -limit <= one <= limit for one, limit in limits)


def _is_ring(value: Value) -> bool:
    if not isinstance(value, list) or len(value) < 4 or value[0] != value[-1]:
        return False
    return all(_is_position(one, types.LONGITUDE_MAX, types.LATITUDE_MAX) for one in value)


def _member_fault(member: types.Member, value: Value, label: Text) -> Fault | None:
    if value is None:
        return _wrong("required", label) if member.is_required else None
    return fault(member.type, value, label)


def _items_fault(type_: types.SetOf | types.ListOf, value: Value, label: Text) -> Fault | None:
    if not isinstance(value, list):
        return _wrong("wrong_type", label)
    if len(value) > type_.items_max:
        return _wrong("too_many_items", label, limit=type_.items_max)
    faults = (fault(type_.element, item, label) for item in value)
    return next((found for found in faults if found is not None), None)


def _repeated(items: list[Value], label: Text) -> Fault | None:
    is_repeated = len({pack(item) for item in items}) < len(items)
    return _wrong("duplicate_item", label) if is_repeated else None


def _repeated_id(items: list[Value], label: Text) -> Fault | None:
    return _repeated([item["id"] for item in items if isinstance(item, dict)], label)
