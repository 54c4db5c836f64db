from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gridlog_protocol.ids import RecordId, ScopeId, UserId
from gridlog_protocol.kinds.times import DAY_MS, moment_text
from gridlog_server.service.in_reach import NotThereError
from gridlog_server.service.inbox import TOTAL_MAX, Filter, Page, RecordRow, Total
from gridlog_server.service.permitting import ForbiddenError
from gridlog_server.service.refusing import RefusedError
from gridlog_server.store.desk import ListingQuery
from gridlog_server.store.sqlite import SqliteStore
from gridlog_server.store.sqlite_desk import SqliteDesk
from tests.unit.server.building import EAST, START_MS, WEST, Handset, put, serving
from tests.unit.server.office import Office, opened


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with serving(tmp_path) as server:
        made = await opened(server)
        await made.filling.run(pause_s=0)
        yield made


async def patrols(office: Office, handset: Handset, *summaries: str, grid: str = EAST) -> list[RecordId]:
    """Push patrols, each an hour later than the one before."""
    ops = [
        handset.creates(
            put("summary", text), put("occurred_at", moment_text(START_MS + hour * 3_600_000)), scope=grid
        )
        for hour, text in enumerate(summaries)
    ]
    await office.server.exchanged(handset, *ops)
    return [op.record for op in ops]


def ids(page: Page[RecordRow]) -> list[RecordId]:
    return [each.record for each in page.rows]


async def test_what_was_handed_in_is_listed_by_how_long_it_waits_until_somebody_decides(office: Office) -> None:
    first, second, third = [await office.submitted() for _ in range(3)]
    me = office["S1"]
    assert ids(await office.inbox.to_review(by=me)) == [first, second, third]
    await office.server.reviewing.approve(first, None, by=me)
    await office.server.reviewing.send_back(second, None, by=me, reason="照片看不清楚")
    assert ids(await office.inbox.to_review(by=me)) == [third]
    assert ids(await office.inbox.returned(by=me)) == [second]
    await office.server.caught_up(office.worker)
    again = office.worker.writes(second, put("review_state", [1, "submitted"]))
    await office.server.exchanged(office.worker, again)
    assert set(ids(await office.inbox.to_review(by=me))) == {second, third}
    waiting = await office.inbox.waiting(by=me)
    assert (str(waiting.to_review), str(waiting.returned), str(waiting.conflicts)) == ("2", "0", "0")


async def test_a_grid_is_called_by_its_name_as_soon_as_it_has_one(office: Office) -> None:
    new = "420106001001003"
    server = office.server
    await office.submitted()
    [row] = (await office.inbox.to_review(by=office["S0"])).rows
    assert row.grid_names == ("东",)
    everywhere = replace(office["S0"], grids=office["S0"].grids | {ScopeId(new)})
    assert (ScopeId(new), "") in await office.inbox.grids(by=everywhere)
    await server.grids.write(
        [{"grid_code": new, "name": "新", "parent_code": "420106001001", "level": "3"}], by="root"
    )
    assert (ScopeId(new), "新") in await office.inbox.grids(by=everywhere)
    with pytest.raises(ForbiddenError):
        await office.inbox.grids(by=office["A1"])


async def test_pages_follow_each_other_without_gap_or_repetition(office: Office) -> None:
    wanted = await patrols(office, office.worker, *(f"第 {number} 趟" for number in range(7)))
    found: list[RecordId] = []
    after = ""
    while True:
        page = await office.inbox.records("patrol", Filter(), by=office["S1"], after=after, limit=3)
        found += ids(page)
        after = page.next
        if not after:
            break
    assert found == wanted[::-1]


async def test_a_list_is_narrowed_by_grid_state_author_time_text_and_conflict(office: Office) -> None:
    west = await office.server.enrolled("W2", WEST)
    one, two, three = await patrols(office, office.worker, "井盖松动", "东门 LED 灯不亮", "井盖换新")
    [far] = await patrols(office, west, "井盖也松动", grid=WEST)
    await office.server.exchanged(office.worker, office.worker.writes(two, put("review_state", [0, "submitted"])))
    me = office["S0"]

    async def found(**wanted: object) -> set[RecordId]:
        return set(ids(await office.inbox.records("patrol", Filter(**wanted), by=me)))  # type: ignore[arg-type]

    assert await found() == {one, two, three, far}
    assert await found(grid=WEST) == {far}
    assert await found(review_state="submitted") == {two}
    assert await found(review_state="draft") == {one, three, far}
    assert await found(author=west.user) == {far}
    assert await found(author=UserId(bytes(16))) == set()
    assert await found(from_ms=START_MS + 3_600_000) == {two, three}
    assert await found(until_ms=START_MS + 3_600_000) == {one, far}
    assert await found(text="井盖") == {one, three, far}
    assert await found(text="led 东门") == {two}
    assert await found(text="井盖 松动", grid=EAST) == {one}
    assert await found(text="100%_'\"") == set()
    assert await found(in_conflict=True) == set()
    assert await office.inbox.total("patrol", Filter(text="井盖"), by=me) == Total(3)


async def test_search_looks_into_no_text_that_lists_may_not_show(office: Office) -> None:
    hidden = "只有调解员知道的秘密"
    op = office.worker.creates(put("facts", hidden, digest_class=2), kind="mediation")
    await office.server.exchanged(office.worker, op)
    assert ids(await office.inbox.records("mediation", Filter(), by=office["S1"])) == [op.record]
    assert ids(await office.inbox.records("mediation", Filter(text=hidden), by=office["S1"])) == []


async def test_nothing_of_other_grids_is_listed_counted_or_found(office: Office) -> None:
    await patrols(office, office.worker, "东边的事")
    await office.submitted()
    other = office["S2"]
    assert ids(await office.inbox.records("patrol", Filter(), by=other)) == []
    assert ids(await office.inbox.records("patrol", Filter(grid=EAST), by=other)) == []
    assert await office.inbox.total("patrol", Filter(), by=other) == Total(0)
    assert ids(await office.inbox.to_review(by=other)) == []
    waiting = await office.inbox.waiting(by=other)
    assert {str(each) for each in (waiting.to_review, waiting.conflicts, waiting.held, waiting.silent)} == {"0"}
    with pytest.raises(NotThereError):
        await office.inbox.record((await office.submitted()), by=other)


@pytest.mark.parametrize("who", ["W1", "A1"])
async def test_only_supervisors_see_lists(office: Office, who: str) -> None:
    by, inbox = office[who], office.inbox
    questions = (
        inbox.waiting(by=by),
        inbox.to_review(by=by),
        inbox.returned(by=by),
        inbox.in_conflict(by=by),
        inbox.held(by=by),
        inbox.silent(by=by),
        inbox.records("patrol", Filter(), by=by),
        inbox.total("patrol", Filter(), by=by),
        inbox.record(await office.submitted(), by=by),
    )
    for each in questions:
        with pytest.raises(ForbiddenError):
            await each


async def test_a_record_comes_with_its_history_as_it_happened_and_as_it_came(office: Office) -> None:
    office.server.clock.now_ms += DAY_MS
    record = await office.submitted(put("summary", "一切正常"))
    office.server.clock.now_ms += DAY_MS
    await office.server.reviewing.send_back(record, None, by=office["S1"], reason="照片看不清楚")
    view = await office.inbox.record(record, by=office["S1"])
    assert (view.row.values["summary"], view.row.author_name, view.row.grids) == ("一切正常", "网格员W1", (EAST,))
    assert (view.review.state, view.review.reason) == ("returned", "照片看不清楚")
    assert [(line.author_name, line.received_ms) for line in view.history] == [
        ("网格员W1", START_MS + DAY_MS),
        ("督导S1", START_MS + 2 * DAY_MS),
    ]
    assert view.row.changed == view.history[-1].stored.position == view.field_positions["review_state"]


async def test_conflicts_are_listed_until_they_are_decided(office: Office) -> None:
    partner = await office.server.enrolled("W2", EAST)
    [record] = await patrols(office, office.worker, "第一版")
    mine, theirs = office.worker.writes(record, put("summary", "甲")), partner.writes(record, put("summary", "乙"))
    await office.server.exchanged(office.worker, mine)
    await office.server.exchanged(partner, theirs)
    page = await office.inbox.in_conflict(by=office["S1"])
    assert (ids(page), page.rows[0].conflicts) == ([record], 1)
    assert ids(await office.inbox.records("patrol", Filter(in_conflict=True), by=office["S1"])) == [record]
    assert ids(await office.inbox.in_conflict(by=office["S2"])) == []


async def test_held_ops_are_seen_by_whoever_supervises_the_record_or_its_author(office: Office) -> None:
    op = office.worker.creates(scope=WEST)
    await office.server.exchanged(office.worker, op)
    for who, sees in {"S1": 1, "S2": 0, "S0": 1}.items():
        assert len(await office.inbox.held(by=office[who])) == sees, who


async def test_a_device_that_is_silent_for_some_days_is_listed_with_its_holder(office: Office) -> None:
    assert await office.inbox.silent(by=office["S1"]) == []
    office.server.clock.now_ms += 5 * DAY_MS
    [device] = await office.inbox.silent(by=office["S1"])
    assert (device.staff_no, device.holder, device.silent_days) == ("W1", "网格员W1", 5)
    assert await office.inbox.silent(by=office["S2"]) == []
    assert await office.inbox.silent(by=office["S1"], days=6) == []
    await office.server.suspend(office.worker)
    assert await office.inbox.silent(by=office["S1"]) == []


async def test_records_of_older_databases_are_filled_in_step_by_step_from_where_it_stopped(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as server:
        office = await opened(server)
        before = await patrols(office, office.worker, *(f"第 {number} 趟" for number in range(250)))
    with closing(sqlite3.connect(tmp_path / "gridlog.db")) as connection, connection:
        connection.execute("DELETE FROM listing")
        connection.execute("DELETE FROM meta WHERE name = 'listing_filled'")
    store = await SqliteStore.open(tmp_path / "gridlog.db")
    try:
        office = replace_store(office, store)
        assert not (await office.inbox.records("patrol", Filter(), by=office["S1"])).is_complete
        await store.commit(office.filling._step)
        assert not await office.filling.is_done()
        await office.filling.run(pause_s=0)
        page = await office.inbox.records("patrol", Filter(), by=office["S1"], limit=200)
        assert (page.is_complete, ids(page)) == (True, before[:-201:-1])
        assert await office.filling.run(pause_s=0) == 0
    finally:
        await store.close()


def replace_store(office: Office, store: SqliteStore) -> Office:
    inbox = type(office.inbox)(store, office.inbox._kinds, office.inbox._tree, now_ms=office.server.clock)
    return replace(office, inbox=inbox, filling=type(office.filling)(store, office.inbox._kinds))


async def test_a_list_looks_at_a_bounded_number_and_says_how_far(office: Office) -> None:
    wanted = await patrols(office, office.worker, "要找的", *(f"第 {number} 趟" for number in range(9)))
    async with office.server.store.reading() as snapshot:
        desk = snapshot.desk  # type: ignore[attr-defined]
        assert isinstance(desk, SqliteDesk)
        query = ListingQuery("patrol", [ScopeId(EAST), ScopeId(WEST)], words=["要找的"], examined_max=4, sorted_max=9)
        seen, found, place = 0, list[RecordId](), None
        while True:
            rows, place = await desk.listing(query, place, 50)
            seen += 1
            found += [each.record for each in rows]
            if place is None:
                break
        assert (found, seen) == ([wanted[0]], 3)
        assert await desk.amount(query, 50) == (0, False)

        few = replace(query, sorted_max=10)
        assert [each.record for each in (await desk.listing(few, None, 50))[0]] == wanted[:1]
        assert await desk.amount(few, 50) == (1, True)


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "nonsense"}, {"after": "1-xyz"}, {"after": "x"}, {"limit": 0}, {"limit": 10_000}, {"state": "odd"}],
)
async def test_a_question_that_makes_no_sense_is_refused(office: Office, wrong: dict[str, object]) -> None:
    facts = {"kind": "patrol", "after": "", "limit": 5, "state": ""} | wrong
    with pytest.raises(RefusedError):
        await office.inbox.records(
            str(facts["kind"]),
            Filter(review_state=str(facts["state"])),
            by=office["S1"],
            after=str(facts["after"]),
            limit=int(str(facts["limit"])),
        )


def test_a_total_beyond_its_bound_says_more() -> None:
    assert (str(Total(999)), str(Total(TOTAL_MAX, is_more=True))) == ("999", "1000+")


async def test_every_list_goes_along_an_index(office: Office) -> None:
    """At half a million records a list that sorts or scans them all would stall the office."""
    asked: list[str] = []

    async def explained(sql: str, *values: object) -> list[object]:
        rows = await real(f"EXPLAIN QUERY PLAN {sql}", *values)
        asked.extend(str(row[3]) for row in rows)
        return [*await real(sql, *values)]

    async with office.server.store.reading() as snapshot:
        desk = snapshot.desk  # type: ignore[attr-defined]
        real, desk._all = desk._all, explained
        grids = [ScopeId(EAST), ScopeId(WEST)]
        await desk.in_review(["submitted", "returned"], grids, None, 50)
        await desk.in_conflict(grids, None, 50)
        await desk.listing(ListingQuery("patrol", grids, words=["x"], from_ms=1, until_ms=2, sorted_max=-1), None, 50)
        await desk.amount(ListingQuery("patrol", grids, sorted_max=-1), 50)
    assert asked
    assert not [each for each in asked if "TEMP B-TREE" in each or each in ("SCAN listing", "SCAN record")], asked
