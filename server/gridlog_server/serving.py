"""Serve over HTTP: the public door, one for metrics, and the local one for commands, until somebody says stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from importlib.metadata import version
from typing import Any

from aiohttp import web
from babel.dates import get_timezone

from gridlog_protocol.ids import shown
from gridlog_protocol.limits import MESSAGE_BYTES_MAX

from .api import exchange as exchange_api
from .api import health, local
from .api import live as live_api
from .api.metrics import Scraping
from .api.visits import reception
from .app import Services, now_ms, services, sole_writer
from .console.channels import Surroundings
from .console.entrance import PREFIX, Desk, console_app
from .door.intake import Intake
from .door.listener import Caps, Listener
from .door.logs import name_device
from .door.metrics import Metrics
from .door.rates import Rates
from .door.tls import TlsError, tls_context
from .service.exchange import Told
from .settings import Settings

log = logging.getLogger(__name__)
# What strangers send that is not HTTP is answered with 400; a traceback for each would only fill the disk.
_noise = logging.getLogger(f"{__name__}.noise")
_noise.setLevel(logging.CRITICAL)
_STOP_SECONDS = 3
"""How long requests under way may take to end. What is cut then comes again: nobody was told that it is stored."""
_LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read and dropped, so that the refusal is heard before the line closes."""
_START_PATIENCE_S = 10.0
_OBJECTS_PER_COLLECTION = 50_000


def public_app(settings: Settings, opened: Services, metrics: Metrics) -> web.Application:
    """Return the application of the public door."""
    rates = Rates(per_minute=settings.requests_per_minute, burst=settings.requests_burst)
    intake = Intake(message_bytes_max=MESSAGE_BYTES_MAX, stall_s=settings.stall_seconds)
    app = web.Application(middlewares=[reception(rates, metrics, settings.trusted_proxies)])
    app.add_routes(exchange_api.routes(opened.exchange, opened.enrolment, opened.keys, intake, metrics))
    app.add_routes(live_api.routes(opened.live, metrics))
    app.add_routes(health.routes(opened.readiness))
    app.add_subapp(PREFIX, _console(settings, opened))
    return app


def _console(settings: Settings, opened: Services) -> web.Application:
    desk = Desk(
        tenant=opened.store.tenancy.name,
        kinds=opened.kinds,
        accounts=opened.accounts,
        administering=opened.administering,
        holdings=opened.holdings,
        reviewing=opened.reviewing,
        resolving=opened.resolving,
        held=opened.held,
        inbox=opened.inbox,
        news=opened.news,
        inspection=opened.inspection,
    )
    surroundings = Surroundings(settings.address, settings.trusted_proxies)
    zone = get_timezone(settings.time_zone or None)
    return console_app(desk, surroundings, zone=zone, now_ms=now_ms, stall_s=settings.stall_seconds)


def local_app(opened: Services, scraping: Scraping) -> web.Application:
    """Return the application behind the local socket."""
    app = web.Application(client_max_size=local.IMPORT_BYTES_MAX)
    app.add_routes(scraping.routes())
    app.add_routes(local.routes(opened.commands))
    return app


def metrics_app(scraping: Scraping) -> web.Application:
    """Return the application of the listener for metrics."""
    app = web.Application()
    app.add_routes(scraping.routes())
    return app


async def run(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `announce` gets the address once it answers. Raises InUseError, TlsError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    with sole_writer(settings, patience_s=_START_PATIENCE_S):
        metrics = Metrics()
        async with (
            services(settings, lambda told: keep_books(metrics, told), is_to_serve=True) as opened,
            serving(settings, opened, metrics) as address,
        ):
            _collect_seldom()
            announce(address)
            await stop.wait()
            log.info("stopping")


def _collect_seldom() -> None:
    """Look for cycles after as many new objects as a full push makes, and never in what was there at the start.

    Ops and records have no cycles, but each is a dozen objects: with Python's own 700, a fifth of a push went into
    looking through them again and again.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS_PER_COLLECTION)


def keep_books(metrics: Metrics, told: Told) -> None:
    """Count an exchange, and let the lines of its request name the device."""
    name_device(told.handle)
    if told.refused:
        metrics.refusals.labels(told.refused).inc()
    metrics.ops.labels("accepted").inc(told.accepted)
    metrics.ops.labels("held").inc(told.held)
    metrics.digest_mismatches.inc(told.differs)
    metrics.repairs.inc(told.repaired)


@asynccontextmanager
async def serving(settings: Settings, opened: Services, metrics: Metrics | None = None) -> AsyncIterator[str]:
    """Answer requests, and say under which address. Raises OSError, TlsError."""
    metrics = metrics or Metrics()
    tenancy = opened.store.tenancy
    metrics.server.info({"version": version("gridlog"), "tenant": tenancy.tenant, "epoch": shown(tenancy.epoch)})
    scraping = Scraping(metrics, opened.inspection, opened.readiness, settings.data)
    async with AsyncExitStack() as doors:
        # Left last, so that a stop is measured too.
        await doors.enter_async_context(_background(metrics.watch_lag()))
        await doors.enter_async_context(_background(opened.live.look_forever()))
        await doors.enter_async_context(_background(opened.filling.run_until_done()))
        inner = await doors.enter_async_context(_runner(local_app(opened, scraping)))
        await _listen_locally(inner, settings)
        doors.callback(settings.socket.unlink, missing_ok=True)
        if settings.metrics_listen is not None:
            scraped = await doors.enter_async_context(_runner(metrics_app(scraping)))
            await web.TCPSite(scraped, *settings.metrics_listen).start()
        port = await doors.enter_async_context(_public(settings, opened, metrics))
        scheme = "https" if settings.tls_certificate else "http"
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        yield f"{scheme}://{host}:{port}"


@asynccontextmanager
async def _public(settings: Settings, opened: Services, metrics: Metrics) -> AsyncIterator[int]:
    # No decompression: a gzip bomb must not run on the event loop, and the protocol never uses encodings. The time
    # that a connection may be kept alive is also how long aiohttp waits for the headers of its next request.
    runner = web.AppRunner(
        public_app(settings, opened, metrics),
        auto_decompress=False,
        access_log=None,
        logger=_noise,
        keepalive_timeout=settings.header_seconds,
        lingering_time=min(_LINGER_SECONDS, settings.stall_seconds),
        shutdown_timeout=_STOP_SECONDS,
    )
    await runner.setup()
    server = runner.server
    assert server is not None
    caps = Caps(
        settings.connections_max,
        settings.connections_per_address_max,
        settings.header_seconds,
        settings.stall_seconds,
        settings.trusted_proxies,
    )
    listener = Listener(
        server,
        caps,
        tls=_tls(settings),
        on_count=metrics.connections.set,
        on_refused=lambda cap: metrics.connections_refused.labels(cap).inc(),
    )
    try:
        port = await listener.start(settings.host, settings.port)
        with _reloading(listener, settings):
            yield port
    finally:
        await listener.close()
        # First: once aiohttp stops it reads nothing more, goodbyes of channels neither.
        opened.live.end()
        await opened.live.ended()
        await runner.cleanup()


@asynccontextmanager
async def _runner(app: web.Application) -> AsyncIterator[web.AppRunner]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_SECONDS)
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


async def _listen_locally(runner: web.AppRunner, settings: Settings) -> None:
    settings.socket.unlink(missing_ok=True)
    previous = os.umask(0o177)
    try:
        await web.UnixSite(runner, str(settings.socket)).start()
    finally:
        os.umask(previous)


def _tls(settings: Settings) -> ssl.SSLContext | None:
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    return tls_context(settings.tls_certificate, settings.tls_key)


@contextmanager
def _reloading(listener: Listener, settings: Settings) -> Iterator[None]:
    """Read certificate and key again at SIGHUP. What cannot be used changes nothing."""

    def reload() -> None:
        try:
            listener.tls = _tls(settings)
        except TlsError as reason:
            log.warning("the old certificate stays: %s", reason)
        else:
            log.info("certificate and key were read again")

    loop = asyncio.get_running_loop()
    # Without this, a hang-up would end a server that has no certificate.
    loop.add_signal_handler(signal.SIGHUP, reload)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)


@asynccontextmanager
async def _background(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
