"""Composition root: put store, services and doors together, run them, and let go of them in order."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from gridlog_protocol.ids import Epoch, TenantId
from gridlog_protocol.kinds import KindSet, shipped_kinds
from gridlog_protocol.limits import MESSAGE_BYTES_MAX

from .api import exchange as exchange_api
from .api import health, local
from .keyfile import read_keys, write_keys
from .service.deciding import Deciding
from .service.enrolment import Enrolment
from .service.exchange import Exchange
from .service.gaps import Gaps
from .service.importing import Importing
from .service.inspection import Inspection
from .service.keys import ServerKeys
from .settings import FILE, Settings
from .store.contract import Store, Tenancy
from .store.sqlite import SqliteStore

log = logging.getLogger(__name__)
# What strangers send that is not HTTP is answered with 400; a traceback for each would only fill the disk.
_noise = logging.getLogger(f"{__name__}.noise")
_noise.setLevel(logging.CRITICAL)
_STOP_SECONDS = 3
"""How long requests under way may take to end. What is cut then comes again: nobody was told that it is stored."""
_START_PATIENCE_S = 10.0


class InUseError(Exception):
    """Another process holds the data directory."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a door may call."""

    store: Store
    keys: ServerKeys
    kinds: KindSet
    exchange: Exchange
    enrolment: Enrolment
    inspection: Inspection
    commands: local.LocalCommands


def now_ms() -> int:
    """Return Unix milliseconds: the only clock of the server."""
    return time.time_ns() // 1_000_000


def create(settings: Settings, tenant: TenantId, name: str) -> None:
    """Make a data directory: keys, database, settings. Raises FileExistsError if there is one already."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (settings.data / FILE).exists():
        raise FileExistsError(settings.data)
    write_keys(settings.keys, ServerKeys.generate())
    SqliteStore.create(settings.database, Tenancy(tenant, name, Epoch(os.urandom(8))))
    (settings.data / FILE).write_text(settings.written(), encoding="utf-8")


@contextmanager
def sole_writer(settings: Settings, *, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the data directory's lock. A killed process lets go of it by itself.

    Raises InUseError if another process still has it after `patience_s`: a command holds it only for a moment.
    """
    until = time.monotonic() + patience_s
    with settings.lock.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise InUseError(settings.data) from None
                time.sleep(0.05)
        yield


@asynccontextmanager
async def services(settings: Settings) -> AsyncIterator[Services]:
    """Open the store and the services on it."""
    keys = read_keys(settings.keys)
    kinds = shipped_kinds()
    store = await SqliteStore.open(settings.database)
    try:
        enrolment = Enrolment(store, keys, address=settings.address, now_ms=now_ms, entropy=os.urandom)
        importing = Importing(store, kinds, now_ms=now_ms, entropy=os.urandom)
        deciding, gaps = Deciding(store, kinds, now_ms=now_ms), Gaps(store, kinds, now_ms=now_ms)
        yield Services(
            store,
            keys,
            kinds,
            Exchange(store, keys, kinds, now_ms),
            enrolment,
            Inspection(store, kinds),
            local.LocalCommands(enrolment, importing, deciding, gaps, kinds),
        )
    finally:
        await store.close()


@asynccontextmanager
async def inspecting(settings: Settings) -> AsyncIterator[Inspection]:
    """Open the database for reading only: that is allowed beside a running server."""
    async with SqliteStore.read_only(settings.database) as store:
        yield Inspection(store, shipped_kinds())


def web_app(opened: Services) -> web.Application:
    """Return the public application."""
    app = web.Application(client_max_size=MESSAGE_BYTES_MAX, middlewares=[_boring])
    app.add_routes(exchange_api.routes(opened.exchange, opened.enrolment, opened.keys))
    app.add_routes(health.routes())
    return app


def local_app(opened: Services) -> web.Application:
    """Return the application behind the local socket."""
    app = web.Application(client_max_size=local.IMPORT_BYTES_MAX)
    app.add_routes(local.routes(opened.commands))
    return app


async def run(settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. `announce` gets the address once it answers. Raises InUseError."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop.set)
    with sole_writer(settings, patience_s=_START_PATIENCE_S):
        async with services(settings) as opened, _serving(settings, opened) as address:
            announce(address)
            await stop.wait()
            log.info("stopping")


@asynccontextmanager
async def _serving(settings: Settings, opened: Services) -> AsyncIterator[str]:
    # No decompression: a gzip bomb must not run on the event loop, and the protocol never uses encodings.
    public = web.AppRunner(
        web_app(opened), auto_decompress=False, access_log=None, logger=_noise, shutdown_timeout=_STOP_SECONDS
    )
    inner = web.AppRunner(local_app(opened), access_log=None, shutdown_timeout=_STOP_SECONDS)
    await public.setup()
    await inner.setup()
    try:
        site = web.TCPSite(public, settings.host, settings.port)
        await site.start()
        settings.socket.unlink(missing_ok=True)
        previous = os.umask(0o177)
        try:
            await web.UnixSite(inner, str(settings.socket)).start()
        finally:
            os.umask(previous)
        port = public.addresses[0][1]
        yield f"http://{settings.host}:{port}"
    finally:
        await public.cleanup()
        await inner.cleanup()
        settings.socket.unlink(missing_ok=True)


@web.middleware
async def _boring(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn anything unforeseen into one plain answer, and keep what happened in the log, without content."""
    try:
        answer: Awaitable[web.StreamResponse] = handler(request)
        return await answer
    except web.HTTPException:
        raise
    except ConnectionError:
        # The radio died in mid-request: ordinary, and nobody is there to answer.
        return exchange_api.refused("malformed", "the request was cut")
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        return exchange_api.refused("unavailable", "")
