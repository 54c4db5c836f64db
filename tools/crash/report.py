"""The tables at the end, and each failure with the command that shows it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from tools.crash.exploring import Broken, Explored
from tools.crash.faults import Failure, Faulted
from tools.crash.recording import Recording

FAILURES_SHOWN = 5
_COMMAND = "python -m tools.crash --scenario"


def report_power(console: Console, recordings: Mapping[str, Recording], found: Sequence[Explored]) -> None:
    """Print what the power cuts left of each scenario."""
    table = Table("scenario", title="power cuts", box=SIMPLE, title_justify="left")
    for title in ("operations", "states", "images", "lost", "corrupt"):
        table.add_column(title, justify="right")
    for each in found:
        figures = (recordings[each.scenario].operations, each.states, len(each.images), each.lost, each.corrupt)
        table.add_row(each.scenario, *(f"{figure:,}" for figure in figures))
    total = Explored("all of them")
    for each in found:
        total.add(each)
    operations = sum(recording.operations for recording in recordings.values())
    figures = (operations, total.states, len(total.images), total.lost, total.corrupt)
    table.add_row(total.scenario, *(f"{figure:,}" for figure in figures), style="bold")
    console.print(table)
    for each in found:
        for broken in each.broken[:FAILURES_SHOWN]:
            tell_broken(console, each.scenario, broken)


def report_controls(console: Console, found: Mapping[str, Explored]) -> None:
    """Print which planted weaknesses were caught, and by which state."""
    table = Table("control", "scenario", "caught by", title="planted weaknesses", box=SIMPLE, title_justify="left")
    for name, each in found.items():
        if each.broken:
            broken = each.broken[0]
            caught = f"cut {broken.cut}, choice {broken.choice}: {broken.finding.harm.value}, {broken.finding.text}"
        else:
            caught = f"[red]survives {each.states} states[/red]"
        table.add_row(name, each.scenario, caught)
    console.print(table)


def report_faults(console: Console, found: Sequence[Faulted]) -> None:
    """Print what became of failing operations."""
    table = Table("scenario", title="faults at operation k", box=SIMPLE, title_justify="left")
    for title in ("cases", "harmless, untold", "failures"):
        table.add_column(title, justify="right")
    for each in found:
        table.add_row(each.scenario, str(each.cases), str(each.untold), str(len(each.failures)))
    total = Faulted("all of them")
    for each in found:
        total.add(each)
    table.add_row(total.scenario, str(total.cases), str(total.untold), str(len(total.failures)), style="bold")
    console.print(table)
    for each in found:
        for failure in each.failures[:FAILURES_SHOWN]:
            tell_failure(console, each.scenario, failure)


def tell_broken(console: Console, scenario: str, broken: Broken, control: str = "") -> None:
    """Print a broken promise, and how to see it again."""
    planted = f" --control {control}" if control else ""
    console.print(f"[red]{scenario}: {broken.finding.harm.value}: {broken.finding.text}[/red]")
    console.print(f"    {_COMMAND} {scenario}{planted} --cut {broken.cut} --choice {broken.choice}", soft_wrap=True)


def tell_failure(console: Console, scenario: str, failure: Failure) -> None:
    """Print a fault that was not coped with, and how to see it again."""
    console.print(f"[red]{scenario}: {failure.fault.name} at operation {failure.at}: {failure.text}[/red]")
    console.print(f"    {_COMMAND} {scenario} --fault {failure.fault.name.lower()} --at {failure.at}", soft_wrap=True)
