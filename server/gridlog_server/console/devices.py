"""The administrator's pages about devices: which need attention, the life of one, its end with proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import TENANT_SCOPE, shown
from gridlog_protocol.kinds.presenting import visible
from gridlog_protocol.limits import CLOCK_FINE_MS
from gridlog_protocol.texts import Text
from gridlog_server.service.accounts import Accounts, Caller
from gridlog_server.service.administering import Administering
from gridlog_server.service.contact import reported
from gridlog_server.service.inspection import DeviceLine
from gridlog_server.service.standing import ACTIVE, AT_AN_END, LOST, SUSPENDED, WIPED, Step

from .acting import acted
from .notices import Notice
from .pages import caller_of, form_of, page, see_other, visitor_of
from .paging import page_of
from .speaking import Speech
from .words import ACTS, DEVICE_STATES

_HERE = "devices"
_SILENT_MS: Final = 3 * 86_400_000
_SAID: Final = {
    Step.SUSPEND: "suspended",
    Step.RESUME: "resumed",
    Step.LOST: "lost",
    Step.WIPE: "wiping",
    Step.FOUND: "found",
    Step.REVOKE: "revoked",
}
_FREE_MB_LOW: Final = 512
_KEYS: Final = {
    "passphrase": Text("口令", "passphrase"),
    "pin": Text("PIN", "PIN"),
    "badge": Text("工牌", "badge"),
    "recovery": Text("恢复密钥", "recovery key"),
}
_OPEN_TO: Final = {
    ACTIVE: (Step.SUSPEND, Step.LOST, Step.REVOKE),
    SUSPENDED: (Step.RESUME, Step.LOST, Step.REVOKE),
    LOST: (Step.FOUND, Step.WIPE, Step.REVOKE),
    WIPED: (Step.REVOKE,),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason to look at a device, by the name that the address has."""

    name: str
    label: Text
    is_so: Callable[[DeviceLine, int], bool]
    is_alert: bool = False


def never_synced(line: DeviceLine, _now_ms: int) -> bool:
    """Tell whether a device was never heard of since its enrolment."""
    return line.device.status == ACTIVE and line.device.counter == 0


def is_silent(line: DeviceLine, now_ms: int) -> bool:
    """Tell whether a device in use has not been in contact for three days."""
    is_old = now_ms - line.device.contact_ms > _SILENT_MS
    return line.device.status == ACTIVE and is_old


PROBLEMS: Final = (
    Problem("never", Text("从未同步", "Never synced"), never_synced),
    Problem("silent", Text("3 天没有联系", "Silent for 3 days"), is_silent, is_alert=True),
    Problem("unsent", Text("有未发出的", "Unsent work"), lambda line, _: (reported(line.device, "unsent") or 0) > 0),
    Problem(
        "old",
        Text("版本较旧", "Old version"),
        lambda line, _: line.device.status not in AT_AN_END and line.device.app != version("gridlog"),
    ),
    Problem("lost", Text("已挂失", "Lost"), lambda line, _: line.device.status == LOST, is_alert=True),
)


class DevicePages:
    """Lists and pages of devices."""

    def __init__(self, administering: Administering, accounts: Accounts) -> None:
        self._administering = administering
        self._accounts = accounts

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/devices", self._list),
            web.get("/devices/{device}", self._one),
            web.get("/devices/{device}/{step:lost|wipe|revoke}", self._ask),
            web.post("/devices/{device}/{step:suspend|resume|lost|wipe|found|revoke}", self._change),
        ]

    async def _list(self, request: web.Request) -> web.StreamResponse:
        say = visitor_of(request).speech
        lines = await self._administering.devices(caller_of(request))
        wanted = request.query.get("problem", "")
        problem = next((each for each in PROBLEMS if each.name == wanted), None)
        query = request.query.get("q", "").strip()
        chosen = [
            line
            for line in lines
            if (problem is None or problem.is_so(line, say.now_ms)) and _is_meant(line, query.lower())
        ]
        problems = [
            {
                "name": each.name,
                "label": each.label,
                "is_alert": each.is_alert,
                "count": sum(each.is_so(line, say.now_ms) for line in lines),
            }
            for each in PROBLEMS
        ]
        rows, links = page_of(request, chosen)
        facts = {
            "total": len(lines),
            "problems": problems,
            "problem": problem.name if problem else "",
            "q": query,
            "rows": [row_of(line, say) for line in rows],
        } | links
        return page(request, "devices.html", facts, here=_HERE)

    async def _one(self, request: web.Request, said: Notice | None = None) -> web.Response:
        say = visitor_of(request).speech
        line, acts = await self._administering.device(caller_of(request), request.match_info["device"])
        facts = row_of(line, say) | {
            "events": [
                {
                    "at_ms": each.at_ms,
                    "by": visible(each.by),
                    "what": say.text(ACTS[each.what]) if each.what in ACTS else each.what,
                    "detail": visible(each.detail),
                }
                for each in acts
            ],
            "device": line.device,
            "person_path": f"/console/people/{quote(line.staff_no, safe='')}",
            "about": about_of(line.device.about, say),
            "steps": [each.value for each in _OPEN_TO.get(line.device.status, ())],
        }
        return page(request, "device.html", facts, here=_HERE, said=said)

    async def _ask(self, request: web.Request, said: Notice | None = None) -> web.Response:
        say = visitor_of(request).speech
        line, _ = await self._administering.device(caller_of(request), request.match_info["device"])
        facts = row_of(line, say) | {"device": line.device, "step": request.match_info["step"]}
        return page(request, "device_step.html", facts, here=_HERE, said=said)

    async def _change(self, request: web.Request) -> web.StreamResponse:
        step, name = Step(request.match_info["step"]), request.match_info["device"]

        async def change(caller: Caller) -> web.StreamResponse:
            reason = form_of(request).one("reason")
            changed = await self._administering.change(caller, name, step, reason=reason)
            return see_other(request, f"/console/devices/{shown(changed.id)}", _SAID[step])

        async def again(said: Notice) -> web.StreamResponse:
            asks = step in (Step.LOST, Step.WIPE, Step.REVOKE)
            return await (self._ask(request, said) if asks else self._one(request, said))

        return await acted(request, self._accounts, change, again)


def row_of(line: DeviceLine, say: Speech) -> dict[str, Any]:
    """Return what lists and pages say of a device."""
    device = line.device
    label, tone = DEVICE_STATES.get(device.status, (Text(device.status, device.status), "secondary"))
    badges = [(say.text(label), tone)]
    if device.wipe_ordered_ms is not None:
        badges.append((say.t("等待清除", "Wipe ordered"), "red"))
    if is_silent(line, say.now_ms):
        badges.append((say.t("失联", "Silent"), "amber"))
    return {
        "id": shown(device.id),
        "short": shown(device.id)[:8],
        "holder": visible(line.holder),
        "staff_no": visible(line.staff_no),
        "model": visible(device.model),
        "app": visible(device.app),
        "badges": badges,
        "badges_of": badges,
        "contact_ms": None if never_synced(line, say.now_ms) else device.contact_ms,
        "unsent": reported(device, "unsent"),
        "oldest_ms": reported(device, "oldest_ms"),
        "held": line.held,
        "clock": _clock(device.clock_ahead_ms, say),
    }


def _clock(ahead_ms: int | None, say: Speech) -> str:
    if ahead_ms is None:
        return "—"
    if abs(ahead_ms) <= CLOCK_FINE_MS:
        return say.t("准", "right")
    span = say.span(abs(ahead_ms))
    return say.t(f"快 {span}", f"{span} ahead") if ahead_ms > 0 else say.t(f"慢 {span}", f"{span} behind")


def about_of(about: Mapping[str, Value], say: Speech) -> list[tuple[str, str, str]]:
    """Return what a device says about itself: label, text, and a tone where it matters."""
    lines: list[tuple[str, str, str]] = []
    keys = about.get("keys")
    if isinstance(keys, list):
        weak = about.get("weak") is True
        listed = say.t("、", ", ").join(
            say.text(_KEYS[each]) for each in keys if isinstance(each, str) and each in _KEYS
        )
        text = say.t(f"{listed}（较弱）", f"{listed} (weak)") if weak else listed
        lines.append((say.t("打开方式", "Opened by"), text, "amber" if weak else ""))
    free_mb, battery = about.get("free_mb"), about.get("battery")
    if isinstance(free_mb, int):
        is_low = free_mb < _FREE_MB_LOW
        lines.append((say.t("剩余空间", "Free storage"), f"{say.number(free_mb)} MB", "amber" if is_low else ""))
    if isinstance(battery, int):
        lines.append((say.t("电量", "Battery"), f"{battery}%", ""))
    scopes = about.get("scopes")
    if isinstance(scopes, list):
        grids = [visible(str(each)) for each in scopes if each != TENANT_SCOPE]
        lines.append((say.t("仍保存的网格", "Grids still held"), say.t("、", ", ").join(grids) or "—", ""))
    return lines


def _is_meant(line: DeviceLine, query: str) -> bool:
    said = (line.holder, line.staff_no, shown(line.device.id), line.device.id.hex(), line.device.model)
    return not query or any(query in each.lower() for each in said)
