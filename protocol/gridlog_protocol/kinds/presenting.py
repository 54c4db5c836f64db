"""Say a value as people read it: labels for options, dates spelled out, masked what a list may show only in part.

The rule it keeps: a value is shown, never obeyed. It may come from a newer version or a broken peer, so any shape has
a text, on one line, and characters that would steer a terminal or turn the reading direction stand as escapes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import UserId
from gridlog_protocol.kinds import value_types as types
from gridlog_protocol.kinds.model import Field, Kind
from gridlog_protocol.kinds.times import moment_ms
from gridlog_protocol.texts import Language, Text

YES = Text("是", "yes")
NO = Text("否", "no")

_NO_NAMES: Mapping[UserId, str] = MappingProxyType({})
_BETWEEN_ITEMS = Text("、", ", ")
_BETWEEN_MEMBERS = Text("，", "; ")
_BETWEEN_STRUCTS = Text("；", " / ")
_AFTER_NAME = Text("：", ": ")
_SHORT_HEX = 8
_PHONE_DIGITS_MIN = 7
_MOBILE_DIGITS = 11
_STEERING = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class _Reader:
    language: Language
    names: Mapping[UserId, str]


def shown_value(
    field: Field | None,
    value: Value,
    language: Language,
    *,
    names: Mapping[UserId, str] = _NO_NAMES,
    is_whole: bool = False,
) -> str:
    """Return the text for a field's whole value; `field` is None if this version does not know it.

    `names` has the names of people by their ids. A masked field is masked unless `is_whole`: say so only
    where the reader is meant to see one person's data.
    """
    type_ = field.type if field else None
    return _shown(field, type_, value, _Reader(language, names), is_whole=is_whole)


def shown_element(
    field: Field | None,
    value: Value,
    language: Language,
    *,
    names: Mapping[UserId, str] = _NO_NAMES,
    is_whole: bool = False,
) -> str:
    """Return the text for the value of one cell: of one element if edits name elements, or else of the field."""
    type_ = field.type if field else None
    if field and field.has_elements and isinstance(type_, (types.SetOf, types.ListOf, types.MapOf)):
        type_ = type_.element
    return _shown(field, type_, value, _Reader(language, names), is_whole=is_whole)


def title_of(
    kind: Kind | None, values: Mapping[str, Value], language: Language, *, names: Mapping[UserId, str] = _NO_NAMES
) -> str:
    """Return what a line of a list says of a record, e.g. `日常巡查 · 2026-11-22 09:10`, or nothing."""
    parts = []
    for name in kind.title_fields if kind else ():
        field, value = kind.fields[name] if kind else None, values.get(name)
        if isinstance(value, bool) and field:
            # A bare “no” in a line says nothing; the label of what is the case does.
            parts += [field.label.spoken(language)] if value else []
        elif value is not None:
            parts.append(shown_value(field, value, language, names=names))
    return " · ".join(parts)


def visible(text: str) -> str:
    r"""Return a text on one line in which control and direction characters stand as `\u` escapes; `↵` ends a line."""
    return "".join(_visible_character(each) for each in text.replace("\r\n", "\n"))


def masked(text: str) -> str:
    """Return a text of which only the ends can be read: `张*`, `欧**明`, `138****8000`."""
    if len(text) <= 1:
        return "*" * len(text)
    if text.isdigit() and len(text) >= _PHONE_DIGITS_MIN:
        head, tail = (3, 4) if len(text) == _MOBILE_DIGITS else (1, 2)
    else:
        head, tail = 1, 1 if len(text) > 2 else 0
    return text[:head] + "*" * (len(text) - head - tail) + text[len(text) - tail :]


def _shown(
    field: Field | None, type_: types.ValueType | None, value: Value, reader: _Reader, *, is_whole: bool
) -> str:
    if field and field.is_masked and not is_whole and value is not None:
        return visible(masked(value if isinstance(value, str) else _text(type_, value, reader)))
    return _text(type_, value, reader)


def _text(type_: types.ValueType | None, value: Value, reader: _Reader) -> str:
    match value:
        case None:
            return "—"
        case bool():
            return (YES if value else NO).spoken(reader.language)
        case int():
            return str(value)
        case bytes():
            return _identity_text(value, reader)
        case str():
            return visible(_words(type_, value, reader.language))
        case list():
            return _list_text(type_, value, reader)
        case dict():
            return _dict_text(type_, value, reader)


def _identity_text(value: bytes, reader: _Reader) -> str:
    name = reader.names.get(UserId(value))
    if name is not None:
        return visible(name)
    text = value.hex()
    return text if len(text) <= _SHORT_HEX else f"{text[:_SHORT_HEX]}…"


def _words(type_: types.ValueType | None, value: str, language: Language) -> str:
    match type_:
        case types.Choice():
            option = type_.option(value)
            return option.label.spoken(language) if option else value
        case types.Moment():
            # The clock on the wall of whoever wrote it: no zone is known here, and the date is what people compare.
            return f"{value[:10]} {value[11:16]}" if moment_ms(value) is not None else value
        case _:
            return value


def _list_text(type_: types.ValueType | None, value: list[Value], reader: _Reader) -> str:
    if isinstance(type_, types.Point):
        place = _place_text(value)
        if place:
            return place
    if isinstance(type_, types.Line):
        places = [_place_text(each) for each in value]
        if all(places):
            return _BETWEEN_STRUCTS.spoken(reader.language).join(places)
    element = type_.element if isinstance(type_, (types.SetOf, types.ListOf)) else None
    has_structs = any(isinstance(each, (dict, list)) for each in value)
    between = _BETWEEN_STRUCTS if has_structs else _BETWEEN_ITEMS
    return between.spoken(reader.language).join(_text(element, each, reader) for each in value) or "—"


def _dict_text(type_: types.ValueType | None, value: dict[str, Value], reader: _Reader) -> str:
    parts = [
        name + _AFTER_NAME.spoken(reader.language) + _text(part_type, part, reader)
        for name, part_type, part in _parts(type_, value, reader.language)
    ]
    return _BETWEEN_MEMBERS.spoken(reader.language).join(parts) or "—"


def _parts(
    type_: types.ValueType | None, value: dict[str, Value], language: Language
) -> list[tuple[str, types.ValueType | None, Value]]:
    """Return name, type and value of each part, in the order that the type declares."""
    if isinstance(type_, types.MapOf):
        return [(visible(key), type_.element, part) for key, part in value.items()]
    members = type_.members if isinstance(type_, types.Struct) else {}
    # An element's id names it for the machine; people know it by what it says.
    known = [
        (member.label.spoken(language), member.type, value[name])
        for name, member in members.items()
        if name in value and name != "id" and value[name] is not None
    ]
    others = [(visible(name), None, part) for name, part in value.items() if name not in members and name != "id"]
    return [*known, *others]


def _place_text(value: Value) -> str:
    """Return a place in degrees, or nothing if it is not one."""
    match value:
        case [int() as latitude, int() as longitude]:
            return f"{_degrees(latitude)}, {_degrees(longitude)}"
        case _:
            return ""


def _degrees(units: int) -> str:
    whole, part = divmod(abs(units), 100_000)
    return f"{'-' if units < 0 else ''}{whole}.{part:05d}"


def _visible_character(character: str) -> str:
    if character == "\n":
        return "↵"
    if unicodedata.category(character) not in _STEERING:
        return character
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
