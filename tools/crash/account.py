"""What a store holds and what opens it, and whether that is what was promised. Pure.

The rule: what stands on the disk is the last promise, or in the middle of a step the next one, and never a mixture.
What the store knows (ops, records) is one half, the keys (what opens the store, its incarnation) the other: a step
may change both, one after the other, but each of them is old or new as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, cast


class Stand(Enum):
    """What there is in the store's directory."""

    OPEN = "open"
    """A store that opens."""
    MISSING = "missing"
    """None, or one that `make` has not finished and will finish."""
    WIPED = "wiped"
    """The mark of one that was wiped; nothing opens it."""


@dataclass(frozen=True, slots=True)
class Account:
    """A store, described so that two can be compared.

    `facts` are digests of all that the store knows, `ops` those of the ops that wait, `shown` one of the records as
    the screen shows them; `opens` names the credentials that open it, `attempts` counts wrong PINs, `identity` is a
    digest of its keys.
    """

    stand: Stand
    facts: tuple[str, ...] = ()
    ops: tuple[str, ...] = ()
    shown: str = ""
    opens: frozenset[str] = frozenset()
    attempts: int = 0
    incarnation: str = ""
    identity: str = ""

    @property
    def journal(self) -> tuple[object, ...]:
        """The half that journal and snapshot say."""
        return self.facts, self.ops, self.shown

    @property
    def keys(self) -> tuple[object, ...]:
        """The half that the key file says, but for the attempts."""
        return self.opens, self.incarnation, self.identity

    def said(self) -> dict[str, object]:
        """Return it as JSON can carry it."""
        return {
            "stand": self.stand.value,
            "facts": [*self.facts],
            "ops": [*self.ops],
            "shown": self.shown,
            "opens": sorted(self.opens),
            "attempts": self.attempts,
            "incarnation": self.incarnation,
            "identity": self.identity,
        }

    @classmethod
    def of(cls, said: dict[str, object]) -> Account:
        """Read what `said` wrote."""
        return cls(
            Stand(said["stand"]),
            tuple(cast("list[str]", said["facts"])),
            tuple(cast("list[str]", said["ops"])),
            str(said["shown"]),
            frozenset(cast("list[str]", said["opens"])),
            cast("int", said["attempts"]),
            str(said["incarnation"]),
            str(said["identity"]),
        )


class Harm(Enum):
    """What a broken promise cost."""

    LOST = "lost"
    """Acknowledged, and not there."""
    CORRUPT = "corrupt"
    """Anything else: half of a step, a store that does not open, one that opens though it must not."""


class Finding(NamedTuple):
    """A broken promise."""

    harm: Harm
    text: str


def judged(found: Account | str, promised: Account, coming: Account | None) -> Finding | None:
    """Compare what a disk holds with the last promise, and with the `coming` one if a step towards it had begun.

    `found` is a sentence if the store could not be described. Returns None if all is well.
    """
    if isinstance(found, str):
        return Finding(Harm.CORRUPT, found)
    allowed = [promised, coming] if coming is not None else [promised]
    if found.stand is not Stand.OPEN:
        return _judged_shut(found.stand, allowed)
    allowed = [each for each in allowed if each.stand is Stand.OPEN]
    if not allowed:
        return Finding(Harm.CORRUPT, f"it opens, though it is {promised.stand.value}")
    if all(found.journal != each.journal for each in allowed):
        is_lost = not {*promised.facts} <= {*found.facts} or not {*promised.ops} <= {*found.ops}
        sizes = " or ".join(f"{len(each.facts)} facts and {len(each.ops)} ops" for each in allowed)
        text = f"{len(found.facts)} facts and {len(found.ops)} ops, or others, where {sizes} are promised"
        return Finding(Harm.LOST if is_lost else Harm.CORRUPT, text)
    return _judged_keys(found, promised, allowed)


def _judged_shut(stand: Stand, allowed: Sequence[Account]) -> Finding | None:
    if any(each.stand is stand for each in allowed):
        return None
    promised = allowed[0].stand
    if stand is Stand.MISSING and promised is Stand.WIPED and len(allowed) > 1:
        # A new store is being made where one was wiped: the mark has given way, and `make` finishes it.
        return None
    return Finding(Harm.LOST if promised is Stand.OPEN else Harm.CORRUPT, f"it is {stand.value}")


def _judged_keys(found: Account, promised: Account, allowed: Sequence[Account]) -> Finding | None:
    alike = [each for each in allowed if each.keys == found.keys]
    if not alike:
        opens = ", ".join(sorted(found.opens)) or "nothing"
        if promised.opens <= found.opens:
            return Finding(Harm.CORRUPT, f"opened by {opens}; incarnation {found.incarnation}")
        return Finding(Harm.LOST, f"opened by {opens}, where {', '.join(sorted(promised.opens))} must open it")
    least = min(each.attempts for each in alike)
    # An attempt is counted before it is tried, and taken back after it proved right.
    most = max(each.attempts for each in allowed) + (len(allowed) > 1)
    if found.attempts < least:
        return Finding(Harm.LOST, f"{found.attempts} wrong PINs are counted of {least}")
    if found.attempts > most:
        return Finding(Harm.CORRUPT, f"{found.attempts} wrong PINs are counted, where there were {most}")
    return None
