"""What a merge rule is: the edits it takes, how a form becomes edits, what it shows, what it calls a conflict."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, TypeAlias

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field, MapOf, Violation, check_delta, check_element, check_value
from gridlog_protocol.ops import Action, Edit
from gridlog_protocol.state import Cell, Head

Step: TypeAlias = tuple[Action, str, Value]
"""One edit of a known field: what it does, to which element, and the value."""

NO_ROUNDS: Mapping[str, int] = MappingProxyType({})


class Severity(StrEnum):
    """How a conflict is treated."""

    SOFT = "soft"
    """The rule picked a value; the author of the other is told, and can put his back."""
    HARD = "hard"
    """A person has to decide."""


@dataclass(frozen=True, slots=True)
class Before:
    """What a form showed of a field when it was opened.

    `rounds` counts, by element key, how often a workflow had gone back. While a field `is_undecided`, writing what it
    shows already is how somebody decides for it.
    """

    shown: Value = None
    rounds: Mapping[str, int] = field(default_factory=lambda: NO_ROUNDS)
    is_undecided: bool = False


class Rule(ABC):
    """A register by default: one value in each cell. Rules override what differs."""

    is_write_once: ClassVar[bool] = False

    def actions(self, field: Field) -> frozenset[Action]:
        """Return the edits that this rule takes for `field`."""
        del field
        return frozenset({Action.SET})

    def steps(self, field: Field, value: Value, before: Before) -> list[Step]:
        """Return the steps that bring the field from what the form showed to `value`."""
        if isinstance(field.type, MapOf) and isinstance(value, dict):
            old = before.shown if isinstance(before.shown, dict) else {}
            changed = ((key, each) for key, each in value.items() if before.is_undecided or old.get(key) != each)
            return [(Action.SET, key, each) for key, each in changed]
        return [(Action.SET, "", value)] if before.is_undecided or value != before.shown else []

    def fault(self, field: Field, edit: Edit) -> Violation | None:
        """Say which rule of its field an edit's value breaks, if any."""
        match edit.action:
            case Action.SET if edit.key == "" and not field.has_elements:
                return check_value(field, edit.value)
            case Action.SET | Action.ADD:
                return check_element(field, edit.key, edit.value)
            case Action.COUNT:
                return check_delta(field, edit.value)
            case Action.REMOVE:
                return None

    def show(self, field: Field, cells: Mapping[str, Cell]) -> Value:
        """Return the field's value: of its one cell, or of each key for a map. None if nothing is there."""
        if not field.has_elements:
            heads = cells[""].heads if "" in cells else ()
            return self.pick(field, heads) if heads else None
        shown = {key: self.pick(field, cell.heads) for key, cell in sorted(cells.items()) if cell.heads}
        return shown or None

    def shows_as_said(self, field: Field) -> bool:
        """Tell whether a field of one cell with one head shows that head's value, and has no rounds."""
        del field
        return False

    def rounds(self, field: Field, cells: Mapping[str, Cell]) -> Mapping[str, int]:
        """Return, by element key, how often a workflow has gone back. Most fields have none."""
        del field, cells
        return NO_ROUNDS

    @abstractmethod
    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Return what one cell shows; `heads` is not empty and in order, latest stamp last."""

    @abstractmethod
    def conflict(self, field: Field, heads: tuple[Head, ...]) -> Severity | None:
        """Say whether the heads of one cell contradict each other; there are two at least."""


def differ(heads: tuple[Head, ...]) -> bool:
    """Tell whether concurrent heads say different things."""
    return any(head.value != heads[0].value for head in heads[1:])
