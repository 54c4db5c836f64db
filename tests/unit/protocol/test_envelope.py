"""Sealed and signed: whoever changes, turns round or passes off a message is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog_protocol import envelope
from gridlog_protocol.envelope import (
    HEADER_BYTES,
    OVERHEAD_BYTES,
    Header,
    Purpose,
    key_id,
    open_sealed,
    read_header,
    reply_address,
    seal,
)
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.limits import MESSAGE_BYTES_MAX
from tests.unit.protocol.samples import (
    DEVICE_EXCHANGE_KEY,
    DEVICE_SIGNING_KEY,
    FOREIGN_EXCHANGE_KEY,
    FOREIGN_SIGNING_KEY,
    SERVER_EXCHANGE_KEY,
    SERVER_SIGNING_KEY,
)

HANDLE = b"handle.1"
BODY = b"\0what the worker wrote"


def request(body: bytes = BODY, *, purpose: Purpose = Purpose.SYNC_REQUEST) -> bytes:
    return seal(
        body,
        purpose=purpose,
        address=HANDLE,
        reader=SERVER_EXCHANGE_KEY.public_key(),
        sender=DEVICE_SIGNING_KEY,
    )


def answer(to: bytes) -> bytes:
    return seal(
        b"\0the answer",
        purpose=Purpose.SYNC_RESPONSE,
        address=reply_address(to),
        reader=DEVICE_EXCHANGE_KEY.public_key(),
        sender=SERVER_SIGNING_KEY,
        context=to,
    )


def opened(
    raw: bytes,
    *,
    reader: X25519PrivateKey = SERVER_EXCHANGE_KEY,
    sender: Ed25519PublicKey | None = None,
    context: bytes = b"",
) -> bytes:
    read_header(raw)
    message = open_sealed(raw, reader=reader, context=context)
    message.verify(sender or DEVICE_SIGNING_KEY.public_key())
    return message.body


def refusal(raw: bytes) -> str:
    with pytest.raises(ProtocolError) as refused:
        opened(raw)
    return refused.value.code


REQUEST = request()


def test_a_message_reaches_its_reader() -> None:
    assert opened(REQUEST) == BODY
    assert read_header(REQUEST) == Header(Purpose.SYNC_REQUEST, key_id(SERVER_EXCHANGE_KEY.public_key()), HANDLE)


def test_an_envelope_adds_127_bytes_to_its_body() -> None:
    assert OVERHEAD_BYTES == 127
    assert len(REQUEST) == len(BODY) + OVERHEAD_BYTES
    assert opened(request(b"")) == b""


def test_a_carrier_reads_nothing_of_a_message_and_cannot_tell_two_of_them_for_the_same() -> None:
    assert BODY not in REQUEST
    assert REQUEST[HEADER_BYTES:] != request()[HEADER_BYTES:]


@pytest.mark.parametrize("at", range(len(REQUEST)))
def test_a_bit_flipped_anywhere_is_refused(at: int) -> None:
    for bit in (0x01, 0x80):
        changed = bytearray(REQUEST)
        changed[at] ^= bit
        expected = "unsupported_version" if at < 2 else "malformed"
        assert refusal(bytes(changed)) == expected


@pytest.mark.parametrize("length", range(len(REQUEST)))
def test_a_message_cut_short_is_refused(length: int) -> None:
    assert refusal(REQUEST[:length]) == ("malformed" if length else "unsupported_version")


@pytest.mark.parametrize("length", [0, 15, 20, 63, 126])
def test_opening_bytes_that_are_no_envelope_is_refused_even_without_a_look_at_the_header(length: int) -> None:
    with pytest.raises(ProtocolError):
        open_sealed(REQUEST[:length], reader=SERVER_EXCHANGE_KEY)


@pytest.mark.parametrize("more", [b"\0", b" ", REQUEST])
def test_bytes_behind_a_message_are_refused(more: bytes) -> None:
    assert refusal(REQUEST + more) == "malformed"


def test_a_message_above_the_limit_is_refused_before_it_is_opened() -> None:
    assert refusal(REQUEST + bytes(MESSAGE_BYTES_MAX)) == "too_large"


@pytest.mark.parametrize("version", [0, 2, 255])
def test_another_version_or_suite_is_named_as_such(version: int) -> None:
    for at in (0, 1):
        raw = REQUEST[:at] + bytes([version]) + REQUEST[at + 1 :]
        assert refusal(raw) == "unsupported_version"


@pytest.mark.parametrize("purpose", [0, 5, 255])
def test_an_unknown_purpose_is_refused(purpose: int) -> None:
    assert refusal(REQUEST[:2] + bytes([purpose]) + REQUEST[3:]) == "malformed"


def test_a_message_does_not_pass_for_one_of_another_purpose() -> None:
    for purpose in set(Purpose) - {Purpose.SYNC_REQUEST}:
        assert refusal(REQUEST[:2] + bytes([purpose]) + REQUEST[3:]) == "malformed"


@pytest.mark.parametrize(
    "share",
    [bytes(32), b"\1" + bytes(31), (2**255 - 19).to_bytes(32, "little"), (2**255 - 20).to_bytes(32, "little")],
)
def test_a_degenerate_key_share_is_refused(share: bytes) -> None:
    assert refusal(REQUEST[:HEADER_BYTES] + share + REQUEST[HEADER_BYTES + 32 :]) == "malformed"


def test_another_devices_signature_is_refused() -> None:
    forged = seal(
        BODY,
        purpose=Purpose.SYNC_REQUEST,
        address=HANDLE,
        reader=SERVER_EXCHANGE_KEY.public_key(),
        sender=FOREIGN_SIGNING_KEY,
    )

    assert refusal(forged) == "bad_signature"


def sealed_again(raw: bytes, *, header: bytes, context: bytes = b"") -> bytes:
    """Do what a dishonest reader can: open a message, and seal the signed body to somebody else."""
    info = envelope._info(raw[:HEADER_BYTES], b"")
    signed_body = envelope._HPKE.decrypt(raw[HEADER_BYTES:], FOREIGN_EXCHANGE_KEY, info)
    return header + envelope._HPKE.encrypt(
        signed_body, SERVER_EXCHANGE_KEY.public_key(), envelope._info(header, context)
    )


def test_a_signature_does_not_survive_being_sealed_to_another_reader() -> None:
    to_a_stranger = seal(
        BODY,
        purpose=Purpose.SYNC_REQUEST,
        address=HANDLE,
        reader=FOREIGN_EXCHANGE_KEY.public_key(),
        sender=DEVICE_SIGNING_KEY,
    )

    assert refusal(sealed_again(to_a_stranger, header=REQUEST[:HEADER_BYTES])) == "bad_signature"
    # Even a reader whose key id collides gains nothing: the whole key is signed.
    assert refusal(sealed_again(to_a_stranger, header=to_a_stranger[:HEADER_BYTES])) == "bad_signature"


def test_an_answer_opens_only_with_its_request() -> None:
    other = request(b"\0another question")
    raw = answer(REQUEST)
    key = SERVER_SIGNING_KEY.public_key()

    assert opened(raw, reader=DEVICE_EXCHANGE_KEY, sender=key, context=REQUEST) == b"\0the answer"
    assert read_header(raw).address == reply_address(REQUEST) != reply_address(other)
    for context in (other, b""):
        with pytest.raises(ProtocolError):
            opened(raw, reader=DEVICE_EXCHANGE_KEY, sender=key, context=context)


def test_a_request_does_not_open_as_its_own_answer() -> None:
    with pytest.raises(ProtocolError):
        opened(REQUEST, reader=DEVICE_EXCHANGE_KEY, context=REQUEST)


def test_a_signature_does_not_cover_other_bytes() -> None:
    message = open_sealed(REQUEST, reader=SERVER_EXCHANGE_KEY)
    for signed in (message.signed[:-1], message.signed + b"\0", b"x" + message.signed[1:]):
        with pytest.raises(ProtocolError):
            replace(message, signed=signed).verify(DEVICE_SIGNING_KEY.public_key())
