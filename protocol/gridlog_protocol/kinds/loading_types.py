"""Read value types from a kind file: `type = "words"` and the keys that go with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from gridlog_protocol.canonical import INTEGER_MAX, INTEGER_MIN
from gridlog_protocol.kinds import value_types as types
from gridlog_protocol.kinds.forbidden import FORBIDDEN
from gridlog_protocol.kinds.loading_checks import read_checks
from gridlog_protocol.kinds.toml_table import Table
from gridlog_protocol.kinds.value_rules import amount_units
from gridlog_protocol.texts import Text

KEY_CHARACTERS_MAX = 100
"""An element that is its own key travels in every edit of it, so it must be short."""

DEPTH_MAX = 6
"""A value may nest 16 deep on the wire; a form that nests deeper than this nobody can fill in."""


def read_type(table: Table, *, depth: int = 0) -> types.ValueType:
    """Read the type that a field, member or element declares. Raises KindFileError."""
    if depth > DEPTH_MAX:
        raise table.refused("嵌套太深", "nested too deep")
    name = table.one_of("type", TYPE_NAMES)
    if name in _NESTED:
        return _NESTED[name](table, depth)
    return _PLAIN[name](table)


def _words(table: Table) -> types.Words:
    low, high = _limits(table)
    pattern, hint = _pattern(table)
    forbid = table.strings("forbid")
    for name in forbid:
        if name not in FORBIDDEN:
            listed = ", ".join(FORBIDDEN)
            raise table.refused(
                f"不认识的禁用模式“{name}”，可用：{listed}",
                f"unknown pattern {name!r} to forbid; use one of: {listed}",
                key="forbid",
            )
    return types.Words(low, high, pattern, hint, forbid)


def _code(table: Table) -> types.Code:
    low = table.count("min", 1)
    high = table.count("max", types.CODE_CHARACTERS_MAX)
    _check_limits(table, low, high)
    pattern, hint = _pattern(table)
    dictionary = table.name("dictionary") if table.has("dictionary") else None
    return types.Code(low, high, pattern, hint, dictionary)


def _limits(table: Table) -> tuple[int, int]:
    low, high = table.count("min", 0), table.count("max")
    _check_limits(table, low, high)
    return low, high


def _check_limits(table: Table, low: int, high: int) -> None:
    if low > high:
        raise table.refused(f"min {low} 大于 max {high}", f"min {low} is greater than max {high}", key="min")


def _pattern(table: Table) -> tuple[str | None, Text | None]:
    if not table.has("pattern"):
        return None, None
    pattern = table.words("pattern")
    try:
        re.compile(pattern)
    except re.error as reason:
        raise table.refused(
            f"正则表达式无法编译：{reason}", f"the pattern does not compile: {reason}", key="pattern"
        ) from None
    return pattern, table.label("hint_")


def _choice(table: Table) -> types.Choice:
    options: list[types.Option] = []
    for place, row in enumerate(table.tables("options")):
        value = row.name("value")
        if any(option.value == value for option in options):
            raise row.refused(f"选项“{value}”重复", f"the option {value!r} occurs twice")
        rank = row.count("rank", place * 10)
        if options and rank < options[-1].rank:
            raise row.refused(
                f"选项“{value}”的 rank 比前一项低",
                f"the rank of {value!r} is below that of the option before it",
                key="rank",
            )
        options.append(types.Option(value, row.label(), rank, is_negative=row.flag("negative")))
        row.close()
    if not options:
        raise table.refused("至少要有一个选项", "needs at least one option", key="options")
    return types.Choice(tuple(options))


def _flag(_: Table) -> types.Flag:
    return types.Flag()


def _whole(table: Table) -> types.Whole:
    low, high = table.whole("min", INTEGER_MIN), table.whole("max", INTEGER_MAX)
    _check_limits(table, low, high)
    return types.Whole(low, high)


def _amount(table: Table) -> types.Amount:
    digits, scale = table.count("digits"), table.count("scale")
    if not scale < digits <= 18:
        raise table.refused("digits 应大于 scale，且不超过 18", "digits must be greater than scale, and at most 18")
    minimum = table.words("min") if table.has("min") else None
    type_ = types.Amount(digits, scale, minimum)
    if minimum is not None and amount_units(type_, minimum) is None:
        raise table.refused(f"应为带 {scale} 位小数的文字", f"must be text with {scale} decimals", key="min")
    return type_


def _moment(table: Table) -> types.Moment:
    has_ahead, has_past = table.has("ahead_minutes_max"), table.has("past_days_max")
    return types.Moment(
        ahead_minutes_max=table.count("ahead_minutes_max") if has_ahead else None,
        past_days_max=table.count("past_days_max") if has_past else None,
    )


def _day(_: Table) -> types.Day:
    return types.Day()


def _identity(_: Table) -> types.Identity:
    return types.Identity()


def _reference(table: Table) -> types.Reference:
    form = table.one_of("form", ("identity", "code"))
    names = table.count("name_max") if table.has("name_max") else None
    return types.Reference(table.name("to"), "identity" if form == "identity" else "code", names)


def _point(_: Table) -> types.Point:
    return types.Point()


def _line(table: Table) -> types.Line:
    return types.Line(table.count("points_max"))


def _shape(table: Table) -> types.Shape:
    return types.Shape(table.count("points_max"))


def _digest(_: Table) -> types.Digest32:
    return types.Digest32()


def _struct(table: Table, depth: int) -> types.Struct:
    members: dict[str, types.Member] = {}
    listed = table.table("members")
    for name, row in listed.named():
        type_ = read_type(row, depth=depth + 1)
        members[name] = types.Member(
            row.label(), type_, is_required=row.flag("required"), is_evidence=row.flag("evidence")
        )
        row.close()
    if not members:
        raise table.refused("至少要有一个成员", "needs at least one member", key="members")
    known = {name: member.type for name, member in members.items()}
    return types.Struct(MappingProxyType(members), read_checks(table, known))


def _set(table: Table, depth: int) -> types.SetOf:
    element, items_max = _element(table, depth)
    if not isinstance(element, _IN_A_SET):
        raise table.refused(
            "集合的元素应为 words、code、choice、identity、reference 或 struct",
            "a set holds words, code, choice, identity, reference or struct",
            key="of",
        )
    if isinstance(element, types.Struct):
        _check_id(table, element)
    if isinstance(element, types.Words) and element.characters_max > KEY_CHARACTERS_MAX:
        raise table.refused(
            f"集合里的文字最多 {KEY_CHARACTERS_MAX} 个字",
            f"words in a set may have at most {KEY_CHARACTERS_MAX} characters",
            key="of.max",
        )
    return types.SetOf(element, items_max)


def _list(table: Table, depth: int) -> types.ListOf:
    element, items_max = _element(table, depth)
    if not isinstance(element, types.Struct):
        raise table.refused("列表的元素应为 struct", "a list holds a struct", key="of")
    _check_id(table, element)
    return types.ListOf(element, items_max)


def _map(table: Table, depth: int) -> types.MapOf:
    element, items_max = _element(table, depth)
    return types.MapOf(element, items_max)


def _element(table: Table, depth: int) -> tuple[types.ValueType, int]:
    row = table.table("of")
    element = read_type(row, depth=depth + 1)
    row.close()
    return element, table.count("items_max")


def _check_id(table: Table, element: types.Struct) -> None:
    member = element.members.get("id")
    if member is None or not isinstance(member.type, types.Code) or not member.is_required:
        raise table.refused(
            "每个元素要有必填的 id，类型为 code",
            "each element needs a required member `id` of type code",
            key="of.members",
        )


_IN_A_SET = (
    types.Words,
    types.Code,
    types.Choice,
    types.Identity,
    types.Reference,
    types.Struct,
)

_PLAIN: Mapping[str, Callable[[Table], types.ValueType]] = {
    "words": _words,
    "code": _code,
    "choice": _choice,
    "flag": _flag,
    "whole": _whole,
    "amount": _amount,
    "moment": _moment,
    "day": _day,
    "identity": _identity,
    "reference": _reference,
    "point": _point,
    "line": _line,
    "shape": _shape,
    "digest": _digest,
}
_NESTED: Mapping[str, Callable[[Table, int], types.ValueType]] = {
    "struct": _struct,
    "set": _set,
    "list": _list,
    "map": _map,
}
TYPE_NAMES = (*_PLAIN, *_NESTED)
