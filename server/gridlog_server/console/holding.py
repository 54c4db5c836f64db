"""The supervisor's page of who holds what: whose work has not arrived, how much, since when."""

from __future__ import annotations

from aiohttp import web

from gridlog_server.service.contact import reported
from gridlog_server.service.holdings import Holdings
from gridlog_server.service.inspection import DeviceLine

from .devices import is_silent, row_of
from .pages import caller_of, page, visitor_of
from .paging import page_of

_FILTERS = ("unsent", "silent")


class HoldingPages:
    """The page of who holds what."""

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings

    def routes(self) -> list[web.RouteDef]:
        """Return the route."""
        return [web.get("/holdings", self._list)]

    async def _list(self, request: web.Request) -> web.StreamResponse:
        say = visitor_of(request).speech
        lines = await self._holdings.of(caller_of(request))
        unsent = [line for line in lines if _unsent(line) > 0]
        silent = [line for line in lines if is_silent(line, say.now_ms)]
        wanted = request.query.get("only", "")
        chosen = {"unsent": unsent, "silent": silent}.get(wanted, lines)
        # Whoever has most that is not here comes first; then whoever was not heard of for longest.
        ordered = sorted(chosen, key=lambda line: (-_unsent(line), line.device.contact_ms))
        rows, links = page_of(request, ordered)
        facts = {
            "only": wanted if wanted in _FILTERS else "",
            "total": len(lines),
            "unsent_devices": len(unsent),
            "unsent_total": sum(_unsent(line) for line in lines),
            "silent": len(silent),
            "rows": [row_of(line, say) for line in rows],
        } | links
        return page(request, "holdings.html", facts, here="holdings")


def _unsent(line: DeviceLine) -> int:
    return reported(line.device, "unsent") or 0
