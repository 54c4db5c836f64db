"""Judge what somebody wants to write, before it is written and again when it arrives.

Three questions: is this value right (`check_value`), is this element right (`check_element`), and does the record as
a whole agree with itself (`check_record`). Answers are for the worker: each names the field and says what to do.

A set, list or map is edited by element. An element has a key and a value:
a scalar is its own key (a 16-byte name in lower-case hex) and has no value; a struct's key is its `id`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds.conditions import (
    asked_fields,
    at,
    blamed_field,
    broken,
    is_filled,
    is_same,
    root,
)
from gridlog_protocol.kinds.model import Field, Kind, Required, RequiredWhen
from gridlog_protocol.kinds.sentences import sentence
from gridlog_protocol.kinds.times import DAY_MS, MINUTE_MS, moment_ms
from gridlog_protocol.kinds.value_rules import fault, is_code, is_hex_id
from gridlog_protocol.kinds.value_types import (
    Identity,
    ListOf,
    MapOf,
    Moment,
    Reference,
    SetOf,
    Struct,
    ValueType,
    Whole,
)
from gridlog_protocol.texts import Text


@dataclass(frozen=True, slots=True)
class Violation:
    """Why a value may not stand: the field, a stable code, and a sentence for the worker."""

    field: str
    rule: str
    text: Text


def check_value(field: Field, value: Value) -> Violation | None:
    """Judge the whole value of a field. None clears it."""
    if value is None:
        return _violation(field, "required") if field.required is Required.YES else None
    found = fault(field.type, value, field.label)
    return Violation(field.name, found.rule, found.text) if found is not None else None


def check_element(field: Field, key: str, value: Value) -> Violation | None:
    """Judge one element of a set, list or map."""
    if isinstance(field.type, MapOf):
        element, type_ = value, field.type.element
        is_key = is_code(key)
    else:
        type_ = _element_type(field)
        element = element_of(field, key, value)
        is_key = value is None if not isinstance(type_, Struct) else _has_id(value, key)
    found = fault(type_, element, field.label)
    if found is not None:
        return Violation(field.name, found.rule, found.text)
    return None if is_key else _violation(field, "wrong_key")


def check_size(field: Field, size: int) -> Violation | None:
    """Judge how many elements a set, list or map would have after one more.

    Ask before adding, never before removing: two devices may together have gone over the limit.
    """
    assert isinstance(field.type, (SetOf, ListOf, MapOf)), field.name
    limit = field.type.items_max
    return _violation(field, "too_many_items", limit=limit) if size > limit else None


def check_delta(field: Field, delta: Value) -> Violation | None:
    """Judge what is added to, or taken from, a counter."""
    assert isinstance(field.type, Whole)
    span = field.type.maximum - min(field.type.minimum, 0)
    found = fault(Whole(-span, span), delta, field.label)
    return Violation(field.name, found.rule, found.text) if found is not None else None


def element_key(field: Field, element: Value) -> str:
    """Return the key of an element of a set or list. It must be one: see `check_value`."""
    if isinstance(element, dict):
        key = element["id"]
        assert isinstance(key, str)
        return key
    if isinstance(element, bytes):
        return element.hex()
    assert isinstance(element, str), field.name
    return element


def element_of(field: Field, key: str, value: Value) -> Value:
    """Return the element that an edit of a set or list names: what `element_key` was made from."""
    type_ = _element_type(field)
    if isinstance(type_, Struct):
        return value
    is_named = isinstance(type_, Identity) or (isinstance(type_, Reference) and type_.form == "identity")
    return bytes.fromhex(key) if is_named and is_hex_id(key) else key


def check_record(
    kind: Kind,
    view: Mapping[str, Value],
    *,
    now_ms: int,
    fields: Collection[str] | None = None,
    is_creation: bool,
    step: str | None = None,
) -> list[Violation]:
    """Judge a record as a whole: what is missing, what is out of time, what contradicts itself.

    `view` holds whole values by field: sets and lists as lists, maps as maps. Single values are `check_value`'s.
    With `fields`, only what an edit of those fields can have broken is reported, so that an old fault elsewhere does
    not refuse today's edit. `step` is the state being entered, or `submit`.
    """
    touched = None if is_creation or fields is None else frozenset(fields)
    return [
        *_missing(kind, view, touched),
        *_wanted(kind, view, touched, step),
        *_untimely(kind, view, touched, now_ms),
        *_contradictions(kind, view, touched),
    ]


def _missing(kind: Kind, view: Mapping[str, Value], touched: frozenset[str] | None) -> Iterator[Violation]:
    for field in kind.required_at_creation():
        if _is_touched(touched, field.name) and not is_filled(view.get(field.name)):
            yield _violation(field, "required")


def _wanted(
    kind: Kind, view: Mapping[str, Value], touched: frozenset[str] | None, step: str | None
) -> Iterator[Violation]:
    for field in kind.fields.values():
        when = field.required_when
        if when is None or not _is_wanted(when, view, step):
            continue
        # A step asks for everything it needs, whatever was touched on the way to it.
        concerned = (field.name, root(when.field or ""))
        asks = bool(when.steps) or _is_touched(touched, *concerned)
        value = view.get(field.name)
        if not asks:
            continue
        if not is_filled(value):
            yield _violation(field, "required")
        elif isinstance(value, (list, dict)) and len(value) < when.items_min:
            yield _violation(field, "too_few_items", limit=when.items_min)


def _is_wanted(when: RequiredWhen, view: Mapping[str, Value], step: str | None) -> bool:
    if when.guard is not None or (when.steps and step not in when.steps):
        return False
    if when.field is None:
        return True
    value = at(when.field, view)
    if not when.values:
        return is_filled(value)
    return any(is_same(value, wanted) for wanted in when.values)


def _untimely(
    kind: Kind, view: Mapping[str, Value], touched: frozenset[str] | None, now_ms: int
) -> Iterator[Violation]:
    for field in kind.fields.values():
        value_ms = moment_ms(view.get(field.name))
        if not isinstance(field.type, Moment) or value_ms is None:
            continue
        if not _is_touched(touched, field.name):
            continue
        ahead, past = field.type.ahead_minutes_max, field.type.past_days_max
        if ahead is not None and value_ms > now_ms + ahead * MINUTE_MS:
            yield _violation(field, "in_future")
        is_explained = is_filled(view.get("comments"))
        if past is not None and value_ms < now_ms - past * DAY_MS and not is_explained:
            yield _violation(field, "too_old", limit=past)


def _contradictions(kind: Kind, view: Mapping[str, Value], touched: frozenset[str] | None) -> Iterator[Violation]:
    for check in kind.checks:
        rule = broken(check, view)
        if rule is not None and _is_touched(touched, *asked_fields(check)):
            yield Violation(blamed_field(check), rule, check.text)


def _is_touched(touched: frozenset[str] | None, *names: str) -> bool:
    return touched is None or not touched.isdisjoint(names)


def _has_id(value: Value, key: str) -> bool:
    return isinstance(value, dict) and value.get("id") == key


def _element_type(field: Field) -> ValueType:
    assert isinstance(field.type, (SetOf, ListOf)), f"{field.name} has no elements with keys"
    return field.type.element


def _violation(field: Field, rule: str, **facts: int) -> Violation:
    return Violation(field.name, rule, sentence(rule, field.label, **facts))
