"""The door for handhelds: sealed messages in, sealed messages out. It knows nothing of what is inside."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable

from aiohttp import web

from gridlog_protocol.errors import REFUSALS, ProtocolError
from gridlog_protocol.versions import SPOKEN
from gridlog_server.door.intake import CrowdedError, Intake, TooLargeError, TooSlowError
from gridlog_server.door.metrics import Metrics
from gridlog_server.service import Unavailable
from gridlog_server.service.enrolment import Enrolment
from gridlog_server.service.exchange import Exchange
from gridlog_server.service.keys import ServerKeys

MEDIA_TYPE = "application/vnd.gridlog"
RETRY_AFTER_S = 30.0


def routes(
    exchange: Exchange, enrolment: Enrolment, keys: ServerKeys, intake: Intake, metrics: Metrics
) -> list[web.RouteDef]:
    """Return the routes of the device exchange."""

    async def identity(_: web.Request) -> web.Response:
        signing, exchange_key = keys.public
        facts = {"versions": [*SPOKEN], "signing_key": signing.hex(), "exchange_key": exchange_key.hex()}
        return web.json_response(facts, headers={"Cache-Control": "no-store"})

    async def exchanged(body: bytes) -> bytes:
        with metrics.exchange_seconds.time():
            return await exchange.answer(body)

    async def sync(request: web.Request) -> web.Response:
        return await _answered(request, intake, exchanged)

    async def enrol(request: web.Request) -> web.Response:
        return await _answered(request, intake, enrolment.answer)

    return [
        web.get("/v1/identity", identity),
        web.post("/v1/sync", sync),
        web.post("/v1/enroll", enrol),
    ]


class Refusal(web.Response):
    """A refusal in the clear (RFC 9457): for callers to whom no answer can be sealed."""

    def __init__(self, code: str, detail: str = "", *, retry_after_s: float = RETRY_AFTER_S) -> None:
        refusal = REFUSALS[code]
        self.code = code
        problem = {"type": "about:blank", "title": refusal.meaning, "status": refusal.status, "code": code}
        if detail:
            problem["detail"] = detail
        headers = {"Cache-Control": "no-store"}
        if refusal.status in (429, 503):
            headers["Retry-After"] = str(math.ceil(retry_after_s))
        super().__init__(
            text=json.dumps(problem),
            status=refusal.status,
            content_type="application/problem+json",
            headers=headers,
        )


async def _answered(
    request: web.Request, intake: Intake, answer: Callable[[bytes], Awaitable[bytes]]
) -> web.Response:
    if request.content_type != MEDIA_TYPE or "Content-Encoding" in request.headers:
        return Refusal("unsupported_media_type", MEDIA_TYPE)
    try:
        body = await answer(await intake.read(request))
    except TooLargeError:
        return Refusal("too_large")
    except TooSlowError:
        # Not a refusal of the protocol: a handheld takes it for a link that broke, and sends less next time.
        raise web.HTTPRequestTimeout from None
    except ProtocolError as refusal:
        return Refusal(refusal.code, refusal.detail)
    except (Unavailable, CrowdedError):
        return Refusal("unavailable")
    return web.Response(body=body, content_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})
