"""Who is let in, what may change anything, and what a browser is told to do with an answer."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aiohttp import FormData

from tests.unit.agent.browsing import OWN, Browser, browsing

SHOWING = ("/", "/standing", "/unfinished", "/waiting", "/search", "/visits", "/records/patrol", "/records/mediation")
INLINE = re.compile(r"<style\b|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE)


async def test_a_browser_that_was_not_let_in_sees_nothing(enrolled: Path) -> None:
    async with browsing(enrolled, is_let_in=False) as browser:
        for path in ("/", "/begin", "/unlock", "/live", "/static/x/app.css"):
            answer = await browser.client.get(path, allow_redirects=False)

            assert answer.status == 403, path


async def test_the_printed_address_lets_in_one_browser_and_no_second(enrolled: Path) -> None:
    async with browsing(enrolled, is_let_in=False) as browser:
        printed = browser.entry

        first = await browser.client.get(printed, allow_redirects=False)
        again = await browser.client.get(printed, allow_redirects=False)

        assert first.status == 303
        assert "HttpOnly" in first.headers["Set-Cookie"]
        assert "SameSite=Strict" in first.headers["Set-Cookie"]
        assert again.status == 403
        assert browser.entry != printed


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost.evil.example:1", ""])
async def test_a_request_under_another_name_is_refused(browser: Browser, host: str) -> None:
    answer = await browser.client.get("/", headers={"Host": host}, allow_redirects=False)

    assert answer.status in (400, 403)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://127.0.0.1:1", "Sec-Fetch-Site": "same-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {},
    ],
)
async def test_a_change_that_another_page_asks_for_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    answer = await browser.client.post("/lock", data={"csrf": browser.gate.token}, headers=headers)

    assert answer.status == 403
    assert not browser.phone.store.is_locked


@pytest.mark.parametrize("token", ["", "guessed"])
async def test_a_change_without_the_token_is_refused(browser: Browser, token: str) -> None:
    answer = await browser.post("/lock", token=token)

    assert answer.status == 403
    assert not browser.phone.store.is_locked


async def test_a_form_with_files_is_refused_before_it_could_touch_the_disk(browser: Browser) -> None:
    form = FormData()
    form.add_field("csrf", browser.gate.token)
    form.add_field("words", "老人说", filename="words.txt")

    answer = await browser.client.post("/search", data=form, headers=OWN, allow_redirects=False)

    assert answer.status == 403
    assert browser.phone.recalled.words == ""


async def test_a_page_that_another_site_leads_to_is_refused(browser: Browser) -> None:
    answer = await browser.client.get("/", headers={"Sec-Fetch-Site": "cross-site"}, allow_redirects=False)

    assert answer.status == 403


@pytest.mark.parametrize("path", [*SHOWING, "/unlock", "/begin", "/nowhere", "/record/00"])
async def test_every_answer_forbids_keeping_framing_and_foreign_content(browser: Browser, path: str) -> None:
    answer = await browser.client.get(path, allow_redirects=False)

    policy = answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    for wanted in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "script-src 'self'"):
        assert wanted in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", SHOWING)
async def test_no_page_has_a_script_or_style_inside(browser: Browser, path: str) -> None:
    assert INLINE.findall(await browser.see(path)) == []


async def test_a_style_is_kept_for_ever_under_a_name_that_changes_with_it(browser: Browser) -> None:
    (address,) = re.findall(r'href="(/static/[0-9a-f]+/app\.css)"', await browser.see("/"))

    answer = await browser.client.get(address)
    other = await browser.client.get("/static/0000000000000000/app.css")

    assert "immutable" in answer.headers["Cache-Control"]
    assert other.status == 404


async def test_looking_at_every_page_changes_nothing(browser: Browser) -> None:
    before = await browser.phone.store.status()

    for path in (*SHOWING, "/new/mediation", "/lock", "/sync", "/patrol"):
        await browser.client.get(path, allow_redirects=False)

    after = await browser.phone.store.status()
    assert (after.drafts, after.pending, after.records) == (before.drafts, before.pending, before.records)


async def test_a_page_leads_only_to_pages_of_the_app(browser: Browser) -> None:
    for wanted in ("//evil.example", "https://evil.example/", "/lock", "/record/../enter"):
        assert await browser.go("/language", ("language", "en"), ("next", wanted)) == "/"
