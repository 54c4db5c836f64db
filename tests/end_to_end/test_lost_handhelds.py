"""Handhelds that are suspended, lost, wiped and found: whole stores against the services of a server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gridlog import (
    FieldStore,
    KdfProfile,
    StoreWipedError,
    SuspendedError,
    WipedByOrderError,
)
from gridlog.parting import PARTING_FILE
from gridlog_server.service.standing import Step
from tests.end_to_end.lying_door import (
    PASSPHRASE,
    Door,
    enrolled,
    held_in,
    honestly,
    noise,
    opened_door,
    quarantined,
    wrote,
)
from tests.unit.server.building import EAST


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    async with opened_door(tmp_path) as opened:
        yield opened


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
