"""MV: all concurrent values are kept; a person picks one or merges them."""

from __future__ import annotations

from typing import Final

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field, Merge
from gridlog_protocol.ops import Action
from gridlog_protocol.state import Head

from .base import Rule, Severity, differ


class MultiValue(Rule):
    """The latest stamp is shown first, and the conflict with it, until somebody decides."""

    def shows_as_said(self, field: Field) -> bool:
        """Show what was said, unless elements are shown together."""
        return not field.has_elements

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Show the latest."""
        del field
        return heads[-1].value

    def conflict(self, field: Field, heads: tuple[Head, ...]) -> Severity | None:
        """Ask a person."""
        del field
        return Severity.HARD if differ(heads) else None


class Unknown(MultiValue):
    """A field that this replica's kind does not have: kept whole, shown, never judged."""

    def actions(self, field: Field) -> frozenset[Action]:
        """Take anything: a newer kind knows what it means."""
        del field
        return frozenset(Action)


RULES: Final = {Merge.MV: MultiValue()}
