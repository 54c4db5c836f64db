from __future__ import annotations

import asyncio

import pytest

from gridlog_protocol.errors import ProtocolError
from gridlog_server.service.refusing import RefusedError
from gridlog_server.store.contract import Act
from tests.unit.server.building import EAST, START_MS, WEST, Handset, Server

ROWS = [
    {"网格编码": EAST, "名称": "第一网格", "上级": "420106001001", "层级": "3", "类型": ""},
    {"网格编码": WEST, "名称": "第二网格", "上级": "420106001001", "层级": "3", "类型": "special"},
]


async def acts(server: Server) -> list[tuple[str, str, str, str]]:
    return [(each.by, each.what, each.subject, each.detail) for each in await server.inspection.acts()]


async def refused(work: object) -> str:
    with pytest.raises(RefusedError) as refusal:
        await work  # type: ignore[misc]
    assert refusal.value.text.zh
    return refusal.value.text.en


async def test_somebody_added_is_listed_and_it_is_known_who_added_him(server: Server) -> None:
    await server.people.add("W2", "李四", [], by="alice")
    await server.people.add("W1", "张三", [WEST, EAST], by="root")
    lines = await server.inspection.people()
    assert [(line.person.staff_no, line.person.name, line.devices) for line in lines] == [
        ("W1", "张三", 0),
        ("W2", "李四", 0),
    ]
    assert await server.inspection.acts() == [
        Act(START_MS, "root", "user.add", "W1", f"张三 {EAST} {WEST}"),
        Act(START_MS, "alice", "user.add", "W2", "李四 "),
    ]


async def test_a_staff_number_is_one_persons_although_many_ask_at_once(server: Server) -> None:
    adding = [server.people.add("W1", f"张{number}", [EAST], by="root") for number in range(8)]
    answers = await asyncio.gather(*adding, return_exceptions=True)
    assert sum(not isinstance(each, RefusedError) for each in answers) == 1
    assert (len(await server.inspection.people()), len(await acts(server))) == (1, 1)


async def test_what_is_refused_changes_nothing_and_is_no_act(server: Server) -> None:
    await server.people.add("W1", "张三", [EAST], by="root")
    before = await server.inspection.people()
    assert "taken" in await refused(server.people.add("W1", "李四", [], by="root"))
    assert "Nobody" in await refused(server.people.assign("W9", [EAST], by="root"))
    assert "at most 256 bytes" in await refused(server.people.add("W2", "李" * 86, [], by="root"))
    assert "active already" in await refused(server.people.enable("W1", by="root", reason=""))
    assert "at most 200" in await refused(server.people.disable("W1", by="root", reason="x" * 201))
    assert "not a grid" in await refused(server.people.assign("W1", ["tenant"], by="root"))
    assert (await server.inspection.people(), len(await acts(server))) == (before, 1)


async def test_whoever_is_disabled_is_turned_away_until_he_is_enabled(server: Server) -> None:
    handset = await server.enrolled("W1")
    await server.people.disable("W1", by="root", reason="调岗")
    raw = handset.request([handset.segment([handset.creates()])])
    answer = await server.answered(handset, raw)
    assert getattr(answer, "code", None) == "revoked"
    assert "disabled already" in await refused(server.people.disable("W1", by="root", reason=""))
    assert [line.person.staff_no for line in await server.inspection.people(status="active")] == []
    # What the worker wrote stays on his phone: nothing of it is here.
    assert {name: (await server.inspection.counts())[name] for name in ("ops", "quarantine")} == {
        "ops": 0,
        "quarantine": 0,
    }
    await server.people.enable("W1", by="root", reason="")
    await server.exchanged(handset, handset.writes(handset.written[1].record))
    assert (await acts(server))[1] == ("root", "user.disable", "W1", "调岗")


async def test_grids_do_not_change_under_a_device_unless_it_is_revoked(server: Server) -> None:
    handset = await server.enrolled("W1", EAST)
    assert "already has a device" in await refused(server.people.assign("W1", [WEST], by="root"))
    await server.people.assign("W1", [EAST], by="root")
    await server.revoke(handset)
    assert (await server.people.assign("W1", [WEST], by="root")).scopes == {WEST}
    assert (await server.inspection.person("W1"))[0].devices == 0


async def test_grids_come_from_a_table_once_and_name_who_works_in_them(server: Server) -> None:
    assert await server.grids.write(ROWS, by="root") == 2
    await server.people.add("W1", "张三", [EAST], by="root")
    assert await server.grids.write([*ROWS, ROWS[0] | {"网格编码": f"{EAST}3"}], by="root") == 1
    lines = await server.inspection.grids()
    assert [(line.values["grid_code"], line.staff_nos) for line in lines] == [
        (EAST, ("W1",)),
        (f"{EAST}3", ()),
        (WEST, ()),
    ]
    assert (lines[2].values["kind"], lines[2].values["level"], lines[2].values["name"]) == ("special", 3, "第二网格")
    assert [act[1:] for act in await acts(server) if act[1] == "import"] == [
        ("import", "grid", "1"),
        ("import", "grid", "2"),
    ]
    assert "no grid 999999" in await refused(server.people.add("W2", "李四", ["999999"], by="root"))


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([ROWS[0] | {"颜色": "红"}], 'no column "颜色"'),
        ([ROWS[0], ROWS[0]], "Row 2: the grid 420106001001001 occurs twice"),
        ([ROWS[0] | {"名称": " "}], "Row 1 has no name"),
        ([ROWS[0] | {"层级": "三"}], "Row 1: level is a number"),
    ],
)
async def test_a_table_with_a_mistake_brings_in_nothing(
    server: Server, rows: list[dict[str, str]], sentence: str
) -> None:
    assert sentence in await refused(server.grids.write(rows, by="root"))
    assert await server.inspection.grids() == []


async def test_a_disabled_persons_code_is_no_good(server: Server) -> None:
    invited = await server.enrolment.invite("W1", "张三", [EAST])
    await server.people.disable("W1", by="root", reason="")
    with pytest.raises(ProtocolError, match="code_invalid"):
        await server.enrolment.answer(Handset(server.keys.public).ask_to_enrol(invited.invitation))
