"""From what a browser sends of a form to changes of a draft, by the names that `inputs` gave. Pure.

The rule it keeps: nothing is thrown away because it is wrong. What cannot be read as a value of its field is kept as
the text that was typed, so that the worker finds it again; finishing the draft says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from gridlog import Add
from gridlog.typed_plain import BETWEEN_ITEMS, Typist, WrongValueError, read_plain
from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import (
    Choice,
    Field,
    Flag,
    Line,
    ListOf,
    MapOf,
    Merge,
    Moment,
    Reference,
    SetOf,
    Shape,
    Struct,
    ValueType,
    Words,
)
from gridlog_protocol.texts import Text
from gridlog_sync.writing import Change

from .inputs import MORE, NO, ROW, YES

ROWS_MAX = 500
_NOBODY = Text("", "")


class Sent:
    """What a browser sent: pairs of a name and a text, a name any number of times."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        self._texts: dict[str, list[str]] = {}
        for name, text in self.pairs:
            self._texts.setdefault(name, []).append(text)

    @staticmethod
    def of(form: Mapping[str, object]) -> Sent:
        """Return the texts of a form."""
        return Sent((name, text) for name, text in form.items() if isinstance(text, str))

    def every(self, name: str) -> list[str]:
        """Return all texts under a name."""
        return self._texts.get(name, [])

    def first(self, name: str) -> str:
        """Return the first text under a name, or nothing."""
        return next(iter(self.every(name)), "")


def change_of(field: Field, sent: Sent, typist: Typist) -> Change:
    """Return what a form says of a field: a whole value, or what was added to a list whose entries never change."""
    value = _value(field.type, field.name, sent, typist)
    if field.merge is Merge.APPEND and isinstance(value, list):
        return Add(tuple(value))
    return value


def sent_pairs(field: Field, sent: Sent) -> list[tuple[str, str]]:
    """Return what was sent of a field; a browser ends lines in its own way, and sends empty controls as well."""
    own = (field.name, field.name + MORE, field.name + ROW)
    return [
        (name, _lines(text))
        for name, text in sent.pairs
        if text and (name in own or name.startswith(f"{field.name}."))
    ]


def _value(type_: ValueType, path: str, sent: Sent, typist: Typist) -> Value:
    match type_:
        case Struct():
            return _members(type_, path, sent, typist) or None
        case MapOf():
            return _entries(type_, path, sent, typist)
        case SetOf() | ListOf():
            return _items(type_.element, path, sent, typist)
        case Line() | Shape():
            return None
        case _:
            return _plain(type_, sent.first(path), typist)


def _members(type_: Struct, path: str, sent: Sent, typist: Typist) -> dict[str, Value]:
    values = {name: _value(member.type, f"{path}.{name}", sent, typist) for name, member in type_.members.items()}
    return {name: value for name, value in values.items() if value is not None and not _is_unsaid(type_, name, value)}


def _is_unsaid(type_: Struct, name: str, value: Value) -> bool:
    """Tell whether nothing was said: an empty set is an answer only where one is asked for, as with consent."""
    return value == [] and not type_.members[name].is_required


def _items(element: ValueType, path: str, sent: Sent, typist: Typist) -> list[Value]:
    if isinstance(element, Struct):
        keys = list(dict.fromkeys(sent.every(path + ROW)))[:ROWS_MAX]
        return [{"id": key, **_members(element, f"{path}.{key}", sent, typist)} for key in keys]
    texts = [each for each in sent.every(path) if each]
    if not isinstance(element, Choice) and not (isinstance(element, Reference) and element.form == "identity"):
        texts = _split(texts)
    texts += _split(sent.every(path + MORE))
    return [_plain(element, each, typist) for each in dict.fromkeys(texts)]


def _entries(type_: MapOf, path: str, sent: Sent, typist: Typist) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for number in sent.every(path + ROW)[:ROWS_MAX]:
        key = sent.first(f"{path}.{number}.key").strip()
        value = _value(type_.element, f"{path}.{number}.value", sent, typist)
        if key and value is not None:
            found[key] = value
    return found


def _plain(type_: ValueType, text: str, typist: Typist) -> Value:
    if not text.strip():
        return None
    match type_:
        case Words():
            return _lines(text)
        case Flag():
            return {YES: True, NO: False}.get(text, text)
        case Choice():
            return text
        case Moment():
            return _moment(text)
        case _:
            try:
                return read_plain(type_, text, _NOBODY, typist)
            except WrongValueError:
                return text


def _moment(text: str) -> str:
    """Read what a browser's clock field sends, `2026-11-22T09:10`, in the local zone that held then."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return (at if at.tzinfo else at.astimezone()).isoformat(timespec="seconds")


def _split(texts: Sequence[str]) -> list[str]:
    return [item.strip() for text in texts for item in BETWEEN_ITEMS.split(text) if item.strip()]


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")


def new_row(type_: SetOf | ListOf, key: str, typist: Typist) -> dict[str, Value]:
    """Return a row as it begins: its key, and what is known without asking, who and when."""
    assert isinstance(type_.element, Struct)
    row: dict[str, Value] = {"id": key}
    for name, member in type_.element.members.items():
        if isinstance(member.type, Moment) and member.is_required and name in ("at", "from"):
            row[name] = typist.now
        elif isinstance(member.type, Reference) and member.type.to == "user" and member.is_required:
            row[name] = typist.me
    return row
