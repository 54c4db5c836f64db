"""What the measures of exchanges play on: a server, the floor's, handhelds, each a process; lines between them.

Whoever directs sees every byte of a line pass, and takes no part in what is timed but for passing it on.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from gridlog.testing import ThrowAwayServer, throw_away_server
from gridlog_protocol.invitation import read_invitation
from gridlog_server.settings import load
from tools.bench.meter import Meter, Traffic
from tools.proxy import Faults, Link

GOOD = Faults()
_LINE_BYTES_MAX = 1 << 20
_FIRST_GRID = 420106001001001


class MeasureError(Exception):
    """Something that a measure relies on is not so, and its figure would mean nothing."""


class HandheldProcess:
    """A process of handhelds, as whoever directs sees it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, do: str, **facts: Any) -> dict[str, Any]:
        """Have one thing done, and return what is told of it. Raises MeasureError if the process ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"do": do, **facts}).encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise MeasureError(f"a handheld failed at {do!r}; its error is above")
        told: dict[str, Any] = json.loads(line)
        return told

    async def end(self) -> None:
        """Let it close its stores and end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


@dataclass(slots=True)
class Line:
    """A line to one server, and what passes on it."""

    link: Link
    meter: Meter

    @property
    def address(self) -> str:
        """Where it begins."""
        return f"http://127.0.0.1:{self.link.port}"

    @property
    def traffic(self) -> Traffic:
        """What has passed so far."""
        return self.meter.traffic


class Stage:
    """Servers, lines and handhelds of one run. Made by `stage`."""

    def __init__(self, scratch: Path, server: ThrowAwayServer, floor_port: int, exits: AsyncExitStack) -> None:
        self._scratch = scratch
        self._server = server
        self._floor_port = floor_port
        self._exits = exits
        self._made = 0

    def new_grid(self) -> str:
        """Return the code of a grid that nobody works in yet: each measure has its own records."""
        self._made += 1
        return str(_FIRST_GRID + self._made)

    async def line(self, *, waiting_bytes_max: int = 64 << 10) -> Line:
        """Lay a good line to the server."""
        return await self._laid(int(self._server.address.rsplit(":", 1)[1]), waiting_bytes_max)

    async def floor_line(self, *, waiting_bytes_max: int = 64 << 10) -> Line:
        """Lay a good line to the floor's server."""
        return await self._laid(self._floor_port, waiting_bytes_max)

    async def handhelds(self) -> HandheldProcess:
        """Start a process of handhelds."""
        self._made += 1
        directory = self._scratch / f"handhelds-{self._made}"
        directory.mkdir()
        process = await _started("tools.bench.handheld", str(directory), takes_commands=True)
        made = HandheldProcess(process)
        self._exits.push_async_callback(made.end)
        return made

    async def enrol(self, handhelds: HandheldProcess, store: str, line: Line, grid: str) -> None:
        """Make a handheld known to the server, over a line."""
        socket = load(self._server.directory / "data", {}).socket
        self._made += 1
        facts = {"staff_no": f"B{self._made:05}", "name": "张三", "grids": [grid]}
        connector = aiohttp.UnixConnector(str(socket))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post("http://localhost/enroll", json=facts) as answer,
        ):
            code = (await answer.json())["code"]
        await handhelds.ask("enrol", store=store, code=replace(read_invitation(code), address=line.address).code())

    async def _laid(self, port: int, waiting_bytes_max: int) -> Line:
        meter = Meter()
        link = Link("127.0.0.1", port, GOOD, Random(1), waiting_bytes_max=waiting_bytes_max, heard=meter.hear)
        await self._exits.enter_async_context(link)
        return Line(link, meter)


@asynccontextmanager
async def stage(scratch: Path) -> AsyncIterator[Stage]:
    """Start both servers, and take everything away at the end."""
    async with throw_away_server() as server, AsyncExitStack() as exits:
        floor = await _started("tools.bench.floor_server", str(scratch / "floor.db"))
        exits.push_async_callback(_killed, floor)
        assert floor.stdout is not None
        yield Stage(scratch, server, int(await floor.stdout.readline()), exits)


async def _killed(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()


async def _started(module: str, argument: str, *, takes_commands: bool = False) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        argument,
        stdin=asyncio.subprocess.PIPE if takes_commands else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ,
        limit=_LINE_BYTES_MAX,
    )
