"""Ask axe-core (https://github.com/dequelabs/axe-core) what in a page keeps somebody from using it."""

from __future__ import annotations

import json
from functools import cache

from playwright.async_api import Page

from tools.frontend.placing import MODULES

_GRAVE = ("serious", "critical")


async def grave_in(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical in a page: its rule and the elements."""
    session = await page.context.new_cdp_session(page)
    # Through the debugger: the page's policy lets in no script but ours.
    await session.send("Runtime.evaluate", {"expression": _axe()})
    asked = "axe.run(document, {resultTypes: ['violations']}).then(r => JSON.stringify(r.violations))"
    said = await session.send("Runtime.evaluate", {"expression": asked, "awaitPromise": True, "returnByValue": True})
    await session.detach()
    found = [each for each in json.loads(said["result"]["value"]) if each["impact"] in _GRAVE]
    return [f"{each['id']}: {' '.join(node['html'] for node in each['nodes'])}" for each in found]


async def is_too_wide(page: Page) -> bool:
    """Whether something in a page is wider than the screen."""
    root = "document.documentElement"
    return bool(await page.evaluate(f"{root}.scrollWidth > {root}.clientWidth"))


@cache
def _axe() -> str:
    return (MODULES / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
