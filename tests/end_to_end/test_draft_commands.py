"""The commands for drafts as a worker types them: half now, the rest later, with whatever lies between."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.end_to_end.processes import GRID, DeviceCommands, Finished, ServerProcess
from tests.end_to_end.test_device_commands import PATROL, enrolled, failed, written

pytestmark = pytest.mark.long

STAFF = count(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path_factory.mktemp("server") / "data") as running:
        yield running


@pytest.fixture
def mine(server: ServerProcess, tmp_path: Path) -> DeviceCommands:
    return enrolled(server, tmp_path / "mine", f"W{next(STAFF)}", "张三")


def drafted(device: DeviceCommands, *words: str) -> str:
    """Save a draft, and return its id: the line that stands alone."""
    done = device.run("draft", *words)
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()[1]


def changed(done: Finished) -> dict[str, object]:
    return {name: done.json["values"].get(name) for name in done.json["changed"]}


def test_a_form_is_filled_in_bit_by_bit_and_becomes_a_record_that_is_sent(mine: DeviceCommands) -> None:
    begun = mine.run("draft", "patrol", "summary=青石巷")
    assert begun.out.startswith("Saved as a draft, not written yet: Patrol")
    draft = begun.out.splitlines()[1]
    assert f"gridlog finish {draft[:13]}" in begun.out
    assert mine.run("status", "--json").json["drafts"] == 1
    assert "│ gridlog drafts" in mine.run("status").out
    assert "Sent 0 changes" in mine.run("sync").out

    refused = mine.run("finish", draft)
    failed(refused, "Fill in “Leader”. (leader)")
    assert "(patrol_type)" in refused.err
    assert drafted(mine, draft[:13], *PATROL) == draft

    finished = mine.run("finish", draft[:13])
    assert finished.out.splitlines()[:2] == ["Saved: Patrol · Daily · 2026-11-22 09:10", draft]
    assert mine.run("drafts").out == "There are no drafts.\n"
    assert "Sent 1 change" in mine.run("sync").out
    values = mine.run("show", draft, "--json").json["values"]
    assert (values["summary"], values["grid_code"]) == ("青石巷", GRID)
    failed(mine.run("finish", draft), "This phone does not hold the draft.")


def test_a_record_is_edited_in_a_draft_and_stays_as_it_is_until_that_is_finished(mine: DeviceCommands) -> None:
    record = written(mine, "summary=九个正常", "tags+=lamp", "handled_on_spot=1")

    assert drafted(mine, record[:13], "summary=八个正常", "tags+=flood", "handled_on_spot+=2") == record
    drafted(mine, record[:13], "tags-=lamp", "handled_on_spot+=1")
    draft = mine.run("draft", record, "tags+=noise", "--json")
    assert changed(draft) == {"summary": "八个正常", "tags": ["flood", "noise"], "handled_on_spot": 4}
    assert mine.run("show", record, "--json").json["values"]["tags"] == ["lamp"]

    assert mine.run("finish", record).code == 0
    values = mine.run("show", record, "--json").json["values"]
    assert (values["summary"], values["tags"], values["handled_on_spot"]) == ("八个正常", ["flood", "noise"], 4)


def test_drafts_are_listed_with_what_they_are_for_and_the_one_saved_last_is_first(mine: DeviceCommands) -> None:
    record = written(mine)
    first = drafted(mine, "巡查", "巡查类型=日常巡查")
    drafted(mine, record, "summary=再看")
    drafted(mine, first, "summary=先记着")

    assert [(each["id"], each["is_new"]) for each in mine.run("drafts", "--json").json] == [
        (first, True),
        (record, False),
    ]
    listed = mine.run("drafts").out
    assert "a new record" in listed
    assert "an edit" in listed
    assert "修改记录" in mine.run("drafts", GRIDLOG_LANG="zh").out


def test_a_discarded_draft_leaves_its_record_alone(mine: DeviceCommands) -> None:
    record = written(mine, "summary=九个正常")
    drafted(mine, record, "summary=八个正常")

    assert mine.run("discard", record[:13]).out == "Discarded: Patrol · Daily · 2026-11-22 09:10\n"
    assert mine.run("show", record, "--json").json["values"]["summary"] == "九个正常"
    failed(mine.run("discard", record), "This phone does not hold the draft.")


def test_what_is_neither_a_kind_nor_an_id_is_said_and_nothing_is_begun(mine: DeviceCommands) -> None:
    failed(mine.run("draft", "drone_flight", "a=b"), 'There is no kind of record called "drone_flight".')
    failed(mine.run("draft", "01980000aaaa", "summary=x"), "This phone does not hold the record.")
    failed(mine.run("draft", "abc", "summary=x"), "Give at least 4 digits")
    failed(mine.run("draft", "patrol", "sumary=x"), "Did you mean summary")
    assert mine.run("drafts", "--json").json == []
