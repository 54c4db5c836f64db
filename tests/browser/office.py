"""An office for tests of the pages: a server that runs, people who sign in, and a browser that says what it minds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright

from gridlog.testing import GRID, ThrowAwayServer, throw_away_server
from tests.unit.server.building import START_MS
from tools.frontend.axe import grave_in, is_too_wide

CHROMIUM = "/usr/bin/chromium"
DESK, PHONE = {"width": 1366, "height": 768}, {"width": 360, "height": 740}
_NAVIGATED_MS = 10_000

__all__ = ["DESK", "GRID", "PHONE", "START_MS", "Office", "Sheet", "open_office"]


@dataclass
class Sheet:
    """A page in a browser, with all that the browser complained about."""

    page: Page
    office: Office
    complaints: list[str] = field(default_factory=list)

    def hear(self, message: ConsoleMessage) -> None:
        """Note what the browser says in its console: a refused script or style among it."""
        # A form that was refused is an answer, not a fault.
        is_an_answer = "the server responded with a status of 4" in message.text
        if message.type in ("error", "warning") and not is_an_answer:
            self.complaints.append(f"{self.page.url}: {message.text}")

    async def open(self, path: str) -> None:
        """Type an address."""
        await self.page.goto(self.office.server.address + path)

    async def sign_in(self, staff_no: str) -> None:
        """Go through the door."""
        await self.open("/console/")
        await self.page.fill("#staff_no", staff_no)
        await self.page.fill("#password", self.office.passwords[staff_no])
        await self.page.click(".console-door button.btn-primary")
        await self.page.wait_for_selector(".console-nav", timeout=_NAVIGATED_MS)

    async def press(self, name: str) -> None:
        """Press a button or follow a link by what it says."""
        either = self.page.get_by_role("button", name=name).or_(self.page.get_by_role("link", name=name))
        await either.first.click()
        await self.page.wait_for_load_state()

    async def text(self) -> str:
        """Return what can be read."""
        return await self.page.inner_text("body")

    async def is_accessible(self) -> None:
        """Make sure that axe finds nothing serious here, and that nothing is wider than the screen."""
        assert await grave_in(self.page) == [], self.page.url
        assert not await is_too_wide(self.page), self.page.url


@dataclass(slots=True)
class Office:
    """A server, its people, and a browser."""

    server: ThrowAwayServer
    browser: Browser
    sheets: list[Sheet] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict)

    async def account(self, staff_no: str, name: str, *roles: str) -> None:
        """Let somebody sign in with these roles."""
        await self.server.command("admin", "user", "add", staff_no, "--name", name)
        made = await self.server.command("admin", "user", "password", staff_no, "--generate", "--json")
        self.passwords[staff_no] = json.loads(made)["password"]
        granted = [part for role in roles for part in ("--role", role)]
        await self.server.command("admin", "user", "grant", staff_no, *granted)

    async def sheet(self, *, viewport: Mapping[str, int] = DESK, scheme: str = "light", locale: str = "zh") -> Sheet:
        """Return a page of a browser that nobody has used."""
        size: Any = dict(viewport)
        wish: Any = scheme
        context = await self.browser.new_context(viewport=size, color_scheme=wish, locale=locale)
        sheet = Sheet(await context.new_page(), self)
        sheet.page.on("console", sheet.hear)
        sheet.page.on("pageerror", lambda error: sheet.complaints.append(str(error)))
        self.sheets.append(sheet)
        return sheet

    async def import_grids(self, grids: Sequence[tuple[str, str, str, int]]) -> None:
        """Make grids known: code, name, parent, level."""
        names = ("grid_code", "name", "parent_code", "level")
        rows = [{"kind": "grid", "values": dict(zip(names, grid, strict=True))} for grid in grids]
        await self.server.import_records(rows)


@asynccontextmanager
async def open_office() -> AsyncIterator[Office]:
    """Start a server and a browser. At the end nothing in the browser's console may be a complaint."""
    async with throw_away_server() as server, async_playwright() as playing:
        browser = await playing.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        office = Office(server, browser)
        try:
            yield office
        finally:
            complaints = [each for sheet in office.sheets for each in sheet.complaints]
            await browser.close()
        assert complaints == [], complaints


async def until(told: Any, wanted: str, *, patience_s: float = 15.0) -> None:
    """Wait until a page says something. Fails with what it says instead."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + patience_s
    while wanted not in (said := await told()):
        assert loop.time() < end_s, said
        await asyncio.sleep(0.05)
