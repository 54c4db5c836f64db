"""A form shows what a record says, and what comes back of it says the same."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from gridlog import Add, Count, Draft, Remove
from gridlog.agent.forms.filling import Filling
from gridlog.agent.forms.inputs import Input, Maker, shown_moment
from gridlog.agent.forms.layouts import is_asked, sections_of
from gridlog.agent.forms.posted import Sent, change_of
from gridlog.typed_plain import Typist
from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Field, Kind, Moment, check_value, shipped_kinds
from gridlog_protocol.kinds.times import moment_ms
from tests.unit.protocol.test_kinds_examples import EXAMPLES

ME = Typist(b"\x07" * 16, "2026-11-23T09:10:00+08:00")
KINDS = [kind.name for kind in shipped_kinds()]


def kind_of(name: str) -> Kind:
    kind = shipped_kinds().get(name)
    assert kind is not None
    return kind


def filled(name: str, values: Mapping[str, Value]) -> Filling:
    return Filling(kind_of(name), Draft(RecordId(bytes(16)), name, None, dict(values), dict(values), 0, 0), {})


def asked_values(name: str) -> dict[str, Value]:
    kind = kind_of(name)
    return {field: value for field, value in EXAMPLES[name].items() if is_asked(kind.fields[field])}


def inputs_of(filling: Filling) -> list[Input]:
    return [each for _, _, inputs in filling.sections() for each in inputs]


def to_the_minute(value: Value) -> Value:
    """A browser's clock field has no seconds: what was not touched is not read back at all."""
    match value:
        case str() if moment_ms(value) is not None:
            return shown_moment(value)
        case dict():
            return {name: to_the_minute(each) for name, each in value.items()}
        case list():
            # A set has no order: boxes come back in that of the options.
            plain = [to_the_minute(each) for each in value]
            return sorted(plain, key=str)
        case _:
            return value


@pytest.mark.parametrize("name", KINDS)
def test_a_form_asks_each_field_once(name: str) -> None:
    asked = [field.name for section in sections_of(kind_of(name)) for field in section.fields]

    assert sorted(asked) == sorted(field.name for field in kind_of(name).fields.values() if is_asked(field))


@pytest.mark.parametrize("name", KINDS)
def test_a_form_that_comes_back_as_it_was_shown_changes_nothing(name: str) -> None:
    filling = filled(name, asked_values(name))
    pairs = [pair for each in inputs_of(filling) for pair in each.pairs()]

    changes = filling.changes([each.path for each in inputs_of(filling)], Sent(pairs), ME)

    assert not changes


@pytest.mark.parametrize("name", KINDS)
def test_what_a_form_shows_of_a_record_is_read_as_what_the_record_says(name: str) -> None:
    kind, values = kind_of(name), asked_values(name)

    for field, value in values.items():
        of = kind.fields[field]
        if not is_readable(of):
            continue
        change = change_of(of, Sent(Maker({}).of_field(of, value).pairs()), ME)

        read = list(change.elements) if isinstance(change, Add) else change
        assert not isinstance(read, Remove | Count)
        assert to_the_minute(read) == to_the_minute(value), field
        assert check_value(of, read) is None, field


def is_readable(field: Field) -> bool:
    # A boundary is drawn on a map, not typed; it is shown as it is.
    return type(field.type).__name__ not in ("Shape", "Line")


@pytest.mark.parametrize(
    ("kind", "field", "typed", "said"),
    [
        ("mediation", "amount", "很多", "“涉案金额（元）”请填数字"),
        ("household_visit", "satisfaction", "九", "“居民满意度”请填整数。"),
        ("incident", "point", "桥边", "“位置”的位置无效"),
    ],
)
def test_what_cannot_be_read_is_kept_as_typed_and_named_with_its_reason(
    kind: str, field: str, typed: str, said: str
) -> None:
    of = kind_of(kind).fields[field]

    kept = change_of(of, Sent([(field, typed)]), ME)

    assert kept == typed
    assert Maker({}).of_field(of, typed).text == typed
    wrong = check_value(of, typed)
    assert wrong is not None
    assert said in wrong.text.zh


def test_a_moment_that_nobody_touched_keeps_its_seconds() -> None:
    said = "2026-11-22T09:10:37+08:00"
    filling = filled("household_visit", {"started_at": said})

    changes = filling.changes(["started_at"], Sent([("started_at", shown_moment(said))]), ME)

    assert not changes
    assert isinstance(kind_of("household_visit").fields["started_at"].type, Moment)


def test_a_consent_to_nothing_is_an_answer() -> None:
    of = kind_of("household_visit").fields["consent"]

    assert change_of(of, Sent([("consent.informed", "no")]), ME) == {"informed": False, "scope": []}
