"""A fresh device's first fetch of a grid with a thousand records that somebody else wrote."""

from __future__ import annotations

from statistics import median

from tools.bench.pushing import pushed
from tools.bench.sizes import Figures, Sizes
from tools.bench.stage import MeasureError, Stage


async def pulling(stage: Stage, sizes: Sizes) -> Figures:
    """Fetch with one fresh device after the other. The floor's client keeps what it fetched durably, too."""
    line, floor, handhelds, grid = (
        await stage.line(),
        await stage.floor_line(),
        await stage.handhelds(),
        stage.new_grid(),
    )
    await stage.enrol(handhelds, "author", line, grid)
    await pushed(handhelds, "author", line, grid, sizes.push, seed=1)
    await handhelds.ask("floor_push", address=floor.address, grid=grid, count=sizes.push, seed=1)
    pulls, floors, body_bytes, round_trips, floor_bytes = [], [], 0, 0, 0
    for turn in range(sizes.repeated):
        store = f"reader-{turn}"
        await stage.enrol(handhelds, store, line, grid)
        before, floor_before = line.traffic, floor.traffic
        told = await handhelds.ask("sync", stores=[store])
        plain = await handhelds.ask("floor_pull", address=floor.address, grid=grid)
        if not told["received"] == plain["received"] == sizes.push or not told["are_equal"]:
            raise MeasureError(f"{sizes.push} records are there, and this was fetched: {told}")
        pulls.append(told["seconds"])
        floors.append(plain["seconds"])
        passed = line.traffic - before
        body_bytes, round_trips = passed.bodies, passed.round_trips
        floor_bytes = (floor.traffic - floor_before).bodies
    return {
        "pull1000_bytes_per_record": body_bytes / sizes.push,
        "pull1000_records_per_s": sizes.push / median(pulls),
        "pull1000_round_trips": round_trips,
        "floor_pull1000_bytes_per_record": floor_bytes / sizes.push,
        "floor_pull1000_records_per_s": sizes.push / median(floors),
    }
