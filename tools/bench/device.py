"""One step of the measurement of a store, in a process of its own: what one left in memory is not the next one's.

Prints a JSON object of figures: seconds, milliseconds, MiB and bytes, as their names say.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
import time
from collections.abc import Awaitable
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import median, quantiles

from gridlog import FieldStore, KdfProfile
from gridlog.entries import Enrolled, TakenAnswer, pack_answer, pack_enrolled
from gridlog.frames import FrameType
from gridlog.journal import Journal
from gridlog.keydisk import SNAPSHOT_FILE
from gridlog.sights import confirmed_of
from gridlog.vault import Vault
from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import DeviceHandle, Position, ScopeId, TenantId, UserId
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.kinds.times import moment_text
from gridlog_sync.session import Standing
from gridlog_sync.writing import Change
from tools.bench.records import EPOCH, confirmed_records, scopes
from tools.bench.sizes import Figures

PASSPHRASE = "a passphrase for measuring"  # noqa: S105 - Of stores that are thrown away.
SCOPES = (ScopeId("tenant"), *map(ScopeId, scopes()))
ME = UserId(b"a worker's id 16")
_PER_ANSWER = 250
"""About what a fast link brings in one answer."""


def fill(store: Path, records: int) -> Figures:
    """Make a store that was enrolled and has fetched so many records, as its journal keeps them."""
    shown_bytes = 0
    with (
        Vault.create(store, PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS) as vault,
        Journal.create(store, vault) as journal,
    ):
        keys = bytes(range(32))
        who = DeviceHandle(bytes(8)), TenantId("420106"), "武昌区", ME, "张三"
        entry = pack_enrolled(Enrolled("http://127.0.0.1:9", keys, keys, *who, EPOCH, SCOPES, 1, 0, b""))
        journal.append([(FrameType.ENROLMENT, entry)])
        kept = []
        for number, state in enumerate(confirmed_records(records), 1):
            kept.append(confirmed_of(state, shipped_kinds()))
            shown_bytes += len(kept[-1].sight.shown.encode())
            if len(kept) == _PER_ANSWER or number == records:
                standing = Standing(EPOCH, Position(number), bytes(8), 1, SCOPES, ())
                taken = TakenAnswer(standing, 1, 0, 0, Stamp(0), tuple(kept), (), {}, (), None)
                journal.append([(FrameType.ANSWER, pack_answer(taken))])
                kept.clear()
    return {"json_bytes_per_record": shown_bytes / records, "journal_bytes_per_record": _disk_bytes(store) / records}


async def replay(store: Path) -> Figures:
    """Open from the journal alone, and lock: that leaves a snapshot."""
    (store / SNAPSHOT_FILE).unlink(missing_ok=True)
    opened, seconds = await _opened(store)
    begun = time.perf_counter()
    await opened.lock()
    locked = time.perf_counter() - begun
    await opened.close()
    return {"replay_s": seconds, "lock_with_snapshot_s": locked}


async def unlock(store: Path, records: int) -> Figures:
    """Open from the snapshot."""
    before = _memory_mib("VmRSS")
    opened, seconds = await _opened(store)
    figures = {"unlock_s": seconds, "rss_mib": _memory_mib("VmRSS"), "rss_before_mib": before}
    await opened.close()
    return figures | {"disk_bytes_per_record": _disk_bytes(store) / records}


async def look(store: Path, searches: int) -> Figures:
    """Ask for lists and search, as an app does all day."""
    opened, _ = await _opened(store)
    begun = time.perf_counter()
    await opened.query("patrol", where={"patrol_type": "daily", "grid_code": SCOPES[1]}, order="-started_at")
    first_ms = 1000 * (time.perf_counter() - begun)
    asked, searched, rng = [], [], Random(3)
    texts = [each.values["summary"] for each in await opened.query("patrol", limit=5000)]
    for _ in range(searches):
        grid = rng.choice(SCOPES[1:])
        asked += [
            await _timed_ms(opened.query("patrol", where={"grid_code": grid})),
            await _timed_ms(opened.query("patrol", where={"grid_code": grid}, order="-started_at", offset=100)),
            await _timed_ms(opened.query("patrol", where={"patrol_type": "daily", "grid_code": grid})),
        ]
        text = str(rng.choice(texts))
        begin = rng.randrange(max(1, len(text) - 4))
        # Most of what people look for is rare, so that the whole store is looked through.
        wanted = text[begin : begin + 4] if rng.random() < 0.8 else "哪里也没有写过的字"
        searched.append(await _timed_ms(opened.search(wanted)))
    rss = _memory_mib("VmRSS")
    await opened.close()
    return {
        "query_first_ms": first_ms,
        "query_ms_p50": median(asked),
        "query_ms_p95": _p95(asked),
        "search_ms_p50": median(searched),
        "search_ms_p95": _p95(searched),
        "rss_after_queries_mib": rss,
        "rss_peak_mib": _memory_mib("VmHWM"),
    }


async def save(store: Path, saves_count: int) -> Figures:
    """Write notes, each durable before the next, and rows into a plain database beside it, in turns."""
    opened, _ = await _opened(store)
    saves, plain = [], []
    with closing(sqlite3.connect(store.parent / "plain.db", isolation_level=None)) as floor:
        floor.execute("PRAGMA journal_mode = WAL")
        floor.execute("PRAGMA synchronous = FULL")
        floor.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)")
        at = moment_text(time.time_ns() // 1_000_000)
        for number in range(saves_count):
            values: dict[str, Change] = {"occurred_at": at, "started_at": at, "patrol_type": "daily", "leader": ME}
            summary = f"第{number}次巡查，路灯三盏不亮，已经报修。"
            begun = time.perf_counter()
            await opened.create("patrol", values | {"grid_code": SCOPES[1], "summary": summary})
            saves.append(1000 * (time.perf_counter() - begun))
            begun = time.perf_counter()
            floor.execute("INSERT INTO note (text) VALUES (?)", (summary * 16,))
            plain.append(1000 * (time.perf_counter() - begun))
    await opened.close()
    return {
        "save_ms_p50": median(saves),
        "save_ms_p95": _p95(saves),
        "floor_save_ms_p50": median(plain),
        "floor_save_ms_p95": _p95(plain),
        "save_p95_over_floor": _p95(saves) / _p95(plain),
    }


async def _opened(store: Path) -> tuple[FieldStore, float]:
    begun = time.perf_counter()
    opened = await FieldStore.open(store, PASSPHRASE)
    return opened, time.perf_counter() - begun


async def _timed_ms(work: Awaitable[object]) -> float:
    begun = time.perf_counter()
    await work
    return 1000 * (time.perf_counter() - begun)


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1]


def _memory_mib(name: str) -> float:
    fields = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (each for each in fields.splitlines() if each.startswith(name))
    return int(line.split()[1]) / 1024


def _disk_bytes(store: Path) -> int:
    return sum(path.stat().st_size for path in store.iterdir())


def main() -> None:
    """Run one step: its name, the store's directory, the numbers of records, searches and saves."""
    step, store = sys.argv[1], Path(sys.argv[2])
    records, searches, saves = map(int, sys.argv[3:])
    match step:
        case "fill":
            figures = fill(store, records)
        case "replay":
            figures = asyncio.run(replay(store))
        case "unlock":
            figures = asyncio.run(unlock(store, records))
        case "look":
            figures = asyncio.run(look(store, searches))
        case "save":
            figures = asyncio.run(save(store, saves))
        case _:
            sys.exit(f"no step {step!r}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
