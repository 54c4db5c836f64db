"""What this device tells the server about itself: how much room it has, what opens its store, which program runs.

The rule it keeps: nothing here says what the worker wrote, where he is, or what else is on the phone. Numbers are
rounded so that they seldom change: each change is bytes on a bad link.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gridlog_protocol.about import BATTERY, FREE_MB, KEYS, KINDS, PROTOCOL, WEAK
from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import shipped_version
from gridlog_protocol.versions import SPOKEN

from .vault import Vault

_POWER_SUPPLIES = Path("/sys/class/power_supply")
_STEP_PERCENT = 10


def facts_of(vault: Vault, *, battery: Callable[[], int | None] | None = None) -> dict[str, Value]:
    """Return what the device knows of itself without its records; what cannot be known is left out."""
    facts: dict[str, Value] = {
        PROTOCOL: SPOKEN[-1],
        KINDS: shipped_version(),
        KEYS: [*sorted(each.name.lower() for each in vault.slots)],
        WEAK: vault.has_plain_pin or vault.is_weak,
    }
    with suppress(OSError):
        free_mb = shutil.disk_usage(vault.directory).free >> 20
        facts[FREE_MB] = 1 << (free_mb.bit_length() - 1) if free_mb else 0
    percent = (battery or battery_percent)()
    if percent is not None:
        facts[BATTERY] = percent - percent % _STEP_PERCENT
    return facts


def battery_percent(supplies: Path = _POWER_SUPPLIES) -> int | None:
    """Return the charge of the first battery that the system names, in percent; None if there is none."""
    with suppress(OSError, ValueError):
        for each in sorted(supplies.glob("*/capacity")):
            return min(100, max(0, int(each.read_text(encoding="ascii"))))
    return None
