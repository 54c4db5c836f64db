"""Tell a load balancer or a person whether the process answers."""

from __future__ import annotations

from importlib.metadata import version

from aiohttp import web


def routes() -> list[web.RouteDef]:
    """Return the health routes."""

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response(
            {"status": "ok", "version": version("gridlog")}, headers={"Cache-Control": "no-store"}
        )

    return [web.get("/healthz", healthz)]
