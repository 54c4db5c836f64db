"""Lists of records to find things in: of each kind, filtered, searched, page by page; and of those in conflict."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from aiohttp import web

from gridlog_protocol.kinds import KindSet
from gridlog_protocol.kinds.presenting import visible
from gridlog_server.service.inbox import Filter, Inbox
from gridlog_server.service.inspection import Inspection
from gridlog_server.service.news import News

from .pages import caller_of, page, visitor_of
from .record_rows import row_of
from .record_view import REVIEW_STATES

_ROWS: Final = 30
_FIRST_KIND: Final = "patrol"
_OF_FIELDWORK: Final = ("patrol", "household_visit", "mediation", "incident", "task")
"""The kinds that people write every day come first in the choice."""
_QUERY_CHARACTERS_MAX: Final = 100


class RecordListPages:
    """The lists of records."""

    def __init__(self, inbox: Inbox, news: News, inspection: Inspection, kinds: KindSet) -> None:
        self._inbox = inbox
        self._news = news
        self._inspection = inspection
        self._kinds = kinds

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/records", self._records), web.get("/conflicts", self._conflicts)]

    async def _records(self, request: web.Request) -> web.StreamResponse:
        caller, say = caller_of(request), visitor_of(request).speech
        asked = {name: request.query.get(name, "").strip() for name in ("kind", "state", "grid", "q", "after")}
        kind = asked["kind"] if self._kinds.get(asked["kind"]) else _FIRST_KIND
        wanted = Filter(
            grid=asked["grid"],
            review_state=asked["state"] if asked["state"] in REVIEW_STATES else "",
            text=asked["q"][:_QUERY_CHARACTERS_MAX],
        )
        position = await self._news.position(by=caller)
        found = await self._inbox.records(kind, wanted, by=caller, after=asked["after"], limit=_ROWS)
        total = await self._inbox.total(kind, wanted, by=caller)
        names = await self._inspection.names()
        filters = {"kind": kind, "state": wanted.review_state, "grid": wanted.grid, "q": wanted.text}
        here = f"/console/records?{urlencode({name: value for name, value in filters.items() if value})}"
        facts = filters | {
            "total": str(total),
            "rows": [row_of(row, self._kinds, names, say) for row in found.rows],
            "kind_options": [
                (each, say.text(known.label))
                for each in (*_OF_FIELDWORK, *(k.name for k in self._kinds if k.name not in _OF_FIELDWORK))
                if (known := self._kinds.get(each)) is not None
            ],
            "state_options": [(each.value, say.text(label)) for each, (label, _) in REVIEW_STATES.items()],
            "grid_options": [
                (grid, visible(f"{name} {grid}".strip())) for grid, name in await self._inbox.grids(by=caller)
            ],
            "is_filtered": bool(wanted.review_state or wanted.grid or wanted.text),
            "first": here if asked["after"] else "",
            "older": f"{here}&after={found.next}" if found.next else "",
            "searched_to_ms": found.searched_to_ms,
            "is_complete": found.is_complete,
            "position": position,
        }
        return page(request, "records.html", facts, here="records")

    async def _conflicts(self, request: web.Request) -> web.StreamResponse:
        caller, say = caller_of(request), visitor_of(request).speech
        after = request.query.get("after", "")
        found = await self._inbox.in_conflict(by=caller, after=after, limit=_ROWS)
        names = await self._inspection.names()
        facts = {
            "rows": [row_of(row, self._kinds, names, say, tail="/conflicts") for row in found.rows],
            "first": "/console/conflicts" if after else "",
            "older": f"/console/conflicts?after={found.next}" if found.next else "",
            "position": await self._news.position(by=caller),
        }
        return page(request, "conflicts.html", facts, here="conflicts")
