"""Go wherever links and beginnings lead in the pages of one person, and take a picture of each kind of page.

Two pages are of one kind if their addresses differ in identifiers alone: `/records/visit/<id>` is one kind, and three
of it are looked at, because no two records have the same to show. Nothing is decided, sent or destroyed on the way;
the one thing it does is begin records, since their forms have no address before.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urljoin, urlsplit

from playwright.async_api import ConsoleMessage, Page

from tools.frontend.axe import grave_in, is_too_wide

OF_EACH_KIND_MAX = 3
_WORD = re.compile(r"[a-z]+([_-][a-z]+)*(\.[a-z]+)?")
_SETTLED_MS = 250
_NO_PAGES = ("/static/", "/enter/")
_LINKS = "links => links.map(link => link.getAttribute('href'))"


@dataclass
class Walk:
    """One person's way through the pages in one browser window."""

    page: Page
    folder: Path
    look: str
    """What the pictures' names end with: language, screen and colours."""
    complaints: list[str] = field(default_factory=list)
    taken: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self._complain(str(error)))

    async def picture(self, name: str) -> None:
        """Take a picture of what is shown, and ask axe-core about it."""
        await self.page.wait_for_timeout(_SETTLED_MS)
        file = self.folder / f"{name}-{self.look}.png"
        await self.page.screenshot(path=file, full_page=True)
        self.taken.append(file)
        for each in await grave_in(self.page):
            self._complain(each)
        if await is_too_wide(self.page):
            self._complain("wider than the screen")

    async def all_from(self, first: str, beginnings: str | None = None) -> list[str]:
        """Follow links from `first`, and submit what matches `beginnings` there. Return the pages' addresses."""
        addresses: list[str] = []
        kinds: Counter[str] = Counter()
        waiting, known = deque([first]), {first}
        if beginnings is not None:
            await self.page.goto(first)
            for number in range(await self.page.locator(beginnings).count()):
                await self.page.goto(first)
                async with self.page.expect_navigation():
                    await self.page.locator(beginnings).nth(number).click()
                waiting.append(self.page.url)
        while waiting:
            address = waiting.popleft()
            if kinds[kind_of(address)] == OF_EACH_KIND_MAX:
                continue
            answer = await self.page.goto(address)
            if answer is None or not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            if not answer.ok:
                self._complain(f"leads to {answer.status}")
            kinds[kind_of(address)] += 1
            addresses.append(address)
            links: Sequence[str] = await self.page.eval_on_selector_all("a[href]", _LINKS)
            for link in dict.fromkeys(urljoin(self.page.url, link).partition("#")[0] for link in links):
                if link not in known and _is_a_page(link, first):
                    known.add(link)
                    waiting.append(link)
        return addresses

    async def pictures_of(self, addresses: Sequence[str]) -> None:
        """Take a picture of each address."""
        for number, address in enumerate(addresses):
            await self.page.goto(address)
            await self.picture(f"{number:02}-{name_of(address)}")

    def _hear(self, message: ConsoleMessage) -> None:
        # A refused form, or an address that leads nowhere, is an answer, not a fault.
        is_an_answer = "the server responded with a status of 4" in message.text
        if message.type in ("error", "warning") and not is_an_answer:
            self._complain(message.text)

    def _complain(self, what: str) -> None:
        self.complaints.append(f"{self.look} {self.page.url}: {what}")


def kind_of(address: str) -> str:
    """Return an address without what tells two pages of one kind apart."""
    parts = urlsplit(address)
    path = "/".join(part if _WORD.fullmatch(part) else "*" for part in parts.path.strip("/").split("/"))
    return "&".join([path, *sorted(name for name, value in parse_qsl(parts.query) if value)])


def name_of(address: str) -> str:
    """Return an address as a part of a file's name."""
    return re.sub(r"[^a-z]+", "-", kind_of(address)).strip("-") or "first"


def _is_a_page(link: str, first: str) -> bool:
    here, there = urlsplit(first), urlsplit(link)
    return (there.scheme, there.netloc) == (here.scheme, here.netloc) and not there.path.startswith(_NO_PAGES)
