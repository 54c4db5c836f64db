"""The table at the end of the demo: what was written, what arrived, what stands against what, what it cost."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from gridlog_protocol.canonical import Value
from gridlog_sync.clocks import Tier
from tools.demo.checks import Check, ServerFacts
from tools.demo.clock_checks import ClockFacts
from tools.demo.clocks import RIGHT
from tools.demo.handheld import items
from tools.demo.script import Script
from tools.demo.staying import SignIn

LOOKING = (
    "status",
    "records --limit 10",
    "records --kind patrol",
    "conflicts",
    "devices",
    "log --limit 10",
    "admin user list",
    "admin grid list",
)
SEVERITIES = {"hard": "wait for a supervisor", "soft": "merged by rule, author told"}


def print_report(  # noqa: PLR0913 - each is one part of the report.
    console: Console,
    script: Script,
    facts: ServerFacts,
    clocks: ClockFacts,
    checks: Sequence[Check],
    inventories: Sequence[dict[str, Value]],
    *,
    seconds: float,
    data: Path,
) -> None:
    """Print the handhelds, the conflicts, the clocks, the checks, and what to try next."""
    console.print(_handhelds(script, inventories))
    if facts.conflicts:
        console.print(_conflicts(facts))
    console.print(_clocks(script, clocks))
    console.print(_checks(checks))
    kills = sum(handheld.kills for handheld in script.handhelds)
    console.print(
        f"{len(script.records)} records, {script.shared} of them edited by both partners; {script.cuts} lines cut, "
        f"{kills} processes killed; {seconds:.0f} s. Seed {script.seed}."
    )
    console.print("The server's data is still there. Look at it:", style="bold")
    for looking in LOOKING:
        # Alone on a line, unwrapped, to be copied into a shell.
        print(f"  {shlex.join([_command(), *looking.split(), '--data', str(data / 'server')])}")
    console.print(f"Another day: make demo SEED={script.seed + 1}", highlight=False)


def print_sign_ins(console: Console, sign_ins: Sequence[SignIn]) -> None:
    """Print what was left running, and how to get in."""
    if not sign_ins:
        return
    console.print("Left running, in Chinese and English (make demo-stop ends it):", style="bold")
    for each in sign_ins:
        # Whole on its line, to be clicked or copied.
        print(f"  {each.address}\n    {each.who} {each.name}: {each.secret}")


def _command() -> str:
    """Return how `gridlog-server` of this environment is called from here."""
    command = Path(sys.executable).with_name("gridlog-server")
    return str(command.relative_to(Path.cwd())) if command.is_relative_to(Path.cwd()) else str(command)


def _handhelds(script: Script, inventories: Sequence[dict[str, Value]]) -> Table:
    title = f"{script.street.name}, {script.day}: what each handheld wrote, and what it cost"
    table = Table(title=title, box=SIMPLE, padding=(0, 1), collapse_padding=True, pad_edge=False)
    columns = ("Worker", "Ops", "Synced", "Receipt", "Records", "Conflicts", "Trips", "Cuts", "Up B", "Down B")
    for name in columns:
        is_words = name in ("Worker", "Receipt")
        table.add_column(name, justify="left" if is_words else "right", no_wrap=True)
    for handheld, inventory in zip(script.handhelds, inventories, strict=True):
        traffic, receipts = handheld.traffic, items(inventory["receipts"])
        table.add_row(
            handheld.worker.name,
            str(len(handheld.saved)),
            str(len(handheld.saved) - len(items(inventory["pending"]))),
            str(items(receipts[-1])[0]) if receipts else "-",
            str(len(items(inventory["records"]))),
            str(len(items(inventory["conflicts"]))),
            str(traffic.round_trips),
            str(handheld.link.cuts),
            str(traffic.up),
            str(traffic.down),
        )
    return table


def _conflicts(facts: ServerFacts) -> Table:
    table = Table(title="Conflicts, and how they stand")
    for name in ("Field", "How it stands", "Count"):
        table.add_column(name, justify="right" if name == "Count" else "left")
    for (severity, field), count in sorted(facts.conflicts.items()):
        table.add_row(field, SEVERITIES[severity], str(count))
    return table


def _clocks(script: Script, clocks: ClockFacts) -> Table:
    table = Table(title="Clocks that are not what they seem, and what the server made of them")
    for name in ("Worker", "Clock", "Measured", "Fine", "Corrected", "Review", "Warned"):
        table.add_column(name, justify="left" if name in ("Worker", "Clock", "Warned") else "right")
    for handheld in script.handhelds:
        if handheld.clock is RIGHT:
            continue
        tiers = [clocks.ops[op].tier for op in handheld.saved]
        ahead_ms = clocks.ahead_ms[handheld.saved[0][0]]
        table.add_row(
            handheld.worker.name,
            handheld.clock.title,
            "-" if ahead_ms is None else f"{ahead_ms / 1000:+,.0f} s",
            *(str(tiers.count(tier)) for tier in Tier),
            "yes" if handheld.warning else "no",
        )
    return table


def _checks(checks: Sequence[Check]) -> Table:
    table = Table(title="Checks")
    for name in ("Check", "", "Detail"):
        table.add_column(name)
    for check in checks:
        table.add_row(check.name, "[green]holds[/green]" if check.is_held else "[red]FAILS[/red]", check.detail)
    return table
