"""From a field of a kind, and what stands in it, to what a page shows for it. Pure.

The rule it keeps: `posted` reads what `inputs` made, by the same names. A control is named by its path: `content`,
`consent.informed`, `parties.ROW.name`; `parties:row` lists the rows that are there. So a form that comes back as it
was shown says the same pairs, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gridlog.agent.speech import local
from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import (
    Amount,
    Choice,
    Code,
    Day,
    Digest32,
    Field,
    Flag,
    Identity,
    Line,
    ListOf,
    MapOf,
    Moment,
    Point,
    Reference,
    Required,
    SetOf,
    Shape,
    Struct,
    ValueType,
    Whole,
    Words,
)
from gridlog_protocol.kinds.times import moment_ms
from gridlog_protocol.texts import Text

AREA_CHARACTERS_MIN = 101
"""Text that may be this long gets a large box."""
SHOWN_OPTIONS_MAX = 8
"""So many answers are shown beside each other; more open as a list."""
MORE = ":more"
ROW = ":row"
YES, NO = "yes", "no"
_PLACES = 100_000


class Control(StrEnum):
    """What a worker touches."""

    TEXT = "text"
    AREA = "area"
    NUMBER = "number"
    DECIMAL = "decimal"
    MOMENT = "moment"
    DAY = "day"
    RADIO = "radio"
    SELECT = "select"
    CHECKS = "checks"
    PICKED = "picked"
    CHOSEN = "chosen"
    MEMBERS = "members"
    ROWS = "rows"
    PAIRS = "pairs"
    HIDDEN = "hidden"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Answer:
    """One thing to choose: what is sent, what it is called, whether it is chosen."""

    value: str
    label: Text
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class Input:
    """A control, or several under one label. `text` is what stands in it; rows have their key as `text`."""

    control: Control
    path: str
    label: Text
    text: str = ""
    answers: tuple[Answer, ...] = ()
    parts: tuple[Input, ...] = ()
    is_required: bool = False
    characters_max: int | None = None
    hint: Text | None = None
    to: str = ""
    takes_names: bool = False

    def pairs(self) -> Iterator[tuple[str, str]]:
        """Yield what a browser sends of it as it stands. Empty ones are left out."""
        match self.control:
            case Control.FIXED:
                return
            case Control.RADIO | Control.SELECT | Control.CHECKS | Control.CHOSEN:
                yield from ((self.path, each.value) for each in self.answers if each.is_chosen and each.value)
                if self.takes_names and self.text:
                    yield self.path + MORE, self.text
            case Control.ROWS | Control.PAIRS:
                for row in self.parts:
                    if row.control is not Control.FIXED:
                        yield self.path + ROW, row.text
                    yield from row.pairs()
            case Control.MEMBERS:
                for part in self.parts:
                    yield from part.pairs()
            case _:
                if self.text:
                    yield self.path, self.text


Known = Mapping[str, Sequence[Answer]]
"""By the kind that a reference is to: what it may be, as far as this phone knows."""


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes inputs. `known` says what references may be, `keys` what the keys of a map stand for, by field."""

    known: Known = field(default_factory=dict)
    keys: Mapping[str, Sequence[Answer]] = field(default_factory=dict)

    def of_field(self, of: Field, value: Value, *, fixed_rows: int = 0) -> Input:
        """Return the input of a field. The first `fixed_rows` rows of a list stay as they are."""
        made = self._of(of.type, of.name, of.label, value)
        if fixed_rows:
            made = replace(made, parts=tuple(map(_fixed, made.parts[:fixed_rows])) + made.parts[fixed_rows:])
        return replace(made, is_required=of.required is Required.YES)

    def _of(self, type_: ValueType, path: str, label: Text, value: Value) -> Input:
        match type_:
            case Choice():
                return _choice(type_, path, label, value)
            case Flag():
                chosen = {True: YES, False: NO}.get(value) if isinstance(value, bool) else ""
                return Input(Control.RADIO, path, label, answers=_yes_no(chosen or ""))
            case Reference():
                return self._reference(type_, path, label, value)
            case Struct():
                members = value if isinstance(value, dict) else {}
                return Input(Control.MEMBERS, path, label, parts=self._members(type_, path, members))
            case SetOf() | ListOf() | MapOf():
                return self._collection(type_, path, label, value)
            case Line() | Shape():
                return Input(Control.FIXED, path, label, text=_size(value))
            case _:
                return _plain(type_, path, label, value)

    def _members(self, type_: Struct, path: str, values: Mapping[str, Value]) -> tuple[Input, ...]:
        made = []
        for name, member in type_.members.items():
            part = self._of(member.type, f"{path}.{name}", member.label, values.get(name))
            is_hidden = name == "id" or (isinstance(member.type, Reference) and member.type.to == "attachment")
            part = replace(part, control=Control.HIDDEN) if is_hidden else part
            made.append(replace(part, is_required=member.is_required))
        return tuple(made)

    def _collection(self, type_: SetOf | ListOf | MapOf, path: str, label: Text, value: Value) -> Input:
        element = type_.element
        if isinstance(type_, MapOf):
            return self._map(type_, path, label, value if isinstance(value, dict) else {})
        items = value if isinstance(value, list) else []
        if isinstance(element, Struct):
            rows = [each for each in items if isinstance(each, dict)]
            return Input(Control.ROWS, path, label, parts=tuple(self._row(element, path, each) for each in rows))
        if isinstance(element, Choice):
            answers = tuple(Answer(each.value, each.label, each.value in items) for each in element.options)
            return Input(Control.CHECKS, path, label, answers=answers)
        if isinstance(element, Reference) and element.form == "identity":
            return self._chosen(element, path, label, items)
        hint = Text("多项用顿号或逗号隔开", "separate several with commas")
        return Input(Control.TEXT, path, label, text="、".join(map(_text, items)), hint=hint)

    def _row(self, element: Struct, path: str, values: Mapping[str, Value]) -> Input:
        key = str(values.get("id", ""))
        name = Text(key, key)
        return Input(
            Control.MEMBERS, f"{path}.{key}", name, text=key, parts=self._members(element, f"{path}.{key}", values)
        )

    def _map(self, type_: MapOf, path: str, label: Text, values: Mapping[str, Value]) -> Input:
        named = {each.value: each.label for each in self.keys.get(path, ())}
        rows = []
        for number, key in enumerate([*named, *(each for each in values if each not in named)]):
            at, said = f"{path}.{number}", named.get(key)
            asked = Input(Control.HIDDEN if said else Control.TEXT, f"{at}.key", _KEY, text=key)
            held = self._of(type_.element, f"{at}.value", said or label, values.get(key))
            rows.append(Input(Control.MEMBERS, at, said or _KEY, text=str(number), parts=(asked, held)))
        return Input(Control.PAIRS, path, label, parts=tuple(rows), takes_names=path not in self.keys)

    def _reference(self, type_: Reference, path: str, label: Text, value: Value) -> Input:
        text, known = _text(value), self.known.get(type_.to, ())
        if type_.form == "code" and not known:
            return Input(Control.TEXT, path, label, text=text, characters_max=64)
        answers = [replace(each, is_chosen=each.value == text) for each in known]
        if text and not any(each.is_chosen for each in answers):
            answers.append(Answer(text, Text(text[:8], text[:8]), is_chosen=True))
        control = Control.PICKED if type_.to in PICKED_KINDS else Control.SELECT
        if control is Control.PICKED:
            answers = [each for each in answers if each.is_chosen]
            return Input(control, path, label, text=text, answers=tuple(answers), to=type_.to)
        return Input(control, path, label, answers=tuple(answers), to=type_.to)

    def _chosen(self, element: Reference, path: str, label: Text, items: list[Value]) -> Input:
        ids = [each.hex() for each in items if isinstance(each, bytes)]
        answers = [replace(each, is_chosen=each.value in ids) for each in self.known.get(element.to, ())]
        shown = {each.value for each in answers}
        answers += [Answer(each, Text(each[:8], each[:8]), is_chosen=True) for each in ids if each not in shown]
        takes_names = element.name_characters_max is not None
        names = "、".join(each for each in items if isinstance(each, str))
        if element.to in PICKED_KINDS:
            answers = [each for each in answers if each.is_chosen]
        hint = Text("其他人：姓名或称呼，用顿号隔开", "others by name, separated by commas") if takes_names else None
        return Input(
            Control.CHOSEN,
            path,
            label,
            text=names,
            answers=tuple(answers),
            hint=hint,
            to=element.to,
            takes_names=takes_names,
        )


PICKED_KINDS = frozenset({"household", "person", "address", "incident", "notice", "task", "record", "visit_plan"})
"""There may be thousands of these: they are looked for on a page of their own."""
_KEY = Text("项目", "item")


def _choice(type_: Choice, path: str, label: Text, value: Value) -> Input:
    answers = tuple(Answer(each.value, each.label, each.value == value) for each in type_.options)
    control = Control.RADIO if len(answers) <= SHOWN_OPTIONS_MAX else Control.SELECT
    return Input(control, path, label, answers=answers)


def _plain(type_: ValueType, path: str, label: Text, value: Value) -> Input:
    control, hint, characters_max = Control.TEXT, None, None
    text, to = _text(value), ""
    match type_:
        case Words() | Code():
            is_long = isinstance(type_, Words) and type_.characters_max >= AREA_CHARACTERS_MIN
            control = Control.AREA if is_long else Control.TEXT
            hint, characters_max = type_.hint, type_.characters_max
        case Whole():
            span = f"{type_.minimum}–{type_.maximum}"
            control, hint = Control.NUMBER, Text(span, span) if _is_small(type_) else None
        case Amount():
            control = Control.DECIMAL
        case Moment():
            control, text = Control.MOMENT, shown_moment(text)
        case Day():
            control = Control.DAY
        case Point():
            text, hint, to = _place(value), Text("纬度, 经度", "latitude, longitude"), "place"
        case Identity() | Digest32():
            hint = Text("十六进制标识", "id, in hex digits")
        case _:
            control = Control.FIXED
    return Input(control, path, label, text=text, characters_max=characters_max, hint=hint, to=to)


def shown_moment(text: str) -> str:
    """Return a moment as a browser's clock field has it, in the local zone; what is no moment stays as typed."""
    at_ms = moment_ms(text)
    return text if at_ms is None else f"{local(at_ms):%Y-%m-%dT%H:%M}"


def _fixed(row: Input) -> Input:
    return replace(row, control=Control.FIXED)


def _yes_no(chosen: str) -> tuple[Answer, ...]:
    return (
        Answer(YES, Text("是", "Yes"), is_chosen=chosen == YES),
        Answer(NO, Text("否", "No"), is_chosen=chosen == NO),
    )


def _text(value: Value) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return "" if value is None else str(value)


def _place(value: Value) -> str:
    match value:
        case [int() as latitude, int() as longitude]:
            return f"{latitude / _PLACES:.5f}, {longitude / _PLACES:.5f}"
        case _:
            return value if isinstance(value, str) else ""


def _size(value: Value) -> str:
    return str(len(value)) if isinstance(value, (list, dict)) else ""


def _is_small(type_: Whole) -> bool:
    return type_.maximum <= 1_000_000 and type_.minimum >= 0
