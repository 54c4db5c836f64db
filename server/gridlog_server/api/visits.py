"""Receive every request: whose it is, whether he may ask again, one line in the log.

The rule it keeps: what nobody foresaw gets one plain answer, and leaves no content in the log.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Awaitable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gridlog_server.door.addresses import client_of, is_trusted, limited_as, read_address
from gridlog_server.door.logs import Visit, visiting
from gridlog_server.door.metrics import Metrics
from gridlog_server.door.rates import Rates
from gridlog_server.settings import Network

from .exchange import Refusal

log = logging.getLogger(__name__)
_PATH_CHARACTERS_MAX = 100
_OTHER_PATH = "other"


def reception(rates: Rates, metrics: Metrics, proxies: Sequence[Network]) -> Middleware:
    """Return the middleware of the public door."""

    def wait_s(request: web.Request, visit: Visit) -> float:
        peer = read_address(request.transport.get_extra_info("peername")[0]) if request.transport else None
        if peer is None:
            # Gone already. Nobody is there to be told.
            return 0.0
        client = client_of(peer, request.headers.getall("X-Forwarded-For", []), proxies)
        visit.facts["address"] = str(client)
        if is_trusted(client, proxies):
            # The proxy asks for itself: whether we are well.
            return 0.0
        return rates.wait_s(limited_as(client), now_s=time.monotonic())

    @web.middleware
    async def receive(request: web.Request, handler: Handler) -> web.StreamResponse:
        visit = Visit(os.urandom(8).hex())
        begun_s = time.monotonic()
        with visiting(visit):
            pause_s = wait_s(request, visit)
            if pause_s:
                answer: web.StreamResponse = Refusal("too_many_requests", retry_after_s=pause_s)
            else:
                answer = await _foreseen(request, handler)
            if isinstance(answer, Refusal):
                metrics.refusals.labels(answer.code).inc()
            if not answer.prepared:
                answer.headers["X-Request-Id"] = visit.id
            path = _route_of(request)
            metrics.requests.labels(path or _OTHER_PATH, answer.status).inc()
            visit.facts |= {
                "method": request.method,
                "path": path or request.path[:_PATH_CHARACTERS_MAX],
                "status": answer.status,
                "ms": round((time.monotonic() - begun_s) * 1000, 1),
                "bytes_in": request.content.total_bytes,
                "bytes_out": answer.content_length or 0,
            }
            log.info("request", extra={"is_access": True})
        return answer

    return receive


async def _foreseen(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn anything unforeseen into one plain answer, and keep what happened in the log, without content."""
    try:
        answer: Awaitable[web.StreamResponse] = handler(request)
        return await answer
    except web.HTTPRequestTimeout as refused:
        refused.force_close()
        return _as_answer(refused)
    except web.HTTPException as refused:
        return _as_answer(refused)
    except ConnectionError:
        # The radio died in mid-request: ordinary, and nobody is there to answer.
        return Refusal("malformed", "the request was cut")
    except Exception:
        log.exception("unforeseen")
        return Refusal("unavailable")


def _as_answer(refused: web.HTTPException) -> web.Response:
    headers = {name: value for name, value in refused.headers.items() if name == "Allow"}
    answer = web.Response(text=refused.text, status=refused.status, headers=headers)
    if refused.keep_alive is False:
        answer.force_close()
    return answer


def _route_of(request: web.Request) -> str:
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else ""
