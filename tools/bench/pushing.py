"""An exchange in which nothing happened; a few notes, a thousand, ten thousand of one device going up."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from tools.bench.meter import Traffic
from tools.bench.sizes import Figures, Sizes
from tools.bench.stage import HandheldProcess, Line, MeasureError, Stage


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one `sync()` took that sent records."""

    seconds: float
    traffic: Traffic


async def idle(stage: Stage, sizes: Sizes) -> Figures:
    """Exchange when both sides are equal and nobody wrote; then with a few new notes. Bytes are bodies, both ways."""
    line, floor, handhelds, grid = (
        await stage.line(),
        await stage.floor_line(),
        await stage.handhelds(),
        stage.new_grid(),
    )
    await stage.enrol(handhelds, "idle", line, grid)
    await handhelds.ask("write", store="idle", grid=grid, count=4, seed=1)
    # The first sends, the second says that nothing waits any more.
    for _ in range(2):
        await handhelds.ask("sync", stores=["idle"])
    nothing = await _exchanged(handhelds, "idle", line)
    fews, floors = [], []
    for turn in range(sizes.repeated):
        fews.append((await pushed(handhelds, "idle", line, grid, sizes.few, seed=2 + turn)).traffic)
        before = floor.traffic
        await handhelds.ask("floor_push", address=floor.address, grid=grid, count=sizes.few, seed=2 + turn)
        floors.append((floor.traffic - before).bodies)
    return {
        "idle_bytes": nothing.bodies,
        "idle_round_trips": nothing.round_trips,
        "idle_header_bytes": nothing.headers,
        "push20_bytes": median(each.bodies for each in fews),
        "push20_round_trips": median(each.round_trips for each in fews),
        "push20_header_bytes": median(each.headers for each in fews),
        "floor_push20_bytes": median(floors),
    }


async def pushing(stage: Stage, sizes: Sizes) -> Figures:
    """Push a thousand records of one device, and ten thousand."""
    line, floor, handhelds = await stage.line(), await stage.floor_line(), await stage.handhelds()
    pushes, floors, floor_bytes = [], [], 0
    for turn in range(sizes.repeated):
        grid, store = stage.new_grid(), f"push-{turn}"
        await stage.enrol(handhelds, store, line, grid)
        pushes.append(await pushed(handhelds, store, line, grid, sizes.push, seed=turn))
        before = floor.traffic
        posted = await handhelds.ask("floor_push", address=floor.address, grid=grid, count=sizes.push, seed=turn)
        floors.append(posted["seconds"])
        floor_bytes = (floor.traffic - before).bodies
    return {
        "push1000_bytes_per_record": median(each.traffic.bodies for each in pushes) / sizes.push,
        "push1000_records_per_s": sizes.push / median(each.seconds for each in pushes),
        "push1000_round_trips": median(each.traffic.round_trips for each in pushes),
        "floor_push1000_bytes_per_record": floor_bytes / sizes.push,
        "floor_push1000_records_per_s": sizes.push / median(floors),
    }


async def pushed(handhelds: HandheldProcess, store: str, line: Line, grid: str, count: int, *, seed: int) -> Pushed:
    """Write records, durably and untimed, then send them. Raises MeasureError unless all were accepted."""
    await handhelds.ask("sync", stores=[store])
    await handhelds.ask("write", store=store, grid=grid, count=count, seed=seed)
    before = line.traffic
    told = await handhelds.ask("sync", stores=[store])
    if told["sent"] != count or told["held"] or not told["are_equal"]:
        raise MeasureError(f"{count} records were written, and this is what was said of them: {told}")
    return Pushed(told["seconds"], line.traffic - before)


async def _exchanged(handhelds: HandheldProcess, store: str, line: Line) -> Traffic:
    before = line.traffic
    await handhelds.ask("sync", stores=[store])
    return line.traffic - before
