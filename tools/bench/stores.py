"""A handheld's store of fifty thousand records: open, look, search, save. Each step is a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tools.bench.sizes import Figures, Sizes
from tools.bench.stage import MeasureError

_NAMED = {"unlock_s": "unlock_50k_s", "replay_s": "replay_50k_s", "search_ms_p95": "search_50k_ms_p95"}
_NAMED |= {"rss_mib": "rss_50k_mib"}


def stores(scratch: Path, sizes: Sizes) -> Figures:
    """Make a store, then open it from the journal, from the snapshot, and use it."""
    figures: Figures = {}
    for step in ("fill", "replay", "unlock", "look", "save"):
        given = (step, scratch / "store", sizes.stored, sizes.searches, sizes.saves)
        done = subprocess.run(
            [sys.executable, "-m", "tools.bench.device", *map(str, given)],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise MeasureError(f"the step {step!r} failed:\n{done.stderr}")
        figures |= json.loads(done.stdout)
    return {_NAMED.get(name, name): value for name, value in figures.items()}
