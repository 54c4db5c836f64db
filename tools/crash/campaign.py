"""The three parts of a run: power cuts in every scenario, the planted weaknesses, faults at every operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tools.crash.controls import CONTROLS
from tools.crash.director import NO_CONTROL, Director, DirectorError
from tools.crash.exploring import Explored, Task, explore, limit_for
from tools.crash.faults import FAULTS, Faulted, FaultTask, fail
from tools.crash.power import cuts
from tools.crash.recording import Recording

CONTROL_STATES = 1000
_STATES_A_TASK = 1500
_OPERATIONS_A_TASK = 40

T = TypeVar("T")
R = TypeVar("R")


class Campaign:
    """One run of the tester, in `scratch`, with `jobs` processes."""

    def __init__(self, console: Console, shim: Path, scratch: Path, *, jobs: int, seed: int) -> None:
        self._console = console
        self._shim = shim
        self._scratch = scratch
        self._jobs = jobs
        self._seed = seed
        self._numbers = iter(range(1_000_000))

    def record(self, scenarios: Iterable[str]) -> dict[str, Recording]:
        """Record scenarios as they go when nothing happens. Raises DirectorError if one fails by itself."""
        recordings = {}
        with Director(self._shim, self._room()) as director:
            for name in scenarios:
                recording = director.play(name).recording
                if recording.ended is None or recording.ended.error:
                    raise DirectorError(f"{name} fails by itself: {recording.ended}")
                recordings[name] = recording
        return recordings

    def cut(self, recordings: Mapping[str, Recording], states: int) -> list[Explored]:
        """Explore about so many states of all recordings together."""
        found = {name: [*cuts(recording)] for name, recording in recordings.items()}
        limit = limit_for([cut for here in found.values() for cut in here], states)
        tasks = []
        for name, recording in recordings.items():
            length = max(1, _STATES_A_TASK // limit)
            for first in range(0, len(found[name]), length):
                limits = (limit,) * len(found[name][first : first + length])
                tasks.append(Task(name, recording, first, limits, self._seed, self._room()))
        explored = {name: Explored(name) for name in recordings}
        for each in self._done("power cuts", explore, tasks):
            explored[each.scenario].add(each)
        for each in explored.values():
            each.broken.sort(key=lambda broken: broken.cut)
        return [*explored.values()]

    def control(self, names: Iterable[str]) -> dict[str, Explored]:
        """Explore scenarios with planted weaknesses, each until the first broken promise."""
        tasks = []
        with Director(self._shim, self._room()) as director:
            for name in names:
                scenario = CONTROLS[name].scenario
                recording = director.play(scenario, name).recording
                limit = limit_for([*cuts(recording)], CONTROL_STATES)
                limits = (limit,) * (recording.operations + 1)
                tasks.append(Task(scenario, recording, 0, limits, self._seed, self._room(), name, stops_early=True))
        found = {each.control: each for each in self._done("planted weaknesses", explore, tasks)}
        return {task.control: found[task.control] for task in tasks}

    def fault(self, recordings: Mapping[str, Recording], every: int) -> list[Faulted]:
        """Let each operation of all scenarios fail, or one of `every`, in each way."""
        tasks = []
        for name, recording in recordings.items():
            for fault in FAULTS:
                step = _OPERATIONS_A_TASK * every
                for first in range(1, recording.operations + 1, step):
                    operations = range(first, min(first + step, recording.operations + 1), every)
                    tasks.append(FaultTask(name, recording, fault, self._shim, self._room(), operations))
        faulted = {name: Faulted(name) for name in recordings}
        for each in self._done("faults", fail, tasks):
            faulted[each.scenario].add(each)
        for each in faulted.values():
            each.failures.sort()
        return [*faulted.values()]

    def _room(self) -> Path:
        return self._scratch / str(next(self._numbers))

    def _done(self, title: str, work: Callable[[T], R], tasks: Sequence[T]) -> Iterator[R]:
        bar = Progress(
            TextColumn("{task.description:18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        with bar:
            shown = bar.add_task(title, total=len(tasks))
            for result in _each(work, tasks, self._jobs):
                bar.advance(shown)
                yield result


def planted() -> list[str]:
    """Return the names of all planted weaknesses."""
    return [name for name in CONTROLS if name != NO_CONTROL]


def _each(work: Callable[[T], R], tasks: Sequence[T], jobs: int) -> Iterator[R]:
    if jobs == 1:
        yield from map(work, tasks)
        return
    # Spawned, not forked: the bar has a thread.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in as_completed([pool.submit(work, task) for task in tasks]):
            yield done.result()
