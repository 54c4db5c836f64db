"""What a field can hold: the shapes of values, without the rules that judge or join them.

Frozen data only. Every value is canonical msgpack, so there are no floats: a place is two integers in units of
1e-5 degrees, an amount is decimal text, a moment is ISO 8601 text with its offset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from gridlog_protocol.texts import Text

Scalar: TypeAlias = bool | int | str

CODE_CHARACTERS_MAX = 64
LATITUDE_MAX = 90 * 100_000
LONGITUDE_MAX = 180 * 100_000


@dataclass(frozen=True, slots=True)
class Words:
    """Text that a person writes. Kept exactly as written; limits count characters, not bytes."""

    characters_min: int = 0
    characters_max: int = 2000
    pattern: str | None = None
    hint: Text | None = None
    """What to write instead, when `pattern` does not match."""
    forbid: tuple[str, ...] = ()
    """Names of patterns that must not occur, e.g. `id_number`."""


@dataclass(frozen=True, slots=True)
class Code:
    """A short token, chosen from a dictionary that the site keeps rather than from this file."""

    characters_min: int = 1
    characters_max: int = CODE_CHARACTERS_MAX
    pattern: str | None = None
    hint: Text | None = None
    dictionary: str | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One answer of a choice. Options of equal `rank` are siblings: neither comes after the other.

    One that `is_negative` ends a record's work without its result: cancelled, refused, void.
    """

    value: str
    label: Text
    rank: int
    is_negative: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few answers, declared from low to high: MAX and MIN join by that order."""

    options: tuple[Option, ...]

    def option(self, value: str) -> Option | None:
        """Return the option with this value."""
        return next((option for option in self.options if option.value == value), None)

    def place(self, value: str) -> int | None:
        """Return where the value stands in the declared order, from 0."""
        places = (place for place, option in enumerate(self.options) if option.value == value)
        return next(places, None)


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number between two limits, both included."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Amount:
    """A decimal number as text with exactly `scale` decimals, e.g. `1234.50`: one number, one text."""

    digits: int
    scale: int
    minimum: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A date and time with seconds and offset, e.g. `2026-11-22T09:10:00+08:00`."""

    ahead_minutes_max: int | None = None
    """How far after now it may lie: a phone's clock runs a little fast."""
    past_days_max: int | None = None
    """How long ago it may lie; older needs a comment on the record that says why."""


@dataclass(frozen=True, slots=True)
class Day:
    """A date, e.g. `2026-11-22`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """16 bytes that name a thing."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of something else: 16 bytes, or the code that people know it by."""

    to: str
    form: Literal["identity", "code"]
    name_characters_max: int | None = None
    """If given, a plain name will do for somebody who has no account."""


@dataclass(frozen=True, slots=True)
class Point:
    """A place: `[latitude, longitude]` in units of 1e-5 degrees, about a metre."""


@dataclass(frozen=True, slots=True)
class Line:
    """A path: a list of points."""

    points_max: int


@dataclass(frozen=True, slots=True)
class Shape:
    """A GeoJSON polygon. Its positions are `[longitude, latitude]`, as GeoJSON has them, in 1e-5 degrees."""

    points_max: int


@dataclass(frozen=True, slots=True)
class Digest32:
    """32 bytes: the SHA-256 of something."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that a value is or is not. With only a path: that it is filled in."""

    path: str
    """A field, or `field.member`; in a struct's own checks, a member."""
    one_of: tuple[Scalar, ...] = ()
    contains: str | None = None
    at_least: int | None = None
    at_most: int | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One time does not come before another, nor too long after it."""

    first: str
    then: str
    text: Text
    is_strict: bool = False
    minutes_max: int | None = None


@dataclass(frozen=True, slots=True)
class Needs:
    """When any condition of `when` holds, `needs` must hold too."""

    when: tuple[Condition, ...]
    needs: Condition
    text: Text
    is_one_way: bool = False
    """The needed field may always change, whatever it leaves behind: nobody is refused a withdrawal."""


Check: TypeAlias = Order | Needs


@dataclass(frozen=True, slots=True)
class Member:
    """One named part of a struct."""

    label: Text
    type: ValueType
    is_required: bool = False
    is_evidence: bool = False
    """In a join, evidence is not joined: it goes with the value that decided."""


@dataclass(frozen=True, slots=True)
class Struct:
    """A few named values that belong together."""

    members: Mapping[str, Member]
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class SetOf:
    """Elements without order, each at most once."""

    element: ValueType
    items_max: int


@dataclass(frozen=True, slots=True)
class ListOf:
    """Structs in the order they were written, each with its own `id`."""

    element: Struct
    items_max: int


@dataclass(frozen=True, slots=True)
class MapOf:
    """Values by key; each key merges by itself."""

    element: ValueType
    items_max: int


ValueType: TypeAlias = (
    Words
    | Code
    | Choice
    | Flag
    | Whole
    | Amount
    | Moment
    | Day
    | Identity
    | Reference
    | Point
    | Line
    | Shape
    | Digest32
    | Struct
    | SetOf
    | ListOf
    | MapOf
)
