"""Serve over HTTP: the public doors, and the local one for commands, until somebody says stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.typedefs import Handler

from gridlog_protocol.limits import MESSAGE_BYTES_MAX

from .api import exchange as exchange_api
from .api import health, local
from .app import Services, services, sole_writer
from .settings import Settings

log = logging.getLogger(__name__)
# What strangers send that is not HTTP is answered with 400; a traceback for each would only fill the disk.
_noise = logging.getLogger(f"{__name__}.noise")
_noise.setLevel(logging.CRITICAL)
_STOP_SECONDS = 3
"""How long requests under way may take to end. What is cut then comes again: nobody was told that it is stored."""
_START_PATIENCE_S = 10.0


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
        async with services(settings, is_to_serve=True) as opened, serving(settings, opened) as address:
            announce(address)
            await stop.wait()
            log.info("stopping")


@asynccontextmanager
async def serving(settings: Settings, opened: Services) -> AsyncIterator[str]:
    """Answer requests, and say under which address."""
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
