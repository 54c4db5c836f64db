"""Merge rules, one module a family. A rule reads the surviving heads; it never decides which survive.

A module of this package that has `RULES` is found by itself: a new rule is one new file here.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from types import MappingProxyType

from gridlog_protocol.kinds import Field, Merge

from .base import NO_ROUNDS, Before, Rule, Severity, Step
from .multi_value import Unknown


def _found() -> dict[Merge, Rule]:
    rules: dict[Merge, Rule] = {}
    for module in sorted(each.name for each in iter_modules(__path__)):
        offered: Mapping[Merge, Rule] = getattr(import_module(f"{__name__}.{module}"), "RULES", {})
        twice = rules.keys() & offered.keys()
        assert not twice, f"two rules for {twice}"
        rules |= offered
    return rules


RULES: Mapping[Merge, Rule] = MappingProxyType(_found())
UNKNOWN = Unknown()


def rule_of(field: Field | None) -> Rule:
    """Return the rule of a field, or the one that keeps everything if this replica does not know the field."""
    return RULES[field.merge] if field else UNKNOWN


__all__ = ["NO_ROUNDS", "RULES", "UNKNOWN", "Before", "Rule", "Severity", "Step", "rule_of"]
