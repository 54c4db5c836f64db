"""AWSET and APPEND: collections whose elements live and merge by themselves.

A removal takes away only the additions that its author had seen: a concurrent addition wins. APPEND takes no
removals, and the first writer of an element's id stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field, element_of
from gridlog_protocol.ops import Action
from gridlog_protocol.state import Cell, Head

from .base import Rule, Severity, differ


class AddWinsSet(Rule):
    """The elements that have an addition which no removal saw."""

    def actions(self, field: Field) -> frozenset[Action]:
        """Take additions and removals."""
        del field
        return frozenset({Action.ADD, Action.REMOVE})

    def show(self, field: Field, cells: Mapping[str, Cell]) -> Value:
        """List the elements by their key, so that every replica shows the same order."""
        standing = ((key, cell.heads) for key, cell in sorted(cells.items()) if cell.heads)
        return [element_of(field, key, self.pick(field, heads)) for key, heads in standing] or None

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Show the latest version of an element."""
        del field
        return heads[-1].value

    def conflict(self, heads: tuple[Head, ...]) -> Severity | None:
        """Tell the authors whose version of an element is not shown."""
        return Severity.SOFT if differ(heads) else None


class AppendOnly(AddWinsSet):
    """Every element ever added, in the order of their stamps; an element never changes."""

    is_write_once: ClassVar[bool] = True

    def actions(self, field: Field) -> frozenset[Action]:
        """Take additions only."""
        del field
        return frozenset({Action.ADD})

    def show(self, field: Field, cells: Mapping[str, Cell]) -> Value:
        """List the elements in the order of their stamps."""
        standing = sorted((cell.heads[0].order, key) for key, cell in cells.items() if cell.heads)
        return [element_of(field, key, self.pick(field, cells[key].heads)) for _, key in standing] or None

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Show what was written first under an element's id."""
        del field
        return heads[0].value
