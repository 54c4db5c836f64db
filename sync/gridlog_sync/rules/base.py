"""What a merge rule is: which edits it takes, what it shows of the surviving heads, what it calls a conflict."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field
from gridlog_protocol.ops import Action
from gridlog_protocol.state import Cell, Head


class Severity(StrEnum):
    """How a conflict is treated."""

    SOFT = "soft"
    """The rule picked a value; the author of the other is told, and can put his back."""
    HARD = "hard"
    """A person has to decide."""


class Rule:
    """A register by default: one value in each cell. Rules override what differs."""

    is_offered: ClassVar[bool] = True
    is_write_once: ClassVar[bool] = False

    def actions(self, field: Field) -> frozenset[Action]:
        """Return the edits that this rule takes for `field`."""
        del field
        return frozenset({Action.SET})

    def show(self, field: Field, cells: Mapping[str, Cell]) -> Value:
        """Return the field's value: of its one cell, or of each key for a map. None if nothing is there."""
        if not field.has_elements:
            heads = cells[""].heads if "" in cells else ()
            return self.pick(field, heads) if heads else None
        shown = {key: self.pick(field, cell.heads) for key, cell in sorted(cells.items()) if cell.heads}
        return shown or None

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Return what one cell shows; `heads` is not empty and in order, latest stamp last."""
        raise NotImplementedError

    def conflict(self, heads: tuple[Head, ...]) -> Severity | None:
        """Say whether the heads of one cell contradict each other."""
        raise NotImplementedError


def differ(heads: tuple[Head, ...]) -> bool:
    """Tell whether concurrent heads say different things."""
    return any(head.value != heads[0].value for head in heads[1:])
