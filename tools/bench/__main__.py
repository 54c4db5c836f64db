"""Measure a handheld's store: `python -m tools.bench [--records N] [--json FILE]`.

It makes a store that has fetched so many records, in a directory that is thrown away, and opens it in processes of
their own: from the journal, then from the snapshot. A plain durable insert is timed in the same run: machines differ,
and so do their hours.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

RECORDS = 50_000
SAVES = 200


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench", description=__doc__)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here, too")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gridlog-bench-") as scratch:
        figures = _measured(Path(scratch), chosen.records)
    table = Table("figure", "value", title=f"{chosen.records} records")
    for name, value in figures.items():
        table.add_row(name, f"{value:,.2f}")
    Console().print(table)
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _measured(scratch: Path, records: int) -> dict[str, float]:
    store = scratch / "store"
    figures: dict[str, float] = {}
    for step in ("fill", "replay", "unlock", "look", "save"):
        done = subprocess.run(
            [sys.executable, "-m", "tools.bench.device", step, str(store), str(records)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            sys.exit(f"the step {step!r} failed:\n{done.stderr}")
        figures |= json.loads(done.stdout)
    return figures


if __name__ == "__main__":
    main()
