"""Turn what somebody types on a command line into values, by the type of the field.

The rule it keeps: it forgives form, never meaning. Labels in either language, full-width characters and Chinese
separators are read; what could mean two things is refused with a sentence that says what to type. Whether a value is
allowed is not judged here: the store does that, for every way in.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import (
    Code,
    Field,
    Line,
    ListOf,
    MapOf,
    Moment,
    Point,
    Reference,
    SetOf,
    Shape,
    Struct,
    ValueType,
)
from gridlog_protocol.kinds.sentences import part_of
from gridlog_protocol.texts import Text

from .typed_plain import BETWEEN_ITEMS, Typist, WrongValueError, hundred_thousandths, read_plain, read_point, wrong


def typed(field: Field, text: str, *, me: bytes, now: str) -> Value:
    """Return the value of `field` that `text` says; nothing, or only blanks, clears it. Raises WrongValueError."""
    if not text.strip():
        return [] if field.has_elements else None
    return _read(field.type, text, field.label, Typist(me, now))


def typed_elements(field: Field, text: str, *, me: bytes, now: str) -> list[Value]:
    """Return the elements of a set or list that `text` names: one, or several. Raises WrongValueError."""
    value = typed(field, text, me=me, now=now)
    return value if isinstance(value, list) else [value]


def _read(type_: ValueType, text: str, label: Text, typist: Typist) -> Value:
    match type_:
        case SetOf() | ListOf() | MapOf() | Struct() | Shape() | Line():
            return _read_composed(type_, text.strip(), label, typist)
        case _:
            return read_plain(type_, text, label, typist)


def _read_composed(type_: ValueType, text: str, label: Text, typist: Typist) -> Value:
    if text.startswith(("{", "[")):
        return _from_json(type_, _json(text, label), label, typist)
    match type_:
        case SetOf() if not isinstance(type_.element, Struct):
            items = [item for item in BETWEEN_ITEMS.split(text) if item.strip()]
            return [_read(type_.element, item.strip(), label, typist) for item in items]
        case SetOf() | ListOf():
            return [_read_element(type_.element, text, label, typist)]
        case MapOf():
            pairs = (item.partition("=") for item in BETWEEN_ITEMS.split(text.replace("＝", "=")) if item.strip())
            return {key.strip(): _read(type_.element, value, label, typist) for key, _, value in pairs}
        case Struct():
            return _read_members(type_, text, label, typist)
        case Line():
            return [
                read_point(BETWEEN_ITEMS.split(place), label) for place in re.split(r"[;；]", text) if place.strip()
            ]
        case _:
            raise _not_json(label)


def _read_element(type_: ValueType, text: str, label: Text, typist: Typist) -> Value:
    value = _read(type_, text, label, typist)
    return _completed(type_, value, typist) if isinstance(type_, Struct) and isinstance(value, dict) else value


def _read_members(type_: Struct, text: str, label: Text, typist: Typist) -> dict[str, Value]:
    """Read `member=value, member=value`; a comma before anything but a member belongs to the value before it."""
    names = _member_names(type_)
    spelled = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    starts = list(re.finditer(rf"(?:^|[,，;；、])\s*({spelled})\s*[=＝]", text, flags=re.IGNORECASE))
    if not starts or starts[0].start() > 0:
        return _read_only_member(type_, text, label, typist)
    ends = [following.start() for following in starts[1:]] + [len(text)]
    members: dict[str, Value] = {}
    for found, end in zip(starts, ends, strict=True):
        name = names[found[1].casefold()]
        members[name] = _read_member(type_, name, text[found.end() : end].strip(), label, typist)
    return members


def _read_only_member(type_: Struct, text: str, label: Text, typist: Typist) -> dict[str, Value]:
    """Read a plain text where only one member needs saying: `comments+=路灯修好了`."""
    said = [name for name, member in type_.members.items() if member.is_required and name not in ("id", "by", "at")]
    if len(said) == 1:
        return {said[0]: _read_member(type_, said[0], text, label, typist)}
    zh = "、".join(f"{name}（{member.label.zh}）" for name, member in type_.members.items() if name != "id")
    en = ", ".join(name for name in type_.members if name != "id")
    raise WrongValueError(
        Text(
            f"“{label.zh}”请写成“名称=内容，名称=内容”。名称有：{zh}。",
            f"Write “{label.en}” as name=value, name=value. The names are: {en}.",
        )
    )


def _read_member(type_: Struct, name: str, text: str, label: Text, typist: Typist) -> Value:
    member = type_.members[name]
    return _read(member.type, text, part_of(label, member.label), typist)


def _member_names(type_: Struct) -> dict[str, str]:
    """Return members by what they may be called; a name wins over another member's label."""
    labels = {
        spoken.casefold(): name for name, each in type_.members.items() for spoken in (each.label.zh, each.label.en)
    }
    return labels | {name.casefold(): name for name in type_.members}


def _completed(type_: Struct, value: dict[str, Value], typist: Typist) -> dict[str, Value]:
    """Fill in what nobody wants to type: an element's id, who says it, and when."""
    known: dict[str, Value] = {"id": os.urandom(8).hex(), "by": typist.me, "at": typist.now}
    missing = {name: known[name] for name in known if _is_due(type_, name) and value.get(name) is None}
    return {**missing, **{name: part for name, part in value.items() if part is not None}}


def _is_due(type_: Struct, name: str) -> bool:
    member = type_.members.get(name)
    if member is None or not member.is_required:
        return False
    match name, member.type:
        case ("id", Code()) | ("at", Moment()):
            return True
        case ("by", Reference(to="user", form="identity")):
            return True
        case _:
            return False


def _json(text: str, label: Text) -> object:
    try:
        # Numbers with a point stay text: there are no floats in a record, and none may round on the way.
        return json.loads(text, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        raise _not_json(label) from None


def _from_json(type_: ValueType, value: object, label: Text, typist: Typist) -> Value:  # noqa: PLR0911 -- one a type.
    match type_, value:
        case _, None:
            return None
        case Shape(), dict():
            return _shape(value, label)
        case ((SetOf(element=element) | ListOf(element=element)), list()):
            return [_element_from_json(element, each, label, typist) for each in value]
        case ((SetOf(element=element) | ListOf(element=element)), dict()):
            return [_element_from_json(element, value, label, typist)]
        case Struct(), dict():
            return _struct_from_json(type_, value, label, typist)
        case MapOf(), dict():
            return {key: _from_json(type_.element, each, label, typist) for key, each in value.items()}
        case Line(), list():
            return [_from_json(Point(), each, label, typist) for each in value]
        case Point(), list():
            return read_point([str(each) for each in value], label)
        case _, (bool() | int() | str()):
            return _read(type_, str(value), label, typist)
        case _:
            raise wrong("wrong_type", label)


def _element_from_json(type_: ValueType, value: object, label: Text, typist: Typist) -> Value:
    read = _from_json(type_, value, label, typist)
    return _completed(type_, read, typist) if isinstance(type_, Struct) and isinstance(read, dict) else read


def _struct_from_json(type_: Struct, value: Mapping[str, object], label: Text, typist: Typist) -> Value:
    names = _member_names(type_)
    members: dict[str, Value] = {}
    for spelled, part in value.items():
        name = names.get(spelled.casefold())
        if name is None:
            raise wrong("unknown_member", label)
        member = type_.members[name]
        members[name] = _from_json(member.type, part, part_of(label, member.label), typist)
    return members


def _shape(value: Mapping[str, object], label: Text) -> Value:
    """Read a GeoJSON polygon, whose numbers are degrees."""

    def in_units(part: object) -> Value:
        if isinstance(part, list):
            return [in_units(each) for each in part]
        number = hundred_thousandths(str(part))
        if number is None:
            raise wrong("not_a_shape", label)
        return number

    return {"type": str(value.get("type")), "coordinates": in_units(value.get("coordinates"))}


def _not_json(label: Text) -> WrongValueError:
    return WrongValueError(
        Text(
            f"“{label.zh}”不是完整的 JSON，请检查括号和引号。",
            f"“{label.en}” is not JSON: check brackets and quotes.",
        )
    )
