"""A record's page: what it says, where it was, who did what when; approve it, or return it with remarks."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from gridlog_protocol.ids import RecordId, UserId, shown
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.kinds.presenting import title_of, visible
from gridlog_protocol.texts import Language
from gridlog_server.service.accounts import Accounts, Caller
from gridlog_server.service.inbox import Inbox, RecordRow, RecordView
from gridlog_server.service.inspection import Inspection
from gridlog_server.service.news import News
from gridlog_server.service.resolving import Resolving
from gridlog_server.service.reviewing import Remark, Reviewing
from gridlog_sync.review import STEPS, ReviewEvent

from .acting import acted
from .conflicts import read_position
from .fields import Reader, lines_of, plumbing_of
from .naming import read_record, record_path
from .notices import Notice
from .pages import caller_of, form_of, page, see_other, visitor_of
from .places import has_places, places_of
from .record_rows import badges_of
from .record_view import remarks_of, timeline_of

_REMARK: Final = "remark:"


class RecordPages:
    """The page of one record, and the steps of its review."""

    def __init__(
        self,
        inbox: Inbox,
        reviewing: Reviewing,
        resolving: Resolving,
        news: News,
        inspection: Inspection,
        accounts: Accounts,
        kinds: KindSet,
    ) -> None:
        self._inbox = inbox
        self._reviewing = reviewing
        self._resolving = resolving
        self._news = news
        self._inspection = inspection
        self._accounts = accounts
        self._kinds = kinds

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/records/{record}", self._show),
            web.get("/records/{record}/places", self._places),
            web.post("/records/{record}/approve", self._approve),
            web.post("/records/{record}/return", self._return),
        ]

    async def _show(self, request: web.Request, said: Notice | None = None) -> web.Response:
        caller, record = caller_of(request), read_record(request)
        view = await self._inbox.record(record, by=caller)
        conflicted = await self._resolving.conflicts(record, by=caller)
        facts = await self._facts(request, view)
        facts |= {
            "disputed": sorted({each.field for each in conflicted.conflicts}),
            "undoable": conflicted.undoable is not None,
            **self._steps(view, caller),
            **await self._queue(request, record, caller),
            **_typed(request),
        }
        return page(request, "record.html", facts, here="inbox" if facts["queue"] else "records", said=said)

    async def _facts(self, request: web.Request, view: RecordView) -> dict[str, Any]:
        say, row = visitor_of(request).speech, view.row
        kind = self._kinds.get(row.kind)
        names = await self._inspection.names()
        names |= {UserId(each.record): self._title(each, say.language) for each in view.related}
        reader = Reader(say.language, names)
        reason, remarks = remarks_of(view.review, names, say)
        first = next((each for each in view.history if each.stored.position is not None), None)
        hashed = await self._news.hash_at(row.changed, by=caller_of(request))
        return {
            "path": record_path(row.record),
            "id": shown(row.record),
            "name": shown(row.record)[-8:],
            "kind": say.text(kind.label) if kind else visible(row.kind),
            "title": title_of(kind, row.values, say.language, names=names),
            "author": visible(row.author_name) or "—",
            "grids": say.t("、", ", ").join(visible(each) for each in row.grid_names),
            "badges_of": badges_of(row, say),
            "lines": lines_of(kind, row.values, reader),
            "plumbing": plumbing_of(kind, row.values, reader),
            "remarks": remarks,
            "reason": reason,
            "events": timeline_of(view.history, kind, names, say),
            "has_map": has_places(kind, row.values),
            "at": row.changed,
            "receipt": {
                "position": row.changed,
                "hash": hashed.hex() if hashed else "—",
                "received_ms": first.received_ms if first else 0,
            },
        }

    def _title(self, row: RecordRow, language: Language) -> str:
        return title_of(self._kinds.get(row.kind), row.values, language) or shown(row.record)[-8:]

    def _steps(self, view: RecordView, caller: Caller) -> dict[str, Any]:
        """Return which steps the page offers. The service decides anew, whatever a page offers."""
        is_own = view.row.author == caller.person
        state = view.review.state
        return {
            "can_approve": (state, ReviewEvent.APPROVE) in STEPS and not is_own,
            "can_return": (state, ReviewEvent.RETURN) in STEPS and not is_own,
        }

    async def _queue(self, request: web.Request, record: RecordId, caller: Caller) -> dict[str, Any]:
        """Return where the queue goes on of what waits for review, if the page is one of it."""
        if "queue" not in request.query:
            return {"queue": False, "following": "", "waiting": ""}
        waiting = await self._inbox.waiting(by=caller)
        following = await self._inbox.following(record, by=caller)
        return {
            "queue": True,
            "waiting": str(waiting.to_review),
            "following": f"{record_path(following)}?queue=1" if following else "",
        }

    async def _places(self, request: web.Request) -> web.StreamResponse:
        view = await self._inbox.record(read_record(request), by=caller_of(request))
        language = visitor_of(request).speech.language
        return web.json_response(places_of(self._kinds.get(view.row.kind), view.row.values, language))

    async def _approve(self, request: web.Request) -> web.StreamResponse:
        record, form = read_record(request), form_of(request)

        async def approve(caller: Caller) -> web.StreamResponse:
            following = await self._following(request, record, caller)
            await self._reviewing.approve(record, read_position(form.one("at")), by=caller)
            return see_other(request, following or record_path(record), "approved")

        return await acted(request, self._accounts, approve, lambda said: self._show(request, said))

    async def _return(self, request: web.Request) -> web.StreamResponse:
        record, form = read_record(request), form_of(request)

        async def send_back(caller: Caller) -> web.StreamResponse:
            following = await self._following(request, record, caller)
            await self._reviewing.send_back(
                record,
                read_position(form.one("at")),
                by=caller,
                reason=form.one("reason"),
                remarks=[Remark(text, name) for name, text in form.under(_REMARK).items()],
            )
            return see_other(request, following or record_path(record), "returned")

        return await acted(request, self._accounts, send_back, lambda said: self._show(request, said))

    async def _following(self, request: web.Request, record: RecordId, caller: Caller) -> str:
        """Return where the queue goes on after this record, or the inbox after the last; nothing outside a queue."""
        if "queue" not in request.query:
            return ""
        following = await self._inbox.following(record, by=caller)
        return f"{record_path(following)}?queue=1" if following else "/console/inbox"


def _typed(request: web.Request) -> dict[str, Any]:
    """Return what was typed into a form that was refused, so that nobody types it twice."""
    is_refused = request.method == "POST" and request.path.endswith("/return")
    form = form_of(request) if is_refused else None
    typed = {"reason": form.one("reason") if form else "", "remarks": form.under(_REMARK) if form else {}}
    return {"typed": typed, "returning": is_refused}
