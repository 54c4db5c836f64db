"""Lists of a whole district: a page at a time, and grids that are found rather than scrolled to."""

from __future__ import annotations

import re
from urllib.parse import quote

from gridlog_server.service.accounts import Role
from tests.unit.console.browsing import Browser, Console
from tests.unit.server.building import EAST

CODES = [f"4201060010{number:05}" for number in range(1, 121)]


async def import_grids(console: Console) -> None:
    names = enumerate(CODES, start=1)
    rows = [{"grid_code": code, "name": f"第{n}网格", "parent_code": "420106001", "level": "3"} for n, code in names]
    await console.server.grids.write(rows, by="root")


async def people_on(browser: Browser, path: str) -> tuple[list[str], str]:
    """Return the staff numbers on a page, and the address of the next page."""
    text = (await browser.get(path)).text
    following = re.search(r'href="([^"]+)" rel="next"', text)
    return re.findall(r'/console/people/(W[0-9]+)"', text), following[1].replace("&amp;", "&") if following else ""


async def test_people_come_a_page_at_a_time_and_all_of_them_come(console: Console) -> None:
    numbers = [f"W{number:03}" for number in range(120)]
    for each in numbers:
        await console.server.people.add(each, "张三", [EAST], by="root")
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)

    seen, path = [], "/console/people?q=W"
    while path:
        page, path = await people_on(browser, path)
        assert len(page) <= 50
        seen += page

    assert seen == numbers
    assert len((await people_on(browser, "/console/people?q=W00"))[0]) == 10
    for odd in ("9", "-1", "x", "²", "9" * 5000):
        assert (await people_on(browser, f"/console/people?q=W&page={quote(odd)}"))[0] == numbers[:50], odd


async def test_among_many_grids_those_of_a_person_are_shown_and_others_are_found(console: Console) -> None:
    await import_grids(console)
    await console.server.people.add("W1", "张三", CODES[:1], by="root")
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)

    def boxes(text: str) -> list[str]:
        return re.findall(r'name="grid" value="([0-9]+)"', text)

    assert boxes((await browser.get("/console/people/W1")).text) == CODES[:1]
    assert boxes((await browser.get(f"/console/grids/search?more={quote('第12')}")).text) == [CODES[11], CODES[119]]
    assert boxes((await browser.get(f"/console/grids/search?more={CODES[6]}")).text) == [CODES[6]]
    assert boxes((await browser.get("/console/grids/search?more=")).text) == []
    assert "没有这样的网格" in (await browser.get(f"/console/grids/search?more={quote('火星')}")).text


async def test_grids_are_added_by_box_and_by_code(console: Console) -> None:
    await import_grids(console)
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)

    form = {"staff_no": "W1", "name": "张三", "grid": CODES[0], "more": f"{CODES[1]}， {CODES[2]},{CODES[0]}"}
    made = await browser.post("/console/people/new", form)
    wrong = await browser.post("/console/people/W1/grids", {"grid": CODES[0], "more": "第12"})

    assert made.status == 303
    assert "没有编码为 第12 的网格" in wrong.text
    line, _ = await console.server.inspection.person("W1")
    assert sorted(line.person.scopes) == CODES[:3]
