"""Accept connections, and no more than may be: counted before a byte is read, and before TLS costs anything.

The rule it keeps: whoever is silent, too slow, or too many holds nothing that others need. aiohttp has deadlines for
neither the handshake nor the taking of an answer, and counts nobody, so sockets are accepted here and handed to it.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from gridlog_server.settings import Network

from .addresses import is_trusted, limited_as, read_address

log = logging.getLogger(__name__)
_BACKLOG = 512
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_EXHAUSTED_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Caps:
    """How many connections, and how long each may do nothing, in seconds."""

    total: int
    per_address: int
    handshake_s: float
    stall_s: float
    proxies: Sequence[Network] = ()
    """They are counted in the total alone: all clients come from their address."""


class Listener:
    """One address to listen on. Setting `tls` to another context counts from the next connection on."""

    def __init__(
        self,
        protocol: Callable[[], asyncio.Protocol],
        caps: Caps,
        *,
        tls: ssl.SSLContext | None = None,
        on_count: Callable[[int], None],
        on_refused: Callable[[str], None],
    ) -> None:
        self.tls = tls
        self._protocol = protocol
        self._caps = caps
        self._on_count = on_count
        self._on_refused = on_refused
        self._by_address: Counter[int] = Counter()
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._listening: list[socket.socket] = []

    async def start(self, host: str, port: int) -> int:
        """Listen on all addresses of a host, and return the port. Raises OSError."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        try:
            for family, _, _, _, (name, _, *_) in dict.fromkeys(found):
                listening = socket.create_server((str(name), port), family=family, backlog=_BACKLOG)
                listening.setblocking(False)
                self._listening.append(listening)
                # A free port is picked once, for all of them.
                port = listening.getsockname()[1]
        except OSError:
            self._stop()
            raise
        for listening in self._listening:
            self._begin(self._accept_forever(listening))
        return port

    async def close(self) -> None:
        """Accept nobody any more. Connections that are open stay with their protocol."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._stop()

    def _stop(self) -> None:
        for listening in self._listening:
            listening.close()
        self._listening.clear()

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept_forever(self, listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, peer = await loop.sock_accept(listening)
            except OSError as reason:
                if reason.errno in _EXHAUSTED:
                    # The next accept would fail as well, at once and for ever: somebody has to leave first.
                    log.warning("no more connections: %s", reason.strerror)
                    await asyncio.sleep(_EXHAUSTED_PAUSE_S)
                continue
            self._receive(connection, str(peer[0]))

    def _receive(self, connection: socket.socket, peer: str) -> None:
        address = read_address(peer)
        key = None if is_trusted(address, self._caps.proxies) else limited_as(address)
        if self._open >= self._caps.total:
            full = "total"
        elif key is not None and self._by_address[key] >= self._caps.per_address:
            full = "address"
        else:
            self._count(key, 1)
            self._begin(self._serve(connection, key))
            return
        self._on_refused(full)
        connection.close()

    async def _serve(self, connection: socket.socket, key: int | None) -> None:
        # What the peer does not acknowledge in time ends the connection: the kernel sees it, we do not.
        with suppress(OSError):
            stall_ms = int(self._caps.stall_s * 1000)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, stall_ms)
        visitor = _Visitor(self._protocol(), lambda: self._count(key, -1))
        tls = self.tls
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: visitor,
                connection,
                ssl=tls,
                ssl_handshake_timeout=self._caps.handshake_s if tls else None,
                ssl_shutdown_timeout=self._caps.handshake_s if tls else None,
            )
        except (OSError, asyncio.CancelledError) as reason:
            # No TLS, not in time, or we are closing. Once the protocol has the connection it says so itself.
            visitor.leave()
            connection.close()
            if isinstance(reason, asyncio.CancelledError):
                raise

    def _count(self, key: int | None, change: int) -> None:
        self._open += change
        if key is not None:
            self._by_address[key] += change
            if not self._by_address[key]:
                del self._by_address[key]
        self._on_count(self._open)


class _Visitor(asyncio.Protocol):
    """Hands everything on to the protocol within, and tells once that the connection is gone."""

    def __init__(self, within: asyncio.Protocol, gone: Callable[[], None]) -> None:
        self._within = within
        self._gone: Callable[[], None] | None = gone
        # Straight through: this is called for every piece of every body.
        self.data_received = within.data_received  # type: ignore[method-assign]
        self.eof_received = within.eof_received  # type: ignore[method-assign]
        self.pause_writing = within.pause_writing  # type: ignore[method-assign]
        self.resume_writing = within.resume_writing  # type: ignore[method-assign]
        self.connection_made = within.connection_made  # type: ignore[method-assign]

    def connection_lost(self, exc: Exception | None) -> None:
        self.leave()
        self._within.connection_lost(exc)

    def leave(self) -> None:
        gone, self._gone = self._gone, None
        if gone is not None:
            gone()
