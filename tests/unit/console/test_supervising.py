from __future__ import annotations

import json

from gridlog_protocol.ids import RecordId, shown
from gridlog_protocol.ops import Op
from gridlog_server.service.accounts import Role
from tests.unit.console.browsing import Browser, Console
from tests.unit.server.building import EAST, WEST, Handset, put

SUBMITTED = put("review_state", [0, "submitted"])


async def submitted(console: Console, handset: Handset, *texts: str) -> list[RecordId]:
    ops = [handset.creates(put("summary", text), SUBMITTED) for text in texts]
    await console.server.exchanged(handset, *ops)
    return [op.record for op in ops]


def path_of(record: RecordId) -> str:
    return f"/console/records/{shown(record)}"


def at_of(text: str) -> str:
    return text.split('name="at" value="')[1].split('"', maxsplit=1)[0]


async def opened(browser: Browser, record: RecordId, tail: str = "") -> str:
    page = await browser.get(path_of(record) + tail)
    assert page.status == 200
    return page.text


async def test_the_inbox_counts_what_waits_and_each_count_leads_to_its_list(console: Console) -> None:
    handset = await console.server.enrolled("W1", EAST)
    await submitted(console, handset, "第一条", "第二条")
    browser = await console.signed_in("S1", Role.SUPERVISOR)

    inbox = (await browser.get("/console/inbox")).text

    assert "<strong>2</strong><span>待审核</span>" in inbox
    assert "第一条" in inbox
    for what in ("conflicts", "returned", "held"):
        assert f'href="/console/inbox?what={what}"' in inbox
        assert (await browser.get(f"/console/inbox?what={what}")).status == 200


async def test_approving_in_the_queue_leads_to_the_next_and_from_the_last_to_the_inbox(console: Console) -> None:
    handset = await console.server.enrolled("W1", EAST)
    first, second = await submitted(console, handset, "第一条", "第二条")
    browser = await console.signed_in("S1", Role.SUPERVISOR)

    at = at_of(await opened(browser, first, "?queue=1"))
    to_second = await browser.post(f"{path_of(first)}/approve?queue=1", {"at": at})
    at = at_of(await opened(browser, second, "?queue=1"))
    to_inbox = await browser.post(f"{path_of(second)}/approve?queue=1", {"at": at})

    assert to_second.location == f"{path_of(second)}?queue=1&said=approved"
    assert to_inbox.location == "/console/inbox?said=approved"


async def test_a_page_that_is_too_old_decides_nothing_and_shows_what_is_there_now(console: Console) -> None:
    handset = await console.server.enrolled("W1", EAST)
    [record] = await submitted(console, handset, "原来的话")
    browser = await console.signed_in("S1", Role.SUPERVISOR)
    at = at_of(await opened(browser, record))
    await console.server.exchanged(handset, handset.writes(record, put("summary", "后来的话")))

    for form in ({"at": at}, {"at": ""}, {"at": "x"}):
        refused = await browser.post(f"{path_of(record)}/approve", form)
        assert refused.status == 422
        assert "又有了变化" in refused.text
        assert "后来的话" in refused.text

    assert "待审核" in await opened(browser, record)


async def test_a_return_that_was_refused_keeps_what_was_typed(console: Console) -> None:
    handset = await console.server.enrolled("W1", EAST)
    [record] = await submitted(console, handset, "一句话")
    browser = await console.signed_in("S1", Role.SUPERVISOR)
    at = at_of(await opened(browser, record))

    refused = await browser.post(
        f"{path_of(record)}/return", {"at": at, "reason": "太短", "remark:summary": "写明楼层"}
    )

    assert refused.status == 422
    assert "太短</textarea>" in refused.text
    assert 'value="写明楼层"' in refused.text


async def test_a_remark_stands_at_its_field_and_the_reason_above_everything(console: Console) -> None:
    handset = await console.server.enrolled("W1", EAST)
    [record] = await submitted(console, handset, "一句话")
    browser = await console.signed_in("S1", Role.SUPERVISOR)
    at = at_of(await opened(browser, record))

    done = await browser.post(
        f"{path_of(record)}/return", {"at": at, "reason": "照片看不清楚", "remark:summary": "写明楼层"}
    )
    text = await opened(browser, record)

    assert done.status == 303
    assert "照片看不清楚" in text
    assert "写明楼层" in text.split("巡查小结")[1].split("<dt")[0]


async def test_records_of_other_grids_are_as_if_they_were_not_there(console: Console) -> None:
    handset = await console.server.enrolled("W1", WEST)
    op: Op = handset.creates(put("summary", "西边的话"), SUBMITTED, scope=WEST)
    await console.server.exchanged(handset, op)
    await console.server.grids.write(
        [{"grid_code": code, "name": code, "parent_code": "420106001001", "level": "3"} for code in (EAST, WEST)],
        by="root",
    )
    browser = await console.signed_in("S1", Role.SUPERVISOR, subtree=EAST)

    for tail in ("", "/conflicts", "/places"):
        assert (await browser.get(path_of(op.record) + tail)).status == 404
    for step in ("approve", "return", "conflicts", "undo"):
        refused = await browser.post(f"{path_of(op.record)}/{step}", {"at": "9", "reason": "足够长的理由"})
        assert refused.status == 404
    for path in ("/console/inbox", "/console/records?kind=patrol", f"/console/records?kind=patrol&grid={WEST}"):
        assert "西边的话" not in (await browser.get(path)).text
    assert "W1" not in (await browser.get("/console/holdings")).text


async def test_a_record_that_is_named_has_its_title_if_the_reader_may_see_it(console: Console) -> None:
    handset = await console.server.enrolled("W1", EAST)
    theirs = await console.server.enrolled("W2", WEST)
    mine = handset.creates(put("title", "井盖松动"), kind="incident")
    far = theirs.creates(put("title", "西边的事"), kind="incident", scope=WEST)
    await console.server.exchanged(handset, mine)
    await console.server.exchanged(theirs, far)
    named = [handset.creates(put("duplicate_of", each.record), kind="incident") for each in (mine, far)]
    await console.server.exchanged(handset, *named)
    await console.server.grids.write(
        [{"grid_code": code, "name": code, "parent_code": "420106001001", "level": "3"} for code in (EAST, WEST)],
        by="root",
    )
    browser = await console.signed_in("S1", Role.SUPERVISOR, subtree=EAST)

    pages = [await opened(browser, op.record) for op in named]

    assert "井盖松动" in pages[0]
    assert "西边的事" not in pages[1]
    assert f"{shown(far.record).replace('-', '')[:8]}…" in pages[1]


async def test_a_conflict_is_decided_by_a_version_of_ones_own_and_taken_back(console: Console) -> None:
    one, other = await console.server.enrolled("W1", EAST), await console.server.enrolled("W2", EAST)
    op = one.creates(put("summary", "北门井盖松动"))
    await console.server.exchanged(one, op)
    await console.server.caught_up(other)
    for handset, text in ((one, "北门井盖松动，已围挡"), (other, "北门井盖破损，已报市政")):
        await console.server.exchanged(handset, handset.writes(op.record, put("summary", text), seen=1))
    browser = await console.signed_in("S1", Role.SUPERVISOR)
    page = await opened(browser, op.record, "/conflicts")
    before = page.split("各方都看到过的内容")[1].split("</div></div>")[0]

    form = {"at": at_of(page), "choice:summary:": "own", "own:summary:": "北门井盖松动\r\n已围挡，已报市政"}
    decided = await browser.post(f"{path_of(op.record)}/conflicts", form)
    decided_lines = await console.server.inspection.records(kind="patrol")
    after = await opened(browser, op.record, "/conflicts")
    undone = await browser.post(f"{path_of(op.record)}/undo")
    again = await opened(browser, op.record, "/conflicts")

    assert "北门井盖松动" in before
    assert "<ins>" in page
    assert decided.status == 303
    assert [each.values["summary"] for each in decided_lines] == ["北门井盖松动\n已围挡，已报市政"]
    assert 'name="decision"' in after
    assert undone.status == 303
    assert "需要裁定" in again


async def test_the_map_gets_lines_points_and_gaps_in_degrees(console: Console) -> None:
    handset = await console.server.enrolled("W1", EAST)
    op = handset.creates(put("summary", "一句话"), SUBMITTED)
    await console.server.exchanged(handset, op)
    browser = await console.signed_in("S1", Role.SUPERVISOR)

    places = json.loads((await browser.get(f"{path_of(op.record)}/places")).text)

    assert places == {"points": [], "lines": [], "gaps": []}
    assert "data-map" not in await opened(browser, op.record)


async def test_news_say_how_many_records_changed_since_a_page_was_made(console: Console) -> None:
    handset = await console.server.enrolled("W1", EAST)
    browser = await console.signed_in("S1", Role.SUPERVISOR)
    await submitted(console, handset, "第零条")
    inbox = (await browser.get("/console/inbox")).text
    since = inbox.split("/console/news?since=")[1].split('"')[0]

    nothing = await browser.get(f"/console/news?since={since}")
    await submitted(console, handset, "第一条", "第二条")
    news = await browser.get(f"/console/news?since={since}")

    assert nothing.text.strip() == ""
    assert "2 条有变化" in news.text
