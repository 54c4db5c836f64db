"""The example app, run as its reader runs it: a real process, a script on its keyboard, a throw-away server."""

from __future__ import annotations

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gridlog import FieldStore
from gridlog.testing import PASSPHRASE, ThrowAwayServer, throw_away_server
from tests.end_to_end.processes import clean_environment, hear_ctrl_c

pytestmark = pytest.mark.long

EXAMPLE = Path(__file__).parents[2] / "client_sdk/examples/patrol_book.py"
PATIENCE_S = 30
MENU = "q 退出 > "


@asynccontextmanager
async def opened(store: Path) -> AsyncIterator[Process]:
    environment = clean_environment({"GRIDLOG_PASSPHRASE": PASSPHRASE, "GRIDLOG_LANG": "zh", "PYTHONUTF8": "1"})
    app = await asyncio.create_subprocess_exec(
        sys.executable,
        str(EXAMPLE),
        str(store),
        "0.1",
        env=environment,
        stdin=PIPE,
        stdout=PIPE,
        preexec_fn=hear_ctrl_c,
    )
    try:
        yield app
    finally:
        if app.returncode is None:
            app.kill()
            await app.wait()


async def said(app: Process, until: str) -> str:
    assert app.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        return (await app.stdout.readuntil(until.encode())).decode()


def type_in(app: Process, *lines: str) -> None:
    assert app.stdin is not None
    app.stdin.write("".join(f"{line}\n" for line in lines).encode())


async def ended(app: Process) -> int:
    async with asyncio.timeout(PATIENCE_S):
        return await app.wait()


async def summaries(server: ThrowAwayServer) -> set[str]:
    return {str(each["values"]["summary"]) for each in await server.records("patrol")}


async def test_a_day_with_the_patrol_book_ends_with_every_patrol_on_the_server(tmp_path: Path) -> None:
    store_path = tmp_path / "phone"
    async with throw_away_server() as server:
        async with opened(store_path) as app:
            await said(app, "登记码：")
            type_in(app, await server.enrolment_code("张三"))
            await said(app, MENU)

            type_in(app, "w", "路灯不亮，联系人身份证 11010519491231002X", "路灯不亮，已报修。")
            refused = await said(app, "路灯不亮，已报修。 [只在本机]")
            assert refused.count("情况（空行放弃）：") == 2

            await said(app, "已上传 1 项")
            type_in(app, "t")
            assert "今天 1 次" in await said(app, "路灯不亮，已报修。 [服务器已收到] 1-")

            server.stop()
            type_in(app, "w", "井盖松动。")
            await said(app, "井盖松动。 [只在本机]")
            app.send_signal(signal.SIGINT)
            assert await ended(app) == 0

        await server.start()
        assert await summaries(server) == {"路灯不亮，已报修。"}
        async with opened(store_path) as app:
            await said(app, "已上传 1 项")
            type_in(app, "q")
            assert await ended(app) == 0

        assert await summaries(server) == {"路灯不亮，已报修。", "井盖松动。"}
        async with await FieldStore.open(store_path, PASSPHRASE) as store:
            assert await store.pending() == []
