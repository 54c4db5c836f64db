"""MAX and MIN: concurrent values join to the highest or lowest of them.

Only heads join: somebody who saw the value, and may write, can lower a maximum again.
"""

from __future__ import annotations

from typing import Final

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field, MapOf, Merge, SetOf, Struct, join
from gridlog_protocol.state import Head

from .base import Rule, Severity


class Extreme(Rule):
    """The join of the heads, upwards or downwards, in the order that the field's type declares."""

    def __init__(self, *, upwards: bool) -> None:
        self._upwards = upwards

    def shows_as_said(self, field: Field) -> bool:
        """Show what was said, unless a join gives it another form."""
        return not field.has_elements and not isinstance(field.type, (Struct, MapOf, SetOf))

    def pick(self, field: Field, heads: tuple[Head, ...]) -> Value:
        """Join the heads."""
        each = field.type.element if isinstance(field.type, MapOf) else field.type
        return join(each, [head.value for head in heads], upwards=self._upwards)

    def conflict(self, field: Field, heads: tuple[Head, ...]) -> Severity | None:
        """Find nothing: a join loses nothing that the rule wants kept."""
        del field, heads
        return None


RULES: Final = {Merge.MAX: Extreme(upwards=True), Merge.MIN: Extreme(upwards=False)}
