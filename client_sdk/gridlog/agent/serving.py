"""Serve the app on 127.0.0.1 until it is told to stop; then lock what was open."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable

from aiohttp import web

from .app import make_app
from .gate import Gate
from .phone import Phone

HOST = "127.0.0.1"
_PATIENCE_S = 2.0


async def serve(
    phone: Phone,
    port: int,
    *,
    language: str,
    on_address: Callable[[str], None],
    should_end: asyncio.Event | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM. `on_address` gets each address that lets a browser in, once.

    Raises OSError if the port is taken.
    """
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        gate = Gate(listening.getsockname()[1], on_ticket=on_address)
        # No access log: addresses have ids of records, and times say who worked when.
        runner = web.AppRunner(
            make_app(phone, gate, language=language), access_log=None, shutdown_timeout=_PATIENCE_S
        )
        await runner.setup()
        ending = should_end or asyncio.Event()
        loop = asyncio.get_running_loop()
        for sign in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(sign, ending.set)
        try:
            await web.SockSite(runner, listening).start()
            on_address(gate.address)
            await ending.wait()
        finally:
            phone.is_closing = True
            phone.news.tell()
            await runner.cleanup()
