"""Choose grids: all of them as boxes where they are few, else those that are chosen, and others by search or code."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from .forms import Form

SHOWN_MAX = 100
"""So many boxes are read through; a district has 1,700 grids."""
_FOUND_MAX = 30
_MORE = "more"
_BETWEEN = str.maketrans(",;，；、", "     ")

Grids = Sequence[tuple[str, str]]
"""Code and name of each."""


def offered(grids: Grids, chosen: Collection[str]) -> dict[str, Any]:
    """Return what `grid_boxes` shows: which grids as boxes, which of them checked, and whether there are more."""
    is_long = len(grids) > SHOWN_MAX
    # One that was never imported is chosen all the same, until somebody says otherwise.
    unknown = [(code, "") for code in sorted({*chosen}.difference(code for code, _ in grids))]
    return {
        "boxes": [*([each for each in grids if each[0] in chosen] if is_long else grids), *unknown],
        "chosen": chosen,
        "is_long": is_long,
    }


def found(grids: Grids, words: str) -> Grids:
    """Return the first grids whose name or code has all of the words; none if there are no words."""
    wanted = words.lower().split()
    matching = [each for each in grids if all(word in "\n".join(each).lower() for word in wanted)]
    return matching[:_FOUND_MAX] if wanted else []


def picked(form: Form) -> list[str]:
    """Return the codes that a form names, by boxes and as typed, each once."""
    return [*dict.fromkeys([*form.all("grid"), *form.one(_MORE).translate(_BETWEEN).split()])]
