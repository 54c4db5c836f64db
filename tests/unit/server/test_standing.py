from __future__ import annotations

import asyncio

import pytest

from gridlog_protocol.messages import Refused
from gridlog_server.service import turning_away
from gridlog_server.service.refusing import RefusedError
from gridlog_server.service.standing import Step
from tests.unit.server.building import Handset, Server, put


async def step(server: Server, handset: Handset, *steps: Step) -> str:
    for each in steps:
        await server.standing.change(handset.device.hex()[:8], each, by="root", reason="")
    return (await server.inspection.device(handset.device.hex())).device.status


async def pushed(server: Server, handset: Handset, *texts: str) -> str:
    """Let a handset write and push, and return what it is told: `taken in`, or the code of the refusal."""
    ops = [handset.creates(put("summary", text)) for text in texts]
    answer = await server.answered(handset, handset.request([handset.segment(ops)]))
    return answer.code if isinstance(answer, Refused) else "taken in"


async def counted(server: Server) -> tuple[int, int]:
    counts = await server.inspection.counts()
    return counts["ops"], counts["quarantine"]


async def test_a_suspended_device_keeps_its_notes_and_delivers_them_when_it_is_resumed(server: Server) -> None:
    handset = await server.enrolled("W1")
    assert await step(server, handset, Step.SUSPEND) == "suspended"
    assert await pushed(server, handset, "甲") == "revoked"
    assert await counted(server) == (0, 0)
    assert await step(server, handset, Step.RESUME) == "active"
    await server.exchanged(handset, handset.written[1])
    assert await counted(server) == (1, 0)


async def test_what_a_revoked_device_still_pushes_is_in_quarantine_and_nowhere_else(server: Server) -> None:
    handset, partner = await server.enrolled("W1"), await server.enrolled("W2")
    await server.exchanged(handset, handset.creates(put("summary", "遗失之前")))
    await server.revoke(handset)
    for _ in range(3):
        raw = handset.request([handset.segment([handset.creates(put("summary", "遗失之后"))])])
        for _ in range(2):
            assert await server.answered(handset, raw) == Refused("revoked", "")

    assert await counted(server) == (1, 3)
    await server.caught_up(partner)
    assert len(await server.inspection.records()) == 1
    lines = await server.inspection.quarantined()
    assert [(line.kept.code, line.kept.device, len(line.ops)) for line in lines] == [
        ("revoked", handset.device, 1)
    ] * 3
    assert [edit.value for edit in lines[-1].ops[0].edits if edit.field == "summary"] == ["遗失之后"]


async def test_nothing_leads_back_from_revoked(server: Server) -> None:
    handset = await server.enrolled("W1")
    assert await step(server, handset, Step.SUSPEND, Step.REVOKE) == "revoked"
    for each in Step:
        with pytest.raises(RefusedError, match="revoked for ever"):
            await step(server, handset, each)
    assert [act.what for act in await server.inspection.acts()][:2] == ["device.revoke", "device.suspend"]


async def test_a_step_that_does_not_apply_is_refused(server: Server) -> None:
    handset = await server.enrolled("W1")
    with pytest.raises(RefusedError, match="is active: resume does not apply"):
        await step(server, handset, Step.RESUME)
    await step(server, handset, Step.SUSPEND)
    with pytest.raises(RefusedError, match="is suspended: suspend does not apply"):
        await step(server, handset, Step.SUSPEND)


@pytest.mark.parametrize("name", ["", "abc", "zzzzzzzz", "00000000"])
async def test_a_device_is_named_by_the_beginning_of_its_id(server: Server, name: str) -> None:
    handset = await server.enrolled("W1")
    with pytest.raises(RefusedError, match="No device's id begins with"):
        await server.standing.change(name, Step.SUSPEND, by="root", reason="")
    assert (await server.inspection.device(handset.device.hex()[:4].upper())).device.id == handset.device


async def test_a_device_revoked_while_it_pushes_gets_everything_in_or_everything_apart(server: Server) -> None:
    handset = await server.enrolled("W1")
    ops = [handset.creates() for _ in range(12)]
    requests = [handset.request([handset.segment(ops[: number + 1])]) for number in range(12)]
    pushing = [asyncio.create_task(server.answered(handset, raw)) for raw in requests]
    for _ in range(3):
        await asyncio.sleep(0)
    await server.revoke(handset)
    answers = await asyncio.gather(*pushing)
    refused = sum(isinstance(each, Refused) for each in answers)
    assert (await counted(server))[1] == refused


async def test_a_revoked_device_cannot_fill_the_disk(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turning_away, "_QUARANTINE_BYTES_MAX", 2000)
    handset = await server.enrolled("W1")
    await server.revoke(handset)
    for number in range(30):
        await pushed(server, handset, f"第 {number} 条")
    kept = [len(line.kept.body) for line in await server.inspection.quarantined()]
    assert 1500 < sum(kept) <= 2000


async def test_a_forged_segment_of_a_revoked_device_is_not_kept(server: Server) -> None:
    handset, other = await server.enrolled("W1"), await server.enrolled("W2")
    await server.revoke(handset)
    genuine, handset.signing = handset.signing, other.signing
    segment = handset.segment([handset.creates()])
    handset.signing = genuine
    await server.answered(handset, handset.request([segment]))
    assert await counted(server) == (0, 0)


async def test_held_ops_are_counted_and_listed_by_device_and_reason(server: Server) -> None:
    one, two = await server.enrolled("W1"), await server.enrolled("W2")
    await server.exchanged(one, one.creates(kind="dragon"), one.creates(put("patrol_type", "picnic")))
    await server.exchanged(two, two.creates(kind="dragon"))
    lines = {line.staff_no: line.held for line in await server.inspection.devices()}
    assert lines == {"W1": 2, "W2": 1}
    held = await server.inspection.held(device=one.device.hex()[:8], code="unknown_kind")
    assert [each.op.id.seq for each in held] == [1]
    assert [each.op.id.device for each in await server.inspection.held(code="unknown_kind")] == [
        two.device,
        one.device,
    ]
    await step(server, two, Step.SUSPEND)
    assert [line.staff_no for line in await server.inspection.devices(status="suspended")] == ["W2"]
