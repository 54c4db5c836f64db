"""A door before real services, that a test can shut, and at which it can say what no honest server says."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from aiohttp import web

from gridlog import (
    FieldStore,
    KdfProfile,
    Record,
)
from gridlog_protocol.canonical import Value
from gridlog_server.service.standing import Step
from gridlog_server.store.contract import Device
from tests.unit.server.building import EAST, Server, serving

PASSPHRASE = "grid-worker-7"
MEDIA_TYPE = "application/vnd.gridlog"
WHEN = "2026-11-22T09:10:00+08:00"

Say = Callable[[bytes, bytes], bytes | None]
"""What goes out in the place of an answer, given the request and the honest answer; None cuts the line."""


def honestly(_: bytes, answer: bytes) -> bytes:
    return answer


@dataclass(slots=True)
class Door:
    """An HTTP door of a test, before real services."""

    server: Server
    say: Say = honestly
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    is_shut: bool = False

    async def sync(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if self.is_shut:
            return self._cut(request)
        self.requests.append(raw)
        said = self.say(raw, await self.server.exchange.answer(raw))
        return self._cut(request) if said is None else web.Response(body=said, content_type=MEDIA_TYPE)

    async def enrol(self, request: web.Request) -> web.Response:
        return web.Response(body=await self.server.enrolment.answer(await request.read()), content_type=MEDIA_TYPE)

    async def identity(self, _: web.Request) -> web.Response:
        signing, exchange = self.server.keys.public
        return web.json_response({"versions": [1], "signing_key": signing.hex(), "exchange_key": exchange.hex()})

    async def code(self, staff_no: str = "W1") -> str:
        invitation = (await self.server.enrolment.invite(staff_no, "张三", [EAST], by="root")).invitation
        return replace(invitation, address=f"http://127.0.0.1:{self.port}").code()

    async def device(self) -> Device:
        return min((await self.server.inspection.devices()), key=lambda line: line.device.status == "active").device

    async def step(self, *steps: Step) -> None:
        device = await self.device()
        for each in steps:
            await self.server.standing.change(device.id.hex(), each, by="root", reason="在公交车上遗失")

    def _cut(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@asynccontextmanager
async def opened_door(folder: Path) -> AsyncIterator[Door]:
    """Put a door before a server of its own."""
    async with serving(folder) as server:
        door = Door(server)
        app = web.Application(client_max_size=2 << 20)
        routes = (web.post("/v1/sync", door.sync), web.post("/v1/enroll", door.enrol))
        app.add_routes([*routes, web.get("/v1/identity", door.identity)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        door.port = runner.addresses[0][1]
        try:
            yield door
        finally:
            await runner.cleanup()


@asynccontextmanager
async def enrolled(door: Door, directory: Path) -> AsyncIterator[FieldStore]:
    async with await FieldStore.make(directory, PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS) as store:
        await store.enrol(await door.code())
        yield store


async def wrote(store: FieldStore, summary: str) -> Record:
    values: dict[str, Value] = {"patrol_type": "daily", "grid_code": EAST, "occurred_at": WHEN, "started_at": WHEN}
    return await store.create("patrol", {**values, "leader": store.user, "summary": summary})


def noise() -> str:
    """Return letters that no compression makes short, and that are no number of anybody."""
    return "".join(chr(ord("a") + each % 26) for each in os.urandom(900))


def held_in(directory: Path) -> set[str]:
    return {each.name for each in directory.iterdir()}


async def quarantined(server: Server) -> list[Value]:
    """Return what the notes in quarantine say, in the order in which they were written."""
    lines = await server.inspection.quarantined(1000)
    ops = {op.id.seq: op for line in lines for op in line.ops}
    return [edit.value for _, op in sorted(ops.items()) for edit in op.edits if edit.field == "summary"]
