"""Orders that are forged, old, replayed or for another store wipe nothing, and the server hears of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gridlog import (
    FieldStore,
    ForeignServerError,
    OrderRefusedError,
    UnreachableError,
    WipedByOrderError,
)
from gridlog_protocol.codec import encode
from gridlog_protocol.envelope import Purpose, reply_address, seal
from gridlog_protocol.ids import DeviceId, Incarnation, Position
from gridlog_protocol.messages import SyncResponse
from gridlog_protocol.orders import Order, OrderKind, directive_of
from gridlog_server.service.standing import Step
from gridlog_server.store.contract import Device
from tests.end_to_end.lying_door import PASSPHRASE, Door, Say, enrolled, honestly, opened_door, wrote


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened_door(tmp_path) as opened:
        yield opened


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
