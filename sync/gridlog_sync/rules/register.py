"""LWW: the latest stamp is shown; whoever lost is told. IMMUT, SERVER and DERIVED differ in who writes, and when."""

from __future__ import annotations

from typing import ClassVar, Final

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field, Merge
from gridlog_protocol.state import Head

from .base import Rule, Severity, differ


class LastWriter(Rule):
    """The latest stamp is shown. The losers stay as heads until somebody writes who has seen them."""

    def shows_as_said(self, field: Field) -> bool:
        """Show what was said, unless elements are shown together."""
        return not field.has_elements

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Show the latest."""
        del field
        return heads[-1].value

    def conflict(self, field: Field, heads: tuple[Head, ...]) -> Severity | None:
        """Tell the authors whose value is not shown."""
        del field
        return Severity.SOFT if differ(heads) else None


class FirstWriter(LastWriter):
    """IMMUT: set once. If two set it without knowing, the earliest stamp stands."""

    is_write_once: ClassVar[bool] = True

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Show the earliest."""
        del field
        return heads[0].value


class ServerOnly(LastWriter):
    """SERVER: only the server writes; what a device would change is held."""


RULES: Final = {
    Merge.LWW: LastWriter(),
    Merge.IMMUT: FirstWriter(),
    Merge.SERVER: ServerOnly(),
    Merge.DERIVED: ServerOnly(),
}
