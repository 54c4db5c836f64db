"""A phone with a wrong clock, a real server: the worker is warned, the administrator sees it, the flash is spared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gridlog import FieldStore, KdfProfile
from gridlog_protocol.ids import shown
from tests.end_to_end.processes import PASSPHRASE, DeviceCommands, ServerProcess
from tests.end_to_end.test_stores import code_for, write
from tools.demo.clocks import DAY_MS, HOUR_MS, DemoClock

GRID = "420106001001444"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as server:
        yield server


async def enrolled(running: ServerProcess, directory: Path, clock: DemoClock) -> FieldStore:
    store = await FieldStore.make(directory, PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS, clock=clock)
    await store.enrol(await code_for(running, GRID))
    return store


def journal_entries(store: FieldStore) -> int:
    return len(list(store._journal.replay()))


async def test_a_clock_days_ahead_is_told_to_the_worker_and_to_the_administrator(
    running: ServerProcess, tmp_path: Path
) -> None:
    async with await enrolled(running, tmp_path / "store", DemoClock(3 * DAY_MS)) as store:
        assert (await store.status()).clock_offset_ms is None
        [record] = await write(store, GRID)
        report = await store.sync()
        me = shown(store._memory.device)
        assert report.held == 0
        for told in (report, await store.status()):
            assert told.clock_offset_ms is not None
            assert abs(told.clock_offset_ms - 3 * DAY_MS) <= told.clock_error_ms + 1
            assert told.clock_warning is not None

    [line] = [each for each in running.command_json("devices") if each["device"] == me]
    assert abs(line["clock_offset_ms"] - 3 * DAY_MS) < HOUR_MS
    assert "3 days ahead" in running.command("devices").out
    [listed] = [each for each in running.command_json("records") if each["id"] == shown(record.id)]
    assert listed["clock"] == "review"
    page = running.command("record", record.id.hex()).out
    assert "review: phone said" in page
    assert "3 days ahead" in page
    assert running.command_json("status")["clock_review"] == 1


async def test_the_command_warns_at_status_and_write_until_an_exchange_finds_the_clock_right(
    running: ServerProcess, tmp_path: Path
) -> None:
    directory = tmp_path / "store"
    async with await enrolled(running, directory, DemoClock(-26 * HOUR_MS)) as store:
        await store.sync()
    device = DeviceCommands(directory)

    assert "⚠ This device's clock is about 26 hours behind the real time" in device.run("status").out
    assert "慢约 26 小时" in device.run("status", GRIDLOG_LANG="zh").out
    values = ("patrol_type=daily", "started_at=2026-11-22 09:10", "leader=me")
    written = device.run("write", "patrol", *values)
    assert written.code == 0
    assert "Nothing is lost" in written.err
    assert "26 hours" not in written.out
    report = device.run("sync", "--json").json
    assert abs(report["clock_offset_ms"]) <= report["clock_error_ms"] + 1000
    assert "clock" not in device.run("status").out + device.run("write", "patrol", *values).err


async def test_idle_exchanges_write_only_news_about_the_clock(running: ServerProcess, tmp_path: Path) -> None:
    clock = DemoClock(0)
    async with await enrolled(running, tmp_path / "store", clock) as store:
        await store.sync()
        before = journal_entries(store)
        await store.sync()
        assert journal_entries(store) == before
        # Somebody sets the clock, by less than would bring the hour of the last contact out of date.
        clock._ahead_ms = -5 * 60_000
        assert (await store.sync()).clock_warning is not None
        assert journal_entries(store) == before + 1
        await store.sync()
        assert journal_entries(store) == before + 1
        clock._ahead_ms = 0
        assert (await store.sync()).clock_warning is None
        assert journal_entries(store) == before + 2
