"""Handhelds that are suspended, lost, wiped and found, whole stores against the services of a server.

What stands between them here is a door that a test can shut, and at which it can say what no honest server says.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gridlog import (
    FieldStore,
    ForeignServerError,
    KdfProfile,
    OrderRefusedError,
    Record,
    StoreWipedError,
    SuspendedError,
    UnreachableError,
    WipedByOrderError,
)
from gridlog.parting import PARTING_FILE
from gridlog_protocol.canonical import Value
from gridlog_protocol.codec import encode
from gridlog_protocol.envelope import Purpose, reply_address, seal
from gridlog_protocol.ids import DeviceId, Incarnation, Position
from gridlog_protocol.messages import SyncResponse
from gridlog_protocol.orders import Order, OrderKind, directive_of
from gridlog_server.service.standing import Step
from gridlog_server.store.contract import Device
from tests.unit.server.building import EAST, Server, serving

PASSPHRASE = "grid-worker-7"
MEDIA_TYPE = "application/vnd.gridlog"
WHEN = "2026-11-22T09:10:00+08:00"

Say = Callable[[bytes, bytes], bytes | None]
"""What goes out in the place of an answer, given the request and the honest answer; None cuts the line."""


def honestly(_: bytes, answer: bytes) -> bytes:
    return answer


@dataclass(slots=True)
class Door:
    """An HTTP door of a test, before real services."""

    server: Server
    say: Say = honestly
    port: int = 0
    requests: list[bytes] = field(default_factory=list)
    is_shut: bool = False

    async def sync(self, request: web.Request) -> web.StreamResponse:
        raw = await request.read()
        if self.is_shut:
            return self._cut(request)
        self.requests.append(raw)
        said = self.say(raw, await self.server.exchange.answer(raw))
        return self._cut(request) if said is None else web.Response(body=said, content_type=MEDIA_TYPE)

    async def enrol(self, request: web.Request) -> web.Response:
        return web.Response(body=await self.server.enrolment.answer(await request.read()), content_type=MEDIA_TYPE)

    async def identity(self, _: web.Request) -> web.Response:
        signing, exchange = self.server.keys.public
        return web.json_response({"versions": [1], "signing_key": signing.hex(), "exchange_key": exchange.hex()})

    async def code(self, staff_no: str = "W1") -> str:
        invitation = (await self.server.enrolment.invite(staff_no, "张三", [EAST], by="root")).invitation
        return replace(invitation, address=f"http://127.0.0.1:{self.port}").code()

    async def device(self) -> Device:
        return min((await self.server.inspection.devices()), key=lambda line: line.device.status == "active").device

    async def step(self, *steps: Step) -> None:
        device = await self.device()
        for each in steps:
            await self.server.standing.change(device.id.hex(), each, by="root", reason="在公交车上遗失")

    def _cut(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with serving(tmp_path) as server:
        door = Door(server)
        app = web.Application(client_max_size=2 << 20)
        routes = (web.post("/v1/sync", door.sync), web.post("/v1/enroll", door.enrol))
        app.add_routes([*routes, web.get("/v1/identity", door.identity)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        door.port = runner.addresses[0][1]
        try:
            yield door
        finally:
            await runner.cleanup()


@asynccontextmanager
async def enrolled(door: Door, directory: Path) -> AsyncIterator[FieldStore]:
    async with await FieldStore.make(directory, PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS) as store:
        await store.enrol(await door.code())
        yield store


async def wrote(store: FieldStore, summary: str) -> Record:
    values: dict[str, Value] = {"patrol_type": "daily", "grid_code": EAST, "occurred_at": WHEN, "started_at": WHEN}
    return await store.create("patrol", {**values, "leader": store.user, "summary": summary})


def noise() -> str:
    """Return letters that no compression makes short, and that are no number of anybody."""
    return "".join(chr(ord("a") + each % 26) for each in os.urandom(900))


def held_in(directory: Path) -> set[str]:
    return {each.name for each in directory.iterdir()}


async def quarantined(server: Server) -> list[Value]:
    """Return what the notes in quarantine say, in the order in which they were written."""
    lines = await server.inspection.quarantined(1000)
    ops = {op.id.seq: op for line in lines for op in line.ops}
    return [edit.value for _, op in sorted(ops.items()) for edit in op.edits if edit.field == "summary"]


async def test_a_lost_handheld_is_wiped_says_so_and_what_it_had_not_sent_is_kept(door: Door, tmp_path: Path) -> None:
    directory = tmp_path / "store"
    async with enrolled(door, directory) as store:
        await wrote(store, "遗失之前")
        await store.sync()
        await wrote(store, "还没发出")
        await door.step(Step.LOST)
        with pytest.raises(WipedByOrderError, match="wiped this phone"):
            await store.sync()
        with pytest.raises(StoreWipedError):
            await store.pending()

    device = await door.device()
    assert (device.status, device.wiped_ms) == ("wiped", door.server.clock.now_ms)
    assert [act.what for act in await door.server.inspection.acts_on_device(device.id)] == [
        "device.wiped",
        "device.lost",
    ]
    assert await quarantined(door.server) == ["还没发出"]
    assert held_in(directory) == {"keys.gl", "lock"}
    async with await FieldStore.make(directory, "another passphrase", profile=KdfProfile.WEAK_FOR_TESTS) as store:
        await store.enrol(await door.code())
        await store.sync()
        assert [each.values["summary"] for each in await store.query("patrol")] == ["遗失之前"]


async def test_whatever_was_not_sent_reaches_the_quarantine_however_much_it_is(door: Door, tmp_path: Path) -> None:
    texts = [f"第 {number} 趟：{noise()}" for number in range(300)]
    async with enrolled(door, tmp_path / "store") as store:
        await store.sync()
        for each in texts:
            await wrote(store, each)
        before = len(door.requests)
        await door.step(Step.LOST)
        with pytest.raises(WipedByOrderError):
            await store.sync()
    assert await quarantined(door.server) == texts
    # What fetched the order, the acknowledgement, and two parcels: the keys waited for none of the last three.
    assert len(door.requests) - before == 4
    assert (await door.device()).status == "wiped"


async def test_it_is_wiped_although_the_line_is_cut_and_the_word_of_it_goes_out_later(
    door: Door, tmp_path: Path
) -> None:
    directory = tmp_path / "store"
    async with enrolled(door, directory) as store:
        await store.sync()
        texts = [f"第 {number} 趟：{noise()}" for number in range(100)]
        for each in texts:
            await wrote(store, each)
        await door.step(Step.LOST)

        def and_no_further(_: bytes, answer: bytes) -> bytes:
            door.is_shut = True
            return answer

        door.say = and_no_further
        with pytest.raises(WipedByOrderError):
            await store.sync()
    assert held_in(directory) == {"keys.gl", "lock", PARTING_FILE}
    device = await door.device()
    assert (device.status, device.wiped_ms) == ("lost", None)
    assert device.order_fetched_ms == door.server.clock.now_ms
    with pytest.raises(StoreWipedError):
        await FieldStore.open(directory, PASSPHRASE)
    assert await FieldStore.send_parting(directory) is False

    door.is_shut, door.say = False, honestly
    assert await FieldStore.send_parting(directory) is True

    assert held_in(directory) == {"keys.gl", "lock"}
    assert (await door.device()).status == "wiped"
    assert await quarantined(door.server) == texts


async def test_what_an_older_store_left_goes_out_with_the_first_exchange_of_the_one_in_its_place(
    door: Door, tmp_path: Path
) -> None:
    directory = tmp_path / "store"
    async with enrolled(door, directory) as store:
        await door.step(Step.LOST)

        def and_no_further(_: bytes, answer: bytes) -> bytes:
            door.is_shut = True
            return answer

        door.say = and_no_further
        with pytest.raises(WipedByOrderError):
            await store.sync()
    door.is_shut, door.say = False, honestly
    async with await FieldStore.make(directory, PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS) as store:
        await store.enrol(await door.code())
        await store.sync()
    assert {line.device.status for line in await door.server.inspection.devices()} == {"wiped", "active"}
    assert PARTING_FILE not in held_in(directory)


async def test_nothing_that_anybody_could_read_is_left(door: Door, tmp_path: Path) -> None:
    directory = tmp_path / "store"
    sentences = [f"种下的句子{number}{os.urandom(3).hex()}" for number in range(50)]
    async with enrolled(door, directory) as store:
        for each in sentences:
            await wrote(store, each)
        await door.step(Step.LOST)

        def and_no_further(_: bytes, answer: bytes) -> bytes:
            door.is_shut = True
            return answer

        door.say = and_no_further
        with pytest.raises(WipedByOrderError):
            await store.sync()
    left = b"".join(each.read_bytes() for each in directory.iterdir())
    assert [each for each in sentences if each.encode() in left or each.encode("utf-16-le") in left] == []


async def test_it_is_wiped_although_the_disk_takes_nothing_more(door: Door, tmp_path: Path) -> None:
    directory = tmp_path / "store"
    async with enrolled(door, directory) as store:
        await wrote(store, "还没发出")
        # Nothing can be written under this name.
        (directory / f"{PARTING_FILE}.new").mkdir()
        await door.step(Step.LOST)
        with pytest.raises(WipedByOrderError):
            await store.sync()
    with pytest.raises(StoreWipedError):
        await FieldStore.open(directory, PASSPHRASE)
    assert await quarantined(door.server) == ["还没发出"]
    assert (await door.device()).status == "wiped"


def ordering(door: Door, device: Device, order: Order, signer: Ed25519PrivateKey | None = None) -> Say:
    """Return what brings an order to a device in the answer to its request: signed by the server, or by somebody."""

    def say(raw: bytes, _: bytes) -> bytes:
        response = SyncResponse(
            server_ms=door.server.clock.now_ms,
            epoch=b"",
            token=bytes(8),
            from_position=Position(0),
            to_position=Position(0),
            generation=0,
            digest=b"",
            has_more=False,
            known_seq=0,
            directives=(directive_of(order),),
        )
        return seal(
            encode(response),
            purpose=Purpose.SYNC_RESPONSE,
            address=reply_address(raw),
            reader=X25519PublicKey.from_public_bytes(device.exchange_key),
            sender=signer or door.server.keys.signing,
            context=raw,
        )

    return say


@pytest.mark.parametrize("wrong", ["device", "incarnation"])
async def test_an_order_for_another_store_is_refused_and_the_server_hears_of_it(
    door: Door, tmp_path: Path, wrong: str
) -> None:
    async with enrolled(door, tmp_path / "store") as store:
        await wrote(store, "还在")
        await store.sync()
        device = await door.device()
        incarnation = device.about["incarnation"]
        assert isinstance(incarnation, bytes)
        order = Order(9, OrderKind.WIPE, device.id, Incarnation(incarnation))
        other = (
            replace(order, device=DeviceId(os.urandom(16)))
            if wrong == "device"
            else replace(order, incarnation=Incarnation(os.urandom(8)))
        )
        door.say = ordering(door, device, other)
        with pytest.raises(OrderRefusedError) as refused:
            await store.sync()
        assert refused.value.why == "foreign"
        assert [each.values["summary"] for each in await store.query("patrol")] == ["还在"]

        door.say = honestly
        await store.sync()
    acts = await door.server.inspection.acts_on_device(device.id)
    assert [(act.what, act.detail) for act in acts] == [("device.order_refused", "foreign")]


async def test_an_order_that_was_withdrawn_is_old_for_ever(door: Door, tmp_path: Path) -> None:
    directory = tmp_path / "store"
    async with enrolled(door, directory) as store:
        await wrote(store, "还在")
        await store.sync()
        device = await door.device()
        await door.step(Step.LOST, Step.FOUND)
        await store.sync()
        incarnation = device.about["incarnation"]
        assert isinstance(incarnation, bytes)
        old = [Order(counter, OrderKind.WIPE, device.id, Incarnation(incarnation)) for counter in (1, 2)]
        for each in old:
            door.say = ordering(door, device, each)
            with pytest.raises(OrderRefusedError) as refused:
                await store.sync()
            assert refused.value.why == "old"
        await store.compact()
    async with await FieldStore.open(directory, PASSPHRASE) as store:
        with pytest.raises(OrderRefusedError):
            await store.sync()
        assert [each.values["summary"] for each in await store.query("patrol")] == ["还在"]
        door.say = honestly
        await store.sync()
        assert (await door.device()).about["order"] == 2
        await door.step(Step.LOST)
        with pytest.raises(WipedByOrderError):
            await store.sync()


async def test_an_order_that_somebody_else_signed_wipes_nothing(door: Door, tmp_path: Path) -> None:
    async with enrolled(door, tmp_path / "store") as store:
        await store.sync()
        device = await door.device()
        incarnation = device.about["incarnation"]
        assert isinstance(incarnation, bytes)
        order = Order(1, OrderKind.WIPE, device.id, Incarnation(incarnation))
        door.say = ordering(door, device, order, Ed25519PrivateKey.generate())
        with pytest.raises(ForeignServerError):
            await store.sync()
        door.say = honestly
        await store.sync()


async def test_an_order_that_was_heard_once_cannot_be_played_again(door: Door, tmp_path: Path) -> None:
    async with enrolled(door, tmp_path / "store") as store:
        heard: list[bytes] = []

        def swallow(_: bytes, answer: bytes) -> None:
            heard.append(answer)

        await door.step(Step.LOST)
        door.say = swallow
        with pytest.raises(UnreachableError):
            await store.sync()
        await door.step(Step.FOUND)
        door.say = lambda *_: heard[0]
        with pytest.raises(ForeignServerError):
            await store.sync()
        door.say = honestly
        assert (await store.sync()).is_equal


async def test_a_copy_of_a_lost_handheld_is_wiped_as_well(door: Door, tmp_path: Path) -> None:
    """Each copy is told to wipe itself when it calls, and the word of one is not the word of the other."""
    async with enrolled(door, tmp_path / "store") as store:
        await wrote(store, "原件")
        await store.sync()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for each in (tmp_path / "store").iterdir():
            (tmp_path / name / each.name).write_bytes(each.read_bytes())
    await door.step(Step.LOST)
    async with await FieldStore.open(tmp_path / "one", PASSPHRASE) as store:
        with pytest.raises(WipedByOrderError):
            await store.sync()
    async with await FieldStore.open(tmp_path / "two", PASSPHRASE) as store:
        await wrote(store, "副本写的")
        with pytest.raises(SuspendedError) as told:
            await store.sync()
    assert told.value.standing == "wiped"
    assert await quarantined(door.server) == ["副本写的"]


@pytest.mark.parametrize(
    ("steps", "standing"), [([Step.SUSPEND], "suspended"), ([Step.REVOKE], ""), ([Step.SUSPEND, Step.REVOKE], "")]
)
async def test_a_handheld_that_may_not_synchronise_is_told_why_and_keeps_everything(
    door: Door, tmp_path: Path, steps: list[Step], standing: str
) -> None:
    async with enrolled(door, tmp_path / "store") as store:
        await wrote(store, "等着发")
        await door.step(*steps)
        with pytest.raises(SuspendedError) as told:
            await store.sync()
        assert (told.value.standing, told.value.code) == (standing, "revoked")
        assert "本机" in told.value.text.zh
        assert len(await store.pending()) == 1
        if standing == "suspended":
            await door.step(Step.RESUME)
            assert (await store.sync()).sent == 1


async def test_a_disabled_holder_is_told_that_it_is_the_account(door: Door, tmp_path: Path) -> None:
    async with enrolled(door, tmp_path / "store") as store:
        await door.server.people.disable("W1", by="root", reason="调岗")
        with pytest.raises(SuspendedError, match="account") as told:
            await store.sync()
        assert told.value.standing == "person"


async def test_sync_forever_ends_when_the_store_is_wiped_and_who_watches_is_told(door: Door, tmp_path: Path) -> None:
    async with enrolled(door, tmp_path / "store") as store:
        await store.sync()
        watch = store.watch()

        async def screen() -> None:
            async for _ in watch:
                pass

        watching = asyncio.create_task(screen())
        running = asyncio.create_task(store.sync_forever(every_s=0.05))
        await asyncio.sleep(0)
        await door.step(Step.LOST)
        for task in (running, watching):
            with pytest.raises(WipedByOrderError):
                await asyncio.wait_for(task, 20)


async def test_a_handheld_says_what_it_is_and_only_what_changed(door: Door, tmp_path: Path) -> None:
    async with enrolled(door, tmp_path / "store") as store:
        await store.sync()
        device = await door.device()
        said = device.about
        assert {"protocol", "kinds", "keys", "weak", "free_mb", "scopes", "incarnation"} <= {*said}
        assert (said["keys"], said["weak"]) == (["passphrase"], True)
        assert said["scopes"] == ["tenant", EAST]
        idle = await store.sync()
        assert idle.bytes_up + idle.bytes_down <= 400
