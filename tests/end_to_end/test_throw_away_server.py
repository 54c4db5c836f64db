"""What an app's author gets for his tests: a server that is there when asked for, and of which nothing stays."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import sysconfig
from pathlib import Path
from uuid import UUID

import pytest

from gridlog import FieldStore, Record, UnreachableError
from gridlog.testing import GRID, PASSPHRASE, ServerFailedError, ThrowAwayServer, throw_away_server

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
NOW = "2026-11-20T09:10:00+08:00"
WEST = "42010600100102"
HOUSEHOLD = "0190f5fe-7c01-7a3b-8c1d-0123456789ab"


async def written(store: FieldStore, summary: str, grid: str = GRID) -> Record:
    facts = {"patrol_type": "daily", "grid_code": grid, "occurred_at": NOW, "started_at": NOW, "summary": summary}
    return await store.create("patrol", {**facts, "leader": store.user})


def household(visit_class: str = "general") -> dict[str, object]:
    place = {"grid_code": GRID, "household_id": os.urandom(16), "address_id": os.urandom(16), "label": "3-2-502"}
    return {"kind": "household", "values": {**place, "visit_class": visit_class, "contact_name": "李四"}}


def processes_on(directory: Path) -> list[int]:
    """Return the processes, our own excepted, that were started for a server in this directory."""
    mark, found = str(directory).encode(), []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            found += [int(environment.parent.name)] if mark in environment.read_bytes() else []
        except OSError:
            continue  # It has just ended, or it is somebody else's.
    return found


def names_in(directory: Path) -> list[str]:
    return [each.name for each in directory.iterdir()]


def is_listening(server: ThrowAwayServer) -> bool:
    host, port = server.address.removeprefix("http://").split(":")
    with socket.socket() as asking:
        return asking.connect_ex((host, int(port))) == 0


def assert_nothing_is_left_of(server: ThrowAwayServer) -> None:
    assert not server.directory.exists()
    assert processes_on(server.directory) == []
    assert not is_listening(server)


async def test_what_stores_send_can_be_looked_at_and_what_the_office_says_comes_back(tmp_path: Path) -> None:
    async with (
        throw_away_server() as server,
        await server.enrolled_store(tmp_path / "mine", "张三") as mine,
        await server.enrolled_store(tmp_path / "partners", "李四", grids=[GRID, WEST]) as partners,
    ):
        await server.import_records([{**household(), "id": HOUSEHOLD}])
        patrol = await written(mine, "西门岗亭旁边的路灯不亮。")
        await written(mine, "别的网格，要放行。", WEST)
        await written(mine, "别的网格，要退回。", WEST)
        assert (await mine.sync()).held == 2
        assert [str(UUID(bytes=each.id)) for each in await mine.query("household")] == [HOUSEHOLD]

        [arrived] = await server.records("patrol")
        assert (arrived["author"], arrived["grids"]) == ("张三", [GRID])
        assert arrived["values"]["summary"] == "西门岗亭旁边的路灯不亮。"

        held = {each["values"]["summary"]: each["op"] for each in await server.held()}
        await server.release(held["别的网格，要放行。"])
        await server.reject(held["别的网格，要退回。"], "不在本社区范围内", by="王督导")
        await partners.sync()
        await partners.edit(await partners.get(patrol.id), {"summary": "三盏路灯不亮。"})
        await mine.edit(patrol, {"summary": "两盏路灯不亮。"})
        await asyncio.gather(mine.sync(), partners.sync())
        assert {(each.verdict.name, each.by) for each in await mine.decided()} == {
            ("RELEASED", "督导"),
            ("REJECTED", "王督导"),
        }
        [conflict] = await server.conflicts()
        assert {each["value"] for each in conflict["values"]} == {"两盏路灯不亮。", "三盏路灯不亮。"}

        with pytest.raises(ServerFailedError) as refused:
            await server.import_records([household(), household(visit_class="nobody")])
        assert refused.value.said in refused.value.text.zh
        assert len(await server.records("household")) == 1


async def test_a_server_that_was_stopped_starts_at_its_address_with_everything_it_had(tmp_path: Path) -> None:
    async with (
        throw_away_server() as server,
        await server.enrolled_store(tmp_path / "phone", "张三") as store,
    ):
        await written(store, "有信号。")
        await store.sync()
        server.stop()
        await written(store, "没有信号。")
        with pytest.raises(UnreachableError):
            await store.sync()
        assert not server.is_running
        code = await server.enrolment_code("李四")

        await server.start()
        assert (await store.sync()).sent == 1
        assert [each["values"]["summary"] for each in await server.records()] == ["没有信号。", "有信号。"]
        partner = await FieldStore.make(tmp_path / "partner", PASSPHRASE)
        async with partner:
            assert (await partner.enrol(code)).user_name == "李四"
        assert server.log.count(server.address) == 2


async def test_nothing_is_left_of_a_server_whose_test_failed() -> None:
    running: list[ThrowAwayServer] = []

    async def test() -> None:
        async with throw_away_server() as server:
            running.append(server)
            assert is_listening(server)
            assert len(processes_on(server.directory)) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await test()

    assert_nothing_is_left_of(running[0])


async def test_nothing_is_left_of_a_server_whose_test_is_cancelled_while_a_command_runs() -> None:
    running: list[ThrowAwayServer] = []

    async def test() -> None:
        async with throw_away_server() as server:
            running.append(server)
            await server.records()

    task = asyncio.create_task(test())
    while not (running and len(processes_on(running[0].directory)) == 2):
        assert not task.done()
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert_nothing_is_left_of(running[0])


async def test_a_server_that_cannot_be_made_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with pytest.raises(ServerFailedError, match=r"failed to init: .*6"):
        async with throw_away_server(tenant="42"):
            pass

    assert names_in(tmp_path) == []


def test_without_the_servers_package_a_person_reads_what_to_install() -> None:
    # Without `site` nothing is on the path but what is named: all that the SDK needs, and not the server.
    named = [*(str(ROOT / each) for each in ("protocol", "sync", "client_sdk")), sysconfig.get_path("purelib")]
    program = (
        "import asyncio, gridlog.testing as testing\n"
        "try:\n"
        "    asyncio.run(testing.throw_away_server().__aenter__())\n"
        "except testing.ServerMissingError as missing:\n"
        "    print(missing.text.zh, missing.text.en, sep='\\n')\n"
    )

    ran = subprocess.run(
        [sys.executable, "-S", "-c", program],
        env={"PYTHONPATH": os.pathsep.join(named), "PYTHONUTF8": "1"},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=60,
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "pip install gridlog" in ran.stdout
    assert "完整安装" in ran.stdout
