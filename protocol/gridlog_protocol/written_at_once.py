"""The fields of a record that one op wrote, as they travelled: of most that a first fetch brings.

Nobody looks into such a record before it is kept and shown, and both are made from what travelled. The states of its
fields are made when somebody asks for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple

from .canonical import Value
from .edit_codec import is_too_deep
from .limits import ELEMENT_KEY_BYTES_MAX, FIELD_NAME_CHARACTERS_MAX
from .state import PLAIN, SENSITIVE, WITHDRAWN, Cell, FieldState, Head, is_ending

# Longer ones are rare, and read as any other field: a character takes four bytes at most.
_KEY_CHARACTERS_MAX = ELEMENT_KEY_BYTES_MAX // 4


class Said(NamedTuple):
    """What an op said of one field: of each element, in the order of their keys."""

    name: str
    digest_class: int
    elements: Sequence[tuple[str, Value]]


class WrittenAtOnce(Mapping[str, FieldState]):
    """Fields by name, in their order, each written by `write`, whose own value means nothing."""

    __slots__ = ("_states", "said", "write")

    def __init__(self, write: Head, said: Sequence[Said]) -> None:
        self.write = write
        self.said = said
        self._states: dict[str, FieldState] = {}

    def __getitem__(self, name: str) -> FieldState:
        state = self._states.get(name)
        if state is None:
            # A record has some ten fields, of which one or two are asked for.
            said = next((each for each in self.said if each.name == name), None)
            if said is None:
                raise KeyError(name)
            cells = {key: Cell((self.write._replace(value=value),)) for key, value in said.elements}
            state = FieldState(said.digest_class, self.write.position, MappingProxyType(cells))
            self._states[name] = state
        return state

    def __iter__(self) -> Iterator[str]:
        return (each.name for each in self.said)

    def __len__(self) -> int:
        return len(self.said)


def rows_of(said: Sequence[Said]) -> list[Value]:
    """Return the rows in which the same fields travel."""
    return [
        [name, digest_class, [part for key, value in elements for part in (key, [0, value])]]
        for name, digest_class, elements in said
    ]


def is_ordinary(name: str, elements: Sequence[tuple[Value, Value]]) -> bool:
    """Tell whether elements of a field, as they came, are right, in the order of their keys, and end no record."""
    last: str | None = None
    for key, value in elements:
        if type(key) is not str or len(key) > _KEY_CHARACTERS_MAX or (last is not None and key <= last):
            return False
        if (type(value) is list or name == WITHDRAWN) and is_ending(name, key, value):
            return False
        if is_too_deep(value):
            return False
        last = key
    return True


def are_ordinary(names: Sequence[str], classes: Sequence[Value]) -> bool:
    """Tell whether these can be the names, in their order, and the classes of fields that are read at once."""
    return (
        all(len(name) <= FIELD_NAME_CHARACTERS_MAX for name in names)
        and all(one < other for one, other in pairwise(names))
        and all(type(each) is int and PLAIN <= each <= SENSITIVE for each in classes)
    )
