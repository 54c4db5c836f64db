"""Show one state or one fault again, with everything that led to it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from tools.crash.account import judged
from tools.crash.choices import Choice, Image, everything, image
from tools.crash.director import NO_CONTROL, Director, DirectorError, Fault
from tools.crash.exploring import Bench, Promises
from tools.crash.faults import FaultTask, fail
from tools.crash.power import Cut, cuts
from tools.crash.recording import Acknowledged, Recording, Written, is_operation
from tools.crash.report import tell_failure


def replay_cut(
    console: Console, shim: Path, scratch: Path, scenario: str, *, cut: int, choice: str | None, control: str | None
) -> bool:
    """Show the operations up to a cut, and what a choice there leaves. Returns whether all is well.

    Raises DirectorError, and ChoiceError if there is no such choice.
    """
    with Director(shim, scratch / "stage") as director:
        recording = director.play(scenario, control or NO_CONTROL).recording
    _tell_operations(console, recording, cut)
    found = next((each for each in cuts(recording) if each.number == cut), None)
    if found is None:
        raise DirectorError(f"{scenario} has {recording.operations} operations")
    made = Choice.read(choice) if choice else everything(found)
    files = image(found, made)
    _tell_image(console, found, made, files)
    promised, coming = Promises(recording).at(cut)
    with Bench(scratch / "bench", scenario) as bench:
        described = bench.account(files, is_used=True)
    console.print(f"found     {described}", markup=False)
    console.print(f"promised  {promised}", markup=False)
    console.print(f"or coming {coming}", markup=False)
    finding = judged(described, promised, coming)
    console.print(f"{finding.harm.value}: {finding.text}" if finding else "all is well", markup=False)
    return finding is None


def replay_fault(console: Console, shim: Path, scratch: Path, scenario: str, *, fault: Fault, at: int) -> bool:
    """Let one operation fail. Returns whether all is well. Raises DirectorError."""
    with Director(shim, scratch / "stage") as director:
        reference = director.play(scenario).recording
    _tell_operations(console, reference, at)
    faulted = fail(FaultTask(scenario, reference, fault, shim, scratch / "stage", range(at, at + 1)))
    for failure in faulted.failures:
        tell_failure(console, scenario, failure)
    console.print(f"{faulted.cases} case, {len(faulted.failures)} failures")
    return not faulted.failures


def _tell_operations(console: Console, recording: Recording, last: int) -> None:
    for done, event in recording.counted():
        if done > last:
            break
        if isinstance(event, Acknowledged):
            console.print("       acknowledged", style="green")
        elif isinstance(event, Written):
            console.print(f"{done:5}  {len(event.content)} bytes at {event.at} of {event.descriptor}")
        elif is_operation(event):
            console.print(f"{done:5}  {escape(str(event))}")
        else:
            console.print(f"       {escape(str(event))}", style="dim")


def _tell_image(console: Console, cut: Cut, choice: Choice, files: Image) -> None:
    console.print(
        f"cut {cut.number}: {len(cut.namings)} names and {len(cut.pieces)} pieces to chance; {choice} of them"
    )
    for index, naming in enumerate(cut.namings):
        console.print(f"    {'kept' if index < choice.names else 'gone'}  {escape(str(naming))}")
    for index, piece in enumerate(cut.pieces):
        what = f"size {piece.at}" if piece.content is None else f"{len(piece.content)} bytes at {piece.at}"
        kept = choice.kept >> index & 1
        console.print(f"    {'kept' if kept else 'gone'}  operation {piece.change}: {what} of file {piece.file}")
    for path, content in files.items():
        console.print(f"    {escape(path)}: {'directory' if content is None else f'{len(content)} bytes'}")
