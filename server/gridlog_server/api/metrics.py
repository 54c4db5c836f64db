"""Let the operator's collector read the counters. Never on the public door: see server/README.md."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from aiohttp import web

from gridlog_server.door.metrics import CONTENT_TYPE, Metrics
from gridlog_server.service.inspection import Inspection
from gridlog_server.service.readiness import Readiness

_COUNT_EVERY_S = 60.0
"""Counting all ops reads all of an index: not with every scrape."""


class Scraping:
    """Puts in what is looked up when somebody asks, and answers with everything."""

    def __init__(self, metrics: Metrics, inspection: Inspection, readiness: Readiness, data: Path) -> None:
        self._metrics = metrics
        self._inspection = inspection
        self._readiness = readiness
        self._data = data
        self._counted_s = float("-inf")
        self._scraping = asyncio.Lock()

    def routes(self) -> list[web.RouteDef]:
        """Return the route."""
        return [web.get("/metrics", self._answer)]

    async def _answer(self, _: web.Request) -> web.Response:
        async with self._scraping:
            await self._look_up()
        return web.Response(body=self._metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    async def _look_up(self) -> None:
        ready = await self._readiness.ask()
        self._metrics.writable.set(ready.writable)
        self._metrics.log_position.set(ready.log_position)
        space = os.statvfs(self._data)
        self._metrics.disk_free.set(space.f_bavail * space.f_frsize)
        if time.monotonic() - self._counted_s >= _COUNT_EVERY_S:
            for what, number in (await self._inspection.counts()).items():
                if what != "log_position":
                    self._metrics.stored.labels(what).set(number)
            self._counted_s = time.monotonic()
