"""A lost device gets the order to wipe its store, and nothing else; what it says and sends is kept."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gridlog_protocol.about import ABOUT
from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.messages import Refused, SyncResponse
from gridlog_protocol.orders import WIPED, Acknowledged, Order, OrderKind, acknowledged_row, orders_in
from gridlog_server.control import ControlJournal, acts_of
from gridlog_server.restoring import suspend_active
from gridlog_server.service.refusing import RefusedError
from gridlog_server.service.standing import Step
from gridlog_server.store.acts import act_of_device, play
from gridlog_server.store.contract import Device
from gridlog_server.store.sqlite import SqliteStore
from tests.unit.server.building import TENANCY, Handset, Server, put, served_by

WHY = "在公交车上遗失"


async def step(server: Server, handset: Handset, *steps: Step) -> Device:
    for each in steps:
        await server.standing.change(handset.device.hex(), each, by="root", reason=WHY)
    return await device_of(server, handset)


async def device_of(server: Server, handset: Handset) -> Device:
    return (await server.inspection.device(handset.device.hex())).device


def about(handset: Handset, **more: Value) -> dict[str, Value]:
    return {ABOUT: {"incarnation": handset.incarnation, **more}}


def written(handset: Handset, *texts: str) -> bytes:
    ops = [handset.creates(put("summary", text)) for text in texts]
    return handset.request([handset.segment(ops)], extras=about(handset))


async def told(server: Server, handset: Handset, extras: Mapping[str, Value] | None = None) -> list[Order]:
    answer = await server.answered(handset, handset.request(extras=about(handset) if extras is None else extras))
    return orders_in(answer.directives) if isinstance(answer, SyncResponse) else []


def said_wiped(handset: Handset, counter: int = 1) -> dict[str, Value]:
    return {WIPED: acknowledged_row(Acknowledged(counter, handset.incarnation, 1_795_000_500_000))}


@asynccontextmanager
async def serving_at(path: Path, journal: ControlJournal | None) -> AsyncIterator[Server]:
    store = await SqliteStore.open(path, journal)
    try:
        yield served_by(store)
    finally:
        await store.close()


async def counted(server: Server) -> tuple[int, int]:
    counts = await server.inspection.counts()
    return counts["ops"], counts["quarantine"]


async def test_a_lost_device_gets_the_order_for_its_store_and_nothing_else(server: Server) -> None:
    handset, partner = await server.enrolled("W1"), await server.enrolled("W2")
    await server.exchanged(partner, partner.creates(put("summary", "别人的巡查")))
    await step(server, handset, Step.LOST)

    answer = await server.answered(handset, written(handset, "遗失之后"))

    assert isinstance(answer, SyncResponse)
    assert orders_in(answer.directives) == [Order(1, OrderKind.WIPE, handset.device, handset.incarnation)]
    assert (answer.changes, answer.pages, answer.accepted, answer.digest, answer.generation) == ((), (), (), b"", 0)
    assert await counted(server) == (1, 1)
    assert (await device_of(server, handset)).order_fetched_ms == server.clock.now_ms


async def test_a_lost_device_of_an_older_app_is_turned_away_in_a_way_that_it_knows(server: Server) -> None:
    handset = await server.enrolled("W1")
    await step(server, handset, Step.LOST)
    assert await server.answered(handset, handset.request()) == Refused("revoked", "lost")
    assert (await device_of(server, handset)).order_fetched_ms is None


async def test_each_order_and_each_withdrawal_has_a_higher_counter(server: Server) -> None:
    handset = await server.enrolled("W1")
    await told(server, handset)
    counters = []
    for each in (Step.LOST, Step.WIPE, Step.FOUND, Step.LOST, Step.FOUND):
        await step(server, handset, each)
        counters += [(order.kind.value, order.counter) for order in await told(server, handset)]
    assert counters == [("wipe", 1), ("wipe", 2), ("keep", 3), ("wipe", 4), ("keep", 5)]
    assert await told(server, handset, about(handset, order=5)) == []
    assert await told(server, handset, {}) == []


async def test_an_order_is_above_every_counter_that_its_device_knows_of(server: Server) -> None:
    """A restored server may have forgotten orders that it gave: the device has not."""
    handset = await server.enrolled("W1")
    await step(server, handset, Step.LOST)
    assert [each.counter for each in await told(server, handset, about(handset, order=7))] == [8]
    assert [each.counter for each in await told(server, handset, about(handset, order=7))] == [8]


async def test_an_acknowledgement_is_noted_once_with_the_servers_time_and_the_device_is_wiped(server: Server) -> None:
    handset = await server.enrolled("W1")
    await step(server, handset, Step.LOST)
    server.clock.now_ms += 1000
    raw = handset.request(extras=said_wiped(handset))
    for _ in range(3):
        assert await server.answered(handset, raw) == Refused("revoked", "wiped")
        server.clock.now_ms += 1000

    device = await device_of(server, handset)
    assert (device.status, device.wiped_ms, device.wipe_ordered_ms) == ("wiped", server.clock.now_ms - 3000, None)
    acts = await server.inspection.acts_on_device(handset.device)
    assert [act.what for act in acts] == ["device.wiped", "device.lost"]
    assert acts[0].by == f"device {handset.device.hex()[:8]}"
    assert "order 1" in acts[0].detail
    assert await told(server, handset) == []


async def test_nobody_acknowledges_for_another_device(server: Server) -> None:
    handset, thief = await server.enrolled("W1"), await server.enrolled("W2")
    await step(server, handset, Step.LOST)
    thief.handle = handset.handle
    raw = thief.request(extras=said_wiped(handset))
    with pytest.raises(Exception, match="bad_signature"):
        await server.exchange.answer(raw)
    assert (await device_of(server, handset)).status == "lost"


async def test_a_device_that_obeyed_an_order_which_was_withdrawn_is_wiped_all_the_same(server: Server) -> None:
    handset = await server.enrolled("W1")
    await step(server, handset, Step.LOST, Step.FOUND)
    await server.answered(handset, handset.request(extras=said_wiped(handset)))
    assert (await device_of(server, handset)).status == "wiped"
    for each in (Step.FOUND, Step.RESUME, Step.LOST):
        with pytest.raises(RefusedError, match="wiped for ever"):
            await step(server, handset, each)
    assert (await step(server, handset, Step.REVOKE)).status == "revoked"


@pytest.mark.parametrize("row", [7, [], [0, bytes(8), 1], [1, bytes(7), 1], [1, bytes(8), -1], [1, bytes(8), 1, 1]])
async def test_a_malformed_acknowledgement_changes_nothing(server: Server, row: Value) -> None:
    handset = await server.enrolled("W1")
    await step(server, handset, Step.LOST)
    answer = await server.answered(handset, handset.request(extras={WIPED: row}))
    assert isinstance(answer, Refused)
    assert answer.code == "malformed"
    assert (await device_of(server, handset)).status == "lost"


@pytest.mark.parametrize(
    "said", [7, {"battery": 101}, {"keys": "pin"}, {"order": -1}, {"incarnation": b"short"}, {"free_mb": "1"}]
)
async def test_what_a_device_says_of_itself_in_a_wrong_form_is_refused(server: Server, said: Value) -> None:
    handset = await server.enrolled("W1")
    answer = await server.answered(handset, handset.request(extras={ABOUT: said}))
    assert isinstance(answer, Refused)
    assert answer.code == "malformed"
    await step(server, handset, Step.LOST)
    answer = await server.answered(handset, handset.request(extras={ABOUT: said}))
    assert isinstance(answer, Refused)
    assert (await device_of(server, handset)).about == {}


async def test_an_order_that_a_device_refused_is_in_the_acts_once(server: Server) -> None:
    handset = await server.enrolled("W1")
    for _ in range(2):
        await server.answered(handset, handset.request(extras=about(handset, refused_order="old")))
    acts = await server.inspection.acts_on_device(handset.device)
    assert [(act.what, act.detail) for act in acts] == [("device.order_refused", "old")]


async def test_a_device_cannot_fill_the_acts_nor_its_own_line(server: Server) -> None:
    handset = await server.enrolled("W1")
    for number in range(40):
        said = about(handset, refused_order=("old", "foreign")[number % 2], **{f"x{number}": "y" * 1000})
        await server.answered(handset, handset.request(extras=said))
    acts = await server.inspection.acts_on_device(handset.device)
    assert [act.what for act in acts] == ["device.order_refused"]
    assert len(pack(dict((await device_of(server, handset)).about))) <= 8192


async def test_what_a_device_says_of_itself_is_kept_by_part_and_only_the_newest(server: Server) -> None:
    handset = await server.enrolled("W1")
    early = handset.request(extras={ABOUT: {"battery": 10, "free_mb": 64}})
    await server.answered(handset, handset.request(extras={ABOUT: {"battery": 80, "free_mb": 512, "x": 1}}))
    await server.answered(handset, handset.request(extras={ABOUT: {"battery": 70}}))
    await server.answered(handset, early)
    assert (await device_of(server, handset)).about == {"battery": 70, "free_mb": 512, "x": 1}


async def test_a_suspended_device_is_told_so_and_what_it_keeps_counts_as_unsent(server: Server) -> None:
    handset = await server.enrolled("W1")
    await step(server, handset, Step.SUSPEND)
    ops = [handset.creates() for _ in range(3)]
    raw = handset.request([handset.segment(ops)], status={"unsent": 2})
    assert await server.answered(handset, raw) == Refused("revoked", "suspended")
    device = await device_of(server, handset)
    assert (device.report["unsent"], device.report["oldest_ms"]) == (5, ops[0].clock.wall_ms)
    assert device.contact_ms == server.clock.now_ms
    assert await counted(server) == (0, 0)


async def test_the_loss_of_a_device_needs_a_reason(server: Server) -> None:
    handset = await server.enrolled("W1")
    with pytest.raises(RefusedError, match="--reason"):
        await server.standing.change(handset.device.hex(), Step.LOST, by="root", reason=" ")
    assert (await device_of(server, handset)).status == "active"


async def test_a_restore_forgets_no_order_no_withdrawal_and_no_acknowledgement(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    for name in ("old", "new"):
        SqliteStore.create(tmp_path / f"{name}.db", TENANCY)
    journal = tmp_path / "control.journal"
    async with serving_at(tmp_path / "old.db", ControlJournal(journal, key)) as server:
        handsets = {each: await server.enrolled(each) for each in ("W1", "W2", "W3")}
        await step(server, handsets["W1"], Step.LOST, Step.WIPE)
        await step(server, handsets["W2"], Step.LOST, Step.FOUND)
        await step(server, handsets["W3"], Step.LOST)
        await server.answered(handsets["W3"], handsets["W3"].request(extras=said_wiped(handsets["W3"])))
        before = {name: act_of_device(await device_of(server, each)) for name, each in handsets.items()}
    acts = [*acts_of(journal, key.public_key())]
    assert json.loads(json.dumps(acts)) == acts

    async with serving_at(tmp_path / "new.db", None) as restored:
        await restored.store.commit(lambda transaction: play(transaction, acts))
        after = {name: act_of_device(await device_of(restored, each)) for name, each in handsets.items()}
    assert after == before
    assert [(each["status"], each["order"]) for each in after.values()] == [("lost", 2), ("active", 2), ("wiped", 1)]


async def test_a_backup_that_is_older_than_the_loss_does_not_lower_the_counter(server: Server) -> None:
    handset = await server.enrolled("W1")
    device = await step(server, handset, Step.LOST, Step.WIPE)
    backup = replace(device, status="active", order=5, wipe_ordered_ms=None)
    await server.store.commit(lambda transaction: transaction.registry.put_device(backup))
    await server.store.commit(lambda transaction: play(transaction, [act_of_device(device)]))
    restored = await device_of(server, handset)
    assert (restored.status, restored.order) == ("lost", 5)
    assert restored.wipe_ordered_ms == device.wipe_ordered_ms


async def test_a_restore_without_the_journal_suspends_who_is_active_and_lets_nobody_else_back(server: Server) -> None:
    handsets = [await server.enrolled(f"W{number}") for number in range(4)]
    await step(server, handsets[1], Step.LOST)
    await step(server, handsets[2], Step.REVOKE)
    await step(server, handsets[3], Step.LOST)
    await server.answered(handsets[3], handsets[3].request(extras=said_wiped(handsets[3])))
    await server.store.commit(suspend_active)
    assert [(await device_of(server, each)).status for each in handsets] == ["suspended", "lost", "revoked", "wiped"]
    assert [each.kind for each in await told(server, handsets[1])] == [OrderKind.WIPE]
