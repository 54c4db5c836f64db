"""Read `field=value`, `field+=value` and `field-=value`, as typed on a command line, into changes of a record.

The rule it keeps: people name kinds and fields as the screen does. The name in the kind file and the label in either
language are the same field; a name that fits nothing is refused with the nearest that do.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field, Kind, KindSet, MapOf, Merge, SetOf, Struct
from gridlog_protocol.kinds.presenting import visible
from gridlog_protocol.ops import Action
from gridlog_protocol.texts import Text
from gridlog_sync.rules import rule_of
from gridlog_sync.writing import Add, Change, Count, Remove

from .errors import UnknownKindError
from .typed_plain import BETWEEN_ITEMS, WrongValueError
from .typed_values import typed, typed_elements

_ASSIGNMENT = re.compile(r"([^=＝]+?)\s*([+＋-])?[=＝](.*)", re.DOTALL)


def changes_of(kind: Kind, words: Sequence[str], *, me: bytes, now: str) -> dict[str, Change]:
    """Return the changes that the words of a command ask for, by field. Raises WrongValueError."""
    changes: dict[str, Change] = {}
    for word in words:
        field, sign, text = _parted(kind, word)
        change = _change(field, sign, text, me=me, now=now)
        changes[field.name] = _joined(field, changes[field.name], change) if field.name in changes else change
    return changes


def wanted_values(kind: Kind, words: Sequence[str], *, me: bytes, now: str) -> dict[str, Value]:
    """Return what `--where field=value` asks for: whole values, or one element of a set or list."""
    wanted: dict[str, Value] = {}
    for word in words:
        field, sign, text = _parted(kind, word)
        if sign:
            raise _not_an_assignment(word)
        value = typed(field, text, me=me, now=now)
        wanted[field.name] = value[0] if isinstance(value, list) and len(value) == 1 else value
    return wanted


def kind_named(kinds: KindSet, name: str) -> Kind:
    """Return the kind that somebody calls `name`, or a label of it. Raises UnknownKindError."""
    wanted = name.strip().casefold()
    found = kinds.get(name) or next((kind for kind in kinds if wanted in _names(kind)), None)
    if found is None:
        raise UnknownKindError(visible(name))
    return found


def field_named(kind: Kind, name: str) -> Field:
    """Return the field that somebody calls `name`, or a label of it. Raises WrongValueError."""
    wanted = name.strip().casefold()
    found = kind.fields.get(wanted) or next((each for each in kind.fields.values() if wanted in _names(each)), None)
    if found is not None:
        return found
    zh = f"没有“{visible(name.strip())}”这一项。"
    en = f'There is no field "{visible(name.strip())}".'
    near = _nearest(wanted, kind)
    if near:
        zh += f"您是不是要写：{'、'.join(f'{each.label.zh}（{each.name}）' for each in near)}？"
        en += f" Did you mean {' or '.join(each.name for each in near)}?"
    raise WrongValueError(
        Text(
            f"{zh}运行 gridlog kinds {kind.name} 可以看到全部。",
            f"{en} See them all with: gridlog kinds {kind.name}",
        )
    )


def _parted(kind: Kind, word: str) -> tuple[Field, str, str]:
    found = _ASSIGNMENT.fullmatch(word)
    if found is None:
        raise _not_an_assignment(word)
    name, sign, text = found.groups()
    return field_named(kind, name), {"＋": "+"}.get(sign or "", sign or ""), text


def _change(field: Field, sign: str, text: str, *, me: bytes, now: str) -> Change:
    actions = rule_of(field).actions(field)
    if not sign or (sign == "+" and isinstance(field.type, MapOf)):
        return typed(field, text, me=me, now=now)
    if field.merge is Merge.COUNTER:
        number = typed(field, text, me=me, now=now)
        assert isinstance(number, int | None)
        return Count((number or 0) if sign == "+" else -(number or 0))
    if sign == "+" and Action.ADD in actions:
        return Add(tuple(typed_elements(field, text, me=me, now=now)))
    if sign == "-" and Action.REMOVE in actions:
        if isinstance(field.type, SetOf) and isinstance(field.type.element, Struct):
            # A structured element is known by its id.
            return Remove(tuple(BETWEEN_ITEMS.split(text.strip())))
        return Remove(tuple(typed_elements(field, text, me=me, now=now)))
    raise WrongValueError(_misused(field, sign, can_add=Action.ADD in actions))


def _misused(field: Field, sign: str, *, can_add: bool) -> Text:
    label = field.label
    if can_add:
        return Text(
            f"“{label.zh}”只能增加，不能删去：谁写的都保留。",
            f"“{label.en}” only grows: nothing in it is taken away.",
        )
    return Text(
        f"“{label.zh}”只有一个值，不能用 {sign}=，请用 {field.name}=。",
        f"“{label.en}” holds one value: use {field.name}=, not {field.name}{sign}=.",
    )


def _joined(field: Field, first: Change, second: Change) -> Change:
    match first, second:
        case Add(), Add():
            return Add((*first.elements, *second.elements))
        case Remove(), Remove():
            return Remove((*first.elements, *second.elements))
        case Count(), Count():
            return Count(first.number + second.number)
        case _:
            label = field.label
            raise WrongValueError(
                Text(
                    f"“{label.zh}”写了不止一次，请只写一次。", f"“{label.en}” is given more than once. Give it once."
                )
            )


def _not_an_assignment(word: str) -> WrongValueError:
    shown = visible(word)
    return WrongValueError(
        Text(
            f"看不懂“{shown}”，请写成“项目=内容”，如 summary=一切正常。",
            f"Cannot read “{shown}”. Write field=value, such as summary=quiet.",
        )
    )


def _names(named: Kind | Field) -> tuple[str, ...]:
    return named.name.casefold(), named.label.zh.casefold(), named.label.en.casefold()


def _nearest(wanted: str, kind: Kind) -> list[Field]:
    spelled = {spelling: field for field in kind.fields.values() for spelling in _names(field)}
    close = difflib.get_close_matches(wanted, spelled, n=2, cutoff=0.6)
    return list({spelled[each].name: spelled[each] for each in close}.values())
