"""A locked store shows nothing; it locks by itself; what opens it is counted and explained."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from gridlog import FieldStore, KdfProfile, Pin
from gridlog.agent.phone import Phase
from tests.unit.agent.browsing import Browser, browsing
from tests.unit.client.stores import PASSPHRASE

FACTS = "两家为楼道里的自行车争吵。"
PIN = "280417"


async def written(browser: Browser) -> str:
    """Write a note, look for it, and return its page."""
    form = await browser.go("/new/mediation")
    await browser.script(form, ("field", "facts"), ("facts", FACTS))
    await browser.go("/search", ("words", "自行车"))
    return form


async def test_a_locked_store_shows_nothing_of_what_is_in_it(browser: Browser) -> None:
    form = await written(browser)
    await browser.go("/lock")

    for path in ("/", form, "/search", "/visits", "/records/mediation", "/waiting", "/standing", "/unfinished"):
        answer = await browser.client.get(path, allow_redirects=False)
        assert answer.status == 303, path
        assert answer.headers["Location"].startswith("/unlock")
    page = await browser.see("/unlock")
    assert FACTS not in page
    assert "张三" not in page


async def test_what_pages_remember_is_gone_with_the_lock(browser: Browser) -> None:
    await written(browser)
    await browser.go("/lock")
    await browser.unlock()

    assert "自行车" not in await browser.see("/search")


async def test_a_store_that_nobody_touches_locks_by_itself(enrolled: Path) -> None:
    async with browsing(enrolled, idle_s=0.2) as browser:
        await browser.unlock()
        async with asyncio.timeout(20):
            while browser.phone.phase is not Phase.LOCKED:
                await browser.phone.news.after(browser.phone.news.number, within_s=1)


async def test_an_open_page_hears_of_the_lock(browser: Browser) -> None:
    async with browser.client.get("/live") as channel:
        await channel.content.readuntil(b"\n\n")

        await browser.go("/lock")

        async with asyncio.timeout(20):
            said = {"phase": "open"}
            while said["phase"] == "open":
                said = json.loads((await channel.content.readuntil(b"\n\n")).removeprefix(b"data: "))
        assert said["phase"] == "locked"
        assert set(said) == {"number", "phase"}


async def test_a_wrong_passphrase_is_said_and_opens_nothing(browser: Browser) -> None:
    await browser.go("/lock")

    answer = await browser.post("/unlock", ("passphrase", "not the passphrase"))

    assert answer.status == 422
    assert "口令不对，请再试一次。" in await answer.text()
    assert browser.phone.phase is Phase.LOCKED


async def test_wrong_pins_say_how_many_are_left_and_how_long_to_wait(enrolled: Path) -> None:
    async with await FieldStore.open(enrolled, PASSPHRASE) as store:
        await store.set_pin(Pin(PIN), current=PASSPHRASE, allows_plain=True, profile=KdfProfile.WEAK_FOR_TESTS)
    async with browsing(enrolled) as browser:
        answers = [await (await browser.post("/unlock", ("pin", "111222"))).text() for _ in range(4)]

        assert "再错 9 次" in answers[0]
        assert 'data-wait="30"' in answers[2]
        assert "请等" in answers[3]
        assert (await browser.post("/unlock", ("pin", PIN))).status == 422
        await browser.unlock()
        assert browser.phone.phase is Phase.OPEN


async def test_unlocking_leads_back_to_the_page(browser: Browser) -> None:
    form = await written(browser)
    await browser.go("/lock")

    assert await browser.go("/unlock", ("passphrase", PASSPHRASE), ("next", form)) == form


async def test_a_store_that_was_wiped_is_said_to_be_and_a_new_one_may_begin(browser: Browser) -> None:
    await browser.phone.store.wipe()

    said = await browser.see("/", status=410)

    assert "这里的数据已被清除，无法恢复" in said
    assert "登记这台手机" in await browser.see("/begin")


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_the_way_out_of_a_forgotten_secret_is_said_in_words(browser: Browser, language: str) -> None:
    await browser.go("/lock")
    await browser.go("/language", ("language", language))

    page = await browser.see("/unlock")

    assert {"zh": "忘了口令", "en": "nobody can open what is on this phone"}[language] in page
