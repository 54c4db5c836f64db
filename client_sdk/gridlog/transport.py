"""Carry sealed bytes to the server and back over HTTP. It knows nothing of what is inside.

The rule it keeps: a link is given up when nothing moves for `STALL_SECONDS`, and only then. A slow link is a link.

`aiohttp` guards one leg alone: `sock_read` runs from the last byte that it handed on. While a body is being written
nothing runs at all, so a dead link would hold the request until TCP gives up, a quarter of an hour later; and a body
that the buffers swallowed whole would have those seconds for its entire way. Hence `_Upload`, and a small buffer in
the kernel.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
from aiohttp.abc import AbstractStreamWriter

from gridlog_protocol.canonical import NotCanonicalError, unpack
from gridlog_protocol.limits import CHALLENGE_BYTES, MESSAGE_BYTES_MAX
from gridlog_sync.pacing import Broken

from .errors import RefusedError, UnreachableError

MEDIA_TYPE = "application/vnd.gridlog"
_LIVE_BYTES_MAX = 1024
_MOMENT_S = 0.02
CONNECT_SECONDS = 15
STALL_SECONDS = 25
"""Without a byte for this long a link is dead. There is no limit on the whole: a slow link is still a link."""

PIECE_BYTES = 4 << 10
"""What has to reach the kernel within STALL_SECONDS: a link of 200 bytes a second still moves."""

SEND_BUFFER_BYTES = 16 << 10
"""What may wait in the kernel, which doubles it for its own books. It has left before an answer can begin, so all of
it must fit into STALL_SECONDS; and it carries 100 kB/s over a round trip of 300 ms, more than a batch needs."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """An answer, and how long it took in seconds: until it began, and from then to its last byte."""

    content: bytes
    up_s: float
    down_s: float


class Transport(Protocol):
    """What the driver needs of a link."""

    async def identity(self) -> tuple[bytes, bytes]:
        """Return the server's public keys: signing, exchange. They are not trusted before they match a code."""
        ...

    async def post(self, path: str, body: bytes) -> Delivered:
        """Send sealed bytes, return sealed bytes. Raises UnreachableError or RefusedError."""
        ...

    async def sent(self) -> None:
        """Wait until the body that is being sent has left, a moment at most."""
        ...


class HttpTransport:
    """One server address over aiohttp."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=STALL_SECONDS)
        connector = aiohttp.TCPConnector(socket_factory=_socket)
        # Compressed answers are refused by the server's protocol; never inflate what a stranger sends.
        self._has_sent = asyncio.Event()
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)

    async def identity(self) -> tuple[bytes, bytes]:
        """See Transport."""
        try:
            async with self._session.get(f"{self._address}/v1/identity") as answer:
                facts = await answer.json()
                return bytes.fromhex(facts["signing_key"]), bytes.fromhex(facts["exchange_key"])
        except (TimeoutError, aiohttp.ClientError, OSError) as reason:
            raise UnreachableError(_why(reason)) from None
        except (ValueError, KeyError, TypeError):
            raise RefusedError("malformed", "no Gridlog server answers at this address") from None

    async def post(self, path: str, body: bytes) -> Delivered:
        """See Transport."""
        self._has_sent.clear()
        upload = _Upload(body, self._has_sent.set)
        has_begun = False
        begun_s = time.monotonic()
        try:
            async with self._session.post(f"{self._address}{path}", data=upload) as answer:
                has_begun = True
                answered_s = time.monotonic()
                content = await _bounded(answer)
                if answer.status == 200 and answer.content_type == MEDIA_TYPE:
                    return Delivered(content, answered_s - begun_s, time.monotonic() - answered_s)
                raise await _refused(answer, content)
        except (TimeoutError, aiohttp.ClientError, OSError) as reason:
            how = Broken.ANSWERING if has_begun else Broken.ASKING if upload.has_begun else Broken.BEFORE
            raise UnreachableError(_why(reason), how) from None

    async def sent(self) -> None:
        """See Transport. Whoever works on meanwhile takes the interpreter from those who send."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._has_sent.wait(), _MOMENT_S)

    @asynccontextmanager
    async def live(self, hello: Callable[[bytes], Awaitable[bytes]]) -> AsyncIterator[AsyncIterator[int]]:
        """Open the live channel, and yield the positions that the server tells of. `hello` answers its challenge.

        Raises UnreachableError: also if there is no such channel, or we may not listen.
        """
        try:
            async with self._session.ws_connect(
                f"{self._address}/v1/live", heartbeat=STALL_SECONDS, max_msg_size=_LIVE_BYTES_MAX
            ) as channel:
                challenge = await channel.receive_bytes(timeout=STALL_SECONDS)
                if len(challenge) != CHALLENGE_BYTES:
                    raise UnreachableError("not a challenge")
                await channel.send_bytes(await hello(challenge))
                yield _positions(channel)
        except (TimeoutError, aiohttp.ClientError, OSError, TypeError, NotCanonicalError) as reason:
            raise UnreachableError(_why(reason)) from None

    async def close(self) -> None:
        """Let go of connections."""
        await self._session.close()


async def _positions(channel: aiohttp.ClientWebSocketResponse) -> AsyncIterator[int]:
    async for message in channel:
        if message.type is not aiohttp.WSMsgType.BINARY:
            return
        position = unpack(message.data)
        if not isinstance(position, int):
            return
        yield position


class _Upload(aiohttp.payload.BytesPayload):
    """A body that is written in pieces, each of which must reach the kernel in time. See the module's docstring."""

    def __init__(self, body: bytes, on_sent: Callable[[], None]) -> None:
        super().__init__(body, content_type=MEDIA_TYPE)
        self._on_sent = on_sent
        self._body = body
        self.has_begun = False

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """See Payload. Raises TimeoutError."""
        self.has_begun = True
        transport = getattr(writer, "transport", None)
        if isinstance(transport, asyncio.WriteTransport):
            # With room for nothing, `drain` waits until the kernel has it all. Over TLS, until the cipher has.
            transport.set_write_buffer_limits(high=0)
        body = memoryview(self._body)[:content_length]
        for at in range(0, len(body), PIECE_BYTES):
            async with asyncio.timeout(STALL_SECONDS):
                await writer.write(body[at : at + PIECE_BYTES])
                await writer.drain()
        self._on_sent()


def _socket(address: tuple[Any, ...]) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
    return made


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > MESSAGE_BYTES_MAX:
            raise RefusedError("too_large", "the answer")
    return bytes(content)


async def _refused(answer: aiohttp.ClientResponse, content: bytes) -> RefusedError | UnreachableError:
    if answer.content_type == "application/problem+json":
        refused = RefusedError.from_problem(content, retry_after=answer.headers.get("Retry-After"))
        if refused is not None:
            return refused
    # A captive portal, a proxy or a gateway answered in the server's place.
    return UnreachableError(f"HTTP {answer.status}, {answer.content_type}")


def _why(reason: BaseException) -> str:
    return str(reason) or type(reason).__name__
