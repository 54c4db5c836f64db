"""A note that a supervisor returned: the app says why, at which field, and sends the correction."""

from __future__ import annotations

from pathlib import Path

import pytest

from gridlog.testing import PASSPHRASE, ThrowAwayServer, throw_away_server
from tests.unit.agent.browsing import browsing
from tests.unit.agent.test_filling_in import DISPUTE, naming

pytestmark = pytest.mark.long

REASON = "请写清楚是哪一天"
REMARK = "哪两家？"


async def returned(server: ThrowAwayServer, record: str) -> None:
    """Return a record in the name of a supervisor of its grid."""
    grant = ("--role", "supervisor", "--subtree", "420106001001001")
    await server.command("admin", "user", "add", "S001", "--name", "王督导", "--grid", "420106001001001")
    await server.command("admin", "user", "grant", "S001", *grant)
    said = ("--by", "S001", "--reason", REASON, "--comment", f"facts={REMARK}")
    await server.command("review", "return", record, *said)


async def test_a_returned_note_says_why_and_where_and_is_corrected(tmp_path: Path) -> None:
    async with throw_away_server() as server:
        async with await server.enrolled_store(tmp_path / "phone", "张三"):
            pass
        async with browsing(tmp_path / "phone") as browser:
            await browser.go("/unlock", ("passphrase", PASSPHRASE))
            record = await browser.go(await browser.go("/new/mediation"), *naming(*DISPUTE), ("action", "submit"))
            await browser.phone.store.sync()
            await returned(server, record.rpartition("/")[2])
            await browser.phone.store.sync()

            assert "退回给我" in await browser.see("/")
            page = await browser.see(record)
            assert REASON in page
            assert REMARK in page
            form = await browser.go(f"{record}/edit")
            shown = await browser.see(form)
            field = shown[shown.index('id="field-facts"') :]
            assert REMARK in field[: field.index("</textarea>")]

            await browser.go(form, *naming(("facts", "周二，三楼王家和四楼李家吵架。")), ("action", "submit"))
            await browser.phone.store.sync()
            assert "已提交审核" in await browser.see(record)
            (again,) = await server.records("mediation")
            assert again["values"]["review_state"] == "submitted"
