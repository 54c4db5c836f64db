"""The laws of a join: any order, any grouping, any repetition gives the same."""

from collections.abc import Callable
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlog_protocol.canonical import INTEGER_MAX, INTEGER_MIN, Value, pack
from gridlog_protocol.kinds import (
    Amount,
    Choice,
    Day,
    Field,
    Flag,
    MapOf,
    Merge,
    Moment,
    SetOf,
    Struct,
    ValueType,
    Whole,
    check_delta,
    check_element,
    check_record,
    check_value,
    join,
    shipped_kinds,
)

KINDS = tuple(shipped_kinds())
JOINED = [
    (kind.name, field)
    for kind in KINDS
    for field in kind.fields.values()
    if field.merge in (Merge.MAX, Merge.MIN) and not field.from_op
]
OFFSETS = ("+08:00", "+00:00", "-03:30")

ANYTHING = cast(
    "st.SearchStrategy[Value]",
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(INTEGER_MIN, INTEGER_MAX)
        | st.text(max_size=9)
        | st.binary(max_size=17),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "informed", "a"]), inner),
        max_leaves=8,
    ),
)


def _moments() -> st.SearchStrategy[str]:
    plain = st.datetimes().map(lambda one: one.replace(microsecond=0).isoformat())
    return st.builds(lambda moment, offset: moment + offset, plain, st.sampled_from(OFFSETS))


def _structs(type_: Struct) -> st.SearchStrategy[Value]:
    required = {name: _values(one.type) for name, one in type_.members.items() if one.is_required}
    optional = {
        name: _values(one.type)
        for name, one in type_.members.items()
        if not one.is_required and isinstance(one.type, (Flag, Moment, Choice))
    }
    return cast("st.SearchStrategy[Value]", st.fixed_dictionaries(required, optional=optional))


def _values(type_: ValueType) -> st.SearchStrategy[Value]:
    match type_:
        case Whole():
            return st.integers(type_.minimum, type_.maximum)
        case Choice():
            return st.sampled_from([option.value for option in type_.options])
        case SetOf():
            return st.lists(_values(type_.element), unique=True).map(lambda items: sorted(items, key=pack))
        case MapOf():
            return st.dictionaries(st.sampled_from("abc"), _values(type_.element))
        case Struct():
            return _structs(type_)
        case _:
            return PLAIN[type(type_)]


PLAIN: dict[type, st.SearchStrategy[Value]] = {
    Flag: st.booleans(),
    Amount: st.integers(0, 10**6).map(lambda units: f"{units // 100}.{units % 100:02}"),
    Moment: _moments(),
    Day: st.dates().map(str),
}


def _without_evidence(type_: ValueType, value: Value) -> Value:
    if not isinstance(type_, Struct) or not isinstance(value, dict):
        return value
    kept = {name for name, member in type_.members.items() if not member.is_evidence}
    return {name: one for name, one in value.items() if name in kept}


def _joiner(field: Field) -> Callable[..., Value]:
    return lambda *values: join(field.type, values, upwards=field.merge is Merge.MAX)


@pytest.mark.parametrize(("kind", "field"), JOINED, ids=lambda one: getattr(one, "name", one))
@given(data=st.data())
def test_a_join_is_commutative_associative_and_idempotent(kind: str, field: Field, data: st.DataObject) -> None:
    assert kind
    values = _values(field.type)
    a, b, c = (data.draw(values) for _ in range(3))
    joined = _joiner(field)

    def same(left: Value, right: Value) -> bool:
        return pack(_without_evidence(field.type, left)) == pack(_without_evidence(field.type, right))

    assert same(joined(a, b), joined(b, a))
    assert same(joined(joined(a, b), c), joined(a, joined(b, c)))
    assert same(joined(joined(a, b), c), joined(a, b, c))
    assert pack(joined(a, a)) == pack(joined(a)) == pack(a)
    assert same(joined(joined(a, b), a), joined(a, b))


@pytest.mark.parametrize(("kind", "field"), JOINED, ids=lambda one: getattr(one, "name", one))
@given(data=st.data())
def test_a_join_of_right_values_is_a_right_value(kind: str, field: Field, data: st.DataObject) -> None:
    assert kind
    values = data.draw(st.lists(_values(field.type), min_size=1, max_size=4))

    assert check_value(field, _joiner(field)(*values)) is None


@given(values=st.lists(ANYTHING, min_size=1, max_size=4), data=st.data())
def test_a_join_of_anything_is_a_value_and_no_crash(values: list[Value], data: st.DataObject) -> None:
    _, field = data.draw(st.sampled_from(JOINED))

    pack(_joiner(field)(*values))


@given(value=ANYTHING, key=st.text(max_size=40), data=st.data())
def test_no_value_of_a_peer_can_crash_a_check(value: Value, key: str, data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(KINDS))
    field = data.draw(st.sampled_from(list(kind.fields.values())))

    check_value(field, value)
    if field.has_elements:
        check_element(field, key, value)
    if field.merge is Merge.COUNTER:
        check_delta(field, value)
    view = dict.fromkeys(kind.fields, value)
    check_record(kind, view, now_ms=0, is_creation=True, step="submit")
