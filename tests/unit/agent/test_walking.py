"""A patrol: it is a record at once, its track survives lock and crash, and what was found hangs on it."""

from __future__ import annotations

from pathlib import Path

from gridlog_protocol.ids import RecordId
from tests.unit.agent.browsing import OWN, Browser, browsing

START_MS = 1_795_000_000_000


async def measured(browser: Browser, patrol: str, *seconds: int, status: int = 200) -> None:
    """Send fixes as the page does."""
    headers = {**OWN, "X-Gridlog-Csrf": browser.gate.token}
    for at in seconds:
        fix = {"latitude": 30.57 + at / 1e6, "longitude": 114.32, "accuracy_m": 8.0, "at_ms": START_MS + at * 1000}
        answer = await browser.client.post(f"{patrol}/fix", json=fix, headers=headers)
        assert answer.status == status


def record_of(patrol: str) -> RecordId:
    return RecordId(bytes.fromhex(patrol.rpartition("/")[2]))


async def points(browser: Browser, patrol: str) -> list[int]:
    """Return how many points each chunk has, as the draft and the record have them."""
    draft = await browser.phone.store.draft(record_of(patrol))
    record = await browser.phone.store.get(record_of(patrol))
    chunks: dict[str, int] = {}
    for values in (record.values, draft.values):
        rows = values.get("track_chunks")
        for row in rows if isinstance(rows, list) else []:
            assert isinstance(row, dict)
            line = row["polyline"]
            assert isinstance(line, list)
            chunks[str(row["id"])] = len(line)
    return sorted(chunks.values())


async def test_a_patrol_is_a_record_as_soon_as_it_begins_and_there_is_one_at_a_time(browser: Browser) -> None:
    patrol = await browser.go("/patrol")

    assert await browser.go("/patrol") == patrol
    record = await browser.phone.store.get(record_of(patrol))
    assert record.values["state"] == "in_progress"


async def test_the_track_is_in_the_store_with_every_fix(browser: Browser) -> None:
    patrol = await browser.go("/patrol")

    await measured(browser, patrol, *range(0, 800, 20))

    assert await points(browser, patrol) == [9, 31]


async def test_a_fix_that_is_far_off_or_nonsense_is_not_taken(browser: Browser) -> None:
    patrol = await browser.go("/patrol")
    headers = {**OWN, "X-Gridlog-Csrf": browser.gate.token}
    good = {"latitude": 30.57, "longitude": 114.32, "accuracy_m": 8, "at_ms": START_MS}
    for wrong in ({"accuracy_m": 500}, {"latitude": 91}, {"at_ms": "now"}, {"longitude": None}):
        answer = await browser.client.post(f"{patrol}/fix", json=good | wrong, headers=headers)
        assert await answer.json() == {"taken": False}


async def test_a_pause_leaves_a_gap(browser: Browser) -> None:
    patrol = await browser.go("/patrol")
    await measured(browser, patrol, 0, 20)
    await browser.go(f"{patrol}/pause")
    await measured(browser, patrol, 40)
    await browser.go(f"{patrol}/pause")
    await measured(browser, patrol, 60, 80)

    assert await points(browser, patrol) == [2, 2]
    assert 'class="gap"' in await browser.see(f"{patrol}/track")


async def test_the_track_goes_on_while_the_store_is_locked(browser: Browser) -> None:
    patrol = await browser.go("/patrol")
    await measured(browser, patrol, 0, 20)
    await browser.go("/lock")
    await measured(browser, patrol, *range(40, 800, 20))
    await browser.unlock()

    assert await points(browser, patrol) == [9, 31]
    await measured(browser, patrol, 800)
    assert await points(browser, patrol) == [10, 31]


async def test_the_track_survives_the_app(enrolled: Path) -> None:
    async with browsing(enrolled) as browser:
        await browser.unlock()
        patrol = await browser.go("/patrol")
        await measured(browser, patrol, 0, 20, 40)
    async with browsing(enrolled) as browser:
        await browser.unlock()
        await browser.see(patrol)
        await measured(browser, patrol, 60)

        assert await points(browser, patrol) == [1, 3]


async def test_what_was_found_is_an_incident_that_the_patrol_names(browser: Browser) -> None:
    patrol = await browser.go("/patrol")
    form = await browser.go(f"{patrol}/finding")
    await browser.script(form, ("field", "title"), ("title", "西门路灯不亮"))
    thrown = await browser.go(f"{patrol}/finding")
    await browser.go(thrown, ("action", "discard"))

    assert "西门路灯不亮" in await browser.see(patrol)
    end = await browser.go(f"{patrol}/end")
    draft = await browser.phone.store.draft(record_of(patrol))
    assert draft.values["findings"] == [bytes.fromhex(form.rpartition("/")[2])]
    assert end == f"/form/patrol/{record_of(patrol).hex()}"


async def test_a_finished_patrol_has_its_checkpoints_and_its_whole_track(browser: Browser) -> None:
    patrol = await browser.go("/patrol")
    await measured(browser, patrol, *range(0, 800, 20))
    early = await browser.go(await browser.go(f"{patrol}/end"), ("action", "finish"))
    assert "请填写“点位打卡”。" in await browser.see(early)

    checked = [("checkpoint", "西门岗亭"), ("result", "abnormal"), ("note", "二维码被遮住")]
    await browser.go(f"{patrol}/check-in", *checked)
    record = await browser.go(early, ("action", "submit"))

    page = await browser.see(record)
    saved = await browser.phone.store.get(record_of(patrol))
    assert "西门岗亭" in page
    assert 'class="way"' in page
    assert saved.values["state"] == "finished"
    assert saved.values["review_state"] == "submitted"
    assert "ended_at" in saved.values


async def test_a_track_comes_from_a_file(browser: Browser) -> None:
    patrol = await browser.go("/patrol")
    body = "".join(
        f'<trkpt lat="30.57" lon="114.{32000 + at}"><time>2026-11-22T01:{at // 3:02}:{at % 3 * 20:02}Z</time></trkpt>'
        for at in range(60)
    )
    headers = {**OWN, "X-Gridlog-Csrf": browser.gate.token}

    answer = await browser.client.post(f"{patrol}/gpx", data=f"<gpx>{body}</gpx>".encode(), headers=headers)
    refused = await browser.client.post(f"{patrol}/gpx", data=b"<gpx>", headers=headers)

    assert await answer.json() == {"fixes": 60, "pieces": 2}
    assert refused.status == 422
    assert await points(browser, patrol) == [29, 31]
