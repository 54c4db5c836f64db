"""Merge rules, one module each. A rule reads the surviving heads; it never decides which survive."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gridlog_protocol.kinds import Field, Merge

from .base import Rule, Severity
from .counter import Counter
from .elements import AddWinsSet, AppendOnly
from .extreme import Extreme
from .multi_value import MultiValue, Unknown
from .register import FirstWriter, LastWriter, NotOfferedYet, ServerOnly

RULES: Mapping[Merge, Rule] = MappingProxyType(
    {
        Merge.IMMUT: FirstWriter(),
        Merge.LWW: LastWriter(),
        Merge.MV: MultiValue(),
        Merge.AWSET: AddWinsSet(),
        Merge.APPEND: AppendOnly(),
        Merge.COUNTER: Counter(),
        Merge.MAX: Extreme(upwards=True),
        Merge.MIN: Extreme(upwards=False),
        Merge.SERVER: ServerOnly(),
        Merge.DERIVED: ServerOnly(),
        Merge.RANK: NotOfferedYet(),
    }
)
UNKNOWN = Unknown()


def rule_of(field: Field | None) -> Rule:
    """Return the rule of a field, or the one that keeps everything if this replica does not know the field."""
    return RULES[field.merge] if field else UNKNOWN


__all__ = ["RULES", "UNKNOWN", "Rule", "Severity", "rule_of"]
