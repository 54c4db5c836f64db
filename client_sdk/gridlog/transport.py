"""Carry sealed bytes to the server and back over HTTP. It knows nothing of what is inside."""

from __future__ import annotations

from typing import Protocol

import aiohttp

from gridlog_protocol.limits import MESSAGE_BYTES_MAX

from .errors import RefusedError, UnreachableError

MEDIA_TYPE = "application/vnd.gridlog"
CONNECT_SECONDS = 15
STALL_SECONDS = 25
"""Without a byte for this long a link is dead. There is no limit on the whole: a slow link is still a link."""


class Transport(Protocol):
    """What the driver needs of a link."""

    async def identity(self) -> tuple[bytes, bytes]:
        """Return the server's public keys: signing, exchange. They are not trusted before they match a code."""
        ...

    async def post(self, path: str, body: bytes) -> bytes:
        """Send sealed bytes, return sealed bytes. Raises UnreachableError or RefusedError."""
        ...


class HttpTransport:
    """One server address over aiohttp."""

    def __init__(self, address: str) -> None:
        self._address = address.rstrip("/")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=STALL_SECONDS)
        # Compressed answers are refused by the server's protocol; never inflate what a stranger sends.
        self._session = aiohttp.ClientSession(timeout=timeout, auto_decompress=False)

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

    async def post(self, path: str, body: bytes) -> bytes:
        """See Transport."""
        try:
            async with self._session.post(
                f"{self._address}{path}", data=body, headers={"Content-Type": MEDIA_TYPE}
            ) as answer:
                content = await _bounded(answer)
                if answer.status == 200 and answer.content_type == MEDIA_TYPE:
                    return content
                raise await _refused(answer, content)
        except (TimeoutError, aiohttp.ClientError, OSError) as reason:
            raise UnreachableError(_why(reason)) from None

    async def close(self) -> None:
        """Let go of connections."""
        await self._session.close()


async def _bounded(answer: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > MESSAGE_BYTES_MAX:
            raise RefusedError("too_large", "the answer")
    return bytes(content)


async def _refused(answer: aiohttp.ClientResponse, content: bytes) -> RefusedError | UnreachableError:
    if answer.content_type == "application/problem+json":
        return RefusedError.from_problem(content)
    # A captive portal or a proxy answered in the server's place.
    return UnreachableError(f"HTTP {answer.status}, {answer.content_type}")


def _why(reason: BaseException) -> str:
    return str(reason) or type(reason).__name__
