"""Tell whether the parts of a record, or of a struct, agree with each other.

Malformed values hold no condition and break no order: `value_rules` has already complained of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds.times import MINUTE_MS, elapsed_ms
from gridlog_protocol.kinds.value_types import Check, Condition, Needs, Order

Broken = Literal["order", "span", "needs"]


def broken(check: Check, view: Mapping[str, Value]) -> Broken | None:
    """Return how the check is broken, or None."""
    match check:
        case Order():
            return _broken_order(check, view)
        case Needs():
            is_due = any(holds(condition, view) for condition in check.when)
            return "needs" if is_due and not holds(check.needs, view) else None


def holds(condition: Condition, view: Mapping[str, Value]) -> bool:
    """Tell whether the value that the condition points at is what it asks for."""
    value = at(condition.path, view)
    if condition.one_of:
        return _is_one_of(value, condition.one_of)
    if condition.contains is not None:
        return isinstance(value, list) and condition.contains in value
    if condition.at_least is not None or condition.at_most is not None:
        return _is_within(value, condition)
    return is_filled(value)


def at(path: str, view: Mapping[str, Value]) -> Value:
    """Return the value at `field` or `field.member`; None if there is none."""
    name, _, member = path.partition(".")
    value = view.get(name)
    if not member:
        return value
    return value.get(member) if isinstance(value, dict) else None


def is_filled(value: Value) -> bool:
    """Tell whether anything was written: blanks, as a full-width space, are nothing."""
    if isinstance(value, str):
        return bool(value.strip())
    return value is not None and value not in ([], {})


def asked_fields(check: Check) -> frozenset[str]:
    """Return the fields whose edit must keep the check."""
    if isinstance(check, Order):
        return frozenset((root(check.first), root(check.then)))
    asking = frozenset(root(condition.path) for condition in check.when)
    return asking if check.is_one_way else asking | {root(check.needs.path)}


def blamed_field(check: Check) -> str:
    """Return the field beside which a form shows the complaint."""
    return root(check.then if isinstance(check, Order) else check.needs.path)


def root(path: str) -> str:
    """Return the field of a path."""
    return path.partition(".")[0]


def is_same(value: Value, wanted: bool | int | str) -> bool:  # noqa: FBT001 -- a value of either side.
    """Compare without taking True for 1."""
    return type(value) is type(wanted) and value == wanted


def _is_one_of(value: Value, wanted: tuple[bool | int | str, ...]) -> bool:
    return any(is_same(value, one) for one in wanted)


def _is_within(value: Value, condition: Condition) -> bool:
    if isinstance(value, bool) or not isinstance(value, int):
        return False
    is_enough = condition.at_least is None or value >= condition.at_least
    return is_enough and (condition.at_most is None or value <= condition.at_most)


def _broken_order(check: Order, view: Mapping[str, Value]) -> Broken | None:
    elapsed = elapsed_ms(at(check.first, view), at(check.then, view))
    if elapsed is None:
        return None
    if elapsed < 0 or (check.is_strict and elapsed == 0):
        return "order"
    if check.minutes_max is not None and elapsed > check.minutes_max * MINUTE_MS:
        return "span"
    return None
