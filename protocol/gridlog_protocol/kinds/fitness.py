"""Tell which merge rules a type can have: a rule on the wrong type would lose somebody's work."""

from __future__ import annotations

from gridlog_protocol.kinds import value_types as types
from gridlog_protocol.kinds.model import Merge
from gridlog_protocol.texts import Text


def misfit(merge: Merge, type_: types.ValueType) -> Text | None:
    """Return why the rule does not fit the type, or None if it does."""
    match merge:
        case Merge.AWSET if not isinstance(type_, types.SetOf):
            return Text("AWSET 需要 set 类型", "AWSET needs the type set")
        case Merge.APPEND if not isinstance(type_, types.ListOf):
            return Text("APPEND 需要 list 类型", "APPEND needs the type list")
        case Merge.COUNTER if not isinstance(type_, types.Whole):
            return Text("COUNTER 需要 whole 类型", "COUNTER needs the type whole")
        case Merge.RANK if not isinstance(_per_key(type_), types.Choice):
            return Text("RANK 需要 choice 或 choice 的 map", "RANK needs a choice, or a map of choices")
        case Merge.MAX | Merge.MIN if not is_joinable(type_):
            return Text(
                f"{merge} 需要能比较大小的类型（flag、whole、amount、moment、day、choice，"
                "或由它们组成的 struct、set、map）",
                f"{merge} needs a type with an order (flag, whole, amount, moment, day, choice, "
                "or a struct, set or map of them)",
            )
        case _:
            return None


def is_joinable(type_: types.ValueType) -> bool:
    """Tell whether two values of the type always have a least upper and a greatest lower bound."""
    match type_:
        case types.Struct():
            joined = [one.type for one in type_.members.values() if not one.is_evidence]
            return bool(joined) and all(is_joinable(one) for one in joined)
        case types.SetOf():
            return not isinstance(type_.element, types.Struct)
        case types.MapOf():
            return is_joinable(type_.element)
        case _:
            return isinstance(type_, _ORDERED)


def _per_key(type_: types.ValueType) -> types.ValueType:
    return type_.element if isinstance(type_, types.MapOf) else type_


_ORDERED = (
    types.Flag,
    types.Whole,
    types.Amount,
    types.Moment,
    types.Day,
    types.Choice,
)
