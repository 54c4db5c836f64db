"""Tell a load balancer or a person whether the process answers, and whether it can store anything."""

from __future__ import annotations

from importlib.metadata import version

from aiohttp import web

from gridlog_server.service.readiness import Readiness


def routes(readiness: Readiness) -> list[web.RouteDef]:
    """Return the health routes."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response(
            {"status": "ok", "version": version("gridlog")}, headers={"Cache-Control": "no-store"}
        )

    async def readyz(_: web.Request) -> web.Response:
        ready = await readiness.ask()
        is_ready = ready.readable and ready.writable
        facts = {
            "status": "ready" if is_ready else "unready",
            "readable": ready.readable,
            "writable": ready.writable,
        }
        # Handhelds still reach a server that cannot write, and are told to come back: this is for balancers.
        return web.json_response(facts, status=200 if is_ready else 503, headers={"Cache-Control": "no-store"})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz)]
