from __future__ import annotations

from collections.abc import Mapping

import pytest

from gridlog_server.console.wall import HEADERS, POLICY
from gridlog_server.service.accounts import Role
from tests.unit.console.browsing import PASSWORD, TOKEN_HEADER, Console, Forms, filled
from tests.unit.server.building import EAST

FOREIGN: Mapping[str, dict[str, str]] = {
    "another site": {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
    "another site in a browser without Sec-Fetch-Site": {"Origin": "https://evil.example"},
    "a subdomain": {"Origin": "https://x.gridlog.example.cn", "Sec-Fetch-Site": "same-site"},
    "a typed address": {"Sec-Fetch-Site": "none"},
    "a frame without origin": {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
    "no browser of today": {},
    "an origin that only begins like ours": {"Origin": "https://gridlog.example.cn.evil.example"},
    "another port of this machine": {"Origin": "http://127.0.0.1:1"},
}


async def test_every_answer_forbids_what_is_not_ours_to_run(console: Console) -> None:
    browsers = [await console.browser(), await console.signed_in("B1", *Role)]
    paths = [filled(path) for method, path in console.routes() if method == "GET"]
    paths += ["/console/nowhere", "/console/static/x/console.css", "/console/static/x/nothing.js"]

    for browser in browsers:
        for path in paths:
            page = await browser.get(path)
            assert {name: page.headers.get(name) for name in HEADERS} == HEADERS, path
            assert page.headers["Content-Security-Policy"] == POLICY
            if "/static/" not in path:
                assert page.headers["Cache-Control"] == "no-store", path


async def test_no_page_has_a_script_or_a_style_inside(console: Console) -> None:
    await console.server.people.add("W1", "张三", [EAST], by="root")
    browser = await console.signed_in("B1", *Role)
    for method, path in console.routes():
        page = await browser.get(filled(path, staff_no="W1")) if method == "GET" else None
        if page is None or "html" not in page.headers.get("Content-Type", ""):
            continue
        text = page.text.lower()
        assert "<style" not in text, path
        assert " style=" not in text, path
        assert " onclick=" not in text, path
        assert text.count("<script") == text.count("<script src=")


async def test_nothing_changes_by_opening_a_page(console: Console) -> None:
    await console.server.people.add("W1", "张三", [EAST], by="root")
    browser = await console.signed_in("B1", *Role)
    before = await console.server.inspection.acts(100)

    for method, path in console.routes():
        if method == "POST":
            page = await browser.get(filled(path, staff_no="W1"))
            assert page.status in (200, 303, 404, 405), path

    assert await console.server.inspection.acts(100) == before


@pytest.mark.parametrize("headers", FOREIGN.values(), ids=FOREIGN)
async def test_a_form_from_anywhere_else_changes_nothing_though_it_has_the_token(
    console: Console, headers: dict[str, str]
) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    refused = await browser.post("/console/people/new", {"staff_no": "W9", "name": "李四"}, headers=headers)
    assert refused.status == 403
    assert [each.person.staff_no for each in await console.server.inspection.people()] == ["A1"]


@pytest.mark.parametrize("origin", ["null", "https://gridlog.example.cn", "ours"])
async def test_a_form_of_our_own_page_is_taken(console: Console, origin: str) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    said = {"Origin": browser.origin if origin == "ours" else origin, "Sec-Fetch-Site": "same-origin"}
    taken = await browser.post("/console/people/new", {"staff_no": "W9", "name": "李四"}, headers=said)
    assert taken.status == 303


async def test_a_form_without_the_token_or_with_somebody_elses_changes_nothing(console: Console) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    other = await console.signed_in("A2", Role.ADMINISTRATOR)

    for token in ("", "0" * 64, other.token, browser.token.upper(), browser.token[:-1], "令牌"):
        refused = await browser.post("/console/people/new", {"staff_no": "W9", "name": "李四"}, token=token)
        assert refused.status == 403, token

    assert len(await console.server.inspection.people()) == 2


async def test_the_token_may_stand_in_a_header(console: Console) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    headers = {"Sec-Fetch-Site": "same-origin", TOKEN_HEADER: browser.token}
    taken = await browser.post("/console/people/new", {"staff_no": "W9", "name": "李四"}, headers=headers, token="")
    assert taken.status == 303


async def test_nobody_is_signed_in_to_a_strangers_account_by_a_strangers_form(console: Console) -> None:
    await console.account("A1", Role.ADMINISTRATOR)
    attacker, victim = await console.browser(), await console.browser()
    await attacker.get("/console/sign-in")
    await victim.get("/console/sign-in")
    fields = {"staff_no": "A1", "password": PASSWORD}

    with_his_token = await victim.post("/console/sign-in", fields, token=attacker.token)
    from_his_page = await victim.post("/console/sign-in", fields, headers=FOREIGN["another site"])

    assert with_his_token.status == from_his_page.status == 403
    assert (await victim.get("/console/health")).status == 303


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:443",
        "gridlog.example.cn.evil.example",
        "gridlog.example.cn:8443",
        "127.0.0.1:1",
        "localhost",
        "user@gridlog.example.cn",
        "[::1]:99",
        "gridlog.example.cn:x",
        "169.254.169.254",
    ],
)
async def test_a_name_that_is_not_ours_is_not_answered(console: Console, host: str) -> None:
    browser = await console.browser()
    for path in ("/console/sign-in", "/console/static/x/console.css"):
        page = await browser.get(path, {"Host": host})
        assert page.status == 421
        assert host not in page.text


async def test_no_address_in_a_page_is_made_of_what_the_host_said(console: Console) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    page = await browser.get("/console/people", {"Host": f"localhost:{console.listening.port}"})
    assert page.status == 200
    assert all(each.startswith(("/console/", "#")) for each in (*Forms(page.text).links, *Forms(page.text).actions))


async def test_what_is_no_form_is_refused(console: Console) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    headers = {"Sec-Fetch-Site": "same-origin", TOKEN_HEADER: browser.token}
    bodies: list[tuple[bytes, dict[str, str]]] = [
        (b'{"staff_no": "W9"}', {"Content-Type": "application/json"}),
        (b"staff_no=W9&name=x", {"Content-Type": "text/plain"}),
        (b"\xff\xfe=1", {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"a=1&" * 20_000, {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"a=1&" * 501, {"Content-Type": "application/x-www-form-urlencoded"}),
        (b"staff_no=W9", {"Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}),
    ]
    for body, said in bodies:
        async with browser.session.post(
            f"{browser.origin}/console/people/new", data=body, headers=headers | said
        ) as answer:
            assert answer.status == 403
    assert len(await console.server.inspection.people()) == 1


async def test_files_are_kept_for_ever_under_their_hash_and_are_compressed(console: Console) -> None:
    browser = await console.browser()
    page = await browser.get("/console/sign-in")
    paths = {each.split('"')[0] for each in page.text.split('src="')[1:]}
    paths |= {each.split('"')[0] for each in page.text.split('href="')[1:] if "/static/" in each.split('"')[0]}
    total = 0
    for path in paths:
        async with browser.session.get(
            browser.origin + path, headers={"Accept-Encoding": "gzip"}, auto_decompress=False
        ) as answer:
            assert answer.status == 200, path
            assert "immutable" in answer.headers["Cache-Control"]
            total += len(await answer.read())
    assert len(paths) >= 5
    assert total + len(page.text) < 300_000

    old = await browser.get("/console/static/000000000000/console.css")
    assert "immutable" not in old.headers["Cache-Control"]


@pytest.mark.parametrize(
    "name", ["../wall.py", "%2e%2e/wall.py", "..%2fwall.py", "/etc/passwd", "vendor/../../wall.py"]
)
async def test_no_file_but_those_that_were_laid_out_is_served(console: Console, name: str) -> None:
    browser = await console.browser()
    page = await browser.get(f"/console/static/x/{name}")
    assert page.status in (303, 404)
    assert "middleware" not in page.text
