"""Hand somebody a code for a device: drawn to be scanned, shown to whoever ordered it, for as long as it is good.

The rule it keeps: whoever sees a code can use it. It stands in no address and in no database; it is kept in memory
for the session that ordered it, and forgotten with the process.
"""

from __future__ import annotations

import io
import os
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import segno
from aiohttp import web

from gridlog_protocol.kinds.presenting import visible
from gridlog_server.service.accounts import Accounts, Caller
from gridlog_server.service.administering import Administering
from gridlog_server.service.enrolment import Invited

from .acting import acted
from .devices import row_of
from .notices import Notice
from .pages import caller_of, page, see_other, visitor_of
from .people import path_of

_KEPT_MAX: Final = 200
_MODULE_UNITS: Final = 4
_NAME_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class _Shown:
    """A code that somebody ordered: his session, the code, when it was made."""

    session: str
    invited: Invited
    made_ms: int


class EnrollingPages:
    """The pages of codes."""

    def __init__(self, administering: Administering, accounts: Accounts) -> None:
        self._administering = administering
        self._accounts = accounts
        self._kept: OrderedDict[str, _Shown] = OrderedDict()

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/people/{staff_no}/enrol", self._ask),
            web.post("/people/{staff_no}/enrol", self._invite),
            web.get("/codes/{code}", self._show),
            web.get("/codes/{code}/used", self._used),
            web.get("/codes/{code}/code.svg", self._draw),
        ]

    async def _ask(self, request: web.Request, said: Notice | None = None) -> web.Response:
        line, _ = await self._administering.person(caller_of(request), request.match_info["staff_no"])
        facts = {
            "path": path_of(line.person.staff_no),
            "name": visible(line.person.name),
            "staff_no": visible(line.person.staff_no),
            "grids": sorted(visible(each) for each in line.person.scopes),
            "devices": line.devices,
        }
        return page(request, "enrol.html", facts, here="people", said=said)

    async def _invite(self, request: web.Request) -> web.StreamResponse:
        async def invite(caller: Caller) -> web.StreamResponse:
            invited = await self._administering.invite(caller, request.match_info["staff_no"])
            name = os.urandom(_NAME_BYTES).hex()
            self._kept[name] = _Shown(caller.session, invited, visitor_of(request).speech.now_ms)
            while len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
            return see_other(request, f"/console/codes/{name}")

        return await acted(request, self._accounts, invite, lambda said: self._ask(request, said))

    async def _show(self, request: web.Request) -> web.StreamResponse:
        shown = self._found(request)
        person = shown.invited.person
        facts = {
            "path": path_of(person.staff_no),
            "name": visible(person.name),
            "staff_no": visible(person.staff_no),
            "grids": sorted(visible(each) for each in person.scopes),
            "code": shown.invited.invitation.code(),
            "code_path": f"/console/codes/{request.match_info['code']}",
            "expires_ms": shown.invited.expires_ms,
            "used": await self._device_of(request, shown),
        }
        return page(request, "code.html", facts, here="people")

    async def _used(self, request: web.Request) -> web.StreamResponse:
        shown = self._found(request)
        facts = {
            "used": await self._device_of(request, shown),
            "code_path": f"/console/codes/{request.match_info['code']}",
        }
        return page(request, "parts/code_used.html", facts)

    async def _draw(self, request: web.Request) -> web.StreamResponse:
        drawn = io.BytesIO()
        # Letters, digits and hyphens: QR's alphanumeric mode. Level M survives a crease in the paper.
        segno.make_qr(self._found(request).invited.invitation.code(), error="m").save(
            drawn, kind="svg", scale=_MODULE_UNITS, dark="#000", light="#fff"
        )
        return web.Response(body=drawn.getvalue(), content_type="image/svg+xml")

    async def _device_of(self, request: web.Request, shown: _Shown) -> dict[str, object] | None:
        """Return the device that came with this code, or one of the same person that came since."""
        _, devices = await self._administering.person(caller_of(request), shown.invited.person.staff_no)
        come = [each for each in devices if each.device.enrolled_ms >= shown.made_ms]
        return row_of(come[0], visitor_of(request).speech) if come else None

    def _found(self, request: web.Request) -> _Shown:
        shown = self._kept.get(request.match_info["code"])
        visitor = visitor_of(request)
        if shown is None or shown.session != caller_of(request).session:
            raise web.HTTPNotFound
        if shown.invited.expires_ms < visitor.speech.now_ms:
            raise web.HTTPNotFound
        return shown
