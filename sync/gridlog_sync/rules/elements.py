"""AWSET and APPEND: collections whose elements live and merge by themselves.

A removal takes away only the additions that its author had seen: a concurrent addition wins. APPEND takes no
removals, and the first writer of an element's id stands.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar, Final

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field, Merge, element_key, element_of
from gridlog_protocol.ops import Action
from gridlog_protocol.state import Cell, Head

from .base import Before, Rule, Severity, Step, differ


class AddWinsSet(Rule):
    """The elements that have an addition which no removal saw."""

    def actions(self, field: Field) -> frozenset[Action]:
        """Take additions and removals."""
        del field
        return frozenset({Action.ADD, Action.REMOVE})

    def steps(self, field: Field, value: Value, before: Before) -> list[Step]:
        """Add what is new or other, and take out what is gone."""
        if value is None:
            value = []
        if not isinstance(value, list):
            return super().steps(field, value, before)
        old = keyed(field, before.shown if isinstance(before.shown, list) else [])
        new = keyed(field, value)
        added: list[Step] = [(Action.ADD, *added_element(field, new[key])) for key in new if old.get(key) != new[key]]
        return added + self._removals(old.keys() - new.keys())

    def _removals(self, gone: Collection[str]) -> list[Step]:
        return [(Action.REMOVE, key, None) for key in sorted(gone)]

    def show(self, field: Field, cells: Mapping[str, Cell]) -> Value:
        """List the elements by their key, so that every replica shows the same order."""
        standing = ((key, cell.heads) for key, cell in sorted(cells.items()) if cell.heads)
        return [element_of(field, key, self.pick(field, heads)) for key, heads in standing] or None

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Show the latest version of an element."""
        del field
        return heads[-1].value

    def conflict(self, field: Field, heads: tuple[Head, ...]) -> Severity | None:
        """Tell the authors whose version of an element is not shown."""
        del field
        return Severity.SOFT if differ(heads) else None


class AppendOnly(AddWinsSet):
    """Every element ever added, in the order of their stamps; an element never changes."""

    is_write_once: ClassVar[bool] = True

    def actions(self, field: Field) -> frozenset[Action]:
        """Take additions only."""
        del field
        return frozenset({Action.ADD})

    def steps(self, field: Field, value: Value, before: Before) -> list[Step]:
        """Add what is new. A list cannot be cleared: that is a step which the rule does not take."""
        return [(Action.SET, "", None)] if value is None else super().steps(field, value, before)

    def _removals(self, gone: Collection[str]) -> list[Step]:
        # What a form leaves out stays: nobody takes back what somebody has said.
        del gone
        return []

    def show(self, field: Field, cells: Mapping[str, Cell]) -> Value:
        """List the elements in the order of their stamps."""
        standing = sorted((cell.heads[0].order, key) for key, cell in cells.items() if cell.heads)
        return [element_of(field, key, self.pick(field, cells[key].heads)) for _, key in standing] or None

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Show what was written first under an element's id."""
        del field
        return heads[0].value


def keyed(field: Field, elements: Sequence[Value]) -> dict[str, Value]:
    """Return elements by their keys; a text stands for the element that it names."""
    return {each if isinstance(each, str) else element_key(field, each): each for each in elements}


def added_element(field: Field, element: Value) -> tuple[str, Value]:
    """Return the key and the value of the edit that adds an element."""
    return element_key(field, element), element if isinstance(element, dict) else None


RULES: Final = {Merge.AWSET: AddWinsSet(), Merge.APPEND: AppendOnly()}
