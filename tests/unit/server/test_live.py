"""Who may listen, and who is told of what."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gridlog_protocol.envelope import Purpose, seal
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import TENANT_SCOPE
from gridlog_server.service.live import Ear, Live
from tests.unit.server.building import EAST, WEST, Handset, Server, put

CHALLENGE = os.urandom(16)
PATIENCE_S = 20


def hello(handset: Handset, *, challenge: bytes = CHALLENGE, body: bytes = b"") -> bytes:
    reader = X25519PublicKey.from_public_bytes(handset.server_keys[1])
    return seal(
        body,
        purpose=Purpose.LIVE_HELLO,
        address=handset.handle,
        reader=reader,
        sender=handset.signing,
        context=challenge,
    )


@pytest.fixture
async def live(server: Server) -> AsyncIterator[Live]:
    made = Live(server.store, server.keys)
    looking = asyncio.create_task(made.look_forever())
    yield made
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking


async def refusal(live: Live, raw: bytes) -> str:
    with pytest.raises(ProtocolError) as refused:
        await live.admit(raw, CHALLENGE)
    return refused.value.code


async def heard(ear: Ear, position: int) -> None:
    """Wait until it was told of a position."""
    async with asyncio.timeout(PATIENCE_S):
        while (told := await ear.hear()) != position:
            assert told is not None
            assert told < position


async def test_a_hello_answers_its_own_challenge_and_no_other(server: Server, live: Live) -> None:
    handset = await server.enrolled("W1", EAST)
    ear = await live.admit(hello(handset), CHALLENGE)
    assert ear.handle == handset.handle
    assert ear.scopes == {TENANT_SCOPE, EAST}
    # Somebody who heard it once plays it to another connection.
    assert await refusal(live, hello(handset, challenge=os.urandom(16))) == "malformed"


async def test_a_hello_is_a_devices_own_and_nothing_else(server: Server, live: Live) -> None:
    handset = await server.enrolled("W1", EAST)
    assert await refusal(live, hello(replace(handset, signing=Ed25519PrivateKey.generate()))) == "bad_signature"
    assert await refusal(live, hello(replace(handset, handle=type(handset.handle)(bytes(8))))) == "unknown_device"
    assert await refusal(live, hello(handset, body=b"x")) == "malformed"
    assert await refusal(live, handset.request()) == "malformed"
    with pytest.raises(ProtocolError):
        await server.exchange.answer(hello(handset))


async def test_a_suspended_device_may_not_listen(server: Server, live: Live) -> None:
    handset = await server.enrolled("W1", EAST)
    await server.suspend(handset)
    assert await refusal(live, hello(handset)) == "revoked"


async def test_a_device_hears_of_its_own_grids_and_of_no_others(server: Server, live: Live) -> None:
    east, west = await server.enrolled("W1", EAST), await server.enrolled("W2", WEST)
    ears = [await live.admit(hello(each), CHALLENGE) for each in (east, west)]
    with live.listening(ears[0]), live.listening(ears[1]):
        await heard(ears[0], 0)
        await heard(ears[1], 0)
        first = await server.exchanged(east, east.creates(put("note", "东边")))
        await heard(ears[0], first.to_position)
        # All are told in one go: the west would have heard by now.
        assert not ears[1]._has_news.is_set()
        second = await server.exchanged(west, west.creates(put("note", "西边"), scope=WEST))
        await heard(ears[1], second.to_position)


async def test_whoever_comes_late_hears_how_far_the_log_goes(server: Server, live: Live) -> None:
    handset = await server.enrolled("W1", EAST)
    early = await live.admit(hello(handset), CHALLENGE)
    with live.listening(early):
        await heard(early, 0)
        answer = await server.exchanged(handset, handset.creates())
        await heard(early, answer.to_position)
    late = await live.admit(hello(handset), CHALLENGE)
    with live.listening(late):
        await heard(late, answer.to_position)


async def test_a_device_has_one_ear(server: Server, live: Live) -> None:
    handset = await server.enrolled("W1", EAST)
    before, after = [await live.admit(hello(handset), CHALLENGE) for _ in range(2)]
    with live.listening(before), live.listening(after):
        assert await before.hear() is None
        await heard(after, 0)
        live.end()
        assert await asyncio.wait_for(after.hear(), PATIENCE_S) is None
