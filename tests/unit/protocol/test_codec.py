"""Bodies: strict about layout, sparing with bytes, and hard to blow up."""

from __future__ import annotations

import struct
import tracemalloc
from dataclasses import replace

import pytest
import zstandard

from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.clock import Stamp, reading
from gridlog_protocol.codec import decode, encode, packed
from gridlog_protocol.compression import SHIPPED
from gridlog_protocol.envelope import OVERHEAD_BYTES
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceHandle, Incarnation, Position, RecordId, ScopeId
from gridlog_protocol.limits import BODY_BYTES_MAX, SCOPES_MAX, STATUS_BYTES_MAX
from gridlog_protocol.messages import (
    Accepted,
    Directive,
    EnrolRequest,
    EnrolResponse,
    Fetch,
    HeldOp,
    Message,
    Page,
    ReceiptNote,
    Refused,
    SyncRequest,
    SyncResponse,
    cursor_token,
)
from tests.unit.protocol.samples import (
    AUTHOR,
    DEVICE,
    DEVICE_EXCHANGE_KEY,
    DEVICE_SIGNING_KEY,
    EPOCH,
    RECORD,
    START_MS,
    TENANT,
    op,
    run,
    signed,
)

MEBIBYTE = 1 << 20
TOKEN = cursor_token(EPOCH, bytes(32))

ENROL = EnrolRequest(
    bytes(16),
    DEVICE,
    DEVICE_SIGNING_KEY.public_key().public_bytes_raw(),
    DEVICE_EXCHANGE_KEY.public_key().public_bytes_raw(),
    "handheld 5",
    "0.1.0",
)
ENROLLED = EnrolResponse(
    DeviceHandle(bytes(8)), TENANT, "水果湖街道", AUTHOR, "李芳", EPOCH, (ScopeId("tenant"),), 1, START_MS, b""
)
REQUEST = SyncRequest(
    START_MS,
    TOKEN,
    Position(41_207),
    1,
    (signed(run(1, 3)),),
    (Fetch(ScopeId("42010600100101"), Position(40), None), Fetch(ScopeId("tenant"), Position(0), RECORD)),
    {"battery": 80},
    op(1).clock,
)
RESPONSE = SyncResponse(
    START_MS,
    EPOCH,
    TOKEN,
    Position(40),
    Position(44),
    1,
    bytes(16),
    has_more=True,
    known_seq=3,
    accepted=(Accepted(1, 2, Position(41), {1: Stamp(reading(START_MS, 3))}),),
    held=(HeldOp(3, "out_of_scope", ""),),
    left=(RECORD,),
    pages=(Page(ScopeId("tenant"), Position(44), RECORD, ()),),
    receipt=ReceiptNote(3, Position(44), bytes(32), START_MS, bytes(64)),
    directives=(Directive(9, "wipe", {"reason": "lost"}),),
)
WRONG: list[Value] = [-1, [0], {"k": 0}]
MESSAGES: list[Message] = [ENROL, ENROLLED, REQUEST, RESPONSE, Refused("revoked", "")]


def plain(value: Value) -> bytes:
    return b"\0" + pack(value)


def squeezed(content: bytes) -> bytes:
    return b"\1" + zstandard.compress(content)


def row_of(message: Message) -> list[Value]:
    row = unpack(packed(message))
    assert isinstance(row, list)
    return row


def refusal(body: bytes) -> str:
    with pytest.raises(ProtocolError) as refused:
        decode(body, device=DEVICE)
    return refused.value.code


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    assert decode(encode(message), device=DEVICE) == message


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)
def test_a_message_with_an_element_more_or_less_is_refused(message: Message) -> None:
    row = row_of(message)
    assert decode(plain(row), device=DEVICE) == message

    assert refusal(plain([*row, None])) == "malformed"
    for count in range(len(row)):
        assert refusal(plain(row[:count])) == "malformed"


@pytest.mark.parametrize("message", MESSAGES, ids=lambda each: type(each).__name__)
def test_an_element_of_another_type_is_refused(message: Message) -> None:
    row = row_of(message)
    for index in range(len(row)):
        for wrong in WRONG:
            if isinstance(wrong, dict) and isinstance(row[index], dict):
                continue
            assert refusal(plain([*row[:index], wrong, *row[index + 1 :]])) == "malformed"


@pytest.mark.parametrize("tag", [0, 5, 8, 10, -1, True, None, "sync"])
def test_an_unknown_message_is_refused(tag: Value) -> None:
    assert refusal(plain([tag])) == "malformed"


def test_ops_of_nobody_are_refused() -> None:
    with pytest.raises(ProtocolError):
        decode(encode(REQUEST))


def test_a_repetitive_body_is_compressed_and_a_short_one_is_not() -> None:
    idle = replace(REQUEST, segments=(), fetches=(), status=None, clock=None)
    long = encode(replace(REQUEST, segments=(signed(run(1, 50)),)))

    assert encode(idle)[0] == 0
    assert long[0] == SHIPPED[-1]
    assert len(long) < 1000


def test_an_idle_exchange_costs_at_most_400_bytes() -> None:
    # A year's log of a large county, a busy server: positions and counters as long as they get.
    idle = SyncRequest(START_MS, TOKEN, Position(900_000_000), 70_000)
    answer = SyncResponse(
        START_MS,
        b"",
        TOKEN,
        Position(900_000_000),
        Position(900_000_000),
        70_000,
        bytes(16),
        has_more=False,
        known_seq=0,
    )

    assert len(encode(idle)) + len(encode(answer)) + 2 * OVERHEAD_BYTES <= 400


@pytest.mark.parametrize("body", [b"", b"\0", b"\1", b"\3", b"\3\xc0", b"\0\xc0", b"\0\x90", b"\1\xc0"])
def test_a_body_of_unknown_form_is_refused(body: bytes) -> None:
    assert refusal(body) == "malformed"


SQUEEZED = squeezed(pack(["text that compresses " * 20]))


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(SQUEEZED + b"\0", id="a byte behind the frame"),
        pytest.param(SQUEEZED + SQUEEZED[1:], id="a second frame"),
        pytest.param(SQUEEZED[:-1], id="a frame cut short"),
        pytest.param(SQUEEZED[:1] + struct.pack("<II", 0x184D2A50, 0) + SQUEEZED[1:], id="a skippable frame first"),
        pytest.param(b"\1" + struct.pack("<II", 0x184D2A50, 0), id="a skippable frame alone"),
        pytest.param(squeezed(b""), id="an empty frame"),
        pytest.param(squeezed(SQUEEZED), id="a frame in a frame"),
    ],
)
def test_a_frame_with_anything_beside_its_message_is_refused(body: bytes) -> None:
    assert refusal(body) == "malformed"


def test_a_frame_that_needs_a_foreign_dictionary_is_refused() -> None:
    dictionary = zstandard.ZstdCompressionDict(b"a sentence that everybody writes " * 9)
    body = b"\1" + zstandard.ZstdCompressor(dict_data=dictionary).compress(b"a sentence that everybody writes")

    assert refusal(body) == "malformed"


def test_a_frame_that_does_not_declare_its_size_is_refused() -> None:
    body = b"\1" + zstandard.ZstdCompressor(write_content_size=False).compress(pack([9, "revoked", ""]))

    assert refusal(body) == "too_large"


def test_a_frame_that_asks_for_a_large_window_is_refused() -> None:
    # By hand: a frame header without a single segment, a window of 128 MiB, and a declared size of 16 bytes.
    header = struct.pack("<I", 0xFD2FB528) + bytes([0b01_000000, (27 - 10) << 3]) + struct.pack("<H", 0)

    assert refusal(b"\1" + header + b"\x01\x00\x00") == "too_large"


@pytest.mark.parametrize("size", [BODY_BYTES_MAX + 1, 64 * MEBIBYTE])
def test_a_frame_that_declares_too_much_is_refused_before_memory_is_taken(size: int) -> None:
    bomb = squeezed(bytes(size))
    assert len(bomb) < 8192

    tracemalloc.start()
    try:
        assert refusal(bomb) == "too_large"
        assert tracemalloc.get_traced_memory()[1] < MEBIBYTE
    finally:
        tracemalloc.stop()


def test_a_frame_with_more_or_less_than_it_declares_is_refused() -> None:
    honest = zstandard.compress(b"a" * 200)
    at = honest.index(struct.pack("<B", 200), 4)
    for declared in (100, 201):
        assert refusal(b"\1" + honest[:at] + struct.pack("<B", declared) + honest[at + 1 :]) == "malformed"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xdd" + struct.pack(">I", BODY_BYTES_MAX - 5) + b"\x80" * (BODY_BYTES_MAX - 5), id="maps"),
        pytest.param(b"\x91" * BODY_BYTES_MAX, id="open arrays"),
        pytest.param(bytes(BODY_BYTES_MAX), id="zeros"),
    ],
)
def test_a_small_envelope_around_a_large_bomb_takes_little_memory(content: bytes) -> None:
    bomb = squeezed(content)

    tracemalloc.start()
    try:
        assert refusal(bomb) == "malformed"
        assert tracemalloc.get_traced_memory()[1] < 32 * MEBIBYTE
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("share", [bytes(32), b"\1" + bytes(31), (2**255 - 19).to_bytes(32, "little")])
def test_a_device_that_no_answer_can_be_sealed_to_is_refused(share: bytes) -> None:
    assert refusal(encode(replace(ENROL, exchange_key=share))) == "malformed"


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(replace(REQUEST, counter=0), id="counter 0"),
        pytest.param(replace(REQUEST, token=bytes(7)), id="short token"),
        pytest.param(replace(REQUEST, position=Position(-1)), id="negative position"),
        pytest.param(replace(REQUEST, segments=REQUEST.segments * 65), id="too many segments"),
        pytest.param(
            replace(
                REQUEST, segments=(*REQUEST.segments, replace(signed(run(4, 1)), incarnation=Incarnation(bytes(8))))
            ),
            id="segments of two incarnations",
        ),
        pytest.param(replace(REQUEST, fetches=REQUEST.fetches * 33), id="too many fetches"),
        pytest.param(replace(REQUEST, status={"app": "x" * STATUS_BYTES_MAX}), id="long status"),
        pytest.param(replace(ENROLLED, scopes=ENROLLED.scopes * (SCOPES_MAX + 1)), id="too many scopes"),
        pytest.param(replace(ENROLLED, recovery_key=bytes(31)), id="short recovery key"),
        pytest.param(replace(ENROL, model="长" * 86), id="long model"),
        pytest.param(replace(RESPONSE, digest=bytes(15)), id="short digest"),
        pytest.param(replace(RESPONSE, server_ms=1 << 47), id="a time beyond the clock"),
        pytest.param(replace(RESPONSE, accepted=(Accepted(1, 0, Position(1), {}),)), id="a run of none"),
        pytest.param(replace(RESPONSE, accepted=(Accepted(1, 1, Position(0), {}),)), id="position 0"),
        pytest.param(replace(RESPONSE, accepted=(Accepted(1, 1, Position(1), {1: Stamp(0)}),)), id="foreign stamp"),
        pytest.param(replace(RESPONSE, left=(RecordId(bytes(15)),)), id="short record id"),
        pytest.param(replace(RESPONSE, pages=RESPONSE.pages * 65), id="too many pages"),
    ],
)
def test_a_message_beyond_a_limit_is_refused(message: Message) -> None:
    assert refusal(encode(message)) == "malformed"
