"""The administrator's pages about people: who works where, with which roles, with which devices."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from aiohttp import web

from gridlog_protocol.kinds.presenting import visible
from gridlog_protocol.texts import Text
from gridlog_server.service.accounts import Accounts, Caller, Role, roles_of
from gridlog_server.service.administering import Administering
from gridlog_server.service.inspection import PersonLine
from gridlog_server.service.passwords import generated
from gridlog_server.service.permitting import ROLE_LABELS

from .acting import acted
from .devices import row_of as device_row_of
from .grid_picker import found, offered, picked
from .notices import Notice
from .pages import caller_of, form_of, page, see_other, visitor_of
from .paging import page_of
from .speaking import Speech
from .words import PERSON_STATES

_HERE = "people"


class PeoplePages:
    """Lists and pages of people."""

    def __init__(self, administering: Administering, accounts: Accounts) -> None:
        self._administering = administering
        self._accounts = accounts

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/people", self._list),
            web.get("/grids/search", self._search),
            web.get("/people/new", self._new),
            web.post("/people/new", self._add),
            web.get("/people/{staff_no}", self._one),
            web.post("/people/{staff_no}/grids", self._assign),
            web.post("/people/{staff_no}/roles", self._grant),
            web.post("/people/{staff_no}/password", self._password),
            web.post("/people/{staff_no}/{step:disable|enable}", self._stand),
        ]

    async def _list(self, request: web.Request) -> web.StreamResponse:
        say = visitor_of(request).speech
        lines = await self._administering.people(caller_of(request))
        query, role, status = (request.query.get(name, "").strip() for name in ("q", "role", "status"))
        chosen = [
            line
            for line in lines
            if query.lower() in f"{line.person.name}\n{line.person.staff_no}".lower()
            and role in ("", *(each.value for each in roles_of(line.account)))
            and status in ("", line.person.status)
        ]
        rows, links = page_of(request, chosen)
        facts = {
            "total": len(lines),
            "q": query,
            "role": role,
            "status": status,
            "role_options": [(each.value, say.text(label)) for each, label in ROLE_LABELS.items()],
            "status_options": [(each, say.text(label)) for each, (label, _) in PERSON_STATES.items()],
            "rows": [row_of(line, say) for line in rows],
        } | links
        return page(request, "people.html", facts, here=_HERE)

    async def _new(self, request: web.Request, said: Notice | None = None) -> web.Response:
        form = form_of(request) if request.method == "POST" else None
        facts = {
            "picker": offered(await self._grids(request), picked(form) if form else []),
            "typed_no": form.one("staff_no") if form else "",
            "typed_name": form.one("name") if form else "",
        }
        return page(request, "person_new.html", facts, here=_HERE, said=said)

    async def _add(self, request: web.Request) -> web.StreamResponse:
        form = form_of(request)

        async def add(caller: Caller) -> web.StreamResponse:
            staff_no = form.one("staff_no")
            await self._administering.add(caller, staff_no, form.one("name"), picked(form))
            return see_other(request, path_of(staff_no), "person-added")

        return await acted(request, self._accounts, add, lambda said: self._new(request, said))

    async def _one(self, request: web.Request, said: Notice | None = None, password: str = "") -> web.Response:
        say = visitor_of(request).speech
        line, devices = await self._administering.person(caller_of(request), request.match_info["staff_no"])
        account, grids = line.account, await self._grids(request)
        facts = row_of(line, say) | {
            "devices": [device_row_of(each, say) for each in devices],
            "all_grids": grids,
            "picker": offered(grids, line.person.scopes),
            "own_roles": [each.value for each in roles_of(account)],
            "role_options": [(each.value, say.text(label)) for each, label in ROLE_LABELS.items()],
            "subtree": account.subtree if account else "",
            "has_password": bool(account and account.password),
            "is_active": line.person.status == "active",
            "new_password": password,
        }
        return page(request, "person.html", facts, here=_HERE, said=said)

    async def _assign(self, request: web.Request) -> web.StreamResponse:
        async def assign(caller: Caller) -> web.StreamResponse:
            staff_no = request.match_info["staff_no"]
            await self._administering.assign(caller, staff_no, picked(form_of(request)))
            return see_other(request, path_of(staff_no), "grids")

        return await acted(request, self._accounts, assign, lambda said: self._one(request, said))

    async def _grant(self, request: web.Request) -> web.StreamResponse:
        form, staff_no = form_of(request), request.match_info["staff_no"]

        async def grant(caller: Caller) -> web.StreamResponse:
            await self._accounts.grant(staff_no, form.all("role"), form.one("subtree"), by=caller)
            return see_other(request, path_of(staff_no), "roles")

        return await acted(request, self._accounts, grant, lambda said: self._one(request, said))

    async def _password(self, request: web.Request) -> web.StreamResponse:
        staff_no, made = request.match_info["staff_no"], generated()

        async def reset(caller: Caller) -> web.StreamResponse:
            await self._accounts.set_password(staff_no, made, by=caller)
            # Shown once, in the answer itself: it stands in no address and in no database.
            said = Notice(Text("新密码已生成，只显示这一次。", "A new password was made; it is shown this once."))
            return await self._one(request, said, made)

        return await acted(request, self._accounts, reset, lambda said: self._one(request, said))

    async def _stand(self, request: web.Request) -> web.StreamResponse:
        staff_no, step = request.match_info["staff_no"], request.match_info["step"]

        async def stand(caller: Caller) -> web.StreamResponse:
            change = self._administering.disable if step == "disable" else self._administering.enable
            await change(caller, staff_no, reason=form_of(request).one("reason"))
            return see_other(request, path_of(staff_no), f"{step}d")

        return await acted(request, self._accounts, stand, lambda said: self._one(request, said))

    async def _search(self, request: web.Request) -> web.StreamResponse:
        words = request.query.get("more", "").strip()
        facts = {"grids": found(await self._grids(request), words), "words": words}
        return page(request, "parts/grids_found.html", facts)

    async def _grids(self, request: web.Request) -> list[tuple[str, str]]:
        """Return code and name of each grid, below its parents in the order of codes."""
        return [(code, visible(name)) for code, name in await self._administering.grid_names(caller_of(request))]


def path_of(staff_no: str) -> str:
    """Return the path of somebody's page. A staff number may have any characters."""
    return f"/console/people/{quote(staff_no, safe='')}"


def row_of(line: PersonLine, say: Speech) -> dict[str, Any]:
    """Return what lists and pages say of a person."""
    person = line.person
    label, tone = PERSON_STATES.get(person.status, (Text(person.status, person.status), "secondary"))
    roles = sorted(roles_of(line.account))
    return {
        "path": path_of(person.staff_no),
        "name": visible(person.name),
        "staff_no": visible(person.staff_no),
        "roles": [(say.text(ROLE_LABELS[each]), "secondary" if each is Role.WORKER else "blue") for each in roles],
        "grids": say.t("、", ", ").join(sorted(visible(each) for each in person.scopes)),
        "devices": line.devices,
        "badges": (badges := [(say.text(label), tone)]),
        "badges_of": badges,
    }
