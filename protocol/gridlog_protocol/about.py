"""What a device says about itself beside its status: which program, which keys, how much room. All of it is optional.

It travels in a request's `extras`, and of it only what changed since the last answer, so that an exchange in which
nothing happened stays small. The server keeps the newest of each. Unknown names are kept too, and mean nothing yet.
"""

from __future__ import annotations

from collections.abc import Mapping

from .canonical import Value, pack
from .errors import ProtocolError
from .limits import ABOUT_BYTES_MAX, SCOPES_MAX
from .rows import Row

ABOUT = "about"
"""Request: what changed of the device's word about itself, a map."""

PROTOCOL = "protocol"
"""The highest version of the wire that it speaks."""
KINDS = "kinds"
"""The version of its record kinds: equal ones have equal names (`kinds.shipped_version`)."""
KEYS = "keys"
"""What opens its store, in alphabetical order: `badge`, `passphrase`, `pin`, `recovery`."""
WEAK = "weak"
"""Whether a copy of its files gives the store away: a PIN alone, or keys made for tests."""
FREE_MB = "free_mb"
"""Free storage, in MiB, rounded down to a power of two: so it seldom changes."""
BATTERY = "battery"
"""Charge in percent, in steps of ten."""
SCOPES = "scopes"
"""The scopes that its records are of."""
INCARNATION = "incarnation"
"""The incarnation of its store: an order names the one that it is for."""
ORDER = "order"
"""The highest counter of an order that it has carried out."""
REFUSED_ORDER = "refused_order"
"""Why it refused the last order that it refused: `old`, or `foreign`."""

_NAME_BYTES_MAX = 256
_PERCENT = 100


def changed_since(told: Mapping[str, Value], now: Mapping[str, Value]) -> dict[str, Value]:
    """Return what has to be told: what is new or other than what was told last."""
    return {name: value for name, value in now.items() if name not in told or told[name] != value}


def read_about(extras: Mapping[str, Value]) -> dict[str, Value]:
    """Return what a request says of its device, empty if nothing. Raises ProtocolError `malformed`."""
    if ABOUT not in extras:
        return {}
    said = Row([extras[ABOUT]], ABOUT).mapping()
    if len(pack(said)) > ABOUT_BYTES_MAX:
        raise ProtocolError("malformed", detail="about: above its limit")
    for name, value in said.items():
        _check(name, Row([value], f"about {name}"))
    return said


def _check(name: str, row: Row) -> None:
    match name:
        case "protocol" | "free_mb" | "order":
            row.whole()
        case "battery":
            row.whole(high=_PERCENT)
        case "kinds" | "refused_order":
            row.text(_NAME_BYTES_MAX)
        case "keys" | "scopes":
            for each in row.items(SCOPES_MAX):
                Row([each], name).text(_NAME_BYTES_MAX)
        case "weak":
            row.flag()
        case "incarnation":
            row.blob(8)
        case _:
            pass
