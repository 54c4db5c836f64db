"""Fifty devices that come back into coverage in the same second, a hundred new records on each.

Each has met the server before, and knows its grid: it comes back, it does not come for the first time.

Two processes hold the stores of half the devices each, and every store's `sync()` begins at once; what counts is the
time until the last one has returned. Clients and server share the machine's cores, in ours as in the floor.
"""

from __future__ import annotations

import asyncio
import time

from tools.bench.sizes import Figures, Sizes
from tools.bench.stage import MeasureError, Stage

_PROCESSES = 2


async def fleet(stage: Stage, sizes: Sizes) -> Figures:
    """Let all devices push at once, each from a grid of its own."""
    line, floor = await stage.line(), await stage.floor_line()
    processes = [await stage.handhelds() for _ in range(_PROCESSES)]
    shares = [[*range(first, sizes.devices, _PROCESSES)] for first in range(_PROCESSES)]
    for handhelds, share in zip(processes, shares, strict=True):
        for device in share:
            grid, store = stage.new_grid(), str(device)
            await stage.enrol(handhelds, store, line, grid)
            await handhelds.ask("sync", stores=[store])
            await handhelds.ask("write", store=store, grid=grid, count=sizes.ops_each, seed=device)
    total = sizes.devices * sizes.ops_each
    begun = time.perf_counter()
    told = await asyncio.gather(
        *(
            handhelds.ask("sync", stores=[str(device) for device in share])
            for handhelds, share in zip(processes, shares, strict=True)
        )
    )
    seconds = time.perf_counter() - begun
    if sum(each["sent"] for each in told) != total or any(each["held"] for each in told):
        raise MeasureError(f"{total} records were written, and this is what was said of them: {told}")
    plain = await asyncio.gather(
        *(
            handhelds.ask("floor_fleet", address=floor.address, grid="fleet", count=sizes.ops_each, seeds=share)
            for handhelds, share in zip(processes, shares, strict=True)
        )
    )
    return {
        "fleet50x100_records_per_s": total / seconds,
        "floor_fleet50x100_records_per_s": total / max(each["seconds"] for each in plain),
    }
