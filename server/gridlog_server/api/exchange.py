"""The door for handhelds: sealed messages in, sealed messages out. It knows nothing of what is inside."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from gridlog_protocol.errors import REFUSALS, ProtocolError
from gridlog_protocol.versions import SPOKEN
from gridlog_server.service import Unavailable
from gridlog_server.service.enrolment import Enrolment
from gridlog_server.service.exchange import Exchange
from gridlog_server.service.keys import ServerKeys

MEDIA_TYPE = "application/vnd.gridlog"


def routes(exchange: Exchange, enrolment: Enrolment, keys: ServerKeys) -> list[web.RouteDef]:
    """Return the routes of the device exchange."""

    async def identity(_: web.Request) -> web.Response:
        signing, exchange_key = keys.public
        facts = {"versions": [*SPOKEN], "signing_key": signing.hex(), "exchange_key": exchange_key.hex()}
        return web.json_response(facts, headers={"Cache-Control": "no-store"})

    async def sync(request: web.Request) -> web.Response:
        return await _answered(request, exchange.answer)

    async def enrol(request: web.Request) -> web.Response:
        return await _answered(request, enrolment.answer)

    return [
        web.get("/v1/identity", identity),
        web.post("/v1/sync", sync),
        web.post("/v1/enroll", enrol),
    ]


def refused(code: str, detail: str) -> web.Response:
    """Return a refusal in the clear (RFC 9457): for callers to whom no answer can be sealed."""
    refusal = REFUSALS[code]
    problem = {"type": "about:blank", "title": refusal.meaning, "status": refusal.status, "code": code}
    if detail:
        problem["detail"] = detail
    headers = {"Cache-Control": "no-store"}
    if refusal.status in (429, 503):
        headers["Retry-After"] = "30"
    return web.json_response(problem, status=refusal.status, content_type="application/problem+json", headers=headers)


async def _answered(request: web.Request, answer: Callable[[bytes], Awaitable[bytes]]) -> web.Response:
    if request.content_type != MEDIA_TYPE or "Content-Encoding" in request.headers:
        return refused("unsupported_media_type", MEDIA_TYPE)
    try:
        body = await answer(await request.read())
    except web.HTTPRequestEntityTooLarge:
        return refused("too_large", "")
    except ProtocolError as refusal:
        return refused(refusal.code, refusal.detail)
    except Unavailable:
        return refused("unavailable", "")
    return web.Response(body=body, content_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
