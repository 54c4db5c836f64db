"""`make demo`: a street on this machine, 24 handhelds, an offline day, bad lines, wrong clocks, the checks."""

from __future__ import annotations

import asyncio
import json
import shutil
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import record_id
from tools.demo import staying
from tools.demo.actors import DemoError, HandheldProcess, ServerProcess
from tools.demo.acts import CHINA
from tools.demo.checks import Check, ServerFacts, run_checks, server_facts
from tools.demo.clock_checks import ClockFacts, clock_facts, run_clock_checks
from tools.demo.clocks import stories
from tools.demo.day import Load
from tools.demo.report import print_report, print_sign_ins
from tools.demo.script import Script
from tools.demo.staying import DATA
from tools.demo.world import Street, Worker, make_street, make_workers
from tools.dice import dice
from tools.divisions.extract import read_extract
from tools.proxy import Faults, Link

DEVICES_MAX = 48
HOUSEHOLDS_PER_GRID = 40
LOAD = Load(patrols=2, visits_min=8, visits_max=10, mediation_percent=50)

console = Console()


def main(
    seed: Annotated[int, typer.Option(help="The same seed plays the same day.")] = 1,
    devices: Annotated[int, typer.Option(min=2, max=DEVICES_MAX, help="Handhelds, in pairs of partners.")] = 24,
    data: Annotated[Path, typer.Option(help="Where server and stores live; emptied first.")] = DATA,
    is_to_stay: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--stay/--no-stay", help="Leave server, console and a handheld app running.")
    ] = True,
) -> None:
    """Play one day of a street, and check that nothing was lost. Exit status 1 if a check fails."""
    started = time.monotonic()
    staying.end(data)
    _make_room(data)
    try:
        script, facts, clocks, checks, inventories = asyncio.run(_play(seed, devices // 2 * 2, data))
        sign_ins = asyncio.run(staying.stay(data, script.handhelds, script.office)) if is_to_stay else []
    except* DemoError as failed:
        for reason in failed.exceptions:
            console.print(f"[red]The demo could not go on: {reason}[/red]")
        console.print(f"What the server said is in {data / 'server.log'}; play it again with --seed {seed}.")
        raise typer.Exit(1) from None
    print_report(console, script, facts, clocks, checks, inventories, seconds=time.monotonic() - started, data=data)
    print_sign_ins(console, sign_ins)
    if not all(check.is_held for check in checks):
        console.print(f"[red]A check failed. Play it again with --seed {seed}.[/red]")
        raise typer.Exit(1)


def _make_room(data: Path) -> None:
    mark = data / "made-by-gridlog-demo"
    if data.exists() and any(data.iterdir()) and not mark.exists():
        console.print(f"[red]{data} is not empty, and not from an earlier demo: choose another with --data.[/red]")
        raise typer.Exit(2)
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    mark.touch()


async def _play(
    seed: int, devices: int, data: Path
) -> tuple[Script, ServerFacts, ClockFacts, list[Check], list[dict[str, Value]]]:
    # The day is over: a store refuses what lies in its future.
    day = (datetime.now(CHINA) - timedelta(days=1)).date()
    made_at_ms = int(datetime(day.year, 1, 1, tzinfo=UTC).timestamp() * 1000)
    street, workers = _invent(seed, devices, made_at_ms)
    server = ServerProcess(data / "server")
    bar = Progress(TextColumn("{task.description:42}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with AsyncExitStack() as stack:
        stack.enter_context(bar)
        tasks: dict[str, int] = {}

        def progress(title: str, done: int, total: int) -> None:
            if title not in tasks:
                tasks[title] = bar.add_task(title, total=total)
            bar.update(bar.task_ids[tasks[title]], completed=done)

        await _set_up(server, street, seed, made_at_ms, progress)
        stack.push_async_callback(server.stop)
        handhelds = []
        for worker, clock in zip(workers, stories(dice(seed, "clocks"), len(workers)), strict=True):
            link = await stack.enter_async_context(
                Link("127.0.0.1", server.port, Faults(), dice(seed, "line", worker.staff_no))
            )
            handheld = HandheldProcess(worker, data / "handhelds" / worker.staff_no, link, clock=clock)
            stack.push_async_callback(handheld.stop)
            handhelds.append(handheld)
        script = Script(seed, day, street, server, handhelds, LOAD, progress)
        await script.play()
        script.office = await staying.give_sign_ins(server)
        inventories = [await handheld.ask({"do": "inventory"}) for handheld in handhelds]
    facts = server_facts(data / "server" / "gridlog.db")
    clocks = clock_facts(data / "server" / "gridlog.db")
    checks = run_checks(facts, handhelds, inventories) + run_clock_checks(clocks, handhelds)
    equal = sum(script.is_equal.values())
    checks.append(Check("digests equal", equal == len(handhelds), f"{equal} of {len(handhelds)} handhelds"))
    return script, facts, clocks, checks, inventories


def _invent(seed: int, devices: int, made_at_ms: int) -> tuple[Street, Sequence[Worker]]:
    extract = read_extract(files("tools.demo").joinpath("data/420106001.json").read_text(encoding="utf-8"))
    street = make_street(
        extract,
        dice(seed, "street"),
        communities=devices // 2,
        grids_per_community=1,
        households_per_grid=HOUSEHOLDS_PER_GRID,
        made_at_ms=made_at_ms,
    )
    return street, make_workers(street, dice(seed, "workers"))


async def _set_up(server: ServerProcess, street: Street, seed: int, made_at_ms: int, progress: object) -> None:
    assert callable(progress)
    title = f"{street.district_name} {street.name}: server"
    progress(title, 0, 3)
    await server.command("init", "--tenant", street.tenant, "--name", street.district_name, "--port", "0")
    await server.start()
    progress(title, 1, 3)
    file = server.directory.parent / "street.json"
    file.write_text(json.dumps(_import_rows(street, seed, made_at_ms), ensure_ascii=False), encoding="utf-8")
    progress(title, 2, 3)
    await server.command("admin", "import", str(file))
    progress(title, 3, 3)


def _import_rows(street: Street, seed: int, made_at_ms: int) -> list[dict[str, object]]:
    """Return grids and households as `gridlog-server admin import` reads them."""
    rng = dice(seed, "record ids")
    rows: list[dict[str, object]] = []
    for community in street.communities:
        levels = [(community.code, street.code, community.name, 1)]
        levels += [(grid.code, community.code, grid.name, 3) for grid in community.grids]
        for code, parent, name, level in levels:
            record = record_id(made_at_ms, rng.randbytes(10)).hex()
            values: dict[str, object] = {"grid_code": code, "parent_code": parent, "name": name, "level": level}
            rows.append({"id": record, "kind": "grid", "values": values})
        for grid in community.grids:
            for home in grid.households:
                values = {
                    "grid_code": grid.code,
                    "household_id": home.household_id.hex(),
                    "address_id": home.address_id.hex(),
                    "label": home.label,
                    "occupancy": home.occupancy,
                    "resident_count": home.resident_count,
                    "visit_class": home.visit_class,
                    "contact_name": home.contact_name,
                    "contact_phone": home.contact_phone,
                }
                rows.append({"id": home.household_id.hex(), "kind": "household", "values": values})
    return rows


if __name__ == "__main__":
    typer.run(main)
