"""What a record kind is: its fields, and for each who may read it, how it merges, and why.

Frozen data only; `loading` makes it from a file, `validation` and `joining` read it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds.value_types import Check, MapOf, Scalar, ValueType
from gridlog_protocol.texts import Text


class Sensitivity(StrEnum):
    """How much harm a value does in the wrong hands."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PERSONAL = "personal"
    SENSITIVE = "sensitive"

    @property
    def is_committed(self) -> bool:
        """Tell whether values travel behind salted commitments, so that they can be erased."""
        return self.digest_class > 0

    @property
    def digest_class(self) -> int:
        """The class under which content digests count the field: who may not read it can leave it out."""
        return {Sensitivity.PERSONAL: 1, Sensitivity.SENSITIVE: 2}.get(self, 0)


class Merge(StrEnum):
    """What becomes of edits that did not know of each other."""

    IMMUT = "IMMUT"
    LWW = "LWW"
    MV = "MV"
    AWSET = "AWSET"
    APPEND = "APPEND"
    COUNTER = "COUNTER"
    RANK = "RANK"
    MAX = "MAX"
    MIN = "MIN"
    SERVER = "SERVER"
    DERIVED = "DERIVED"


class Required(StrEnum):
    """Whether a record can do without the field."""

    YES = "yes"
    NO = "no"
    CONDITIONAL = "conditional"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class RequiredWhen:
    """When a conditional field must be filled in: everything given here has to hold."""

    field: str | None = None
    values: tuple[Scalar, ...] = ()
    """`field` is one of these; if empty, it is filled in."""
    steps: tuple[str, ...] = ()
    """Wanted on entering one of these states of the record; `submit` is handing it in for review."""
    guard: str | None = None
    """A condition that the record alone cannot answer. The workflow knows it by this name."""
    items_min: int = 1


@dataclass(frozen=True, slots=True)
class Field:
    """One fact of a record."""

    name: str
    label: Text
    type: ValueType
    required: Required
    sensitivity: Sensitivity
    merge: Merge
    why: str
    required_when: RequiredWhen | None = None
    default: Value = None
    """What a record has that does not say; a device need not write it."""
    from_op: bool = False
    """Read from the header of the op that created the record; never edited."""
    is_masked: bool = False
    """Lists show only part of it."""
    has_elements: bool = field(init=False)
    """Edits name one element, rather than replace the whole value."""

    def __post_init__(self) -> None:
        # Asked for each value that is shown: worked out once.
        has_elements = self.merge in (Merge.AWSET, Merge.APPEND) or isinstance(self.type, MapOf)
        object.__setattr__(self, "has_elements", has_elements)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The fields that every record has."""

    version: int
    fields: Mapping[str, Field]
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of record. `fields` has the envelope's fields first, then its own."""

    name: str
    version: int
    label: Text
    fields: Mapping[str, Field]
    checks: tuple[Check, ...]
    title_fields: tuple[str, ...]
    """What a line of a list shows."""
    scope_field: str
    """The field whose value says which devices may hold the record; empty for reference data, which all may."""
    is_urgent: bool = False
    """Goes down to devices ahead of its turn when an answer must be cut."""

    def required_at_creation(self) -> tuple[Field, ...]:
        """Return the fields that whoever creates a record must give."""
        return tuple(field for field in self.fields.values() if _is_given(field))


class KindSet:
    """The kinds that a site uses. Immutable; a kind that nobody asks for need not even be read."""

    __slots__ = ("_kinds",)

    def __init__(self, kinds: tuple[Kind, ...] | Mapping[str, Kind] = ()) -> None:
        listed = {kind.name: kind for kind in kinds} if isinstance(kinds, tuple) else kinds
        self._kinds = MappingProxyType(listed)

    def get(self, name: str) -> Kind | None:
        """Return the kind of this name."""
        return self._kinds.get(name)

    def urgent(self) -> frozenset[str]:
        """Return the names of the kinds that go ahead of their turn."""
        return frozenset(kind.name for kind in self if kind.is_urgent)

    def with_kind(self, kind: Kind) -> KindSet:
        """Return the same set with `kind` added, in place of one of the same name."""
        return KindSet((*self._kinds.values(), kind))

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def __len__(self) -> int:
        return len(self._kinds)


def _is_given(field: Field) -> bool:
    is_from_elsewhere = field.from_op or field.default is not None
    is_server = field.merge in (Merge.RANK, Merge.SERVER, Merge.DERIVED)
    return field.required is Required.YES and not is_from_elsewhere and not is_server
