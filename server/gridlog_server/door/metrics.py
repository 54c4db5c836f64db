"""Count what an operator wants to know, in the format of Prometheus. Never whom, never what.

Labels have few values: a path is one of our routes, a code is one of the catalogue. What a stranger chose
is no label.
"""

from __future__ import annotations

import asyncio
import time
from typing import NoReturn

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_LAG_TICK_S = 0.02
_LAG_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_EXCHANGE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """All metrics of one server. See server/README.md for what to watch."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.server = Info("gridlog_server", "The tenant and the version.", registry=registry)
        self.requests = Counter(
            "gridlog_http_requests", "Requests by route and status.", ["path", "status"], registry=registry
        )
        self.exchange_seconds = Histogram(
            "gridlog_exchange_seconds",
            "From the body's last byte to the sealed answer.",
            registry=registry,
            buckets=_EXCHANGE_BUCKETS,
        )
        self.ops = Counter("gridlog_ops", "Ops answered for, repeated ones too.", ["outcome"], registry=registry)
        self.refusals = Counter(
            "gridlog_refusals", "Requests refused, sealed or in clear, by code.", ["code"], registry=registry
        )
        self.digest_mismatches = Counter(
            "gridlog_digest_mismatches", "Devices that found their records differ from ours.", registry=registry
        )
        self.repairs = Counter("gridlog_repairs", "Answers with records that were wrong there.", registry=registry)
        self.connections = Gauge("gridlog_connections", "Open connections.", registry=registry)
        self.connections_refused = Counter(
            "gridlog_connections_refused", "Turned away by the cap: total or address.", ["cap"], registry=registry
        )
        self.live = Gauge("gridlog_live_connections", "Devices that are told at once.", registry=registry)
        self.log_position = Gauge("gridlog_log_position", "The log's last entry.", registry=registry)
        self.writable = Gauge("gridlog_writable", "1 if the database takes writes.", registry=registry)
        self.stored = Gauge(
            "gridlog_stored",
            "How much there is, as `status` counts it, at most a minute old.",
            ["what"],
            registry=registry,
        )
        self.disk_free = Gauge("gridlog_disk_free_bytes", "Free where the database is.", registry=registry)
        self.lag_seconds = Histogram(
            "gridlog_event_loop_lag_seconds",
            "How late the event loop was; also for want of a processor.",
            registry=registry,
            buckets=_LAG_BUCKETS,
        )
        self.stall_seconds = Histogram(
            "gridlog_event_loop_stall_seconds",
            "How late it was, as far as work on its own thread explains it.",
            registry=registry,
            buckets=_LAG_BUCKETS,
        )

    def text(self) -> bytes:
        """Return everything, as it is scraped."""
        return generate_latest(self.registry)

    async def watch_lag(self) -> NoReturn:
        """Measure how late the event loop is, until cancelled."""
        while True:
            begun_s, worked_s = time.monotonic(), time.thread_time()
            await asyncio.sleep(_LAG_TICK_S)
            late_s = max(0.0, time.monotonic() - begun_s - _LAG_TICK_S)
            self.lag_seconds.observe(late_s)
            # A machine that is busy elsewhere makes everything late. What we did ourselves took processor time here.
            self.stall_seconds.observe(min(late_s, time.thread_time() - worked_s))
