"""COUNTER: the sum of everything that anybody counted. Nothing supersedes a count."""

from __future__ import annotations

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field
from gridlog_protocol.ops import Action
from gridlog_protocol.state import Head

from .base import Rule, Severity


class Counter(Rule):
    """Each op adds its number once, by its id."""

    def actions(self, field: Field) -> frozenset[Action]:
        """Take counts."""
        del field
        return frozenset({Action.COUNT})

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Show the sum."""
        del field
        return sum(head.value for head in heads if isinstance(head.value, int))

    def conflict(self, heads: tuple[Head, ...]) -> Severity | None:
        """Find nothing: counts never contradict each other."""
        del heads
        return None
