"""The page that reassures says what is unfinished, what waits, what came back, and when the server was last heard."""

from __future__ import annotations

import asyncio
import re

from tests.unit.agent.browsing import Browser
from tests.unit.agent.test_filling_in import DISPUTE, FACTS, naming


def counts(page: str) -> list[int]:
    return [int(each) for each in re.findall(r"<b>(\d+)</b><span>", page)]


async def test_what_is_written_counts_as_unfinished_then_as_waiting(browser: Browser) -> None:
    assert counts(await browser.see("/")) == [0, 0, 0, 0]

    form = await browser.go("/new/mediation")
    await browser.script(form, *naming(DISPUTE[0]))
    assert counts(await browser.see("/standing")) == [1, 0, 0, 0]
    assert FACTS in await browser.see("/unfinished")

    await browser.go(form, *naming(*DISPUTE), ("action", "finish"))
    assert counts(await browser.see("/standing")) == [0, 1, 0, 0]
    assert FACTS in await browser.see("/waiting")


async def test_a_form_that_nobody_wrote_in_is_not_kept_beside_the_next(browser: Browser) -> None:
    await browser.go("/new/mediation")
    await browser.go("/new/mediation")

    assert len(await browser.phone.store.drafts()) == 1


async def test_a_phone_that_never_reached_its_server_is_told_in_red(browser: Browser) -> None:
    page = await browser.see("/")

    assert "还没有同步过。" in page
    assert "超过 3 天没有联系服务器" in page


async def test_a_sync_that_fails_by_a_mistake_of_ours_is_said_too(browser: Browser) -> None:
    news = browser.phone.news
    await browser.go("/sync")
    async with asyncio.timeout(20):
        while browser.phone.synchronising.trouble is None:
            await news.after(news.number, within_s=1)

    assert "同步时程序出错。内容都在本机" in await browser.see("/standing")


async def test_english_and_chinese_say_the_same(browser: Browser) -> None:
    await browser.go("/language", ("language", "en"))

    page = await browser.see("/")

    assert "Start patrol" in page
    assert "开始巡查" not in page
    assert 'lang="en"' in page


async def test_what_is_returned_shows_why_and_where(browser: Browser) -> None:
    store = browser.phone.store
    record = await browser.go(await browser.go("/new/mediation"), *naming(*DISPUTE), ("action", "submit"))
    (written,) = await store.query("mediation")
    await store.edit(written, {"review_state": "returned"})

    home = await browser.see("/")
    page = await browser.see(record)

    assert "退回给我" in home
    assert FACTS in home
    assert "接着修改" not in page
    assert await browser.go(f"{record}/edit") == record.replace("/record/", "/form/mediation/")


async def test_a_finished_record_is_handed_in_by_one_press_unless_it_lacks_something(browser: Browser) -> None:
    note = await browser.go(await browser.go("/new/mediation"), *naming(*DISPUTE), ("action", "finish"))
    patrol = (await browser.go("/patrol")).replace("/patrol/", "/record/")
    await browser.go(patrol.replace("/record/", "/form/patrol/"), ("action", "discard"))

    assert await browser.go(f"{note}/submit") == note
    asked = await browser.go(f"{patrol}/submit")

    assert "已提交审核" in await browser.see("/")
    assert "请填写“结束时间”。" in await browser.see(asked)
