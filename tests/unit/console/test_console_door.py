from __future__ import annotations

from pathlib import Path

import pytest

from gridlog_server.console.channels import Channel
from gridlog_server.console.cookies import name_of
from gridlog_server.console.rooms import own_path
from gridlog_server.service.accounts import IDLE_MS, Role
from tests.unit.console.browsing import LOOPBACK_NAME, PASSWORD, Console, console_on
from tests.unit.server.building import serving

HTTPS = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "Host": "gridlog.example.cn"}
ELSEWHERE = (
    "https://evil.example",
    "//evil.example/console/",
    "/\\evil.example",
    "/console/../etc",
    "/v1/identity",
    "/console//evil.example",
    "javascript:alert(1)",
    "/console/\nLocation: x",
    "/console/%0d%0aX: y",
    "console/",
    "",
)


async def test_whoever_is_not_signed_in_is_sent_to_the_door_and_comes_back_to_where_he_was(console: Console) -> None:
    await console.account("A1", Role.ADMINISTRATOR)
    browser = await console.browser()

    sent = await browser.get("/console/people?q=%E5%BC%A0")
    door = await browser.get(sent.location)
    entered = await browser.post(
        "/console/sign-in", {"staff_no": "A1", "password": PASSWORD, "next": "/console/people?q=%E5%BC%A0"}
    )

    assert (sent.status, sent.location) == (303, "/console/sign-in?next=%2Fconsole%2Fpeople%3Fq%3D%25E5%25BC%25A0")
    assert 'value="/console/people?q=%E5%BC%A0"' in door.text
    assert (entered.status, entered.location) == (303, "/console/people?q=%E5%BC%A0")
    assert (await browser.get(entered.location)).status == 200


@pytest.mark.parametrize("target", ELSEWHERE)
async def test_nobody_is_sent_elsewhere_by_signing_in_or_by_choosing_a_language(
    console: Console, target: str
) -> None:
    await console.account("A1", Role.ADMINISTRATOR)
    browser = await console.browser()
    await browser.get("/console/sign-in")

    chosen = await browser.post("/console/language", {"language": "en", "next": target})
    entered = await browser.post("/console/sign-in", {"staff_no": "A1", "password": PASSWORD, "next": target})

    assert (chosen.location, entered.location) == ("/console/", "/console/")


def test_a_path_of_ours_stays_as_it_is() -> None:
    for path in ("/console/", "/console/records?kind=patrol&q=%E5%BC%A0", "/console/people/W001%2F1"):
        assert own_path(path) == path


async def test_the_same_sentence_answers_a_wrong_password_and_somebody_who_is_not_there(console: Console) -> None:
    await console.account("A1", Role.ADMINISTRATOR)
    browser = await console.browser()

    wrong = await browser.sign_in("A1", "not this one at all")
    nobody = await browser.sign_in("A2", "not this one at all")

    assert wrong.status == nobody.status == 422
    assert "工号或密码不对" in wrong.text
    assert wrong.text.replace("A1", "").count("\n") == nobody.text.replace("A2", "").count("\n")
    assert LOOPBACK_NAME not in wrong.cookies


async def test_every_sign_in_begins_a_new_session_whatever_the_browser_brought(console: Console) -> None:
    await console.account("A1", Role.ADMINISTRATOR)
    browser = await console.browser()
    planted = "f" * 64
    browser.session.cookie_jar.update_cookies({LOOPBACK_NAME: planted})

    first = await browser.sign_in("A1")
    await browser.post("/console/sign-out")
    second = await browser.sign_in("A1")

    tokens = {planted, first.cookies[LOOPBACK_NAME], second.cookies[LOOPBACK_NAME]}
    assert len(tokens) == 3


async def test_whoever_signs_in_over_somebody_elses_session_ends_it(console: Console) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    await console.account("A2", Role.ADMINISTRATOR)
    before = {each.key: each.value for each in browser.session.cookie_jar}[LOOPBACK_NAME]

    entered = await browser.post("/console/sign-in", {"staff_no": "A2", "password": PASSWORD})

    assert entered.status == 303
    assert await console.server.accounts.caller(before) is None


async def test_a_cookie_that_was_copied_is_worth_nothing_after_the_sign_out(console: Console) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    thief = await console.browser()
    stolen = {each.key: each.value for each in browser.session.cookie_jar}[LOOPBACK_NAME]
    thief.session.cookie_jar.update_cookies({LOOPBACK_NAME: stolen})
    assert (await thief.get("/console/people")).status == 200

    await browser.post("/console/sign-out")

    refused = await thief.get("/console/people")
    assert (refused.status, refused.location) == (303, "/console/sign-in?next=%2Fconsole%2Fpeople")


async def test_a_session_ends_when_nobody_sits_before_it_though_its_page_goes_on_asking(console: Console) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    for _ in range(4):
        console.server.clock.now_ms += IDLE_MS // 4
        asked = await browser.get("/console/health", {"X-Quiet": "1"})

    assert asked.status == 303


async def test_a_session_lives_while_somebody_works(console: Console) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    for _ in range(8):
        console.server.clock.now_ms += IDLE_MS // 4
        asked = await browser.get("/console/health")

    assert asked.status == 200


async def test_on_loopback_the_cookie_says_that_it_travels_in_clear_and_no_script_reads_it(console: Console) -> None:
    await console.account("A1", Role.ADMINISTRATOR)
    browser = await console.browser()
    entered = await browser.sign_in("A1")

    said = next(each for each in entered.headers.getall("Set-Cookie") if each.startswith(LOOPBACK_NAME))  # type: ignore[attr-defined]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(said.split("; "))
    assert "Secure" not in said


async def test_over_https_behind_a_proxy_the_cookie_is_the_hosts_alone(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, console_on(server, is_behind_proxy=True) as console:
        await console.account("A1", Role.ADMINISTRATOR)
        browser = await console.browser()
        await browser.get("/console/sign-in", HTTPS)
        token = browser.token
        door = name_of("gridlog-door", Channel.HTTPS)
        # A browser keeps it; this client does not, since to it the line is plain.
        page = await browser.get("/console/sign-in", HTTPS)
        entered = await browser.post(
            "/console/sign-in",
            {"staff_no": "A1", "password": PASSWORD},
            headers=HTTPS | {"Sec-Fetch-Site": "same-origin", "Cookie": f"{door}={page.cookies[door]}"},
            token=page.token,
        )

    said = next(each for each in entered.headers.getall("Set-Cookie") if each.startswith("__Host-gridlog-session"))  # type: ignore[attr-defined]
    assert token != page.token
    assert {"Secure", "HttpOnly", "SameSite=Strict", "Path=/"} <= set(said.split("; "))
    assert "Domain" not in said
    assert "max-age" in entered.headers["Strict-Transport-Security"]


@pytest.mark.parametrize("proto", ["http", "", "https, http", "ftp"])
async def test_without_https_nobody_gets_a_form_to_type_a_password_into(tmp_path: Path, proto: str) -> None:
    async with serving(tmp_path) as server, console_on(server, is_behind_proxy=True) as console:
        browser = await console.browser()
        page = await browser.get("/console/sign-in", HTTPS | {"X-Forwarded-Proto": proto})

    assert page.status == 403
    assert "password" not in page.text


async def test_a_strangers_word_for_https_makes_no_difference(console: Console) -> None:
    browser = await console.browser()
    page = await browser.get("/console/sign-in", HTTPS)
    assert page.status == 403


async def test_changing_the_password_ends_the_sessions_elsewhere_and_keeps_this_one(console: Console) -> None:
    here = await console.signed_in("A1", Role.ADMINISTRATOR)
    there = await console.signed_in("A1", Role.ADMINISTRATOR)
    here = await console.signed_in("A1", Role.ADMINISTRATOR)
    there = await console.browser()
    await there.sign_in("A1")

    changed = await here.post(
        "/console/password", {"old": PASSWORD, "new": "another long one", "again": "another long one"}
    )

    assert changed.status == 303
    assert (await here.get("/console/health")).status == 200
    assert (await there.get("/console/health")).status == 303


async def test_new_passwords_that_differ_change_nothing(console: Console) -> None:
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    refused = await browser.post(
        "/console/password", {"old": PASSWORD, "new": "another long one", "again": "not the same"}
    )
    assert refused.status == 422
    assert "两次输入的新密码不一样" in refused.text
    assert (await (await console.browser()).sign_in("A1")).status == 303


async def test_the_language_is_remembered_and_nothing_but_ours_is_taken_for_one(console: Console) -> None:
    browser = await console.browser()
    await browser.get("/console/sign-in")
    await browser.post("/console/language", {"language": "en", "next": "/console/sign-in"})
    english = await browser.get("/console/sign-in")
    await browser.post("/console/language", {"language": '"><script>', "next": "/console/sign-in"})
    still = await browser.get("/console/sign-in")

    assert '<html lang="en">' in english.text
    assert '<html lang="en">' in still.text
