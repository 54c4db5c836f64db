"""One change that was held: what it says beside what stands now, why it waits; let it take effect, or not."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from gridlog_protocol.errors import HOLDS
from gridlog_protocol.ids import OpId, UserId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.kinds.presenting import shown_value, title_of, visible
from gridlog_server.service.accounts import Accounts, Caller
from gridlog_server.service.held import HeldOp, HeldOps
from gridlog_server.service.in_reach import NotThereError
from gridlog_server.service.inspection import Inspection
from gridlog_server.service.refusing import RefusedError
from gridlog_sync.view import values_said

from .acting import acted
from .fields import label_of
from .naming import held_path, read_op, record_path
from .notices import Notice
from .pages import caller_of, form_of, page, see_other, visitor_of
from .record_view import said_of

_INBOX: Final = "/console/inbox?what=held"


class HeldPages:
    """The pages on which held changes are decided."""

    def __init__(self, held: HeldOps, inspection: Inspection, accounts: Accounts, kinds: KindSet) -> None:
        self._held = held
        self._inspection = inspection
        self._accounts = accounts
        self._kinds = kinds

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/held/{op}", self._show),
            web.post("/held/{op}/{step:release|reject}", self._decide),
        ]

    async def _show(self, request: web.Request, said: Notice | None = None) -> web.Response:
        op = _named_in(request)
        held = await self._held.held(op, by=caller_of(request))
        names = await self._inspection.names()
        return page(request, "held.html", self._facts(request, held, names), here="inbox", said=said)

    def _facts(self, request: web.Request, held: HeldOp, names: dict[UserId, str]) -> dict[str, Any]:
        say, op = visitor_of(request).speech, held.stored.op
        kind = self._kinds.get(op.kind)
        fields = kind.fields if kind else {}
        hold = HOLDS.get(held.stored.hold or "")
        standing = held.standing

        def text(name: str, value: Any) -> str:
            return shown_value(fields.get(name), value, say.language, names=names)

        return {
            "path": held_path(op.id),
            "kind": say.text(kind.label) if kind else visible(op.kind),
            "title": title_of(kind, standing, say.language, names=names) if standing else "",
            "record": record_path(op.record) if standing is not None else "",
            "what": said_of(op, say),
            "author": visible(held.author_name) or "—",
            "device": op.id.device.hex()[:8],
            "happened_ms": held.stored.when.at_ms,
            "why": say.text(hold.worker_reads) if hold else visible(held.stored.hold or "—"),
            "field": label_of(kind, held.stored.hold_field, say.language) if held.stored.hold_field else "",
            "lines": [
                {
                    "label": label_of(kind, name, say.language),
                    "now": text(name, standing[name]) if standing is not None and name in standing else "—",
                    "then": text(name, value),
                }
                for name, value in values_said(op, kind).items()
            ],
            "typed": form_of(request).one("reason") if request.method == "POST" else "",
        }

    async def _decide(self, request: web.Request) -> web.StreamResponse:
        op, step, reason = _named_in(request), request.match_info["step"], form_of(request).one("reason")

        async def decide(caller: Caller) -> web.StreamResponse:
            if step == "release":
                await self._held.release(op, by=caller, reason=reason)
            else:
                await self._held.reject(op, by=caller, reason=reason)
            return see_other(request, _INBOX, "released" if step == "release" else "rejected")

        return await acted(request, self._accounts, decide, lambda said: self._show(request, said))


def _named_in(request: web.Request) -> OpId:
    try:
        return read_op(request.match_info["op"])
    except RefusedError:
        raise NotThereError from None
