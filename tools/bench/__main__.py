"""Measure handhelds and server: `python -m tools.bench [--only NAME] [--scale X] [--json FILE]`.

Servers, handhelds and the line between them are processes on this machine, in directories that are thrown away. Each
figure that begins with `floor_` is of the least that could do the same job, in the same run: machines differ, and so
do their hours. `tools/README.md` says what each figure means.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tools.bench.bad_link import bad_link
from tools.bench.fleet import fleet
from tools.bench.pulling import pulling
from tools.bench.pushing import idle, pushing
from tools.bench.repairing import repairing
from tools.bench.sizes import Figures, Sizes
from tools.bench.stage import MeasureError, stage
from tools.bench.stores import stores

EXCHANGES = {
    "idle": idle,
    "push": pushing,
    "pull": pulling,
    "fleet": fleet,
    "badlink": bad_link,
    "repair": repairing,
}
STORES = "store"


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=[*EXCHANGES, STORES], help="measure only this")
    parser.add_argument("--scale", type=float, default=1.0, help="so many times the sizes that the names say")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    chosen = parser.parse_args()
    sizes = Sizes() if chosen.scale == 1.0 else Sizes().scaled(chosen.scale)
    try:
        figures = measured(chosen.only or [*EXCHANGES, STORES], sizes)
    except MeasureError as reason:
        sys.exit(str(reason))
    Console().print(table(figures, chosen.scale))
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measured(names: list[str], sizes: Sizes) -> Figures:
    """Take the measures of these names. Raises MeasureError."""
    figures: Figures = {}
    with tempfile.TemporaryDirectory(prefix="gridlog-bench-") as scratch:
        exchanges = [name for name in names if name != STORES]
        if exchanges:
            figures |= asyncio.run(_exchanged(Path(scratch), exchanges, sizes))
        if STORES in names:
            figures |= stores(Path(scratch), sizes)
    return figures


async def _exchanged(scratch: Path, names: list[str], sizes: Sizes) -> Figures:
    figures: Figures = {}
    async with stage(scratch) as played_on:
        for name in names:
            figures |= await EXCHANGES[name](played_on, sizes)
    return figures


def table(figures: Figures, scale: float) -> Table:
    """Return the figures as a table: each beside its floor, and what it is of that."""
    title = "Figures" if scale == 1.0 else f"Figures of a run {scale:g} times the size that the names say"
    drawn = Table("figure", "value", "floor", "value / floor", title=title)
    for name, value in figures.items():
        if name.startswith("floor_"):
            continue
        floor = figures.get(f"floor_{name}")
        against = ("", "") if floor is None else (f"{floor:,.2f}", f"{value / floor:,.2f}" if floor else "")
        drawn.add_row(name, f"{value:,.2f}", *against)
    return drawn


if __name__ == "__main__":
    main()
