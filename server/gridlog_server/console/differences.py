"""Mark what two versions of a text do not have in common, for the eye. Pure.

Characters are compared, since Chinese has no spaces; single common characters between differences are noise, and are
marked along with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

_COMMON_MIN = 2
_CHARACTERS_MAX = 4000
"""Longer texts are compared line by line: comparing characters takes the product of both lengths."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text, and whether the other version has it, too."""

    text: str
    is_common: bool


def marked(text: str, other: str) -> list[Piece]:
    """Return a text in pieces: those that `other` has at the same place, and those that it has not."""
    is_long = len(text) * len(other) > _CHARACTERS_MAX**2 // 4
    units = text.splitlines(keepends=True) if is_long else [*text]
    against = other.splitlines(keepends=True) if is_long else [*other]
    common_min = 1 if is_long else _COMMON_MIN
    pieces: list[Piece] = []
    done = 0
    for start, _, length in SequenceMatcher(None, units, against, autojunk=False).get_matching_blocks():
        is_whole = start == 0 or start + length == len(units)
        if length < common_min and not (is_whole and length):
            continue
        _put(pieces, units[done:start], is_common=False)
        _put(pieces, units[start : start + length], is_common=True)
        done = start + length
    _put(pieces, units[done:], is_common=False)
    return pieces


def _put(pieces: list[Piece], units: list[str], *, is_common: bool) -> None:
    if units:
        pieces.append(Piece("".join(units), is_common))
