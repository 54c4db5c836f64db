"""An administrator's day, in a real browser, by what the pages say."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridlog import FieldStore, WipedByOrderError
from gridlog.testing import PASSPHRASE
from gridlog.vault import KdfProfile
from tests.browser.office import DESK, GRID, PHONE, Office, until

pytestmark = pytest.mark.browser


async def test_a_new_worker_is_made_enrolled_reported_lost_wiped_and_there_is_proof(
    office: Office, tmp_path: Path
) -> None:
    await office.import_grids([(GRID, "第一网格", "420106001001", 3)])
    await office.account("A1", "陈管理", "administrator")
    sheet = await office.sheet()
    page = sheet.page
    await sheet.sign_in("A1")

    await sheet.press("人员")
    await sheet.press("添加人员")
    await page.get_by_label("工号").fill("W100")
    await page.get_by_label("姓名").fill("林小燕")
    await page.get_by_label("第一网格").check()
    await page.get_by_role("button", name="添加").click()
    await page.wait_for_url("**/people/W100*")
    await sheet.press("登记终端")
    await sheet.press("生成二维码")
    drawn = page.get_by_role("img", name="登记二维码")
    assert await drawn.evaluate("img => img.decode().then(() => img.naturalWidth)") > 100
    await page.get_by_text("不能扫描？").click()
    code = await page.inner_text("#code-text")

    store = await FieldStore.make(tmp_path / "phone", PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS)
    await store.enrol(code, model="手持机 A1")
    await store.sync()
    await until(sheet.text, "已登记：手持机 A1")

    await page.get_by_role("link", name="手持机 A1").click()
    await sheet.press("挂失并清除…")
    assert "销毁自己存储的密钥" in await sheet.text()
    await page.get_by_label("理由").fill("在公交车上遗失")
    await page.get_by_role("button", name="挂失并清除").click()
    await page.wait_for_url("**/devices/*said=lost")
    assert "等待终端联系" in await sheet.text()

    with pytest.raises(WipedByOrderError):
        await store.sync()
    await page.reload()

    said = await sheet.text()
    assert "清除证明" in said
    assert "终端用自己的密钥签名确认" in said
    assert "已清除" in said


async def test_among_hundreds_of_grids_two_are_found_and_assigned(office: Office) -> None:
    await office.import_grids([(f"4201060010{n:05}", f"第{n}网格", "420106001", 3) for n in range(1, 131)])
    await office.account("A1", "陈管理", "administrator")
    sheet = await office.sheet(viewport=PHONE)
    page = sheet.page
    await sheet.sign_in("A1")
    await sheet.open("/console/people/new")
    await page.get_by_label("工号").fill("W100")
    await page.get_by_label("姓名").fill("林小燕")

    for grid in ("第7网格", "第128网格"):
        await page.get_by_label("增加网格").press_sequentially(grid)
        await page.get_by_label(grid).check()
    await sheet.is_accessible()
    await page.get_by_role("button", name="添加").click()

    await page.wait_for_url("**/people/W100*")
    await sheet.is_accessible()
    boxes = page.locator("input[name=grid]:checked")
    assert [await box.input_value() for box in await boxes.all()] == ["420106001000007", "420106001000128"]


@pytest.mark.parametrize(
    ("viewport", "scheme", "language"), [(DESK, "light", "zh"), (PHONE, "dark", "en")], ids=["desk", "phone"]
)
async def test_every_page_of_an_administrator_is_accessible_on_a_desk_and_on_a_phone(
    office: Office, tmp_path: Path, viewport: dict[str, int], scheme: str, language: str
) -> None:
    await office.import_grids([(GRID, "第一网格", "420106001001", 3)])
    await office.account("A1", "陈管理", "administrator")
    store = await office.server.enrolled_store(tmp_path / "phone", "张三", staff_no="W1")
    await store.sync()
    await store.close()
    sheet = await office.sheet(viewport=viewport, scheme=scheme)
    await sheet.open("/console/sign-in")
    await sheet.page.click(f"button[value={language}]")
    await sheet.is_accessible()
    await sheet.sign_in("A1")
    device = await sheet.page.locator("a[href^='/console/devices/']").first.get_attribute("href")
    assert device is not None

    paths = ["devices", "people", "people/new", "people/W1", "people/W1/enrol", "grids", "acts", "health", "password"]
    for path in (
        *(f"/console/{each}" for each in paths),
        device,
        f"{device}/lost",
        f"{device}/revoke",
        "/console/no",
    ):
        await sheet.open(path)
        await sheet.is_accessible()
