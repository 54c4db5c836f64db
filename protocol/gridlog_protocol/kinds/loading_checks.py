"""Read the checks of a kind or struct, and see that each can be answered at all.

A check that names a field nobody has, or an option that does not exist, would never hold or never fail: a mistake
that no worker could report.
"""

from __future__ import annotations

from collections.abc import Mapping

from gridlog_protocol.kinds import value_types as types
from gridlog_protocol.kinds.toml_table import Table

Known = Mapping[str, types.ValueType]


def read_checks(table: Table, known: Known) -> tuple[types.Check, ...]:
    """Read `[[checks]]` about the values of the known names. Raises KindFileError."""
    return tuple(_check(row, known) for row in table.tables("checks"))


def type_at(table: Table, path: str, known: Known, *, key: str) -> types.ValueType:
    """Return the type of the value at `field` or `field.member`. Raises KindFileError."""
    name, _, member = path.partition(".")
    found = known.get(name)
    if member and isinstance(found, types.Struct):
        found = found.members[member].type if member in found.members else None
    elif member:
        found = None
    if found is None:
        raise table.refused(f"没有“{path}”", f"there is no {path!r}", key=key)
    return found


def check_scalars(table: Table, type_: types.ValueType, wanted: tuple[types.Scalar, ...], *, key: str) -> None:
    """Refuse answers that a value of the type can never be."""
    for value in wanted:
        if not _is_possible(type_, value):
            raise table.refused(f"“{value}”不是这个字段可能的值", f"{value!r} can never be its value", key=key)


def _is_possible(type_: types.ValueType, value: types.Scalar) -> bool:
    match type_:
        case types.Choice():
            return isinstance(value, str) and type_.option(value) is not None
        case types.Flag():
            return isinstance(value, bool)
        case types.Whole():
            return not isinstance(value, bool) and isinstance(value, int)
        case types.Words() | types.Code():
            return isinstance(value, str)
        case _:
            return False


def _check(table: Table, known: Known) -> types.Check:
    rule = table.one_of("rule", ("order", "needs"))
    check = _order(table, known) if rule == "order" else _needs(table, known)
    table.close()
    return check


def _order(table: Table, known: Known) -> types.Order:
    for key in ("first", "then"):
        type_ = type_at(table, table.words(key), known, key=key)
        if not isinstance(type_, (types.Moment, types.Day)):
            raise table.refused("应为时间或日期", "must be a moment or a day", key=key)
    return types.Order(
        table.words("first"),
        table.words("then"),
        table.label(),
        is_strict=table.flag("strict"),
        minutes_max=_minutes_max(table),
    )


def _minutes_max(table: Table) -> int | None:
    units = {"minutes_max": 1, "hours_max": 60, "days_max": 24 * 60}
    given = [key for key in units if table.has(key)]
    if len(given) > 1:
        raise table.refused("只能给一个上限", f"give only one of: {', '.join(given)}")
    return table.count(given[0]) * units[given[0]] if given else None


def _needs(table: Table, known: Known) -> types.Needs:
    when = tuple(_condition(row, known) for row in table.tables("when"))
    if not when:
        raise table.refused("至少要有一个条件", "needs at least one condition", key="when")
    needs = _condition(table.table("needs"), known)
    return types.Needs(when, needs, table.label(), is_one_way=table.flag("one_way"))


def _condition(table: Table, known: Known) -> types.Condition:
    path = table.words("field")
    type_ = type_at(table, path, known, key="field")
    asked = [key for key in ("is", "contains", "at_least", "at_most") if table.has(key)]
    if len(asked) > 1 and asked != ["at_least", "at_most"]:
        raise table.refused("只能问一件事", f"ask only one of: {', '.join(asked)}")
    one_of = table.scalars("is")
    check_scalars(table, type_, one_of, key="is")
    condition = types.Condition(
        path,
        one_of,
        contains=_contained(table, type_),
        at_least=_bound(table, type_, "at_least"),
        at_most=_bound(table, type_, "at_most"),
    )
    table.close()
    return condition


def _contained(table: Table, type_: types.ValueType) -> str | None:
    if not table.has("contains"):
        return None
    if not isinstance(type_, types.SetOf):
        raise table.refused("只有集合可以包含", "only a set contains something", key="contains")
    wanted = table.words("contains")
    check_scalars(table, type_.element, (wanted,), key="contains")
    return wanted


def _bound(table: Table, type_: types.ValueType, key: str) -> int | None:
    if not table.has(key):
        return None
    if not isinstance(type_, types.Whole):
        raise table.refused("应为整数字段", "must be about a whole number", key=key)
    return table.whole(key)
