"""Explore what power cuts leave of a recording: choose states, build each image once, open it, compare with promises.

A *state* is a cut and a choice of what reached the disk; many states are one *image*, which is opened once.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

from tools.crash.account import Account, Finding, Harm, judged
from tools.crash.choices import Choice, Image, chosen, digest, image, room
from tools.crash.describing import account_at
from tools.crash.director import NO_CONTROL
from tools.crash.power import Cut, cuts
from tools.crash.recording import Recording
from tools.crash.scenarios import SCENARIOS
from tools.crash.scene import STORE
from tools.dice import dice

_USED_ONE_OF = 16
"""One image of so many is also written to, closed and opened again."""


class Broken(NamedTuple):
    """A state in which a promise is broken."""

    cut: int
    choice: Choice
    finding: Finding


@dataclass(frozen=True, slots=True)
class Task:
    """A run of neighbouring cuts of one recording: from `first`, as many as there are `limits` of states."""

    scenario: str
    recording: Recording
    first: int
    limits: tuple[int, ...]
    seed: int
    scratch: Path
    control: str = NO_CONTROL
    following: Account | None = None
    """What would have been promised next, if the recording was cut short."""
    stops_early: bool = False


@dataclass(slots=True)
class Explored:
    """What was found in a task, or in several."""

    scenario: str
    control: str = NO_CONTROL
    states: int = 0
    images: set[bytes] = field(default_factory=set)
    lost: int = 0
    corrupt: int = 0
    broken: list[Broken] = field(default_factory=list)

    def add(self, other: Explored) -> None:
        """Count what was found elsewhere too."""
        self.states += other.states
        self.images |= other.images
        self.lost += other.lost
        self.corrupt += other.corrupt
        self.broken += other.broken

    def note(self, broken: Broken) -> None:
        """Count a broken promise, and keep the first few."""
        self.lost += broken.finding.harm is Harm.LOST
        self.corrupt += broken.finding.harm is Harm.CORRUPT
        self.broken.append(broken)


class Promises:
    """What is promised at each cut of a recording."""

    def __init__(self, recording: Recording, following: Account | None = None) -> None:
        self._promises = recording.promises
        self._following = following

    def at(self, cut: int) -> tuple[Account, Account | None]:
        """Return the last promise, and the next one if operations towards it were begun."""
        last = max(index for index, (done, _) in enumerate(self._promises) if done <= cut)
        done, promised = self._promises[last]
        if cut == done:
            return promised, None
        return promised, self._promises[last + 1][1] if last + 1 < len(self._promises) else self._following


def limit_for(found: Sequence[Cut], states: int) -> int:
    """Return how many states to try at most at one cut, so that all cuts together have about `states`."""
    low, high = 1, max(states, 1)
    while low < high:
        middle = (low + high) // 2
        if sum(min(room(cut), middle) for cut in found) >= states:
            high = middle
        else:
            low = middle + 1
    return low


def explore(task: Task) -> Explored:
    """Try the states of a task."""
    explored = Explored(task.scenario, task.control)
    promises = Promises(task.recording, task.following)
    described: dict[bytes, Account | str] = {}
    here = islice(cuts(task.recording), task.first, task.first + len(task.limits))
    with Bench(task.scratch, task.scenario) as bench:
        for cut, limit in zip(here, task.limits, strict=True):
            promised, coming = promises.at(cut.number)
            for choice in chosen(cut, limit, dice(task.seed, task.scenario, task.control, str(cut.number))):
                files = image(cut, choice)
                key = digest(files)
                if key not in described:
                    described[key] = bench.account(files, is_used=key[0] % _USED_ONE_OF == 0)
                explored.states += 1
                finding = judged(described[key], promised, coming)
                if finding is not None:
                    explored.note(Broken(cut.number, choice, finding))
            if explored.broken and task.stops_early:
                break
    explored.images = {*described}
    return explored


class Bench:
    """A directory in which one image of a scenario after the other is laid out and opened. Use it in a `with`."""

    def __init__(self, root: Path, scenario: str) -> None:
        self._root = root
        self._credentials = SCENARIOS[scenario].credentials

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._root, ignore_errors=True)

    def account(self, files: Image, *, is_used: bool) -> Account | str:
        """Describe the store that these files are. `is_used` also writes to it."""
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir(parents=True)
        for path, content in files.items():
            if content is None:
                (self._root / path).mkdir()
            else:
                (self._root / path).write_bytes(content)
        return account_at(self._root / STORE, self._credentials, is_used=is_used)
