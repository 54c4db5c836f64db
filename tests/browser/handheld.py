"""The command `gridlog handheld` as a process, and Debian's Chromium before it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.async_api import BrowserContext, Page, Playwright

CHROMIUM = Path("/usr/bin/chromium")
PASSPHRASE = "a long passphrase for a test"
PIN = "280417"
PATIENCE_MS = 20_000


class Handheld:
    """One process of the app over one store."""

    def __init__(self, store: Path, scratch: Path, *, idle_s: int = 600) -> None:
        self.store = store
        self._scratch = scratch
        self._idle_s = idle_s
        self._process: subprocess.Popen[str] | None = None
        self.address = ""

    @property
    def origin(self) -> str:
        return self.address.partition("/enter/")[0]

    @property
    def log(self) -> Path:
        return self._scratch / "handheld.log"

    def start(self, *, port: int = 0) -> None:
        """Start it, and wait for the address that lets a browser in."""
        temporary = self._scratch / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = {**os.environ, "GRIDLOG_LANG": "zh", "TMPDIR": str(temporary), "PYTHONUNBUFFERED": "1"}
        command = [
            str(Path(sys.executable).with_name("gridlog")),
            "handheld",
            "--store",
            str(self.store),
            "--port",
            str(port),
        ]
        with self.log.open("a", encoding="utf-8") as errors:
            self._process = subprocess.Popen(
                [*command, "--weak-kdf-for-tests", "--lock-after", str(self._idle_s)],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        assert self._process.stdout is not None
        found = re.search(r"http://\S+", self._process.stdout.readline())
        assert found is not None, self.log.read_text(encoding="utf-8")
        self.address = found.group()

    def kill(self) -> None:
        """End it as a crash does."""
        assert self._process is not None
        self._process.kill()
        self._process.communicate()

    def stop(self) -> None:
        """End it as Ctrl-C does. Harmless if it ended already."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.communicate(timeout=20)


@contextmanager
def running(store: Path, scratch: Path, *, idle_s: int = 600) -> Iterator[Handheld]:
    """Run the app until the end of the block, whatever happens."""
    handheld = Handheld(store, scratch, idle_s=idle_s)
    handheld.start()
    try:
        yield handheld
    finally:
        handheld.stop()


async def phone_sized(playwright: Playwright, profile: Path) -> BrowserContext:
    """Return Chromium as a 5-inch phone, with a profile on the disk that can be looked through afterwards."""
    return await playwright.chromium.launch_persistent_context(
        str(profile),
        executable_path=str(CHROMIUM),
        args=["--no-sandbox"],
        viewport={"width": 360, "height": 740},
        has_touch=True,
        is_mobile=True,
        locale="zh-CN",
        geolocation={"latitude": 30.57, "longitude": 114.32, "accuracy": 8},
        permissions=["geolocation"],
    )


async def press(page: Page, words: str) -> None:
    """Press the button or link of these words, and wait for the page it leads to."""
    async with page.expect_navigation():
        await (
            page.get_by_role("button", name=words, exact=True)
            .or_(page.get_by_role("link", name=words, exact=True))
            .first.click()
        )


async def choose(page: Page, field: str, words: str) -> None:
    """Choose an answer of a field."""
    await page.locator(f"#field-{field} label", has_text=re.compile(f"^{words}$")).first.click()


async def is_saved(page: Page) -> None:
    """Wait until the page says that everything typed is saved, with nothing left to send."""
    await page.locator("#saved", has_text="已存到本机").wait_for()
    await page.wait_for_function("!document.querySelector('#saved').classList.contains('unsaved')")
