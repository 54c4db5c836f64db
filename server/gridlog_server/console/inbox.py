"""What waits for a supervisor, first of all: counts that lead to lists, and a word when something new arrives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from gridlog_protocol.errors import HOLDS
from gridlog_protocol.ids import Position
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.kinds.presenting import visible
from gridlog_protocol.texts import Text
from gridlog_server.service.accounts import Caller
from gridlog_server.service.inbox import Inbox, Page, RecordRow, Total
from gridlog_server.service.inspection import Inspection
from gridlog_server.service.news import News

from .naming import held_path, read_number
from .pages import caller_of, page, visitor_of
from .record_rows import row_of
from .speaking import Speech

_HERE: Final = "inbox"
_ROWS: Final = 30
_MATTERS: Final = {
    "review": Text("待审核，等得最久的在前", "To review, longest waiting first"),
    "conflicts": Text("有冲突，最近变化的在前", "In conflict, changed last first"),
    "returned": Text("已退回，等登记人改正", "Returned, waiting for their authors"),
    "held": Text("待核对的修改", "Held ops"),
}


@dataclass(frozen=True, slots=True)
class _Count:
    name: str
    path: str
    label: Text
    count: Total
    is_alert: bool = False


class InboxPages:
    """The first page of a supervisor, and what it asks by itself."""

    def __init__(self, inbox: Inbox, news: News, inspection: Inspection, kinds: KindSet) -> None:
        self._inbox = inbox
        self._news = news
        self._inspection = inspection
        self._kinds = kinds

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/inbox", self._show), web.get("/news", self._tell)]

    async def _show(self, request: web.Request) -> web.StreamResponse:
        caller, say = caller_of(request), visitor_of(request).speech
        what = request.query.get("what", "review")
        what = what if what in _MATTERS else "review"
        after = request.query.get("after", "")
        position = await self._news.position(by=caller)
        waiting = await self._inbox.waiting(by=caller)
        rows, following = await self._listed(caller, what, after, say)
        counts = [
            _Count("review", "/console/inbox", Text("待审核", "To review"), waiting.to_review),
            _Count("conflicts", "/console/inbox?what=conflicts", Text("冲突", "Conflicts"), waiting.conflicts),
            _Count("returned", "/console/inbox?what=returned", Text("已退回", "Returned"), waiting.returned),
            _Count("held", "/console/inbox?what=held", Text("待核对", "Held"), waiting.held),
            _Count(
                "silent",
                "/console/holdings?only=silent",
                Text("终端失联", "Devices silent"),
                waiting.silent,
                is_alert=True,
            ),
        ]
        facts = {
            "what": what,
            "counts": counts,
            "list_title": say.text(_MATTERS[what]),
            "rows": rows,
            "first": f"/console/inbox?what={what}" if after else "",
            "older": f"/console/inbox?what={what}&after={following}" if following else "",
            "position": position,
            "is_complete": waiting.is_complete,
            "first_to_review": rows[0]["path"] if rows and what == "review" and not after else "",
        }
        return page(request, "inbox.html", facts, here=_HERE)

    async def _listed(self, caller: Caller, what: str, after: str, say: Speech) -> tuple[list[dict[str, Any]], str]:
        names = await self._inspection.names()
        if what == "held":
            held = await self._inbox.held(by=caller)
            return [
                {
                    "path": held_path(each.op.id),
                    "kind": say.text(kind.label) if (kind := self._kinds.get(each.op.kind)) else each.op.kind,
                    "title": "",
                    "snippet": say.text(hold.worker_reads) if (hold := HOLDS.get(each.hold or "")) else each.hold,
                    "author": visible(author) or "—",
                    "grid": "",
                    "when": each.when.at_ms,
                    "since": None,
                    "badges": [(say.t("待核对", "Held"), "amber")],
                }
                for each, author in held
            ], ""
        found: Page[RecordRow]
        match what:
            case "conflicts":
                found = await self._inbox.in_conflict(by=caller, after=after, limit=_ROWS)
            case "returned":
                found = await self._inbox.returned(by=caller, after=after, limit=_ROWS)
            case _:
                found = await self._inbox.to_review(by=caller, after=after, limit=_ROWS)
        tail = "?queue=1" if what == "review" else "/conflicts" if what == "conflicts" else ""
        return [row_of(row, self._kinds, names, say, tail=tail) for row in found.rows], found.next

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        since = request.query.get("since", "")
        number = read_number(since)
        position = Position(number) if number is not None else await self._news.position(by=caller_of(request))
        count = await self._news.since(position, by=caller_of(request))
        return page(request, "parts/news.html", {"count": count})
