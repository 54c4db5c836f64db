"""`python -m tools.crash`: cut the power of a real store anywhere, fail any operation, and see that nothing is lost.

A scenario is played once with a shim below it that logs every operation on the store's files. From the log are built
the disks that a power cut could leave; each is opened by the production code, and compared with what was promised by
then. What it prints of a failure ends with the command that shows it again.
"""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer
from rich.console import Console

from tools.crash.campaign import Campaign, planted
from tools.crash.choices import ChoiceError
from tools.crash.controls import CONTROLS
from tools.crash.director import DirectorError, Fault, compile_shim, scratch
from tools.crash.recording import RecordingError
from tools.crash.replaying import replay_cut, replay_fault
from tools.crash.report import report_controls, report_faults, report_power
from tools.crash.scenarios import SCENARIOS

STATES = 200_000

console = Console(highlight=False)


def main(  # noqa: PLR0913 - each is an option of the command.
    *,
    states: Annotated[int, typer.Option(min=1, help="About how many states to explore.")] = STATES,
    every: Annotated[int, typer.Option(min=1, help="Fail each operation, or one of so many.")] = 1,
    seed: Annotated[int, typer.Option(help="Of what is chosen by chance.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="How many processes.")] = os.cpu_count() or 1,
    scenario: Annotated[str | None, typer.Option(help="This one alone.")] = None,
    control: Annotated[str | None, typer.Option(help="Plant this weakness, alone or at --cut.")] = None,
    cut: Annotated[int | None, typer.Option(min=0, help="Show the cut behind this operation again.")] = None,
    choice: Annotated[str | None, typer.Option(help="What reached the disk at --cut; all of it if absent.")] = None,
    fault: Annotated[str | None, typer.Option(help="Show this fault again: eio, full, kill.")] = None,
    at: Annotated[int, typer.Option(min=1, help="The operation that meets --fault.")] = 1,
) -> None:
    """Exit with status 1 if a promise is broken, or a planted weakness is not caught."""
    _check_named(scenario, control, fault, is_replay=cut is not None or fault is not None)
    try:
        with scratch() as directory:
            shim = compile_shim(directory)
            if scenario is not None and cut is not None:
                is_well = replay_cut(console, shim, directory, scenario, cut=cut, choice=choice, control=control)
            elif scenario is not None and fault is not None:
                is_well = replay_fault(console, shim, directory, scenario, fault=Fault[fault.upper()], at=at)
            else:
                campaign = Campaign(console, shim, directory, jobs=jobs, seed=seed)
                is_well = _run(campaign, [scenario] if scenario else [*SCENARIOS], control, states, every)
    except (DirectorError, RecordingError, ChoiceError) as reason:
        console.print(f"[red]{reason}[/red]")
        raise typer.Exit(1) from None
    raise typer.Exit(0 if is_well else 1)


def _check_named(scenario: str | None, control: str | None, fault: str | None, *, is_replay: bool) -> None:
    known = {
        "scenario": (scenario, [*SCENARIOS]),
        "control": (control, planted()),
        "fault": (fault and fault.upper(), [each.name for each in Fault if each is not Fault.NONE]),
    }
    for name, (given, names) in known.items():
        if given is not None and given not in names:
            raise typer.BadParameter(f"--{name} is one of {', '.join(names)}")
    if is_replay and scenario is None:
        raise typer.BadParameter("--cut and --fault need a --scenario")


def _run(campaign: Campaign, scenarios: list[str], control: str | None, states: int, every: int) -> bool:
    begun = time.monotonic()
    if control is not None:
        caught = campaign.control([control])
        report_controls(console, caught)
        return all(each.broken for each in caught.values())
    recordings = campaign.record(scenarios)
    explored = campaign.cut(recordings, states)
    caught = campaign.control([name for name in planted() if CONTROLS[name].scenario in scenarios])
    faulted = campaign.fault(recordings, every)
    report_power(console, recordings, explored)
    report_controls(console, caught)
    report_faults(console, faulted)
    console.print(f"{time.monotonic() - begun:.0f} s")
    is_kept = not any(each.broken for each in explored) and not any(each.failures for each in faulted)
    return is_kept and all(each.broken for each in caught.values())


if __name__ == "__main__":
    typer.run(main)
