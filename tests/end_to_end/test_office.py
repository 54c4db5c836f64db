"""A worker hands in, a supervisor returns it with remarks, it comes back and is approved: stores and a server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from gridlog import FieldStore, InvalidRecordError, KdfProfile
from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import shown
from tests.end_to_end.processes import GRID, DeviceCommands, Finished, ServerProcess

WEST = "420106001001002"
WHEN = "2026-11-22T09:10:00+08:00"
REASON = "请写明是哪一段围墙"
CHECKPOINT: dict[str, Value] = {"id": "p1", "checkpoint_id": "c1", "at": WHEN, "method": "qr", "result": "normal"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as running:
        for staff_no, grid in (("S1", GRID), ("S2", WEST)):
            running.command_json("admin", "user", "add", staff_no, "--name", f"督导{staff_no}")
            running.command_json("admin", "user", "grant", staff_no, "--role", "supervisor", "--subtree", grid)
        yield running


@pytest.fixture
async def partners(server: ServerProcess, tmp_path: Path) -> AsyncIterator[tuple[FieldStore, FieldStore]]:
    async with AsyncExitStack() as opened:
        made = []
        for number in (1, 2):
            store = await FieldStore.make(
                tmp_path / f"store-{number}", "grid-worker-7", profile=KdfProfile.WEAK_FOR_TESTS
            )
            await opened.enter_async_context(store)
            code = await asyncio.to_thread(server.admin_enroll, f"W{tmp_path.name}{number}", f"网格员{number}")
            await store.enrol(code)
            made.append(store)
        yield made[0], made[1]


async def ordered(server: ServerProcess, *arguments: str) -> Any:
    return await asyncio.to_thread(server.command_json, *arguments)


async def tried(server: ServerProcess, *arguments: str) -> Finished:
    return await asyncio.to_thread(server.command, *arguments)


async def a_patrol(store: FieldStore, **more: Value) -> Any:
    values: dict[str, Value] = {
        "patrol_type": "daily",
        "grid_code": GRID,
        "occurred_at": WHEN,
        "started_at": WHEN,
        "leader": store.user,
    }
    return await store.create("patrol", values | more)


async def test_a_return_reaches_the_handheld_with_its_remarks_is_answered_and_approved(
    server: ServerProcess, partners: tuple[FieldStore, FieldStore]
) -> None:
    store, _ = partners
    patrol = await a_patrol(store, summary="围墙松动")
    with pytest.raises(InvalidRecordError) as unfit:
        await store.submit(patrol)
    assert {each.field for each in unfit.value.violations} == {"ended_at", "checkpoints"}
    patrol = await store.edit(patrol, {"ended_at": "2026-11-22T11:10:00+08:00", "checkpoints": [CHECKPOINT]})
    patrol = await store.submit(patrol)
    assert patrol.review.state == "submitted"
    with pytest.raises(InvalidRecordError, match="handed in"):
        await store.submit(patrol)
    await store.sync()

    record = shown(patrol.id)
    listed = await ordered(server, "review", "list", "--by", "S1")
    [row] = [each for each in listed["records"] if each["record"] == record]
    assert (row["review_state"], row["values"]["summary"]) == ("submitted", "围墙松动")
    assert (await ordered(server, "review", "list", "--by", "S2"))["records"] == []
    refused = await tried(server, "review", "approve", record, "--by", "S2")
    assert (refused.code, "no such record" in refused.err) == (1, True)
    returned = await ordered(
        server, "review", "return", record, "--by", "S1", "--at", str(row["at"]), "--reason", REASON,
        "--comment", "summary=哪一段？",
    )  # fmt: skip
    assert (returned["state"], returned["round"]) == ("returned", 1)

    await store.sync()
    back = await store.get(patrol.id)
    assert (back.review.state, back.review.round, back.review.reason) == ("returned", 1, REASON)
    assert [(each.field, each.text) for each in back.review.comments] == [("summary", "哪一段？")]
    assert (back.is_in_conflict, back.author) == (False, store.user)
    again = await store.submit(await store.edit(back, {"summary": "东段围墙松动"}))
    assert (again.review.state, again.review.round) == ("submitted", 1)
    await store.sync()

    stale = await tried(server, "review", "approve", record, "--by", "S1", "--at", str(row["at"]))
    assert (stale.code, "has changed since" in stale.err) == (1, True)
    approved = await ordered(server, "review", "approve", record, "--by", "S1")
    assert (approved["state"], approved["round"]) == ("approved", 1)
    await store.sync()
    assert (await store.get(patrol.id)).review.state == "approved"
    assert (await store.sync()).is_equal
    acts = await ordered(server, "admin", "acts")
    assert [each["what"] for each in acts[:2]] == ["review.approve", "review.return"]
    assert (await ordered(server, "check"))["findings"] == []


async def test_a_supervisors_decision_reaches_both_handhelds_and_so_does_its_undoing(
    server: ServerProcess, partners: tuple[FieldStore, FieldStore]
) -> None:
    mine, theirs = partners
    patrol = await a_patrol(mine, summary="第一版")
    for store in (mine, theirs):
        await store.sync()
    await mine.edit(await mine.get(patrol.id), {"summary": "甲的小结"})
    await theirs.edit(await theirs.get(patrol.id), {"summary": "乙的小结"})
    for store in (mine, theirs, mine):
        await store.sync()
    record = shown(patrol.id)
    found = await ordered(server, "conflicts", "show", record, "--by", "S1")
    [conflict] = found["conflicts"]
    chosen = next(each["op"] for each in conflict["values"] if each["value"] == "甲的小结")

    decided = await ordered(
        server,
        "conflicts",
        "resolve",
        record,
        "--by",
        "S1",
        "--choose",
        f"summary={chosen}",
        "--at",
        str(found["at"]),
    )
    assert decided["conflicts"] == 0
    for store in (mine, theirs):
        await store.sync()
        kept = await store.get(patrol.id)
        assert (kept.values["summary"], kept.is_in_conflict) == ("甲的小结", False)
    assert [each.mine for each in await theirs.overruled()] == ["乙的小结"]

    undone = await ordered(server, "conflicts", "undo", record, "--by", "S1")
    assert undone["conflicts"] == 1
    await mine.sync()
    [again] = [each for each in await mine.conflicts() if each.record == patrol.id]
    assert {head.value for head in again.heads} == {"甲的小结", "乙的小结"}
    own = await ordered(server, "conflicts", "resolve", record, "--by", "S1", "--set", "summary=两边都松动")
    assert own["conflicts"] == 0
    assert record not in (await tried(server, "conflicts", "--grid", GRID)).out


async def test_the_inbox_counts_what_waits(server: ServerProcess, partners: tuple[FieldStore, FieldStore]) -> None:
    before = await ordered(server, "review", "inbox", "--by", "S1")
    assert (set(before), before["is_complete"]) == (
        {"to_review", "conflicts", "returned", "held", "silent", "is_complete"},
        True,
    )
    store, _ = partners
    ended: dict[str, Value] = {"ended_at": "2026-11-22T11:10:00+08:00", "checkpoints": [CHECKPOINT]}
    await store.submit(await a_patrol(store, **ended))
    await store.sync()
    after = await ordered(server, "review", "inbox", "--by", "S1")
    assert int(after["to_review"]) == int(before["to_review"]) + 1
    remarked = await ordered(server, "review", "list", "--by", "S1")
    assert "网格员1" in (await tried(server, "review", "list", "--by", "S1")).out
    record = remarked["records"][-1]["record"]
    done = await ordered(server, "review", "comment", record, "--by", "S1", "--comment", "已看到")
    assert done["state"] == "submitted"


def written(done: Finished) -> str:
    """Return the id of the record that a command wrote."""
    found = re.search(r"^[0-9a-f-]{36}$", done.out, flags=re.MULTILINE)
    assert found is not None, done
    return found[0]


def test_a_worker_hands_in_by_command_what_is_fit_for_it(server: ServerProcess, tmp_path: Path) -> None:
    phone = DeviceCommands(tmp_path / "phone")
    assert phone.run("enrol", server.admin_enroll("W77", "张三")).code == 0
    walk = ("patrol_type=daily", "started_at=2026-11-22 09:10", "leader=me")
    patrol = written(phone.run("write", "patrol", *walk))
    refused = phone.run("submit", patrol)
    assert (refused.code, "Checkpoints" in refused.err) == (1, True), refused
    report = written(phone.run("write", "daily_report", "date=2026-11-22", "user=me", "note=走访三户"))
    assert "Handed in" in phone.run("submit", report).out
    assert phone.run("sync").code == 0
    listed = server.command_json("review", "list", "--by", "S1")["records"]
    assert [each["author"] for each in listed if each["kind"] == "daily_report"] == ["张三"]
