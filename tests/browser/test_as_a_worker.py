"""The handheld app, tried as a worker would: one hand, no signal, a crash, and a signal again."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import segno
from playwright.async_api import BrowserContext, Page, Playwright, expect

from gridlog.testing import GRID, ThrowAwayServer
from tests.browser.handheld import (
    PASSPHRASE,
    PATIENCE_MS,
    PIN,
    Handheld,
    choose,
    is_saved,
    phone_sized,
    press,
    running,
)

pytestmark = pytest.mark.browser

DIARY = "老人说楼道灯坏了三天，晚上不敢下楼。"
FACTS = "两家为楼道里的自行车争吵，已劝开。"
SUMMARY = "青石巷走了一圈，西门两盏路灯不亮。"
FOUND = "西门路灯不亮"
SENTENCES = 200


async def street(server: ThrowAwayServer) -> None:
    """Put four homes on the server."""
    await server.import_records([home(f"3-2-50{number}") for number in range(1, 5)])


def home(label: str) -> dict[str, object]:
    place = {"grid_code": GRID, "household_id": os.urandom(16), "address_id": os.urandom(16), "label": label}
    return {"kind": "household", "values": {**place, "visit_class": "general"}}


async def enrolled(page: Page, handheld: Handheld, code: str) -> None:
    await page.goto(handheld.address)
    await page.fill("#code", code)
    await page.fill("#passphrase", PASSPHRASE)
    await page.fill("#passphrase_again", PASSPHRASE)
    await page.get_by_text("设一个 PIN").click()
    await page.fill("#pin", PIN)
    await page.fill("#pin_again", PIN)
    await page.get_by_text("我知道").click()
    await press(page, "登记")


async def unlocked_by_pad(page: Page) -> None:
    for digit in PIN:
        await page.locator(f"[data-digit='{digit}']").click()
    async with page.expect_navigation():
        await page.locator(".pad .main").click()


async def opened(context: BrowserContext) -> Page:
    page = context.pages[0] if context.pages else await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    return page


async def visited(page: Page, handheld: Handheld, door: str, diary: str) -> None:
    """Write a visit, consent first, and finish it."""
    await page.goto(f"{handheld.origin}/visits/of/0")
    async with page.expect_navigation():
        await page.locator(".door", has_text=door).get_by_role("button", name="走访").click()
    await page.locator("#field-consent label", has_text=re.compile("^是$")).click()
    await page.locator("#field-consent label", has_text="走访记录").click()
    await choose(page, "result", "已见面")
    await page.fill("#c-content", diary)
    await press(page, "完成")
    await expect(page.locator("h1")).to_have_text(diary)


async def counted(page: Page, handheld: Handheld) -> list[str]:
    await page.goto(handheld.origin)
    return await page.locator(".counts b").all_inner_texts()


async def walked_and_wrote(page: Page, handheld: Handheld) -> str:
    """Write a finding, two visits and half a mediation note while there is no signal; return the note's address."""
    await press(page, "发现问题")
    await page.fill("#c-title", FOUND)
    await is_saved(page)
    await visited(page, handheld, "3-2-501", DIARY)
    await page.goto(f"{handheld.origin}/visits/of/0")
    async with page.expect_navigation():
        await page.locator(".door", has_text="3-2-502").get_by_role("button", name="不在家").click()
    await page.goto(handheld.origin)
    await press(page, "记调解")
    await page.fill("#c-facts", FACTS)
    await is_saved(page)
    return page.url


async def assert_found(page: Page, handheld: Handheld, words: str, wanted: str) -> None:
    await page.goto(f"{handheld.origin}/search")
    await page.fill("#words", words)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_contain_text(wanted)


async def ended(page: Page) -> None:
    """Check in, end the patrol by a long press, and hand it in."""
    await expect(page.locator(".map .start")).to_be_visible()
    await page.fill("#checkpoint", "西门岗亭")
    await page.fill("#note", "二维码被遮住")
    await press(page, "打点")
    await hold(page)
    await page.fill("#c-summary", SUMMARY)
    await press(page, "完成并提交审核")
    await expect(page.locator(".where")).to_contain_text("只在本机")


async def assert_receipt(page: Page, handheld: Handheld, kind: str, text: str) -> None:
    await page.goto(f"{handheld.origin}/records/{kind}")
    async with page.expect_navigation():
        await page.locator(".line", has_text=text).click()
    await expect(page.locator(".where .receipt")).to_have_text(re.compile(r"收据 \d+-[0-9a-f]{4}"))


async def test_a_day_without_a_signal_and_with_a_crash_arrives_whole(
    playwright: Playwright, server: ThrowAwayServer, tmp_path: Path, profile: Path
) -> None:
    await street(server)
    context = await phone_sized(playwright, profile)
    page = await opened(context)
    with running(tmp_path / "phone", tmp_path) as handheld:
        await enrolled(page, handheld, await server.enrolment_code("张三"))
        await expect(page.locator(".fine")).to_contain_text("一致", timeout=PATIENCE_MS)
        await press(page, "开始巡查")
        patrol = page.url
        await expect(page.locator(".map .start")).to_be_visible(timeout=PATIENCE_MS)
        server.stop()
        mediation = await walked_and_wrote(page, handheld)
        handheld.kill()

        handheld.start(port=int(handheld.origin.rpartition(":")[2]))
        await page.goto(handheld.address)
        await unlocked_by_pad(page)
        await page.goto(mediation)
        await expect(page.locator("#c-facts")).to_have_value(FACTS)
        for words, wanted in (("楼道灯", DIARY), ("自行车", FACTS), ("路灯", FOUND)):
            await assert_found(page, handheld, words, wanted)
        await page.goto(patrol)
        await ended(page)
        assert (await counted(page, handheld))[1] == "3"

        await server.start()
        await page.locator("button.sync").click()
        await expect(page.locator(".counts li").nth(1)).to_contain_text("0", timeout=PATIENCE_MS)
        assert (await counted(page, handheld))[:2] == ["2", "0"]
        await assert_receipt(page, handheld, "household_visit", DIARY)
        await assert_receipt(page, handheld, "patrol", SUMMARY)
        (walked,) = await server.records("patrol")
        assert walked["values"]["summary"] == SUMMARY
        assert walked["values"]["track_chunks"]
        assert {each["values"]["result"] for each in await server.records("household_visit")} == {"met", "not_home"}
    await context.close()


async def hold(page: Page) -> None:
    """Press the button that ends a patrol for as long as it asks for."""
    button = page.locator(".hold")
    await button.scroll_into_view_if_needed()
    box = await button.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    async with page.expect_navigation():
        await page.mouse.down()
    await page.mouse.up()


async def test_what_is_typed_when_the_app_is_gone_stays_in_the_page_and_is_saved_after_unlocking(
    playwright: Playwright, server: ThrowAwayServer, tmp_path: Path, profile: Path
) -> None:
    context = await phone_sized(playwright, profile)
    page = await opened(context)
    with running(tmp_path / "phone", tmp_path) as handheld:
        await enrolled(page, handheld, await server.enrolment_code("张三"))
        await press(page, "记调解")
        form = page.url
        await page.fill("#c-facts", "先写的半句，")
        await is_saved(page)
        handheld.kill()

        await page.fill("#c-facts", FACTS)

        await expect(page.locator("#saved")).to_contain_text("还没有保存", timeout=PATIENCE_MS)
        assert await page.locator("#c-facts").input_value() == FACTS
        handheld.start(port=int(handheld.origin.rpartition(":")[2]))
        other = await context.new_page()
        await other.goto(handheld.address)
        await page.bring_to_front()
        await page.locator("#cover-pin").wait_for()
        assert not await page.locator("#c-facts").is_visible()
        await page.fill("#cover-pin", PIN)
        await page.get_by_role("button", name="打开").click()
        await page.locator("#c-facts").wait_for()
        await is_saved(page)
        await other.goto(form)
        await expect(other.locator("#c-facts")).to_have_value(FACTS)
        assert FACTS not in handheld.log.read_text(encoding="utf-8")
    await context.close()


async def test_the_lock_hides_an_open_form_and_the_back_button_shows_nothing(
    playwright: Playwright, server: ThrowAwayServer, tmp_path: Path, profile: Path
) -> None:
    context = await phone_sized(playwright, profile)
    page, other = await opened(context), await context.new_page()
    with running(tmp_path / "phone", tmp_path) as handheld:
        await enrolled(page, handheld, await server.enrolment_code("张三"))
        await press(page, "记调解")
        await page.fill("#c-facts", FACTS)

        await other.goto(handheld.origin)
        await press(other, "锁定")

        await page.wait_for_url(re.compile(r"/unlock\?next="))
        await page.go_back()
        await page.wait_for_url(re.compile("/unlock"))
        assert FACTS not in await page.content()
        await page.fill("#pin", PIN)
        async with page.expect_navigation():
            await page.locator(".pad .main").click()
        await other.goto(f"{handheld.origin}/search")
        await other.fill("#words", "自行车")
        async with other.expect_navigation():
            await other.keyboard.press("Enter")
        await expect(other.locator("main")).to_contain_text(FACTS)
    await context.close()


async def test_the_code_is_read_from_a_picture(
    playwright: Playwright, server: ThrowAwayServer, tmp_path: Path, profile: Path
) -> None:
    code = await server.enrolment_code("张三")
    picture = tmp_path / "code.png"
    segno.make(code).save(str(picture), scale=6)
    context = await phone_sized(playwright, profile)
    page = await opened(context)
    with running(tmp_path / "phone", tmp_path) as handheld:
        await page.goto(handheld.address)

        await page.set_input_files("#picture", picture)

        await expect(page.locator("#code")).to_have_value(code, timeout=PATIENCE_MS)
    await context.close()


async def test_nothing_that_was_typed_is_left_in_browser_files_or_temporary_folders(
    playwright: Playwright, server: ThrowAwayServer, tmp_path: Path, profile: Path
) -> None:
    await street(server)
    planted = [f"哨兵{number:03}句{os.urandom(6).hex()}" for number in range(SENTENCES)]
    waiting = iter(planted)
    context = await phone_sized(playwright, profile)
    page = await opened(context)
    with running(tmp_path / "phone", tmp_path) as handheld:
        await enrolled(page, handheld, await server.enrolment_code("张三"))
        for _ in range(8):
            await page.goto(handheld.origin)
            await press(page, "记调解")
            await page.fill("#c-facts", "。".join(next(waiting) for _ in range(20)))
            await is_saved(page)
            await page.goto(f"{handheld.origin}/search")
            await page.fill("#words", next(waiting))
            async with page.expect_navigation():
                await page.keyboard.press("Enter")
        await page.goto(f"{handheld.origin}/visits")
        await page.fill("#words", next(waiting))
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        await page.goto(handheld.origin)
        await press(page, "记调解")
        await page.fill("#c-facts", "。".join(waiting))
        await is_saved(page)
        await press(page, "锁定")
        await page.wait_for_url(re.compile("/unlock"))
        await context.close()

        assert next(waiting, None) is None
        assert holds_any(scribbled(tmp_path.parent / f"{tmp_path.name}-control", planted[7]), planted)
        assert [each for each in files_under(tmp_path) if holds_any(each, planted)] == []
        assert list((tmp_path / "tmp").iterdir()) == []


def scribbled(file: Path, sentence: str) -> Path:
    file.write_bytes(b"\x00cache" + sentence.encode("utf-16-le"))
    return file


def files_under(directory: Path) -> Iterator[Path]:
    yield from (each for each in directory.rglob("*") if each.is_file())


def holds_any(file: Path, sentences: list[str]) -> bool:
    """Tell whether a file has one of the sentences, in any of the encodings that browsers write."""
    content = file.read_bytes()
    marks = [re.search(r"句([0-9a-f]{12})", each) for each in sentences]
    digits = [mark[1] for mark in marks if mark]
    return any(each.encode() in content or each.encode("utf-16-le") in content for each in digits)
