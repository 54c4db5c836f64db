from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gridlog_protocol.ids import RecordId
from gridlog_protocol.ops import Edit, Intent
from gridlog_server.service.checking import check
from gridlog_server.service.in_reach import StaleError
from gridlog_server.service.refusing import RefusedError
from gridlog_server.service.resolving import Choice, ConflictLine
from gridlog_server.store.sqlite import SqliteStore
from gridlog_sync.writing import InvalidRecordError
from tests.unit.server.building import EAST, KINDS, START_MS, TENANCY, Handset, put, serving
from tests.unit.server.office import Office, opened


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with serving(tmp_path) as server:
        yield await opened(server)


async def contradicting(
    office: Office, mine: Edit, theirs: Edit, *before: Edit, kind: str = "patrol"
) -> tuple[RecordId, Handset]:
    """Return a record in which two workers contradict each other, and the second one's handheld."""
    partner = await office.server.enrolled("W2", EAST)
    record = await office.submitted(*before, kind=kind)
    await office.server.caught_up(partner)
    first, second = office.worker.writes(record, mine, kind=kind), partner.writes(record, theirs, kind=kind)
    await office.server.exchanged(office.worker, first)
    await office.server.exchanged(partner, second)
    return record, partner


async def looked(office: Office, record: RecordId) -> list[ConflictLine]:
    return [*(await office.resolving.conflicts(record, by=office["S1"])).conflicts]


async def test_every_value_is_listed_with_who_wrote_it_when_it_happened_and_when_it_came(office: Office) -> None:
    office.server.clock.now_ms += 60_000
    record, partner = await contradicting(office, put("summary", "甲"), put("summary", "乙"))
    [conflict] = await looked(office, record)
    assert (conflict.field, conflict.key, conflict.severity, conflict.shown) == ("summary", "", "hard", "甲")
    mine, theirs = sorted(conflict.heads, key=lambda each: each.author_name)
    assert (mine.value, mine.author_name, mine.author, mine.device) == (
        "甲",
        "网格员W1",
        office.worker.user,
        office.worker.device,
    )
    assert (theirs.value, theirs.device, theirs.is_shown, mine.is_shown) == ("乙", partner.device, False, True)
    assert {each.received_ms for each in conflict.heads} == {START_MS + 60_000}
    assert all(each.happened_ms <= each.received_ms for each in conflict.heads)


async def test_the_chosen_value_stands_alone_and_both_handhelds_pull_it(office: Office) -> None:
    record, partner = await contradicting(office, put("summary", "甲"), put("summary", "乙"))
    page = await office.resolving.conflicts(record, by=office["S1"])
    chosen = next(each.op for each in page.conflicts[0].heads if each.value == "甲")
    done = await office.resolving.resolve(record, page.changed, [Choice("summary", chosen=chosen)], by=office["S1"])
    assert (done.conflicts, (await office.values(record))["summary"]) == (0, "甲")
    async with office.server.store.reading() as snapshot:
        op = (await snapshot.ledger.ops_of_record(record))[-1].op
    assert (op.intent, op.author, op.seen.position) == (Intent.RESOLVE, office["S1"].person, page.changed)
    for handset in (office.worker, partner):
        await office.server.caught_up(handset)
        assert len(handset.replica[record].fields["summary"].cells[""].heads) == 1


async def test_a_value_of_ones_own_is_checked_as_a_workers_is(office: Office) -> None:
    record, _ = await contradicting(office, put("summary", "甲"), put("summary", "乙"))
    with pytest.raises(InvalidRecordError, match="1000"):
        await office.resolving.resolve(record, None, [Choice("summary", value="长" * 1001)], by=office["S1"])
    assert len(await looked(office, record)) == 1
    await office.resolving.resolve(record, None, [Choice("summary", value="甲和乙都对")], by=office["S1"])
    assert (await office.values(record))["summary"] == "甲和乙都对"


async def test_a_decision_on_an_old_page_is_refused_and_nothing_changes(office: Office) -> None:
    record, _ = await contradicting(office, put("summary", "甲"), put("summary", "乙"))
    page = await office.changed(record)
    late = await office.server.enrolled("W3", EAST)
    await office.server.exchanged(late, late.writes(record, put("summary", "丙"), seen=0))
    with pytest.raises(StaleError):
        await office.resolving.resolve(record, page, [Choice("summary", value="丁")], by=office["S1"])
    assert {each.value for each in (await looked(office, record))[0].heads} == {"甲", "乙", "丙"}


async def test_a_value_that_comes_late_contradicts_the_decision_and_goes_to_a_person_again(office: Office) -> None:
    record, _ = await contradicting(office, put("summary", "甲"), put("summary", "乙"))
    late = await office.server.enrolled("W3", EAST)
    await office.resolving.resolve(record, None, [Choice("summary", value="丁")], by=office["S1"])
    await office.server.exchanged(late, late.writes(record, put("summary", "丙"), seen=0))
    assert {each.value for each in (await looked(office, record))[0].heads} == {"丁", "丙"}


async def test_undoing_brings_back_the_values_and_the_decision_can_be_made_again(office: Office) -> None:
    record, partner = await contradicting(office, put("summary", "甲"), put("summary", "乙"))
    await office.resolving.resolve(record, None, [Choice("summary", value="丁")], by=office["S1"])
    page = await office.resolving.conflicts(record, by=office["S1"])
    assert page.undoable is not None
    undone = await office.resolving.undo(record, page.undoable, by=office["S1"])
    assert undone.conflicts == 1
    assert {each.value for each in (await looked(office, record))[0].heads} == {"甲", "乙"}
    await office.server.caught_up(partner)
    assert len(partner.replica[record].fields["summary"].cells[""].heads) == 2
    with pytest.raises(RefusedError, match="no decision to undo"):
        await office.resolving.undo(record, None, by=office["S1"])
    again = await office.resolving.resolve(record, None, [Choice("summary", value="戊")], by=office["S1"])
    assert again.conflicts == 0


async def test_a_decision_that_somebody_wrote_over_is_not_undone(office: Office) -> None:
    record, _ = await contradicting(office, put("summary", "甲"), put("summary", "乙"))
    await office.resolving.resolve(record, None, [Choice("summary", value="丁")], by=office["S1"])
    await office.server.caught_up(office.worker)
    await office.server.exchanged(office.worker, office.worker.writes(record, put("summary", "又改了")))
    assert (await office.resolving.conflicts(record, by=office["S1"])).undoable is None
    with pytest.raises(RefusedError, match="no decision to undo"):
        await office.resolving.undo(record, None, by=office["S1"])


async def test_siblings_of_a_workflow_are_decided_in_their_round(office: Office) -> None:
    finished, aborted = put("state", [0, "finished"]), put("state", [0, "aborted"])
    record, _ = await contradicting(office, finished, aborted, put("state", [0, "in_progress"]))
    [conflict] = await looked(office, record)
    chosen = next(each.op for each in conflict.heads if each.value == "finished")
    await office.resolving.resolve(record, None, [Choice("state", chosen=chosen)], by=office["S1"])
    state = await office.state(record)
    assert [head.value for head in state.fields["state"].cells[""].heads] == [[0, "finished"]]


async def test_of_a_map_each_key_is_decided_by_itself(office: Office) -> None:
    record, _ = await contradicting(
        office,
        put("party_claims", "一万元", key="p1", digest_class=1),
        put("party_claims", "两万元", key="p1", digest_class=1),
        put("party_claims", "道歉", key="p2", digest_class=1),
        kind="mediation",
    )
    [conflict] = await looked(office, record)
    assert (conflict.field, conflict.key) == ("party_claims", "p1")
    await office.resolving.resolve(record, None, [Choice("party_claims", "p1", value="一万五")], by=office["S1"])
    assert (await office.values(record))["party_claims"] == {"p1": "一万五", "p2": "道歉"}


async def test_what_is_not_in_conflict_or_not_among_the_values_is_refused(office: Office) -> None:
    record, _ = await contradicting(office, put("summary", "甲"), put("summary", "乙"))
    elsewhere = (await looked(office, record))[0].heads[0].op._replace(seq=99)
    for choice in (Choice("weather", value="rain"), Choice("nonsense"), Choice("summary", chosen=elsewhere)):
        with pytest.raises(RefusedError):
            await office.resolving.resolve(record, None, [choice], by=office["S1"])
    with pytest.raises(RefusedError):
        await office.resolving.resolve(record, None, [Choice("summary", value="丁")] * 2, by=office["S1"])


async def test_decisions_and_undoing_stand_the_check_against_the_log(office: Office) -> None:
    record, _ = await contradicting(office, put("summary", "甲"), put("summary", "乙"))
    await office.resolving.resolve(record, None, [Choice("summary", value="丁")], by=office["S1"])
    await office.resolving.undo(record, None, by=office["S1"])
    store = office.server.store
    assert isinstance(store, SqliteStore)
    async with store.reading() as snapshot:
        assert [*(await check(snapshot, TENANCY, KINDS)).findings] == []
