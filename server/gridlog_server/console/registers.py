"""The administrator's lists: grids, what was done, and how the server is."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from aiohttp import web

from gridlog_protocol.kinds.presenting import visible
from gridlog_server.service.administering import Administering

from .naming import read_number
from .pages import caller_of, page, visitor_of
from .paging import page_of
from .people import path_of
from .words import ACTS

_ACTS_A_PAGE, _ACTS_MAX = 50, 2000
_DAY_MS: Final = 86_400_000


class RegisterPages:
    """Pages that only list."""

    def __init__(self, administering: Administering) -> None:
        self._administering = administering

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [web.get("/grids", self._grids), web.get("/acts", self._acts), web.get("/health", self._health)]

    async def _grids(self, request: web.Request) -> web.StreamResponse:
        lines = await self._administering.grids(caller_of(request))
        query = request.query.get("q", "").strip()
        rows = [
            {
                "code": visible(str(line.values.get("grid_code", ""))),
                "name": visible(str(line.values.get("name", ""))),
                "parent": visible(str(line.values.get("parent_code", ""))),
                "level": visible(str(line.values.get("level", ""))),
                "people": [(visible(each), path_of(each)) for each in line.staff_nos],
            }
            for line in lines
        ]
        chosen = [row for row in rows if query.lower() in str(row["name"]).lower() or query in str(row["code"])]
        shown, links = page_of(request, chosen)
        return page(request, "grids.html", {"total": len(rows), "rows": shown, "q": query} | links, here="grids")

    async def _acts(self, request: web.Request) -> web.StreamResponse:
        say = visitor_of(request).speech
        asked = request.query.get("show", "")
        limit = min(read_number(asked) or _ACTS_A_PAGE, _ACTS_MAX)
        acts = await self._administering.acts(caller_of(request), limit + 1)
        rows = [
            {
                "at_ms": each.at_ms,
                "by": visible(each.by),
                "what": say.text(ACTS[each.what]) if each.what in ACTS else visible(each.what),
                "subject": visible(each.subject)[:8] if each.what.startswith("device.") else visible(each.subject),
                "path": f"/console/devices/{each.subject}" if each.what.startswith("device.") else "",
                "detail": visible(each.detail),
            }
            for each in acts[:limit]
        ]
        is_more = len(acts) > limit and limit < _ACTS_MAX
        older = f"/console/acts?show={limit + 4 * _ACTS_A_PAGE}" if is_more else ""
        return page(request, "acts.html", {"rows": rows, "older": older}, here="acts")

    async def _health(self, request: web.Request) -> web.StreamResponse:
        say = visitor_of(request).speech
        health = await self._administering.health(caller_of(request))
        works = {True: (say.t("正常", "Works"), "green"), False: (say.t("不正常", "Does not work"), "red")}
        ready, counts = health.ready, health.counts
        lines = [
            _line(say.t("读取", "Reading"), *works[ready.readable]),
            _line(
                say.t("写入", "Writing"),
                *works[ready.writable],
                hint="" if ready.writable else say.t("磁盘可能已满：见日志。", "The disk may be full: see the log."),
            ),
            _line(say.t("版本", "Version"), f"gridlog {version('gridlog')}"),
            _line(say.t("日志位置", "Log position"), say.number(ready.log_position)),
            _line(say.t("人员", "People"), say.number(counts["people"])),
            _line(say.t("终端", "Devices"), say.number(counts["devices"])),
            _line(say.t("待核对的修改", "Held ops"), say.number(counts["held"])),
            _line(say.t("等待前序的批次", "Segments behind a gap"), say.number(counts["waiting"])),
            _line(say.t("隔离区", "Quarantine"), say.number(counts["quarantine"])),
            _line(say.t("记录", "Records"), say.number(counts["records"])),
        ]
        return page(request, "health.html", {"lines": lines}, here="health")


def _line(label: str, text: str, tone: str = "", *, hint: str = "") -> dict[str, str]:
    return {"label": label, "text": text, "tone": tone, "hint": hint}
