"""What of the unsynced changes reaches the disk before the power is gone, and the files that are then there. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from random import Random
from typing import TypeAlias

from tools.crash.power import DIRECTORY, Cut, Piece, with_pieces

SUBSETS_OF_CHANGES_MAX = 6
"""Up to so many unsynced writes all their subsets are tried; of more, each alone and all without each."""

_DENSITIES = (0.1, 0.5, 0.9)

Image: TypeAlias = Mapping[str, bytes | None]
"""Every path below the root; None is a directory."""


class ChoiceError(ValueError):
    """This text names no choice of the cut."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One outcome of a cut: the first `names` of its namings, and of its pieces those whose bits are set in `kept`.

    With `is_grown` files have the size that they had for the running processes, zeros where nothing was kept.
    """

    names: int
    kept: int
    is_grown: bool = False

    def __str__(self) -> str:
        return f"{self.names}.{self.kept:x}{'.grown' if self.is_grown else ''}"

    @classmethod
    def read(cls, text: str) -> Choice:
        """Read what `str` wrote. Raises ChoiceError."""
        names, _, rest = text.partition(".")
        kept, _, grown = rest.partition(".")
        try:
            return cls(int(names), int(kept, 16), grown == "grown")
        except ValueError:
            raise ChoiceError(f"{text!r} is not like 0.1f or 2.0.grown") from None


def image(cut: Cut, choice: Choice) -> Image:
    """Return the files that are there after the cut. Raises ChoiceError."""
    if choice.names > len(cut.namings) or choice.kept >> len(cut.pieces):
        raise ChoiceError(f"cut {cut.number} has {len(cut.namings)} namings and {len(cut.pieces)} pieces")
    names = dict(cut.names)
    for naming in cut.namings[: choice.names]:
        naming.applied(names)
    kept: dict[int, list[Piece]] = {}
    for index, piece in enumerate(cut.pieces):
        if choice.kept >> index & 1:
            kept.setdefault(piece.file, []).append(piece)
    found: dict[str, bytes | None] = {}
    for path, number in sorted(names.items()):
        if number == DIRECTORY:
            if path:
                found[path] = None
        elif _has_directory(path, names):
            content = with_pieces(cut.contents[number], kept.get(number, []))
            missing = cut.sizes[number] - len(content) if choice.is_grown else 0
            found[path] = content + bytes(max(0, missing))
    return found


def _has_directory(path: str, names: Mapping[str, int]) -> bool:
    return names.get(path.rpartition("/")[0]) == DIRECTORY


def digest(files: Image) -> bytes:
    """Return 16 bytes by which images are told apart."""
    summed = hashlib.blake2b(digest_size=16)
    for path, content in files.items():
        summed.update(f"{path}\0{'d' if content is None else len(content)}\0".encode())
        summed.update(content or b"")
    return summed.digest()


def everything(cut: Cut) -> Choice:
    """Return the choice by which nothing is lost: what the running processes see."""
    return Choice(len(cut.namings), (1 << len(cut.pieces)) - 1)


def room(cut: Cut) -> int:
    """Return about how many choices a cut has, as a bound for how many to ask for."""
    return (len(cut.namings) + 1) << min(len(cut.pieces) + (1 if cut.pieces else 0), 40)


def chosen(cut: Cut, limit: int, dice: Random) -> list[Choice]:
    """Return at most `limit` different choices: the planned ones first, then others by chance."""
    planned = [*dict.fromkeys(_planned(cut))]
    if len(planned) >= limit:
        return dice.sample(planned, limit)
    found = dict.fromkeys(planned)
    pieces, closed = len(cut.pieces), _Closure(cut)
    for _ in range((limit - len(planned)) * 2 if pieces else 0):
        if len(found) >= limit:
            break
        density = dice.choice(_DENSITIES)
        kept = sum(1 << index for index in range(pieces) if dice.random() < density)
        found[Choice(dice.randint(0, len(cut.namings)), closed(kept), dice.random() < 0.5)] = None
    return [*found]


def _planned(cut: Cut) -> Iterator[Choice]:
    masks, every = _masks(cut), (1 << len(cut.pieces)) - 1
    grows = any(size > len(cut.contents[number]) for number, size in cut.sizes.items())
    for names in range(len(cut.namings) + 1):
        for kept in masks:
            yield Choice(names, kept)
            if grows and kept != every:
                yield Choice(names, kept, is_grown=True)


def _masks(cut: Cut) -> list[int]:
    """None, all, each prefix torn at each sector; subsets of the writes; each sector alone, and all without it."""
    pieces, closed = len(cut.pieces), _Closure(cut)
    every = (1 << pieces) - 1
    masks = [(1 << length) - 1 for length in range(pieces + 1)]
    changes = [
        sum(1 << index for index, _ in group)
        for _, group in groupby(enumerate(cut.pieces), key=lambda each: each[1].change)
    ]
    if len(changes) <= SUBSETS_OF_CHANGES_MAX:
        masks += [
            sum(change for index, change in enumerate(changes) if subset >> index & 1)
            for subset in range(1 << len(changes))
        ]
    else:
        masks += changes
        masks += [every & ~change for change in changes]
    for index in range(pieces):
        masks += [1 << index, every & ~(1 << index)]
    return [*dict.fromkeys(closed(mask) for mask in masks)]


class _Closure:
    """Adds to a choice the earlier pieces of each sector that it keeps a later piece of."""

    def __init__(self, cut: Cut) -> None:
        self._earlier: list[int] = []
        by_sector: dict[tuple[int, int], int] = {}
        for index, piece in enumerate(cut.pieces):
            before = 0
            if piece.content is not None:
                before = by_sector.get(piece.sector, 0)
                by_sector[piece.sector] = before | 1 << index
            self._earlier.append(before)

    def __call__(self, kept: int) -> int:
        closed = kept
        for index, before in enumerate(self._earlier):
            if before and kept >> index & 1:
                closed |= before
        return closed
