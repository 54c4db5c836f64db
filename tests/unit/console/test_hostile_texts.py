"""Whatever somebody writes is shown as what it is: never run, never obeyed, never the end of a page."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from gridlog_protocol.ids import shown
from gridlog_protocol.kinds import Field, Kind
from gridlog_server.console.naming import held_path
from gridlog_server.service.accounts import Role
from tests.unit.console.browsing import Console, filled
from tests.unit.console.planted import plant
from tests.unit.server.building import EAST, put

MARK = "<img src=x onerror=alert(1)>"
SCRIPT = "</title></textarea><script>alert(1)</script>"
QUOTES = "\"'><svg/onload=alert(1)>"
INJECTED = (
    "' OR 1=1 --",
    '"; DROP TABLE record; --',
    "%' ESCAPE '",
    "1 UNION SELECT password FROM account",
    "%",
    "_",
    "\\",
    "*",
    "NEAR(a b)",
    "\u0000",
    "\ud7ff\U0001f600",
    "9" * 400,
    "-1",
    "1e309",
    "NaN",
    "../../x",
    "{{7*7}}",
    "%s%n",
)

FIELDS = ("reason", "at", "staff_no", "name", "decision", "role", "subtree", "language")


class Dangers(HTMLParser):
    """Whatever of a page would run, or fetch from elsewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag in ("iframe", "object", "embed", "style", "base") or (tag == "img" and said.get("src") == "x"):
            self.found.append(tag)
        if tag == "script" and not said.get("src", "").startswith("/console/static/"):
            self.found.append("script")
        self.found += [name for name in said if name.startswith(("on", "style"))]
        self.found += [each for each in said.values() if each.strip().lower().startswith("javascript:")]


def hostile(_kind: Kind, field: Field) -> str:
    return f"{SCRIPT}{MARK}{QUOTES}{field.name}"


async def test_what_stands_in_any_field_of_any_kind_is_text_on_every_page(console: Console) -> None:
    server = console.server
    handset = await server.enrolled("W1", EAST)
    await server.people.add(f"{QUOTES}1", f"{SCRIPT}张三", [EAST], by=MARK)
    records = await plant(server, handset, hostile)
    disputed = handset.creates(put("summary", "先"))
    await server.exchanged(handset, disputed)
    other = await server.enrolled("W2", EAST)
    for each in (handset, other):
        await server.exchanged(
            each, each.writes(disputed.record, put("summary", f"{SCRIPT}{each.user.hex()}"), seen=1)
        )
    browser = await console.signed_in("B1", *Role)
    pages = seen = 0

    for record in (disputed.record, *records):
        for method, route in console.routes():
            if method != "GET" or "{record}" not in route:
                continue
            page = await browser.get(filled(route, record=shown(record)))
            assert page.status in (200, 404), route
            assert page.headers["Content-Type"].startswith(("text/html", "application/json"))
            assert Dangers(page.text).found == [], route
            pages += 1
            seen += "&lt;script&gt;alert(1)" in page.text
    async with server.store.reading() as snapshot:
        waiting = await snapshot.reviews.waiting(100)
    for stored in waiting:
        page = await browser.get(held_path(stored.op.id))
        assert (page.status, Dangers(page.text).found) == (200, [])
        pages += 1
        seen += "&lt;script&gt;alert(1)" in page.text
    for kind in {op.kind for op in handset.written.values()}:
        page = await browser.get(f"/console/records?kind={kind}")
        assert Dangers(page.text).found == []
        seen += "&lt;script&gt;alert(1)" in page.text
    for path in ("/console/people", "/console/acts", "/console/devices", "/console/inbox", "/console/conflicts"):
        assert Dangers((await browser.get(path)).text).found == []

    assert pages > 40
    assert seen >= 10


@pytest.mark.parametrize("text", INJECTED)
async def test_no_parameter_is_more_than_a_value(console: Console, text: str) -> None:
    server = console.server
    handset = await server.enrolled("W1", EAST)
    op = handset.creates(put("summary", "一句话"), put("review_state", [0, "submitted"]))
    await server.exchanged(handset, op)
    browser = await console.signed_in("B1", *Role)
    names = (
        "q",
        "kind",
        "state",
        "grid",
        "after",
        "what",
        "problem",
        "role",
        "status",
        "show",
        "since",
        "said",
        "queue",
        "next",
        "only",
    )
    query = "&".join(f"{name}={_quoted(text)}" for name in names)
    before = await server.inspection.counts()

    for method, route in console.routes():
        if "/static/" in route:
            continue
        path = filled(route, record=shown(op.record), device=shown(handset.device), staff_no="W1", step="lost")
        page = await browser.get(f"{path}?{query}")
        assert page.status < 500, route
        assert "sqlite" not in page.text.lower()
        if method == "POST" and not route.endswith(("sign-out", "{step}", "disable", "password")):
            sent = await browser.post(
                path,
                dict.fromkeys(
                    (*names, "reason", "at", "staff_no", "name", "decision", "role", "subtree", "language"), text
                ),
            )
            assert sent.status < 500, route
        if "{" in route:
            odd = await browser.get(filled(route).replace("0" * 32, _quoted(text) or "x"))
            assert odd.status < 500, route

    after = await server.inspection.counts()
    assert after["records"] == before["records"]
    assert (await browser.get("/console/people")).status == 200


def _quoted(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())
