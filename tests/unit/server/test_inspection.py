from __future__ import annotations

from pathlib import Path

from gridlog_protocol.ids import record_id
from gridlog_server.service.inspection import Inspection
from gridlog_server.store.sqlite import SqliteStore
from tests.unit.server.building import KINDS, START_MS, Server, count, put


async def test_an_empty_server_has_nothing_to_show(server: Server) -> None:
    assert set((await server.inspection.counts()).values()) == {0}
    assert await server.inspection.records() == []
    assert await server.inspection.held() == []
    assert await server.inspection.record(record_id(START_MS, bytes(10))) is None


async def test_records_are_listed_by_their_last_change_with_values_and_author(server: Server) -> None:
    handset = await server.enrolled("W1")
    one, two = handset.creates(put("summary", "甲")), handset.creates(put("summary", "乙"))
    await server.exchanged(handset, one, two, handset.writes(one.record, count("handled_on_spot", 2)))
    lines = await server.inspection.records()
    assert [(line.values["summary"], line.author) for line in lines] == [("甲", "网格员W1"), ("乙", "网格员W1")]
    assert lines[0].values["handled_on_spot"] == 2
    assert [line.stored.state.id for line in await server.inspection.records(limit=1)] == [one.record]
    assert await server.inspection.records(kind="mediation") == []


async def test_one_record_is_shown_with_everything_that_happened_to_it(server: Server) -> None:
    handset = await server.enrolled("W1")
    creation = handset.creates(put("summary", "甲"))
    ops = [creation, handset.writes(creation.record, put("patrol_type", "picnic"))]
    await server.exchanged(handset, *ops, handset.creates())
    found = await server.inspection.record(creation.record)
    assert found is not None
    assert [(each.op, each.hold) for each in found[1]] == [(ops[0], None), (ops[1], "invalid_value")]


async def test_a_conflict_is_listed_until_somebody_who_saw_both_decides(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    creation = one.creates(put("summary", "甲"))
    await server.exchanged(one, creation)
    await server.caught_up(two)
    for handset, text in ((one, "甲二"), (two, "乙")):
        await server.exchanged(handset, handset.writes(creation.record, put("summary", text)))
    [line] = await server.inspection.records(in_conflict=True)
    assert {head.value for head in line.conflicts[0].heads} == {"甲二", "乙"}
    await server.caught_up(one)
    await server.exchanged(one, one.writes(creation.record, put("summary", "甲二，乙")))
    assert await server.inspection.records(in_conflict=True) == []
    assert (await server.inspection.counts())["in_conflict"] == 0


async def test_held_ops_and_names_are_listed(server: Server) -> None:
    handset = await server.enrolled("W1")
    await server.exchanged(handset, handset.creates(kind="dragon"), handset.creates(put("patrol_type", "picnic")))
    assert {each.hold for each in await server.inspection.held()} == {"unknown_kind", "invalid_value"}
    assert await server.inspection.names() == {handset.user: "网格员W1"}


async def test_a_server_can_be_inspected_beside_the_one_that_runs(server: Server, tmp_path: Path) -> None:
    handset = await server.enrolled("W1")
    async with SqliteStore.read_only(tmp_path / "gridlog.db") as store:
        beside = Inspection(store, KINDS)
        assert (await beside.counts())["ops"] == 0
        await server.exchanged(handset, handset.creates())
        assert (await beside.counts())["ops"] == 1
