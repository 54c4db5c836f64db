"""`make screenshots`: a picture of every page, in both languages, on a desk and on a phone, light and dark.

It plays a small demo, walks through what that leaves running as the supervisor, the administrator and the grid worker
would, and ends it. Exit status 1 if a browser or axe-core had something to complain about.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Sequence
from itertools import chain, product, starmap
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import urljoin

import typer
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from tools.demo import staying
from tools.demo.staying import SignIn, sign_ins_of
from tools.screenshots.sheet import write_sheet
from tools.screenshots.walking import Walk

CHROMIUM = "/usr/bin/chromium"
OUT = Path("build") / "screenshots"
_PATIENCE_MS = 20_000


class Look(NamedTuple):
    """How somebody looks at a page."""

    language: str
    screen: str
    scheme: Any

    @property
    def name(self) -> str:
        """What the pictures' names end with."""
        return "-".join(self)

    @property
    def viewport(self) -> Any:
        """An office PC, or a 5-inch phone."""
        return {"width": 1366, "height": 768} if self.screen == "desk" else {"width": 360, "height": 740}


LOOKS = {each.name: each for each in starmap(Look, product(("zh", "en"), ("desk", "phone"), ("light", "dark")))}


def main(
    out: Annotated[Path, typer.Option(help="Where the pictures go; emptied first.")] = OUT,
    seed: Annotated[int, typer.Option(help="The day that is played.")] = 1,
    devices: Annotated[int, typer.Option(help="Handhelds of that day.")] = 6,
    looks: Annotated[str, typer.Option(help=f"Some of {', '.join(LOOKS)}.", show_default="all")] = ",".join(LOOKS),
) -> None:
    """Take a picture of every page."""
    if not {*LOOKS}.issuperset(looks.split(",")):
        raise typer.BadParameter(f"{looks}: some of {', '.join(LOOKS)}", param_hint="--looks")
    chosen = [LOOKS[name] for name in looks.split(",")]
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    data = (out / "street").absolute()
    words = ["--devices", str(devices), "--seed", str(seed), "--data", str(data)]
    try:
        subprocess.run([sys.executable, "-m", "tools.demo", *words], check=True, stdout=subprocess.DEVNULL)
        complaints, taken = asyncio.run(_take(out, sign_ins_of(data), chosen))
    finally:
        staying.end(data)
    shutil.rmtree(data)
    write_sheet(out, taken)
    print(f"{len(taken)} pictures; look at {out / 'index.html'}")
    for complaint in complaints:
        print(complaint)
    raise typer.Exit(1 if complaints else 0)


async def _take(out: Path, sign_ins: Sequence[SignIn], looks: Sequence[Look]) -> tuple[list[str], list[Path]]:
    async with async_playwright() as playing:
        browser = await playing.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        walks = [*chain(*await asyncio.gather(*(_walks(browser, out, each, looks) for each in sign_ins)))]
        await browser.close()
    return [*chain(*(walk.complaints for walk in walks))], [*chain(*(walk.taken for walk in walks))]


async def _walks(browser: Browser, out: Path, who: SignIn, looks: Sequence[Look]) -> list[Walk]:
    """Let one person walk through all of the pages, once in each look."""
    folder = out / who.role
    folder.mkdir()
    come_in = _through_the_lock if who.role == "worker" else _through_the_door
    beginnings = ".actions form button" if who.role == "worker" else None
    walks: list[Walk] = []
    addresses: list[str] = []
    state: Any = None
    for look in looks:
        context = await _context(browser, look, state)
        walk = Walk(await context.new_page(), folder, look.name)
        walks.append(walk)
        first = await come_in(walk, who, look.language)
        addresses = addresses or await walk.all_from(first, beginnings)
        await walk.pictures_of([*addresses, urljoin(first, "no-such-page")])
        # The handheld's address lets one browser in, once.
        state = await context.storage_state() if who.role == "worker" else None
        await context.close()
    return walks


async def _context(browser: Browser, look: Look, state: Any) -> BrowserContext:
    is_phone = look.screen == "phone"
    return await browser.new_context(
        viewport=look.viewport,
        color_scheme=look.scheme,
        is_mobile=is_phone,
        has_touch=is_phone,
        locale="zh-CN",
        storage_state=state,
        geolocation={"latitude": 30.57, "longitude": 114.32, "accuracy": 8},
        permissions=["geolocation"],
    )


async def _through_the_door(walk: Walk, who: SignIn, language: str) -> str:
    page = walk.page
    await page.goto(who.address)
    await _say(page, "button[value=en]", language)
    await walk.picture("door")
    await page.fill("#staff_no", who.who)
    await page.fill("#password", "not the password")
    await page.click(".console-door button.btn-primary")
    await page.wait_for_load_state()
    await walk.picture("door-shut")
    await page.fill("#password", who.secret)
    await page.click(".console-door button.btn-primary")
    await page.wait_for_selector(".console-nav", timeout=_PATIENCE_MS)
    return page.url


async def _through_the_lock(walk: Walk, who: SignIn, language: str) -> str:
    page = walk.page
    await page.goto(who.address if not await page.context.cookies() else urljoin(who.address, "/"))
    if await page.locator("form[action='/lock']").count():
        await page.click("form[action='/lock'] button")
        await page.wait_for_selector("#passphrase", state="attached", timeout=_PATIENCE_MS)
    for wanted in ("zh", "en"):
        if wanted == language and await page.locator(f"button[name=language][value={wanted}]").count():
            await _say(page, f"button[name=language][value={wanted}]", "en")
    await walk.picture("lock")
    await page.fill("#passphrase", who.secret)
    async with page.expect_navigation():
        await page.click("details[open] form[action='/unlock'] button")
    return urljoin(page.url, "/")


async def _say(page: Page, button: str, language: str) -> None:
    if language == "en":
        async with page.expect_navigation():
            await page.click(button)


if __name__ == "__main__":
    typer.run(main)
