"""A process with handhelds in it: told by JSON lines on standard input what to do, it answers each with one line.

Besides real stores it plays the floor's part: the same records posted at once, without a store.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp
import msgpack
import zstandard

from gridlog import FieldStore, KdfProfile, SyncTurn
from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.state_codec import Authors, record_row
from tools.bench.floor_server import LEVEL, opened
from tools.bench.records import forms
from tools.demo.vocabulary import MEASURING

PASSPHRASE = "a passphrase for measuring"  # noqa: S105 - of stores that are thrown away.
_REST_S = 3600.0
_DAYS_BACK = timedelta(days=60)
_PAUSE_S = 1.0

Answer = dict[str, Any]


class Handhelds:
    """The stores of this process, by name."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stores: dict[str, FieldStore] = {}

    async def enrol(self, store: str, code: str) -> Answer:
        """Make a store and enrol it."""
        made = await FieldStore.make(self._directory / store, PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS)
        self._stores[store] = made
        await made.enrol(code)
        return {}

    async def write(self, store: str, grid: str, count: int, seed: int) -> Answer:
        """Save records, each durable before the next."""
        opened_store = self._stores[store]
        for form in forms(count, seed=seed, half=MEASURING, first_day=_first_day(), alone=True):
            await opened_store.create(form.kind, {**form.values, "grid_code": grid})
        return {}

    async def sync(self, stores: list[str]) -> Answer:
        """Synchronise stores, all at once, and tell how long that took."""
        begun = time.perf_counter()
        reports = await asyncio.gather(*(self._stores[store].sync() for store in stores))
        seconds = time.perf_counter() - begun
        return {
            "seconds": seconds,
            "sent": sum(report.sent for report in reports),
            "received": sum(report.received for report in reports),
            "held": sum(report.held for report in reports),
            "are_equal": all(report.is_equal for report in reports),
        }

    async def sync_until_sent(self, store: str) -> Answer:
        """Synchronise for ever, as an app does in the background, until nothing waits; `cuts` turns were cut."""
        cuts, is_done = 0, asyncio.Event()

        def look(turn: SyncTurn) -> None:
            nonlocal cuts
            cuts += turn.trouble is not None
            if turn.trouble is None:
                is_done.set()

        begun = time.perf_counter()
        syncing = asyncio.create_task(self._stores[store].sync_forever(every_s=_REST_S, on_report=look))
        await is_done.wait()
        seconds = time.perf_counter() - begun
        syncing.cancel()
        await asyncio.wait([syncing])
        return {"seconds": seconds, "cuts": cuts, "pending": len(await self._stores[store].pending())}

    async def spoil(self, store: str, count: int) -> Answer:
        """Do to a replica what a bug would: some records wrong. Tells what their right bodies weigh, compressed."""
        spoilt = self._stores[store]
        return {"bodies": await spoilt._run(lambda: _spoilt(spoilt, count))}  # noqa: SLF001 - no API does this.

    async def floor_push(self, address: str, grid: str, count: int, seed: int) -> Answer:
        """Post records at once, again until it comes through."""
        rows = list(_floor_rows(grid, count, seed))
        begun = time.perf_counter()
        body = zstandard.ZstdCompressor(LEVEL).compress(msgpack.packb(rows))
        async with aiohttp.ClientSession() as session:
            while not await _posted(session, address, body):  # noqa: ASYNC110 - a link tells nobody that it is back.
                await asyncio.sleep(_PAUSE_S)
        return {"seconds": time.perf_counter() - begun}

    async def floor_fleet(self, address: str, grid: str, count: int, seeds: list[int]) -> Answer:
        """Post as many devices would, all at once."""
        bodies = [list(_floor_rows(grid, count, seed)) for seed in seeds]

        async def post(rows: list[Mapping[str, Any]]) -> None:
            body = zstandard.ZstdCompressor(LEVEL).compress(msgpack.packb(rows))
            async with aiohttp.ClientSession() as session, session.post(address, data=body) as answer:
                await answer.read()

        begun = time.perf_counter()
        await asyncio.gather(*(post(rows) for rows in bodies))
        return {"seconds": time.perf_counter() - begun}

    async def floor_pull(self, address: str, grid: str) -> Answer:
        """Fetch a grid's records and keep them in a plain durable database."""
        with closing(opened(str(self._directory / f"floor-{time.monotonic_ns()}.db"))) as database:
            begun = time.perf_counter()
            async with aiohttp.ClientSession() as session, session.get(f"{address}/{grid}") as answer:
                rows = msgpack.unpackb(zstandard.ZstdDecompressor().decompress(await answer.read()))
            database.execute("BEGIN IMMEDIATE")
            kept = [(row["id"], row["grid_code"], msgpack.packb(row)) for row in rows]
            database.executemany("INSERT INTO record (id, grid, content) VALUES (?, ?, ?)", kept)
            database.execute("COMMIT")
            return {"seconds": time.perf_counter() - begun, "received": len(rows)}

    async def close(self) -> None:
        """Close every store."""
        for store in self._stores.values():
            await store.close()


def _first_day() -> date:
    # What a phone takes for long ago wants a comment.
    return datetime.now(UTC).date() - _DAYS_BACK


async def _posted(session: aiohttp.ClientSession, address: str, body: bytes) -> bool:
    try:
        async with session.post(address, data=body) as answer:
            await answer.read()
            return answer.status == 200
    except (aiohttp.ClientError, OSError):
        return False


def _floor_rows(grid: str, count: int, seed: int) -> Iterator[Mapping[str, Any]]:
    for form in forms(count, seed=seed, half=MEASURING, first_day=_first_day(), alone=True):
        yield {"id": form.id, "kind": form.kind, **form.values, "grid_code": grid}


def _spoilt(store: FieldStore, count: int) -> int:
    memory, authors = store._memory, Authors()  # noqa: SLF001
    rows: list[Value] = []
    for row in [*memory.projection.rows()][:: max(1, memory.projection.counts()[0] // count)][:count]:
        state = memory.projection.confirmed(row.id)
        assert state is not None
        rows.append(record_row(state, authors))
        fields = {**state.fields, "visibility": state.fields["grid_code"]}
        memory.projection.confirm(replace(state, fields=MappingProxyType(fields)))
    return len(zstandard.ZstdCompressor(9).compress(pack([authors.table(), rows])))


async def _obey(directory: Path) -> None:
    handhelds = Handhelds(directory)
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        facts = json.loads(line)
        answer = await getattr(handhelds, facts.pop("do"))(**facts)
        print(json.dumps(answer), flush=True)
    await handhelds.close()


if __name__ == "__main__":
    asyncio.run(_obey(Path(sys.argv[1])))
