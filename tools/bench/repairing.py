"""Ten thousand records on both sides, twenty of them different: what the device pays until both are equal again."""

from __future__ import annotations

from tools.bench.pushing import pushed
from tools.bench.sizes import Figures, Sizes
from tools.bench.stage import MeasureError, Stage


async def repairing(stage: Stage, sizes: Sizes) -> Figures:
    """Push ten thousand records with one device, fetch them with another, spoil some there, and repair.

    Of the bytes, what the right bodies of the spoilt records take is left out: compressed in one piece as the codec
    does, but by themselves.
    """
    line, handhelds, grid = await stage.line(), await stage.handhelds(), stage.new_grid()
    await stage.enrol(handhelds, "author", line, grid)
    many = await pushed(handhelds, "author", line, grid, sizes.push_many, seed=9)
    await stage.enrol(handhelds, "reader", line, grid)
    await handhelds.ask("sync", stores=["reader"])
    spoilt = await handhelds.ask("spoil", store="reader", count=sizes.differing)
    before = line.traffic
    told = await handhelds.ask("sync", stores=["reader"])
    if not told["are_equal"]:
        raise MeasureError(f"the replica differs still: {told}")
    passed = line.traffic - before
    return {
        "push10000_records_per_s": sizes.push_many / many.seconds,
        "repair_10k_20_bytes": passed.bodies - spoilt["bodies"],
        "repair_10k_20_round_trips": passed.round_trips,
        "repair_10k_20_s": told["seconds"],
    }
