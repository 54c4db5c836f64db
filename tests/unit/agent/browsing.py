"""A browser without scripts: it keeps the cookie, reads the token from pages, and sends forms as Chromium does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import ClientResponse, CookieJar, web
from aiohttp.test_utils import TestClient, TestServer, unused_port

from gridlog import KdfProfile
from gridlog.agent.app import make_app
from gridlog.agent.gate import Gate
from gridlog.agent.phone import Phone
from tests.unit.client.stores import PASSPHRASE

Pairs = Sequence[tuple[str, str]]
OWN = {"Sec-Fetch-Site": "same-origin", "Origin": "null"}
"""What Chromium sends with a form of a page that sends no referrer."""


class Browser:
    """One browser, let in or not yet."""

    def __init__(self, client: TestClient[web.Request, web.Application], gate: Gate, phone: Phone) -> None:
        self.client = client
        self.gate = gate
        self.phone = phone

    @property
    def entry(self) -> str:
        return self.gate.address.removeprefix(self.gate.origin)

    async def see(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path, headers={"Sec-Fetch-Site": "same-origin"})
        text = await answer.text()
        assert answer.status == status, text
        return text

    async def post(self, path: str, *pairs: tuple[str, str], token: str | None = None) -> ClientResponse:
        sent = [*pairs, ("csrf", self.gate.token if token is None else token)]
        return await self.client.post(path, data=sent, headers=OWN, allow_redirects=False)

    async def go(self, path: str, *pairs: tuple[str, str]) -> str:
        """Send a form that leads on, and return where to."""
        answer = await self.post(path, *pairs)
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"]

    async def script(self, path: str, *pairs: tuple[str, str], status: int = 200) -> dict[str, object]:
        """Send a form as a script does, and return what it is told."""
        headers = {**OWN, "X-Gridlog-Csrf": self.gate.token}
        answer = await self.client.post(path, data=list(pairs), headers=headers, allow_redirects=False)
        assert answer.status == status, await answer.text()
        told: dict[str, object] = await answer.json()
        return told

    async def unlock(self) -> None:
        await self.go("/unlock", ("passphrase", PASSPHRASE))


@asynccontextmanager
async def browsing(directory: Path, *, idle_s: float = 120.0, is_let_in: bool = True) -> AsyncIterator[Browser]:
    """Serve the app of a store, and let a browser in."""
    port = unused_port()
    gate = Gate(port)
    phone = Phone(directory, profile=KdfProfile.WEAK_FOR_TESTS, idle_s=idle_s)
    server = TestServer(make_app(phone, gate), host="127.0.0.1", port=port)
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as client:
        browser = Browser(client, gate, phone)
        if is_let_in:
            answer = await client.get(browser.entry, allow_redirects=False)
            assert answer.status == 303
        yield browser


def posted_form(page: str) -> list[tuple[str, str]]:
    """Return what a browser sends of the draft's form as it stands, without the buttons."""
    form = page[page.index('<form id="draft"') : page.index("</form>", page.index('<form id="draft"'))]
    pairs: list[tuple[str, str]] = []
    for match in re.finditer(r"<(input|textarea|select)\b([^>]*)>(?:([^<]*)</textarea>)?", form):
        tag, attributes, text = match.groups()
        name = re.search(r'name="([^"]*)"', attributes)
        if name is None or name[1] == "csrf":
            continue
        if tag == "textarea":
            pairs.append((name[1], text.removeprefix("\n")))
        elif tag == "select":
            chosen = re.search(r'value="([^"]*)" selected', form[match.end() : form.index("</select>", match.end())])
            pairs.append((name[1], chosen[1] if chosen else ""))
        elif not re.search(r'type="(?:radio|checkbox)"', attributes) or "checked" in attributes:
            value = re.search(r'value="([^"]*)"', attributes)
            pairs.append((name[1], value[1] if value else ""))
    return pairs
