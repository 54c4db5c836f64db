"""RANK: the later step of a workflow wins inside one round, and going back opens a new round.

A cell's value is `[round, option]`, or `[round, option, true]` for an option that ends the work. Heads compare by
(round, rank of the option). Every forward step raises the rank and every step back, or to the same state, raises the
round, so a workflow with loops is still a join.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Final

from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.kinds import Choice, Field, MapOf, Merge, Option, Violation, check_element, check_value
from gridlog_protocol.limits import ROUNDS_MAX
from gridlog_protocol.ops import Action, Edit
from gridlog_protocol.state import Cell, Head

from .base import Before, Rule, Severity, Step


@dataclass(frozen=True, slots=True)
class _Stage:
    """Where a workflow stands. `rank` is -1 for an option that only a newer kind knows."""

    round: int
    rank: int
    option: Value
    is_negative: bool

    @property
    def place(self) -> tuple[int, int]:
        return self.round, self.rank


class Rank(Rule):
    """The furthest of the heads."""

    def steps(self, field: Field, value: Value, before: Before) -> list[Step]:
        """Name the round with each step: the form's, or the next one if this goes back."""
        if isinstance(field.type, MapOf) and isinstance(value, dict):
            shown = before.shown if isinstance(before.shown, dict) else {}
            wanted = {key: (shown.get(key), option) for key, option in value.items()}
        else:
            wanted = {"": (before.shown, value)}
        return [
            (Action.SET, key, _written(field, new, _next_round(field, old, new, before, key), key))
            for key, (old, new) in wanted.items()
            if before.is_undecided or new != old
        ]

    def fault(self, field: Field, edit: Edit) -> Violation | None:
        """Want a round and one of the options."""
        match edit.value:
            case [int(number), option, *_] if not isinstance(number, bool) and 0 <= number <= ROUNDS_MAX:
                # An app whose kind does not know yet that an option ends the work leaves the mark out.
                written = pack(_written(field, option, number, edit.key))
                named: Value = option if pack(edit.value) in (written, pack([number, option])) else None
            case _:
                named = None
        # Nothing is not an option, although fields that need not be filled in may be cleared otherwise.
        named = b"" if named is None else named
        if field.has_elements:
            return check_element(field, edit.key, named)
        return check_value(field, named)

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Show the furthest state; of siblings, the one with the latest stamp."""
        return self._furthest(field, heads).option

    def rounds(self, field: Field, cells: Mapping[str, Cell]) -> Mapping[str, int]:
        """Return the round of each state shown."""
        return {key: self._furthest(field, cell.heads).round for key, cell in cells.items() if cell.heads}

    def conflict(self, field: Field, heads: tuple[Head, ...]) -> Severity | None:
        """Ask a person about siblings, and about a step back or a negative end that did not know of the other."""
        stages = {(stage.round, str(stage.option)): stage for stage in (_stage(field, head) for head in heads)}
        are_opposed = any(_are_opposed(one, other) for one, other in combinations(stages.values(), 2))
        return Severity.HARD if are_opposed else None

    def _furthest(self, field: Field, heads: tuple[Head, ...]) -> _Stage:
        # `max` keeps the first of equals, and the latest stamp comes last.
        return max((_stage(field, head) for head in reversed(heads)), key=lambda stage: stage.place)


def _are_opposed(one: _Stage, other: _Stage) -> bool:
    return one.round != other.round or one.rank == other.rank or one.is_negative or other.is_negative


def _stage(field: Field, head: Head) -> _Stage:
    match head.value:
        case [int(number), str(name), *end]:
            option = _choice(field).option(name)
            return _Stage(number, option.rank if option else -1, name, is_negative=bool(end) and end[0] is True)
        case other:
            # Whatever a newer version may put here: it is shown, and stands behind all that we know.
            return _Stage(-1, -1, other, is_negative=False)


def _written(field: Field, option: Value, number: int, key: str) -> Value:
    named = _option(field, option)
    # Merging knows no kinds: a step says itself that it ends the record. That of an element ends none.
    return [number, option, True] if named and named.is_negative and not key else [number, option]


def _next_round(field: Field, old: Value, new: Value, before: Before, key: str) -> int:
    number = max(0, before.rounds.get(key, 0))
    if old is None:
        return number
    ranks = [option.rank if option else -1 for option in (_option(field, old), _option(field, new))]
    is_decision = before.is_undecided and ranks[0] == ranks[1]
    return number if ranks[0] < ranks[1] or is_decision else number + 1


def _option(field: Field, value: Value) -> Option | None:
    return _choice(field).option(value) if isinstance(value, str) else None


def _choice(field: Field) -> Choice:
    type_ = field.type.element if isinstance(field.type, MapOf) else field.type
    assert isinstance(type_, Choice), field.name
    return type_


RULES: Final = {Merge.RANK: Rank()}
