from __future__ import annotations

import asyncio
import os

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import SERVER_DEVICE, TENANT_SCOPE, Incarnation, record_id
from gridlog_protocol.ops import op_hash
from gridlog_protocol.segment import chain_start, chain_through
from gridlog_server.service import importing
from gridlog_server.service.importing import SERVER_USER, Given
from gridlog_sync.view import values_of
from gridlog_sync.writing import InvalidRecordError
from tests.unit.server.building import EAST, KINDS, START_MS, TENANCY, WEST, Server, first_fetch, put


def a_grid(number: int, **values: Value) -> Given:
    record = record_id(START_MS + number, bytes([number % 256]) * 10)
    return Given(record, "grid", {"grid_code": f"42010600100{number:04}", "name": f"第{number}网格"} | values)


def a_household(number: int, grid: str = EAST) -> Given:
    record = record_id(START_MS + number, os.urandom(10))
    values: dict[str, Value] = {"grid_code": grid, "household_id": os.urandom(16), "label": f"3-2-{number}"}
    return Given(record, "household", values)


async def test_what_is_imported_reaches_every_device_it_is_for(server: Server) -> None:
    east, west = await server.enrolled("W1", EAST), await server.enrolled("W2", WEST)
    assert await server.importing.write([a_grid(1), a_grid(2), a_household(1), a_household(2, WEST)]) == 4
    for handset in (east, west):
        assert (await server.caught_up(handset)).digest == handset.digest()
        shown = [values_of(each, KINDS.get(each.kind)) for each in handset.replica.values()]
        assert {each["name"] for each in shown if "name" in each} == {"第1网格", "第2网格"}
        assert len(shown) == 3


async def test_importing_again_changes_nothing(server: Server) -> None:
    given = [a_grid(1), a_household(1)]
    assert await server.importing.write(given) == 2
    before = await server.inspection.counts()
    assert await server.importing.write(given) == 0
    assert await server.importing.write([*given, a_grid(3)]) == 1
    assert (await server.inspection.counts())["ops"] == before["ops"] + 1


async def test_two_imports_at_once_write_each_record_once(server: Server) -> None:
    given = [a_grid(number) for number in range(1, 20)]
    written = await asyncio.gather(server.importing.write(given), server.importing.write(given))
    assert sorted(written) == [0, 19]
    assert (await server.inspection.counts())["ops"] == 19


async def test_imports_one_after_the_other_leave_digests_that_equal_a_recount(server: Server) -> None:
    handset = await server.enrolled("W1")
    for number in range(1, 4):
        await server.importing.write([a_grid(number), a_household(number)])
    assert (await server.caught_up(handset)).digest == handset.digest()
    assert handset.digest() == await server.recounted([TENANT_SCOPE, EAST])


async def test_a_long_file_goes_in_by_batches(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "_BATCH", 7)
    handset = await server.enrolled("W1")
    assert await server.importing.write([a_grid(number) for number in range(1, 31)]) == 30
    answer = await server.exchanged(handset, fetches=first_fetch(TENANT_SCOPE, EAST))
    assert answer.digest == handset.digest()
    assert len(handset.replica) == 30


async def test_the_servers_own_ops_have_a_chain_like_everybodys(server: Server) -> None:
    await server.importing.write([a_grid(1)])
    await server.importing.write([a_grid(2), a_grid(3)])
    incarnation = Incarnation(TENANCY.epoch)
    async with server.store.reading() as snapshot:
        stored = await snapshot.ledger.ops(SERVER_DEVICE, incarnation, 1, 9)
        chain = await snapshot.ledger.chain(SERVER_DEVICE, incarnation)
    assert [each.op.author for each in stored] == [SERVER_USER] * 3
    hashes = [op_hash(each.op) for each in stored]
    assert (chain.known_seq, chain.head) == (3, chain_through(chain_start(SERVER_DEVICE, incarnation), hashes))


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        (Given(a_grid(9).id, "dragon", {}), "unknown_kind"),
        (a_grid(9, wings=2), "unknown_field"),
        (a_grid(9, created_by=bytes(16)), "unknown_field"),
        (a_grid(9, level=77), ""),
        (a_grid(9, name=5), ""),
        (a_grid(1), "record_exists"),
    ],
)
async def test_one_wrong_record_and_nothing_is_stored(server: Server, given: Given, rule: str) -> None:
    with pytest.raises(InvalidRecordError) as wrong:
        await server.importing.write([a_grid(1), given])
    assert not rule or [each.rule for each in wrong.value.violations] == [rule]
    assert (await server.inspection.counts())["ops"] == 0


async def test_a_worker_may_edit_what_was_imported_into_his_grid(server: Server) -> None:
    handset = await server.enrolled("W1")
    household = a_household(1)
    await server.importing.write([household])
    await server.caught_up(handset)
    edit = handset.writes(household.id, put("label", "3-2-503", digest_class=1), kind="household")
    answer = await server.exchanged(handset, edit)
    assert (answer.held, answer.digest) == ((), handset.digest())
    assert (await server.inspection.counts())["in_conflict"] == 0
