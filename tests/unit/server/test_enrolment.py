from __future__ import annotations

import asyncio
import os
from dataclasses import replace

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import TENANT_SCOPE, record_id
from gridlog_protocol.invitation import Invitation, read_invitation
from gridlog_protocol.limits import ENROLMENT_CODE_HOURS
from gridlog_server.service.importing import Given
from gridlog_server.service.refusing import RefusedError
from gridlog_server.store.contract import Device
from tests.unit.server.building import ADDRESS, EAST, START_MS, TENANCY, WEST, Handset, Server


async def invited(server: Server, staff_no: str = "W1", *grids: str) -> Invitation:
    return (await server.enrolment.invite(staff_no, "张三", grids or [EAST])).invitation


async def refused(server: Server, raw: bytes) -> str:
    with pytest.raises(ProtocolError) as error:
        await server.enrolment.answer(raw)
    return error.value.code


async def devices(server: Server) -> list[Device]:
    async with server.store.reading() as snapshot:
        return await snapshot.registry.devices()


async def test_a_code_makes_a_device_known(server: Server) -> None:
    invitation = await invited(server, "W1", WEST, EAST)
    handset = Handset(server.keys.public)
    response = handset.take_enrolment(await server.enrolment.answer(handset.ask_to_enrol(invitation)))
    assert (response.tenant, response.tenant_name, response.epoch) == ("420106", "武昌区", TENANCY.epoch)
    assert (response.user_name, response.scopes) == ("张三", (TENANT_SCOPE, EAST, WEST))
    [device] = await devices(server)
    assert (device.id, device.handle, device.status) == (handset.device, response.handle, "active")


async def test_a_code_says_where_the_server_is_and_which_keys_it_has(server: Server) -> None:
    read = read_invitation((await invited(server)).code())
    assert (read.address, read.fingerprint) == (ADDRESS, server.keys.fingerprint)


async def test_the_database_never_holds_the_secret_of_a_code(server: Server) -> None:
    invitation = await invited(server)
    async with server.store.reading() as snapshot:
        assert await snapshot.registry.code(invitation.secret[:8]) is None
        assert (await snapshot.counts())["people"] == 1


async def test_the_same_device_gets_the_same_answer_again(server: Server) -> None:
    invitation = await invited(server)
    handset = Handset(server.keys.public)
    first = handset.take_enrolment(await server.enrolment.answer(handset.ask_to_enrol(invitation)))
    again = handset.take_enrolment(await server.enrolment.answer(handset.ask_to_enrol(invitation)))
    assert again == first
    assert len(await devices(server)) == 1


async def test_a_used_code_is_no_good_for_another_device(server: Server) -> None:
    invitation = await invited(server)
    await server.enrolment.answer(Handset(server.keys.public).ask_to_enrol(invitation))
    assert await refused(server, Handset(server.keys.public).ask_to_enrol(invitation)) == "code_invalid"
    assert len(await devices(server)) == 1


async def test_a_used_code_is_no_good_for_other_keys_of_the_same_device(server: Server) -> None:
    invitation = await invited(server)
    handset = Handset(server.keys.public)
    await server.enrolment.answer(handset.ask_to_enrol(invitation))
    thief = Handset(server.keys.public, device=handset.device)
    assert await refused(server, thief.ask_to_enrol(invitation)) == "code_invalid"


async def test_a_known_device_cannot_change_hands_with_a_new_code(server: Server) -> None:
    handset = await server.enrolled("W1")
    assert await refused(server, handset.ask_to_enrol(await invited(server, "W2"))) == "code_invalid"


async def test_of_many_devices_that_race_for_one_code_one_gets_in(server: Server) -> None:
    invitation = await invited(server)
    handsets = [Handset(server.keys.public) for _ in range(10)]
    answers = await asyncio.gather(
        *(server.enrolment.answer(each.ask_to_enrol(invitation)) for each in handsets), return_exceptions=True
    )
    assert sum(isinstance(each, bytes) for each in answers) == 1
    assert len(await devices(server)) == 1


async def test_a_code_is_good_for_a_day(server: Server) -> None:
    first, second = await invited(server), await invited(server)
    server.clock.now_ms += ENROLMENT_CODE_HOURS * 3_600_000
    await server.enrolment.answer(Handset(server.keys.public).ask_to_enrol(first))
    server.clock.now_ms += 1
    assert await refused(server, Handset(server.keys.public).ask_to_enrol(second)) == "code_invalid"


async def test_a_guessed_code_looks_like_a_used_one(server: Server) -> None:
    guess = Invitation(ADDRESS, os.urandom(16), server.keys.fingerprint)
    assert await refused(server, Handset(server.keys.public).ask_to_enrol(guess)) == "code_invalid"


async def test_somebody_elses_signature_does_not_enrol_a_key(server: Server) -> None:
    invitation = await invited(server)
    handset, other = Handset(server.keys.public), Handset(server.keys.public)
    genuine = handset.signing
    handset.signing = other.signing
    forged = handset.ask_to_enrol(invitation)
    handset.signing = genuine
    # The request names the keys of `other`, so it enrols `other`; the genuine key is not in it.
    await server.enrolment.answer(forged)
    assert (await devices(server))[0].signing_key == other.signing.public_key().public_bytes_raw()


async def test_an_exchange_is_not_taken_for_an_enrolment(server: Server) -> None:
    handset = await server.enrolled("W1")
    assert await refused(server, handset.request()) == "malformed"


async def test_a_suspended_person_or_device_cannot_enrol(server: Server) -> None:
    invitation = await invited(server, "W2")
    handset = Handset(server.keys.public)
    handset.take_enrolment(await server.enrolment.answer(handset.ask_to_enrol(invitation)))
    await server.suspend(handset)
    assert await refused(server, handset.ask_to_enrol(invitation)) == "code_invalid"
    another = await server.enrolment.invite("W2", "李四", [])
    disabled = replace(another.person, status="disabled")
    await server.store.commit(lambda each: each.registry.put_person(disabled))
    assert await refused(server, Handset(server.keys.public).ask_to_enrol(another.invitation)) == "code_invalid"
    with pytest.raises(RefusedError, match="disabled"):
        await server.enrolment.invite("W2", "李四", [])


async def test_inviting_somebody_again_changes_name_and_grids_only_where_said(server: Server) -> None:
    first = await server.enrolment.invite("W1", "张三", [EAST])
    same = await server.enrolment.invite("W1", "", [])
    moved = await server.enrolment.invite("W1", "张三丰", [WEST])
    assert same.person == first.person
    assert moved.person == replace(first.person, name="张三丰", scopes=frozenset({WEST}))


@pytest.mark.parametrize(
    ("staff_no", "name", "grids"),
    [
        ("W1", "张三", [TENANT_SCOPE]),
        ("W1", "张三", [str(number) for number in range(64)]),
        ("W1", "张三", [""]),
        ("W1", "张" * 86, [EAST]),
        ("W1", "张三", ["4" * 257]),
        ("", "张三", [EAST]),
        ("W1", "", [EAST]),
        ("W1", "张三", []),
    ],
)
async def test_nobody_is_invited_to_what_a_device_cannot_be_told(
    server: Server, staff_no: str, name: str, grids: list[str]
) -> None:
    with pytest.raises(RefusedError) as refusal:
        await server.enrolment.invite(staff_no, name, grids)
    assert refusal.value.text.zh
    assert (await server.inspection.counts())["people"] == 0


async def test_the_largest_invitation_can_be_told(server: Server) -> None:
    invited = await server.enrolment.invite("W1", "a" * 256, [f"{number:0256}" for number in range(63)])
    handset = Handset(server.keys.public)
    answer = await server.enrolment.answer(handset.ask_to_enrol(invited.invitation))
    assert len(handset.take_enrolment(answer).scopes) == 64


async def test_a_grid_that_is_not_among_those_imported_is_refused(server: Server) -> None:
    values: dict[str, Value] = {"grid_code": EAST, "parent_code": "420106001001", "name": "第一网格", "level": 3}
    await server.importing.write([Given(record_id(START_MS, bytes(10)), "grid", values)])
    with pytest.raises(RefusedError, match=WEST):
        await server.enrolment.invite("W1", "张三", [EAST, WEST])
    assert (await server.enrolment.invite("W1", "张三", [EAST])).person.scopes == {EAST}
