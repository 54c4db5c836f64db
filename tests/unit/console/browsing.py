"""The console on a real store, and browsers without a screen: cookies, forms, and what a stranger would send."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from ipaddress import ip_network
from zoneinfo import ZoneInfo

from aiohttp import ClientResponse, ClientSession, CookieJar, web
from aiohttp.test_utils import TestServer
from yarl import URL

from gridlog_server.api.visits import reception
from gridlog_server.console.channels import Surroundings
from gridlog_server.console.entrance import PREFIX, console_app
from gridlog_server.door.metrics import Metrics
from gridlog_server.door.rates import Rates
from gridlog_server.service.accounts import Role
from tests.unit.console.desks import desk_of
from tests.unit.server.building import Server

PASSWORD = "晚饭后在楼下散步 7 圈"
LOOPBACK_NAME = "gridlog-session-on-loopback-without-https"
FORM_NAME, TOKEN_HEADER = "form_token", "X-Form-Token"
ADDRESS = "https://gridlog.example.cn"


class Forms(HTMLParser):
    """The forms of a page with their hidden fields, and every address that it names."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.actions: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "input" and said.get("type") == "hidden":
            self.fields.setdefault(said["name"], said.get("value", ""))
        if tag == "form" and said.get("method", "").lower() == "post":
            self.actions.append(said["action"])
        if tag == "a":
            self.links.append(said.get("href", ""))


@dataclass(slots=True)
class Page:
    """What came: status, text, and where it would lead."""

    status: int
    text: str
    headers: Mapping[str, str]
    cookies: Mapping[str, str] = field(default_factory=dict)

    @property
    def location(self) -> str:
        """Where the browser is sent."""
        return self.headers.get("Location", "")

    @property
    def token(self) -> str:
        """What the forms of this page carry."""
        return Forms(self.text).fields[FORM_NAME]


class Browser:
    """Somebody's browser: it keeps cookies, and says where its forms come from as browsers do."""

    def __init__(self, session: ClientSession, origin: str) -> None:
        self.session = session
        self.origin = origin
        self.token = ""

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Page:
        """Open a page."""
        async with self.session.get(self._url(path), headers=headers, allow_redirects=False) as answer:
            page = await _page(answer)
        if FORM_NAME in page.text:
            self.token = page.token
        return page

    async def post(
        self,
        path: str,
        fields: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        *,
        headers: Mapping[str, str] | None = None,
        token: str | None = None,
    ) -> Page:
        """Send a form as a page of ours does, unless told otherwise."""
        said = {"Sec-Fetch-Site": "same-origin", "Origin": "null"} if headers is None else dict(headers)
        pairs = [*(fields.items() if isinstance(fields, Mapping) else fields)]
        pairs.append((FORM_NAME, self.token if token is None else token))
        async with self.session.post(self._url(path), data=pairs, headers=said, allow_redirects=False) as answer:
            return await _page(answer)

    def _url(self, path: str) -> URL:
        return URL(self.origin + path, encoded=True)

    async def sign_in(self, staff_no: str, password: str = PASSWORD, **headers: str) -> Page:
        """Go through the door."""
        await self.get("/console/sign-in", headers or None)
        said = {"Sec-Fetch-Site": "same-origin", "Origin": "null"} | headers
        page = await self.post("/console/sign-in", {"staff_no": staff_no, "password": password}, headers=said)
        if page.status == 303:
            await self.get("/console/password", headers or None)
        return page


async def _page(answer: ClientResponse) -> Page:
    cookies = {name: morsel.value for name, morsel in answer.cookies.items()}
    return Page(answer.status, await answer.text(), answer.headers, cookies)


@dataclass(slots=True)
class Console:
    """A console that answers, and the services under it."""

    server: Server
    app: web.Application
    listening: TestServer
    sessions: list[ClientSession]

    async def browser(self) -> Browser:
        """Return the browser of somebody new."""
        # Cookies of a bare address are kept: tests reach us at 127.0.0.1.
        session = ClientSession(cookie_jar=CookieJar(unsafe=True))
        self.sessions.append(session)
        return Browser(session, f"http://127.0.0.1:{self.listening.port}")

    async def signed_in(self, staff_no: str, *roles: Role, subtree: str = "") -> Browser:
        """Return the browser of somebody with these roles, who is made if he is not known."""
        await self.account(staff_no, *roles, subtree=subtree)
        browser = await self.browser()
        assert (await browser.sign_in(staff_no)).status == 303
        return browser

    async def account(self, staff_no: str, *roles: Role, subtree: str = "") -> None:
        """Give somebody a password and roles."""
        known = {line.person.staff_no for line in await self.server.inspection.people()}
        if staff_no not in known:
            await self.server.people.add(staff_no, f"某{staff_no}", [], by="root")
        await self.server.accounts.set_password(staff_no, PASSWORD, by="root")
        await self.server.accounts.grant(staff_no, [each.value for each in roles], subtree, by="root")

    def routes(self) -> list[tuple[str, str]]:
        """Return method and path of every route, with the names of what varies in braces."""
        found = {
            (route.method, route.resource.canonical)
            for route in self.app.router.routes()
            if route.resource is not None and route.resource.canonical.startswith("/console")
        }
        return sorted(each for each in found if each[0] != "HEAD")


@asynccontextmanager
async def console_on(
    server: Server, *, address: str = ADDRESS, is_behind_proxy: bool = False
) -> AsyncIterator[Console]:
    """Open the console on a server's services."""
    proxies = (ip_network("127.0.0.1"),) if is_behind_proxy else ()
    app = web.Application(middlewares=[reception(Rates(per_minute=1_000_000, burst=1_000_000), Metrics(), proxies)])
    surroundings = Surroundings(address, proxies)
    app.add_subapp(
        PREFIX,
        console_app(desk_of(server), surroundings, zone=ZoneInfo("Asia/Shanghai"), now_ms=server.clock, stall_s=5),
    )
    listening = TestServer(app)
    await listening.start_server()
    console = Console(server, app, listening, [])
    try:
        yield console
    finally:
        for each in console.sessions:
            await each.close()
        await listening.close()


def filled(path: str, **facts: str) -> str:
    """Fill a route's path: what is not given is something that is not there."""
    return re.sub(r"\{(\w+)(?::[^}]*)?\}", lambda found: facts.get(found[1], "0" * 32), path)
