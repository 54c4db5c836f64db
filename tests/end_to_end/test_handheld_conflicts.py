"""Two workers write differently about one quarrel: the app shows both, decides, and puts back what was not kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gridlog import FieldStore
from gridlog.testing import PASSPHRASE, throw_away_server
from tests.unit.agent.browsing import Browser, browsing
from tests.unit.agent.test_filling_in import DISPUTE, naming

pytestmark = pytest.mark.long

MINE = "为自行车争吵，李家先动手推人。"
HIS = "为自行车争吵，双方只是吵嘴。"


@pytest.fixture
async def quarrel(tmp_path: Path) -> AsyncIterator[tuple[Browser, FieldStore, str]]:
    """Return the app of one worker, the store of another, and a record about which they contradict each other."""
    async with throw_away_server() as server:
        async with await server.enrolled_store(tmp_path / "mine", "张三"):
            pass
        partner = await server.enrolled_store(tmp_path / "his", "李四")
        async with partner, browsing(tmp_path / "mine") as browser:
            await browser.go("/unlock", ("passphrase", PASSPHRASE))
            record = await browser.go(await browser.go("/new/mediation"), *naming(*DISPUTE), ("action", "finish"))
            await browser.phone.store.sync()
            await partner.sync()
            (his_form,) = await partner.query("mediation")
            form = await browser.go(f"{record}/edit")
            await partner.edit(his_form, {"facts": HIS})
            await partner.sync()
            await browser.go(form, *naming(("facts", MINE)), ("action", "finish"))
            await browser.phone.store.sync()
            await partner.sync()
            yield browser, partner, record


async def test_both_are_shown_with_who_and_when_and_one_is_taken(
    quarrel: tuple[Browser, FieldStore, str],
) -> None:
    browser, partner, record = quarrel

    page = await browser.see(record)
    (conflict,) = await browser.phone.store.conflicts()
    mine = next(number for number, head in enumerate(conflict.heads) if head.value == MINE)
    decided = ("field", conflict.field), ("key", conflict.key), ("head", str(mine))
    await browser.go(f"{record}/decide", *decided)
    await browser.phone.store.sync()
    await partner.sync()

    assert MINE in page
    assert HIS in page
    assert "我写的" in page
    assert "同事 " in page
    (settled,) = await partner.query("mediation")
    assert settled.values["facts"] == MINE
    assert await browser.phone.store.conflicts() == []


async def test_who_was_overruled_is_told_by_whom_and_puts_his_own_back(
    quarrel: tuple[Browser, FieldStore, str],
) -> None:
    browser, partner, record = quarrel
    (form,) = await partner.query("mediation")
    await partner.resolve(form, {"facts": HIS})
    await partner.sync()
    await browser.phone.store.sync()

    home, page = await browser.see("/"), await browser.see(record)
    (lost,) = await browser.phone.store.overruled()
    await browser.go(f"{record}/put-back", ("number", "0"))

    assert "别人的内容取代了您的" in home
    assert MINE in page
    assert HIS in page
    assert lost.by == partner.user
    assert lost.at_ms > 0
    (back,) = await browser.phone.store.query("mediation")
    assert back.values["facts"] == MINE
    assert await browser.phone.store.overruled() == []
