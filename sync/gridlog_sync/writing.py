"""From the values a worker wants to see to the edits that say so.

The rule it keeps: a form says what the record should look like; what travels is only what the worker changed. So two
people who each add a photo never overwrite each other's list.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field, Kind, Merge, Violation, check_value
from gridlog_protocol.ops import Action, Edit
from gridlog_protocol.texts import Text

from .rules import NO_ROUNDS, Before, Step, rule_of
from .rules.elements import added_element, keyed


@dataclass(frozen=True, slots=True)
class Add:
    """Put elements into a set or list, whatever else is in it."""

    elements: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Remove:
    """Take elements out of a set, by their value or, for structured ones, their id."""

    elements: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """Add a number to a counter."""

    number: int


Change: TypeAlias = "Value | Add | Remove | Count"


_REFUSALS = {
    "server_decides": Text("由后台填写，不能在这里修改。", "is filled in by the office and cannot be changed here."),
    "wrong_change": Text("不能这样修改。", "cannot be changed in this way."),
    "immutable": Text("登记后不能再改。", "cannot be changed once it is written."),
}


class InvalidRecordError(ValueError):
    """A value breaks a rule of its field. `violations` names each field, the rule and what to do."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        self.violations = tuple(violations)
        self.text = Text(
            "；".join(each.text.zh for each in violations),
            " ".join(each.text.en for each in violations),
        )
        super().__init__(self.text.en)


def edits_for(
    kind: Kind,
    changes: Mapping[str, Change],
    *,
    shown: Mapping[str, Value],
    is_creation: bool,
    undecided: Collection[str] = (),
    rounds: Mapping[str, Mapping[str, int]] | None = None,
) -> tuple[Edit, ...]:
    """Return the edits that bring a record from what it shows to what `changes` says.

    A plain value is what the field shall show; `Add`, `Remove` and `Count` change a collection or counter without
    saying what else is in it. Fields that are `undecided` (in conflict) are written even if they show the value
    already: that is how somebody decides for it. `rounds` has those of the workflow fields shown (`rounds_of`). Edits
    of fields that the server decides are proposals, and go into an op of their own. Raises InvalidRecordError, which
    names every wrong field at once.
    """
    edits: list[Edit] = []
    violations: list[Violation] = []
    for name, change in changes.items():
        field = kind.fields.get(name)
        refused = _refused(name, field, shown, is_creation=is_creation)
        if field is None or refused:
            violations += [refused] if refused else []
            continue
        nameless = _nameless(field, change)
        if nameless:
            violations.append(nameless)
            continue
        before = Before(shown.get(name), (rounds or {}).get(name, NO_ROUNDS), name in undecided)
        for action, key, value in _steps(field, change, before):
            edit = Edit(name, action, key, value, field.sensitivity.digest_class)
            wrong = _wrong_step(edit, field, shown.get(name))
            violations += [wrong] if wrong else []
            edits.append(edit)
    if violations:
        raise InvalidRecordError(violations)
    return tuple(edits)


def is_proposable(field: Field) -> bool:
    """Tell whether a device may propose values for a field that the server decides."""
    return field.merge is Merge.SERVER and not field.from_op


def steps_to(field: Field, value: Value) -> list[Step]:
    """Return the (action, key, value) steps that fill an empty field with `value`."""
    return rule_of(field).steps(field, value, Before())


def _refused(name: str, field: Field | None, shown: Mapping[str, Value], *, is_creation: bool) -> Violation | None:
    if field is None:
        zh, en = f"没有“{name}”这一项。", f'There is no field "{name}".'
        return Violation(name, "unknown_field", Text(zh, en))
    rule = rule_of(field)
    code = None
    if field.from_op or field.merge is Merge.DERIVED:
        code = "server_decides"
    elif rule.is_write_once and not is_creation and not field.has_elements and name in shown:
        code = "immutable"
    return _refusal(field, code) if code else None


def _refusal(field: Field, code: str) -> Violation:
    says, label = _REFUSALS[code], field.label
    return Violation(field.name, code, Text(f"“{label.zh}”{says.zh}", f"“{label.en}” {says.en}"))


def _wrong_step(edit: Edit, field: Field, shown: Value) -> Violation | None:
    rule = rule_of(field)
    # What is refused here, the server would hold: the worker learns of it while the form is still open.
    if edit.action is not Action.SET and edit.action not in rule.actions(field):
        return _refusal(field, "wrong_change")
    is_shown = edit.action is Action.ADD and isinstance(shown, list) and edit.key in keyed(field, shown)
    if rule.is_write_once and is_shown:
        return _refusal(field, "immutable")
    return rule.fault(field, edit)


def _nameless(field: Field, change: Change) -> Violation | None:
    """Say what is wrong with the first element that has no key, so that no edit could name it."""
    match change:
        case Add(elements) | Remove(elements):
            named: Sequence[Value] = elements
        case list() if field.merge in (Merge.AWSET, Merge.APPEND):
            named = change
        case _:
            return None
    nameless = [each for each in named if not _has_key(each)]
    if not nameless:
        return None
    return check_value(field, [nameless[0]]) or _refusal(field, "wrong_change")


def _has_key(element: Value) -> bool:
    name = element.get("id") if isinstance(element, dict) else element
    return isinstance(name, str) or (isinstance(name, bytes) and not isinstance(element, dict))


def _steps(field: Field, change: Change, before: Before) -> list[Step]:
    match change:
        case Add(elements):
            added = dict(added_element(field, each) for each in elements)
            return [(Action.ADD, key, each) for key, each in added.items()]
        case Remove(elements):
            return [(Action.REMOVE, key, None) for key in keyed(field, elements)]
        case Count(number):
            return [(Action.COUNT, "", number)]
        case _:
            return rule_of(field).steps(field, change, before)
