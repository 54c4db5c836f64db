"""A supervisor's morning, in a real browser, by what the pages say and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gridlog import FieldStore, Record
from tests.browser.office import DESK, GRID, PHONE, Office, until

pytestmark = pytest.mark.browser


@asynccontextmanager
async def phone(office: Office, folder: Path, staff_no: str, name: str) -> AsyncIterator[FieldStore]:
    store = await office.server.enrolled_store(folder / staff_no, name, staff_no=staff_no)
    try:
        yield store
    finally:
        await store.close()


async def patrol(store: FieldStore, summary: str, *, hours_ago: int = 2, grid: str = GRID) -> Record:
    began = datetime.now(UTC) - timedelta(hours=hours_ago)
    at = began.isoformat(timespec="seconds")
    return await store.create(
        "patrol",
        {
            "grid_code": grid,
            "patrol_type": "daily",
            "state": "finished",
            "leader": store.user,
            "occurred_at": at,
            "started_at": at,
            "ended_at": (began + timedelta(minutes=50)).isoformat(timespec="seconds"),
            "checkpoints": [
                {
                    "id": "c1",
                    "checkpoint_id": "QD-01",
                    "at": at,
                    "point": [3055000, 11430000],
                    "acc_m": 9,
                    "method": "gps",
                    "result": "normal",
                }
            ],
            "summary": summary,
        },
    )


async def handed_in(store: FieldStore, *summaries: str) -> None:
    for summary in summaries:
        await store.submit(await patrol(store, summary))
    await store.sync()


async def test_what_came_in_is_found_one_goes_back_with_a_remark_and_nine_are_approved_by_key(
    office: Office, tmp_path: Path
) -> None:
    await office.account("S1", "王督导", "supervisor")
    async with phone(office, tmp_path, "W1", "李秀兰") as store:
        await handed_in(store, *(f"第{number}栋楼道堆放杂物，已劝离" for number in range(10)))
        sheet = await office.sheet()
        page = sheet.page
        await sheet.sign_in("S1")
        assert "10\n待审核" in await sheet.text()

        await sheet.press("逐条审核")
        assert "第0栋楼道堆放杂物" in await sheet.text()
        await page.keyboard.press("r")
        await page.get_by_label("理由").fill("照片里看不清楼道，请补拍")
        await page.get_by_text("对具体项目的意见").click()
        await page.get_by_label("巡查小结", exact=True).fill("写明是哪一层")
        await page.get_by_role("button", name="退回", exact=True).click()
        await until(sheet.text, "已退回，登记人下次同步时会看到意见")
        for left in range(9, 0, -1):
            await until(sheet.text, f"还有 {left} 条待审核")
            await page.keyboard.press("a")
            await page.wait_for_url("**said=approved*")
            await page.wait_for_load_state()
            if left > 1:
                await until(sheet.text, f"还有 {left - 1} 条待审核")

        await sheet.press("待办")
        said = await sheet.text()
        assert "0\n待审核" in said
        assert "1\n已退回" in said
        await store.sync()
        returned = [each for each in await store.query("patrol") if each.review.state == "returned"]

    assert [each.review.reason for each in returned] == ["照片里看不清楼道，请补拍"]
    assert [(each.field, each.text) for each in returned[0].review.comments] == [("summary", "写明是哪一层")]


async def test_a_conflict_is_decided_and_the_decision_taken_back(office: Office, tmp_path: Path) -> None:
    await office.account("S1", "王督导", "supervisor")
    async with phone(office, tmp_path, "W1", "李秀兰") as one, phone(office, tmp_path, "W2", "赵建国") as other:
        record = await patrol(one, "北门井盖松动")
        await one.sync()
        await other.sync()
        await one.edit(record.id, {"summary": "北门井盖松动，已围挡"})
        await other.edit(record.id, {"summary": "北门井盖破损，已报市政"})
        await one.sync()
        await other.sync()
        sheet = await office.sheet()
        await sheet.sign_in("S1")

        await sheet.press("冲突")
        await sheet.page.get_by_role("link", name="巡查 ·").first.click()
        await sheet.page.wait_for_load_state()
        said = await sheet.text()
        assert all(each in said for each in ("李秀兰", "赵建国", "之前", "北门井盖松动\n", "目前显示"))
        assert await sheet.page.locator("ins").all_inner_texts() != []
        await sheet.is_accessible()
        await sheet.page.get_by_label("保留这个版本").first.check()
        await sheet.press("确定")
        await until(sheet.text, "冲突已裁定")
        await one.sync()
        decided = (await one.get(record.id)).values["summary"]
        await sheet.press("查看或撤销")
        await sheet.page.keyboard.press("u")
        await until(sheet.text, "冲突重新打开")
        await one.sync()
        conflicts = [each.field for each in await one.conflicts()]

    assert decided == "北门井盖松动，已围挡"
    assert conflicts == ["summary"]


async def test_who_has_unsent_work_is_seen_and_what_arrives_says_so_without_a_reload(
    office: Office, tmp_path: Path
) -> None:
    await office.account("S1", "王督导", "supervisor")
    async with phone(office, tmp_path, "W1", "李秀兰") as store:
        for number in range(60):
            await patrol(store, f"第{number}栋楼道堆放杂物，已劝离，明天复查。{number * 7919}" * 4)
        await store.sync(budget_bytes=6_000)
        unsent = len(await store.pending())
        assert unsent > 0
        sheet = await office.sheet()
        await sheet.sign_in("S1")
        await sheet.press("谁手里有什么")
        row = await sheet.page.get_by_role("row", name="李秀兰").inner_text()
        assert f"\t{unsent}\t" in row
        assert "项未发出，在 1 台上" in await sheet.text()
        await store.sync()

        await sheet.press("待办")
        await handed_in(store, "三号楼电梯困人，已联系维保")
        await until(sheet.text, "1 条有变化")
        await sheet.press("1 条有变化")
        await until(sheet.text, "三号楼电梯困人")


@pytest.mark.parametrize(
    ("viewport", "scheme", "language"), [(DESK, "light", "zh"), (PHONE, "dark", "en")], ids=["desk", "phone"]
)
async def test_every_page_of_a_supervisor_is_accessible_on_a_desk_and_on_a_phone(
    office: Office, tmp_path: Path, viewport: dict[str, int], scheme: str, language: str
) -> None:
    await office.account("S1", "王督导", "supervisor")
    await office.import_grids([(GRID, "积玉桥街道中山社区居民委员会沿江片区第一综合网格", "420106001001", 3)])
    async with phone(office, tmp_path, "W1", "李秀兰") as store:
        await handed_in(store, "第1栋楼道堆放杂物", "第2栋楼道堆放杂物")
    sheet = await office.sheet(viewport=viewport, scheme=scheme)
    await sheet.open("/console/sign-in")
    await sheet.page.click(f"button[value={language}]")
    await sheet.sign_in("S1")
    link = await sheet.page.locator(".console-line-link").first.get_attribute("href")
    assert link is not None

    for path in ("inbox", "inbox?what=held", "records", "records?q=zzz", "conflicts", "holdings", "password"):
        await sheet.open(f"/console/{path}")
        await sheet.is_accessible()
    await sheet.open(link)
    await sheet.page.wait_for_selector(".leaflet-control-scale")
    await sheet.page.click("[data-opens=return]")
    await sheet.is_accessible()
    await sheet.page.click("details.console-menu > summary")
    await sheet.is_accessible()


async def test_what_was_held_is_looked_at_and_sent_back_with_a_reason_that_its_author_reads(
    office: Office, tmp_path: Path
) -> None:
    await office.account("S1", "王督导", "supervisor")
    async with phone(office, tmp_path, "W1", "李秀兰") as store:
        await patrol(store, "邻居网格的井盖松动", grid=f"{GRID[:-1]}9")
        await store.sync()
        sheet = await office.sheet(viewport=PHONE)
        await sheet.sign_in("S1")
        await sheet.press("待核对")
        await sheet.page.locator(".console-line-link").first.click()
        await until(sheet.text, "不在您负责的网格内")
        assert "邻居网格的井盖松动" in await sheet.text()
        await sheet.is_accessible()
        await sheet.page.get_by_label("理由").fill("请隔壁的同事记，您的原文我转给她了")
        await sheet.press("不采纳")
        await until(sheet.text, "没有采纳。登记人下次同步时会看到理由")
        await store.sync()
        [decided] = await store.decided()
        assert decided.reason == "请隔壁的同事记，您的原文我转给她了"
