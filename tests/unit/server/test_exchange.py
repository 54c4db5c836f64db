from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gridlog_protocol.codec import encode
from gridlog_protocol.compression import SHIPPED
from gridlog_protocol.envelope import Purpose
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceHandle, Position
from gridlog_protocol.messages import Refused, SyncResponse
from gridlog_protocol.ops import Op, op_hash
from gridlog_protocol.receipts import Receipt, verify_receipt
from gridlog_protocol.segment import chain_start, chain_through
from gridlog_server.store.contract import Device
from tests.unit.server.building import EAST, TENANCY, WEST, Handset, Server, count, put, serving

NOTES = (
    "三号楼二单元门禁坏了，已报修，物业答应周五前修好。",
    "王阿姨家水管漏水，帮忙关了总阀，联系维修师傅下午上门。",
    "小区东门占道摆摊两处，劝离后一小时复查，没有回来。",
    "独居老人刘师傅血压偏高，已提醒吃药，明早再去看一次。",
)


async def refused_in_clear(work: Awaitable[object]) -> str:
    with pytest.raises(ProtocolError) as refusal:
        await work
    return refusal.value.code


async def refused(server: Server, handset: Handset, raw: bytes) -> str:
    answer = await server.answered(handset, raw)
    assert isinstance(answer, Refused)
    return answer.code


async def device_of(server: Server, handset: Handset) -> Device:
    async with server.store.reading() as snapshot:
        device = await snapshot.registry.device(handset.handle)
    assert device is not None
    return device


def receipt_of(answer: SyncResponse, handset: Handset, ops: list[Op]) -> Receipt:
    """Return the receipt, and make sure that it is signed by the pinned server over our own chain."""
    note = answer.receipt
    assert note is not None
    chain = chain_through(chain_start(handset.device, handset.incarnation), [op_hash(op) for op in ops])
    receipt = Receipt(
        TENANCY.tenant,
        handset.device,
        handset.incarnation,
        note.up_to_seq,
        chain,
        note.log_position,
        note.log_hash,
        note.server_ms,
    )
    verify_receipt(receipt, note.signature, Ed25519PublicKey.from_public_bytes(handset.server_keys[0]))
    return receipt


async def test_a_receipt_covers_our_chain_and_the_servers_log(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates(), handset.creates(put("patrol_type", "picnic")), handset.creates()]
    receipt = receipt_of(await server.exchanged(handset, *ops), handset, ops)
    assert receipt.up_to_seq == 3
    async with server.store.reading() as snapshot:
        assert await snapshot.ledger.log_hash(receipt.log_position) == receipt.log_hash


async def test_after_a_lost_answer_the_receipt_says_the_same_and_nothing_is_stored_twice(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates(), handset.creates()]
    lost = await server.answered(handset, handset.request([handset.segment(ops)]))
    assert isinstance(lost, SyncResponse)
    before = await server.inspection.counts()
    server.clock.now_ms += 1
    again = await server.exchanged(handset, *ops)
    assert again.accepted == lost.accepted
    one, two = receipt_of(lost, handset, ops), receipt_of(again, handset, ops)
    assert replace(one, server_ms=0) == replace(two, server_ms=0)
    assert await server.inspection.counts() == before
    assert again.digest == handset.digest()


async def test_an_idle_exchange_is_one_round_trip_of_at_most_400_bytes(server: Server) -> None:
    handset = await server.enrolled("W1", EAST, WEST)
    await server.exchanged(handset, handset.creates())
    raw = handset.request()
    answer = await server.exchange.answer(raw)
    assert len(raw) + len(answer) <= 400
    response = handset.opened(answer, raw, Purpose.SYNC_RESPONSE)
    assert isinstance(response, SyncResponse)
    assert (response.has_more, response.digest) == (False, handset.digest())


async def test_twenty_notes_go_up_in_one_round_trip_of_at_most_3500_bytes(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates(put("summary", f"{NOTES[i % 4]}（{i}）"), put("patrol_type", "daily")) for i in range(20)]
    raw = handset.request([handset.segment(ops)])
    answer = await server.exchange.answer(raw)
    response = handset.opened(answer, raw, Purpose.SYNC_RESPONSE)
    assert isinstance(response, SyncResponse)
    assert (response.accepted[0].count, response.has_more) == (20, False)
    assert len(raw) <= 3500
    assert len(answer) <= 400


async def test_a_replayed_request_changes_nothing_however_often_it_comes(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates(), handset.creates()]
    raw = handset.request([handset.segment(ops)], status={"battery": 80})
    await server.answered(handset, raw)
    handset.position = Position(0)
    await server.answered(handset, handset.request(status={"battery": 20}))
    before = await server.inspection.counts()
    answers = await asyncio.gather(*(server.exchange.answer(raw) for _ in range(100)))
    assert len({*answers}) == 100, "each is sealed anew"
    assert await server.inspection.counts() == before
    device = await device_of(server, handset)
    assert (device.report, device.counter) == ({"battery": 20}, 2)


async def test_an_answer_opens_for_nobody_but_the_device_that_asked(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    raw = one.request()
    answer = await server.exchange.answer(raw)
    assert isinstance(one.opened(answer, raw, Purpose.SYNC_RESPONSE), SyncResponse)
    with pytest.raises(ProtocolError):
        two.opened(answer, raw, Purpose.SYNC_RESPONSE)


async def test_digests_equal_a_recount_of_the_records(server: Server) -> None:
    one, two = await server.enrolled("W1", EAST, WEST), await server.enrolled("W2", EAST, WEST)
    creations = [one.creates(put("summary", str(number)), scope=(EAST, WEST)[number % 2]) for number in range(8)]
    await server.exchanged(one, *creations)
    await server.caught_up(two)
    for number, each in enumerate(creations):
        move = put("grid_code", (WEST, EAST)[number % 2])
        await server.exchanged(one, one.writes(each.record, move, put("summary", f"甲{number}")))
        await server.exchanged(two, two.writes(each.record, put("summary", f"乙{number}")))
    answers = [await server.caught_up(handset) for handset in (one, two)]
    recount = await server.recounted(one.scopes)
    assert [each.digest for each in answers] == [recount] * 2 == [one.digest(), two.digest()]


async def test_an_unknown_device_is_told_so_in_clear(server: Server) -> None:
    handset = await server.enrolled("W1")
    handset.handle = DeviceHandle(bytes(8))
    assert await refused_in_clear(server.exchange.answer(handset.request())) == "unknown_device"


async def test_a_forged_signature_is_refused_in_clear(server: Server) -> None:
    handset, other = await server.enrolled("W1"), await server.enrolled("W2")
    other.handle = handset.handle
    assert await refused_in_clear(server.exchange.answer(other.request())) == "bad_signature"


async def test_a_suspended_device_or_person_is_told_so_and_stores_nothing(server: Server) -> None:
    handset, colleague = await server.enrolled("W1"), await server.enrolled("W2")
    raw = handset.request([handset.segment([handset.creates()])])
    await server.suspend(handset)
    assert await refused(server, handset, raw) == "revoked"
    async with server.store.reading() as snapshot:
        person = await snapshot.registry.person(colleague.user)
    assert person is not None
    await server.store.commit(lambda each: each.registry.put_person(replace(person, status="suspended")))
    assert await refused(server, colleague, colleague.request()) == "revoked"
    assert (await server.inspection.counts())["ops"] == 0
    assert (await device_of(server, handset)).status == "suspended"


async def test_a_suspension_holds_although_requests_are_on_their_way(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates() for _ in range(12)]
    requests = [handset.request([handset.segment(ops[: number + 1])], status={"n": number}) for number in range(12)]
    pushing = [asyncio.create_task(server.answered(handset, raw)) for raw in requests]
    for _ in range(3):
        await asyncio.sleep(0)
    await server.suspend(handset)
    await asyncio.gather(*pushing)
    assert (await device_of(server, handset)).status == "suspended"
    assert await refused(server, handset, handset.request()) == "revoked"


async def test_requests_of_one_device_that_overtake_each_other_store_each_op_once(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates() for _ in range(8)]
    requests = [handset.request([handset.segment(ops[first:])]) for first in (4, 0, 2, 0, 7)]
    await asyncio.gather(*(server.answered(handset, raw) for raw in requests))
    assert (await server.inspection.counts())["ops"] == 8
    assert (await device_of(server, handset)).counter == 5


@pytest.mark.parametrize(("token", "position"), [(bytes(8), 0), (None, 1), (None, (1 << 63) - 1)])
async def test_a_cursor_that_the_server_never_gave_is_refused(
    server: Server, token: bytes | None, position: int
) -> None:
    handset = await server.enrolled("W1")
    raw = handset.request([handset.segment([handset.creates()])], token=token, position=position)
    assert await refused(server, handset, raw) == "unknown_cursor"
    assert (await server.inspection.counts())["ops"] == 0


async def test_a_cursor_of_another_position_is_refused(server: Server) -> None:
    handset = await server.enrolled("W1")
    await server.exchanged(handset, handset.creates(), handset.creates())
    assert await refused(server, handset, handset.request(position=1)) == "unknown_cursor"


async def test_a_message_of_another_kind_is_refused(server: Server) -> None:
    handset = await server.enrolled("W1")
    for purpose in (Purpose.SYNC_RESPONSE, Purpose.ENROL_REQUEST):
        raw = handset.sealed(encode(Refused("fork", "")), purpose, handset.handle)
        assert await refused_in_clear(server.exchange.answer(raw)) == "malformed"
    raw = handset.sealed(encode(Refused("fork", "")), Purpose.SYNC_REQUEST, handset.handle)
    assert await refused(server, handset, raw) == "malformed"


@pytest.mark.parametrize("body", [b"", b"\x00", b"\x01\x28\xb5\x2f\xfd", b"\x00\x93\x03\x01", bytes(SHIPPED)])
async def test_a_known_device_that_talks_nonsense_gets_a_sealed_refusal(server: Server, body: bytes) -> None:
    handset = await server.enrolled("W1")
    assert await refused(server, handset, handset.sealed(body, Purpose.SYNC_REQUEST, handset.handle)) == "malformed"


async def test_an_envelope_is_refused_with_any_bit_changed_or_cut_at_any_length(server: Server) -> None:
    handset = await server.enrolled("W1")
    raw = handset.request([handset.segment([handset.creates()])])
    changed = [raw[:at] + bytes([raw[at] ^ 0x40]) + raw[at + 1 :] for at in range(0, len(raw), 7)]
    cut = [raw[:length] for length in range(0, len(raw), 11)]
    known = {"malformed", "unsupported_version", "unknown_key", "unknown_device", "bad_signature"}
    for each in [*changed, *cut, raw + b"\x00"]:
        assert await refused_in_clear(server.exchange.answer(each)) in known
    assert (await server.inspection.counts())["ops"] == 0


async def test_an_envelope_for_another_server_is_refused(server: Server, tmp_path: Path) -> None:
    handset = await server.enrolled("W1")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    async with serving(elsewhere) as other:
        assert await refused_in_clear(other.exchange.answer(handset.request())) == "unknown_key"


async def test_the_newest_word_of_a_device_about_itself_stands(server: Server) -> None:
    handset = await server.enrolled("W1")
    old, new = handset.request(status={"battery": 80}), handset.request(status={"battery": 20})
    await asyncio.gather(server.answered(handset, new), server.answered(handset, old))
    assert (await device_of(server, handset)).report == {"battery": 20}


async def test_an_idle_exchange_writes_nothing_but_a_contact_now_and_then(server: Server) -> None:
    handset = await server.enrolled("W1")
    enrolled_ms = server.clock.now_ms
    server.clock.now_ms += 60_000
    await server.exchanged(handset)
    assert (await device_of(server, handset)).contact_ms == enrolled_ms
    server.clock.now_ms += 1
    await server.exchanged(handset)
    assert (await device_of(server, handset)).contact_ms == server.clock.now_ms


async def test_hundreds_of_counts_of_one_record_do_not_keep_others_waiting(server: Server) -> None:
    handset = await server.enrolled("W1")
    creation = handset.creates()
    ops = [creation, *(handset.writes(creation.record, count("handled_on_spot", 1)) for _ in range(1200))]
    pushing = asyncio.create_task(server.answered(handset, handset.request([handset.segment(ops)])))
    longest_ms, before = 0.0, time.monotonic()
    while not pushing.done():
        await asyncio.sleep(0.001)
        now = time.monotonic()
        longest_ms, before = max(longest_ms, 1000 * (now - before)), now
    assert isinstance(await pushing, SyncResponse)
    assert longest_ms < 600
