"""What of the unsynced changes reaches the disk before the power is gone, and the files that are then there. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise, product
from math import prod
from random import Random
from typing import TypeAlias

from tools.crash.power import DIRECTORY, Cut, Piece, with_pieces

SUBSETS_OF_CHANGES_MAX = 6
"""Up to so many unsynced writes all their subsets are tried; of more, each alone and all without each."""

_DENSITIES = (0.1, 0.5, 0.9)
_TRIES = 4

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
    """Return how many choices a cut has, not counting that files may have grown."""
    return (len(cut.namings) + 1) * prod(len(chain) + 1 for chain in _chains(cut))


def chosen(cut: Cut, limit: int, dice: Random) -> list[Choice]:
    """Return at most `limit` different choices: all if there are no more, else planned ones and others by chance."""
    masks = _every_mask(cut) if room(cut) <= limit else _masks(cut)
    planned = [*_with_these(cut, masks)]
    if len(planned) >= limit:
        return dice.sample(planned, limit)
    found = dict.fromkeys(planned)
    pieces, closed = len(cut.pieces), _Closure(cut)
    for _ in range((limit - len(planned)) * _TRIES if room(cut) > limit else 0):
        if len(found) >= limit:
            break
        density = dice.choice(_DENSITIES)
        kept = closed(sum(1 << index for index in range(pieces) if dice.random() < density))
        is_grown = dice.random() < 0.5 and _is_short(cut, kept)
        found[Choice(dice.randint(0, len(cut.namings)), kept, is_grown)] = None
    return [*found]


def _with_these(cut: Cut, masks: Iterable[int]) -> Iterator[Choice]:
    for kept in masks:
        is_short = _is_short(cut, kept)
        for names in range(len(cut.namings) + 1):
            yield Choice(names, kept)
            if is_short:
                yield Choice(names, kept, is_grown=True)


def _is_short(cut: Cut, kept: int) -> bool:
    """Tell whether a file is smaller with these pieces than it is for the running processes."""
    sizes = {number: len(content) for number, content in cut.contents.items()}
    for index, piece in enumerate(cut.pieces):
        if kept >> index & 1:
            end = piece.at + len(piece.content or b"")
            sizes[piece.file] = end if piece.content is None else max(sizes[piece.file], end)
    return any(size < cut.sizes[number] for number, size in sizes.items())


def _chains(cut: Cut) -> list[list[int]]:
    """Return the pieces that depend on each other: of each sector in order, and each change of size by itself."""
    chains: dict[object, list[int]] = {}
    for index, piece in enumerate(cut.pieces):
        chains.setdefault(index if piece.content is None else piece.sector, []).append(index)
    return [*chains.values()]


def _every_mask(cut: Cut) -> Iterator[int]:
    beginnings = [
        [sum(1 << index for index in chain[:length]) for length in range(len(chain) + 1)] for chain in _chains(cut)
    ]
    return (sum(parts) for parts in product(*beginnings))


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
        self._earlier = [0] * len(cut.pieces)
        for chain in _chains(cut):
            for before, index in pairwise(chain):
                self._earlier[index] = self._earlier[before] | 1 << before

    def __call__(self, kept: int) -> int:
        closed = kept
        for index, before in enumerate(self._earlier):
            if before and kept >> index & 1:
                closed |= before
        return closed
