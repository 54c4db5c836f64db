"""The door for devices that want to hear at once: a WebSocket that says "there is something", and nothing else."""

from __future__ import annotations

import asyncio
import os

from aiohttp import WSCloseCode, web

from gridlog_protocol.canonical import pack
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.limits import CHALLENGE_BYTES
from gridlog_server.door.logs import name_device
from gridlog_server.door.metrics import Metrics
from gridlog_server.service.live import Ear, Live

from .exchange import Refusal

HEARTBEAT_S = 25.0
_HELLO_S = 15.0
_HELLO_BYTES_MAX = 1024


def routes(live: Live, metrics: Metrics) -> list[web.RouteDef]:
    """Return the route of the live channel."""

    async def answer(request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, max_msg_size=_HELLO_BYTES_MAX, compress=False)
        if not socket.can_prepare(request).ok:
            return Refusal("malformed", "a WebSocket")
        await socket.prepare(request)
        try:
            ear = await _admitted(socket, live)
        except ProtocolError as refused:
            metrics.refusals.labels(refused.code).inc()
            await socket.close(code=WSCloseCode.POLICY_VIOLATION, message=refused.code.encode())
            return socket
        name_device(ear.handle)
        with live.listening(ear), metrics.live.track_inprogress():
            telling = asyncio.create_task(_tell(socket, ear))
            try:
                # A device has nothing more to say. Pings are answered within.
                await socket.receive()
                await socket.close(code=WSCloseCode.POLICY_VIOLATION)
            finally:
                telling.cancel()
        return socket

    return [web.get("/v1/live", answer)]


async def _admitted(socket: web.WebSocketResponse, live: Live) -> Ear:
    challenge = os.urandom(CHALLENGE_BYTES)
    await socket.send_bytes(challenge)
    try:
        return await live.admit(await socket.receive_bytes(timeout=_HELLO_S), challenge)
    except (TimeoutError, TypeError):
        # Nothing, or no bytes: text, or the end.
        raise ProtocolError("malformed", detail="no hello") from None


async def _tell(socket: web.WebSocketResponse, ear: Ear) -> None:
    while (position := await ear.hear()) is not None:
        await socket.send_bytes(pack(position))
    await socket.close(code=WSCloseCode.GOING_AWAY)
