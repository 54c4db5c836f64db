"""COUNTER: the sum of everything that anybody counted. Nothing supersedes a count."""

from __future__ import annotations

from typing import Final

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field, Merge
from gridlog_protocol.ops import Action
from gridlog_protocol.state import Head

from .base import Before, Rule, Severity, Step


class Counter(Rule):
    """Each op adds its number once, by its id."""

    def actions(self, field: Field) -> frozenset[Action]:
        """Take counts."""
        del field
        return frozenset({Action.COUNT})

    def steps(self, field: Field, value: Value, before: Before) -> list[Step]:
        """Count the difference to what the form showed."""
        del field
        if isinstance(value, bool) or not isinstance(value, int):
            return [(Action.COUNT, "", value)]
        delta = value - (before.shown if isinstance(before.shown, int) else 0)
        return [(Action.COUNT, "", delta)] if delta else []

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Show the sum."""
        del field
        return sum(head.value for head in heads if isinstance(head.value, int))

    def conflict(self, field: Field, heads: tuple[Head, ...]) -> Severity | None:
        """Find nothing: counts never contradict each other."""
        del field, heads
        return None


RULES: Final = {Merge.COUNTER: Counter()}
