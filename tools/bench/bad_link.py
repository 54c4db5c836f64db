"""Five hundred records over a link as cellars have it: 300 ms each way, 5 KB/s up, cut every 20 to 40 seconds."""

from __future__ import annotations

from random import Random

from tools.bench.pushing import pushed
from tools.bench.sizes import Figures, Sizes
from tools.bench.stage import GOOD, MeasureError, Stage
from tools.proxy import Faults, cut_again_and_again

BAD = Faults(delay_ms=300, up_bytes_per_second=5_000)
_CUT_AFTER_S = 20.0, 40.0
_RADIO_BYTES = 8 << 10
"""What the line holds back while it is slow: as little as a radio does."""


async def bad_link(stage: Stage, sizes: Sizes) -> Figures:
    """Send the same records over a good link and over a bad one. Bytes are all that went up, headers and all."""
    good, bad, floor = (
        await stage.line(),
        await stage.line(waiting_bytes_max=_RADIO_BYTES),
        await stage.floor_line(waiting_bytes_max=_RADIO_BYTES),
    )
    handhelds, grid = await stage.handhelds(), stage.new_grid()
    await stage.enrol(handhelds, "good", good, grid)
    before = good.link.bytes_up
    await pushed(handhelds, "good", good, grid, sizes.bad_link, seed=5)
    good_bytes = good.link.bytes_up - before

    grid = stage.new_grid()
    await stage.enrol(handhelds, "bad", bad, grid)
    before = bad.link.bytes_up
    await handhelds.ask("sync", stores=["bad"])
    await handhelds.ask("write", store="bad", grid=grid, count=sizes.bad_link, seed=5)
    bad.link.faults = BAD
    async with cut_again_and_again(bad.link, _CUT_AFTER_S, Random(11)):
        told = await handhelds.ask("sync_until_sent", store="bad")
    bad.link.faults = GOOD
    if told["pending"]:
        raise MeasureError(f"{told['pending']} records did not get through")
    floor.link.faults = BAD
    async with cut_again_and_again(floor.link, _CUT_AFTER_S, Random(11)):
        plain = await handhelds.ask("floor_push", address=floor.address, grid=grid, count=sizes.bad_link, seed=5)
    return {
        "badlink500_s": told["seconds"],
        "badlink500_cuts": told["cuts"],
        "badlink500_bytes_up_over_good": (bad.link.bytes_up - before) / good_bytes,
        "floor_badlink500_s": plain["seconds"],
    }
