"""Fail every single operation of a scenario, or kill the process before it, and look at what is left.

Whoever called the store must have been told, with an error that says so; then the store must open and hold everything
that was acknowledged. A fault that nobody was told of is allowed where it costs nothing, as when the checkpoint at
closing fails: so all that a power cut could leave behind it is explored too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tools.crash.account import judged
from tools.crash.describing import account_at
from tools.crash.director import Director, Fault, Played
from tools.crash.exploring import Task, explore
from tools.crash.recording import Recording
from tools.crash.scenarios import SCENARIOS
from tools.crash.scene import STORE

FAULTS = (Fault.EIO, Fault.FULL, Fault.KILL)
_STATES_A_CUT = 8


class Failure(NamedTuple):
    """A fault that the store did not cope with."""

    fault: Fault
    at: int
    text: str


@dataclass(slots=True)
class Faulted:
    """What became of the faults in a scenario. `untold` counts those that nobody had to be told of."""

    scenario: str
    cases: int = 0
    untold: int = 0
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Faulted) -> None:
        """Count what was found elsewhere too."""
        self.cases += other.cases
        self.untold += other.untold
        self.failures += other.failures


@dataclass(frozen=True, slots=True)
class FaultTask:
    """One kind of fault at each operation of a scenario, which went as in `reference` without any."""

    scenario: str
    reference: Recording
    fault: Fault
    shim: Path
    scratch: Path
    operations: range


def fail(task: FaultTask) -> Faulted:
    """Let each operation of a task fail."""
    faulted = Faulted(task.scenario)
    with Director(task.shim, task.scratch) as director:
        for at in task.operations:
            played = director.play(task.scenario, fault=task.fault, fault_at=at)
            recording = played.recording
            if recording.failed_after is None and not played.is_killed:
                # An operation that a full disk does not mind.
                continue
            faulted.cases += 1
            faulted.untold += recording.ended is not None and not recording.ended.error
            faulted.failures += [Failure(task.fault, at, text) for text in _wrong(task, played)]
    return faulted


def _wrong(task: FaultTask, played: Played) -> Iterator[str]:
    recording, reference = played.recording, task.reference
    promised = [account for _, account in recording.promises]
    expected = [account for _, account in reference.promises]
    if promised != expected[: len(promised)]:
        yield "before the fault it went otherwise than without it"
        return
    ended = recording.ended
    if ended is not None and not ended.is_told:
        yield f"raised {ended.error}"
    following = expected[len(promised)] if len(promised) < len(expected) else None
    yield from _cut_off_later(task, recording)
    found = account_at(played.root / STORE, SCENARIOS[task.scenario].credentials, is_used=True)
    finding = judged(found, promised[-1], following)
    if finding is not None:
        yield f"{finding.harm.value}: {finding.text}"


def _cut_off_later(task: FaultTask, recording: Recording) -> Iterator[str]:
    """Explore power cuts after a fault that the process lived through."""
    first = recording.failed_after
    if first is None:
        return
    promised, expected = recording.promises, task.reference.promises
    following = expected[len(promised)][1] if len(promised) < len(expected) else None
    limits = (_STATES_A_CUT,) * (recording.operations - first + 1)
    bench = task.scratch / "bench"
    explored = explore(Task(task.scenario, recording, first, limits, 1, bench, following=following))
    for broken in explored.broken[:1]:
        yield f"after it a power cut behind operation {broken.cut} ({broken.choice}): {broken.finding.text}"
