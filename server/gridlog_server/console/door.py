"""Sign in, sign out, the password, and how somebody likes to read."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv6Address

from aiohttp import web

from gridlog_protocol.texts import LANGUAGES, Text
from gridlog_server.door.addresses import client_of, limited_as, read_address
from gridlog_server.service.accounts import Accounts
from gridlog_server.service.refusing import RefusedError
from gridlog_server.settings import Network

from .cookies import DOOR, LANGUAGE, SESSION, drop_secret, set_choice, set_secret
from .notices import Notice
from .pages import caller_of, form_of, page, see_other, visitor_of
from .rooms import own_path, rooms_of

_DIFFERENT = Notice(Text("两次输入的新密码不一样。", "The two new passwords differ."), "danger")


class Door:
    """The pages that everybody has."""

    def __init__(self, accounts: Accounts, proxies: Sequence[Network]) -> None:
        self._accounts = accounts
        self._proxies = proxies

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/", self._first),
            web.get("/sign-in", self._ask),
            web.post("/sign-in", self._sign_in),
            web.post("/sign-out", self._sign_out),
            web.post("/language", self._language),
            web.get("/password", self._ask_password),
            web.post("/password", self._password),
        ]

    async def _first(self, request: web.Request) -> web.StreamResponse:
        rooms = rooms_of(caller_of(request))
        return see_other(request, rooms[0].path) if rooms else page(request, "nothing.html")

    async def _ask(self, request: web.Request) -> web.StreamResponse:
        if visitor_of(request).caller is not None:
            return see_other(request, own_path(request.query.get("next", "")))
        facts = {"next": own_path(request.query.get("next", "")), "staff_no": "", "wrong": None}
        return page(request, "sign_in.html", facts)

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        form = form_of(request)
        staff_no, target = form.one("staff_no"), own_path(form.one("next"))
        try:
            token, _ = await self._accounts.sign_in(staff_no, form.raw("password"), address=self._address(request))
        except RefusedError as refused:
            facts = {"next": target, "staff_no": staff_no, "wrong": refused.text}
            return page(request, "sign_in.html", facts, status=422)
        visitor = visitor_of(request)
        if visitor.session:
            # Whoever signs in anew leaves nothing of before behind him.
            await self._accounts.sign_out(visitor.session)
        answer = see_other(request, target)
        set_secret(answer, SESSION, token, visitor.channel)
        drop_secret(answer, DOOR, visitor.channel)
        return answer

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        visitor = visitor_of(request)
        await self._accounts.sign_out(visitor.session)
        answer = see_other(request, "/console/sign-in", "signed-out")
        drop_secret(answer, SESSION, visitor.channel)
        answer.headers["Clear-Site-Data"] = '"cache"'
        return answer

    async def _language(self, request: web.Request) -> web.StreamResponse:
        form = form_of(request)
        answer = see_other(request, own_path(form.one("next")))
        if form.one("language") in LANGUAGES:
            set_choice(answer, LANGUAGE, form.one("language"), visitor_of(request).channel)
        return answer

    async def _ask_password(self, request: web.Request) -> web.StreamResponse:
        return page(request, "password.html")

    async def _password(self, request: web.Request) -> web.StreamResponse:
        form, visitor = form_of(request), visitor_of(request)
        if form.raw("new") != form.raw("again"):
            return page(request, "password.html", status=422, said=_DIFFERENT)
        try:
            token, _ = await self._accounts.change_password(visitor.session, form.raw("old"), form.raw("new"))
        except RefusedError as refused:
            return page(request, "password.html", status=422, said=Notice(refused.text, "danger"))
        answer = see_other(request, "/console/password", "password")
        set_secret(answer, SESSION, token, visitor.channel)
        return answer

    def _address(self, request: web.Request) -> str:
        """Return what guesses are counted under: the client's address, behind trusted proxies too."""
        assert request.transport is not None
        peer = read_address(request.transport.get_extra_info("peername")[0])
        client = client_of(peer, request.headers.getall("X-Forwarded-For", []), self._proxies)
        return str(client) if client.version == 4 else f"{IPv6Address(limited_as(client))}/64"
