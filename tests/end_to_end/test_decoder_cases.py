"""What a handheld, or somebody who plays one, can send in an envelope: each case is refused in a word.

One server for all; each test ends with the proof that it is unharmed. That the readers themselves take little memory
is tested beside them; here the whole server does.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgpack
import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.codec import encode
from gridlog_protocol.compression import SHIPPED
from gridlog_protocol.envelope import _HPKE, HEADER_BYTES, Purpose, _info, key_id
from gridlog_protocol.ids import Incarnation, Position
from gridlog_protocol.limits import BODY_BYTES_MAX
from gridlog_protocol.messages import Refused, SyncRequest, SyncResponse
from tests.end_to_end.doors import Door, Line
from tests.end_to_end.processes import ServerProcess
from tests.unit.server.building import Handset, put

MEBIBYTE = 1 << 20
# A thousand requests of one address in a second are the tests' own.
SETTINGS = {"GRIDLOG_SERVER_REQUESTS_PER_MINUTE": "1000000", "GRIDLOG_SERVER_REQUESTS_BURST": "100000"}
UNOPENED = {"malformed", "unsupported_version", "unknown_key", "unknown_device", "bad_signature"}


@pytest.fixture(scope="module")
def opened_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with ServerProcess(tmp_path_factory.mktemp("decoders") / "data", environment=SETTINGS) as running:
        yield Door(running)


@pytest.fixture(autouse=True)
def door(opened_door: Door) -> Iterator[Door]:
    with opened_door.unharmed():
        yield opened_door


@pytest.fixture(scope="module")
def enrolled(opened_door: Door) -> Handset:
    with opened_door.unharmed():
        return opened_door.handset("W1")[0]


@pytest.fixture
def line(door: Door) -> Line:
    return door.line()


@pytest.fixture
def handset(enrolled: Handset, line: Line) -> Handset:
    # A chain of its own for each test: what one leaves unsent is no gap for the next.
    fresh = replace(enrolled, incarnation=Incarnation(os.urandom(8)), seq=0, written={}, replica={})
    assert isinstance(line.exchanged(fresh, fresh.request()), SyncResponse)
    return fresh


def pushed(handset: Handset) -> bytes:
    return handset.request([handset.segment([handset.creates(put("note", "上午走完一号线"))])])


def stored(handset: Handset, line: Line, raw: bytes) -> tuple[int, int]:
    """Send it, and return where its op lies in the log, and up to where the receipt goes."""
    answer = line.exchanged(handset, raw)
    assert isinstance(answer, SyncResponse), answer
    assert answer.receipt is not None
    (run,) = answer.accepted
    return run.first_position, answer.receipt.up_to_seq


def refused_sealed(handset: Handset, line: Line, body: bytes) -> str:
    """Send a body as the handset itself would, and return the code of the refusal inside the answer."""
    answer = line.exchanged(handset, handset.sealed(body, Purpose.SYNC_REQUEST, handset.handle))
    assert isinstance(answer, Refused), answer
    return answer.code


# The envelope


def test_a_bit_flipped_in_any_byte_is_refused_and_stores_nothing(handset: Handset, line: Line) -> None:
    head = log_position(handset, line)
    raw = pushed(handset)
    for at in range(len(raw)):
        changed = raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :]
        assert line.refused("/v1/sync", changed) in UNOPENED
    assert stored(handset, line, raw)[0] == head + 1


def test_an_envelope_cut_at_any_length_is_refused_and_stores_nothing(handset: Handset, line: Line) -> None:
    head = log_position(handset, line)
    raw = pushed(handset)
    for length in range(len(raw)):
        assert line.refused("/v1/sync", raw[:length]) in UNOPENED
    assert stored(handset, line, raw)[0] == head + 1


@pytest.mark.parametrize("more", [b"\0", b"\xc0", b"x" * 1000])
def test_bytes_behind_an_envelope_are_refused(handset: Handset, line: Line, more: bytes) -> None:
    assert line.refused("/v1/sync", pushed(handset) + more) == "malformed"


@pytest.mark.parametrize(
    ("at", "value", "code"),
    [
        (0, 0, "unsupported_version"),
        (0, 2, "unsupported_version"),
        (0, 255, "unsupported_version"),
        (1, 0, "unsupported_version"),
        (1, 2, "unsupported_version"),
        (2, 0, "malformed"),
        (2, 2, "malformed"),
        (2, 3, "malformed"),
        (2, 200, "malformed"),
        (3, 0, "unknown_key"),
        (7, 0, "malformed"),
    ],
)
def test_an_unknown_version_suite_purpose_or_key_is_named(
    handset: Handset, line: Line, at: int, value: int, code: str
) -> None:
    raw = handset.request()
    # One in 256 has that very byte there by chance.
    assert line.refused("/v1/sync", raw[:at] + bytes([value if raw[at] != value else 1]) + raw[at + 1 :]) == code


def test_another_devices_signature_is_refused(handset: Handset, line: Line) -> None:
    stranger = replace(handset, signing=Ed25519PrivateKey.generate())
    assert line.refused("/v1/sync", stranger.request()) == "bad_signature"


def test_a_signature_that_was_made_for_another_reader_is_refused(handset: Handset, line: Line) -> None:
    # A server that somebody else runs has got a message, opens it, and seals it anew to this one.
    elsewhere = X25519PrivateKey.generate()
    theirs = replace(handset, server_keys=(handset.server_keys[0], elsewhere.public_key().public_bytes_raw()))
    raw = theirs.request()
    reader = X25519PublicKey.from_public_bytes(handset.server_keys[1])
    plain = _HPKE.decrypt(raw[HEADER_BYTES:], elsewhere, _info(raw[:HEADER_BYTES], b""))
    header = raw[:3] + key_id(reader) + raw[7:HEADER_BYTES]
    assert line.refused("/v1/sync", header + _HPKE.encrypt(plain, reader, _info(header, b""))) == "bad_signature"


def test_an_exchange_share_of_zeros_is_refused(handset: Handset, line: Line) -> None:
    raw = handset.request()
    for share in (bytes(32), b"\1" + bytes(31)):
        assert line.refused("/v1/sync", raw[:HEADER_BYTES] + share + raw[HEADER_BYTES + 32 :]) == "malformed"


def test_a_request_played_100_times_stores_one_op_and_says_the_same(handset: Handset, line: Line) -> None:
    raw = pushed(handset)
    assert len({stored(handset, line, raw) for _ in range(100)}) == 1
    assert log_position(handset, line) == stored(handset, line, raw)[0]


def test_a_request_played_under_another_id_is_refused(door: Door, handset: Handset, line: Line) -> None:
    raw = pushed(handset)
    other, _ = door.handset("W2")
    for address in (other.handle, bytes(8), b"\xff" * 8):
        assert line.refused("/v1/sync", raw[:7] + address + raw[HEADER_BYTES:]) in UNOPENED
    # Opened and sealed anew by another device, in its own name: the ops in it are signed by the first.
    ops = [*handset.written.values()]
    relayed = other.request([handset.segment(ops)])
    answer = line.exchanged(other, relayed)
    assert isinstance(answer, Refused)
    assert answer.code in ("malformed", "bad_signature")


def test_an_answer_sent_back_as_a_request_is_refused(handset: Handset, line: Line) -> None:
    status, answer = line.asked("POST", "/v1/sync", handset.request())
    assert status == 200
    assert line.refused("/v1/sync", answer) == "malformed"
    assert line.refused("/v1/enroll", answer) == "malformed"


# The readers


def plain(raw: bytes) -> bytes:
    return b"\0" + raw


def row(handset: Handset) -> list[Value]:
    body = encode(SyncRequest(1, handset.token, Position(0), 1))
    value = unpack(zstandard.decompress(body[1:]) if body[0] else body[1:])
    assert isinstance(value, list)
    return value


def long_array(count: int, item: bytes) -> bytes:
    return b"\xdd" + struct.pack(">I", count) + item * count


def nested(depth: int) -> bytes:
    return b"\x91" * depth + b"\xc0"


WITH: dict[str, Callable[[list[Value]], bytes]] = {
    "duplicate keys": lambda it: raw_row(it, b"\x82\xa1a\x01\xa1a\x02"),
    "keys out of order": lambda it: raw_row(it, b"\x82\xa1b\x01\xa1a\x02"),
    "key that is a number": lambda it: raw_row(it, b"\x81\x01\x01"),
    "number that is too long": lambda it: raw_row(it, b"\x81\xa1a\xcd\x00\x01"),
    "text that is too long": lambda it: raw_row(it, b"\x81\xa1a\xd9\x01x"),
    "NaN": lambda it: raw_row(it, b"\x81\xa1a\xcb\x7f\xf8" + bytes(6)),
    "float": lambda it: raw_row(it, b"\x81\xa1a\xca\x3f\x80\x00\x00"),
    "extension": lambda it: raw_row(it, b"\x81\xa1a\xd4\x05\x00"),
    "timestamp": lambda it: raw_row(it, b"\x81\xa1a\xd6\xff\x00\x00\x00\x00"),
    "bad UTF-8": lambda it: raw_row(it, b"\x81\xa1a\xa2\xc3\x28"),
    "overlong UTF-8": lambda it: raw_row(it, b"\x81\xa1a\xa2\xc0\x80"),
    "lone surrogate": lambda it: raw_row(it, b"\x81\xa1a\xa3\xed\xa0\x80"),
    "integer beyond 64 bits with sign": lambda it: raw_row(it, b"\x81\xa1a\xcf\xff" + b"\xff" * 7),
    "nesting": lambda it: raw_row(it, b"\x81\xa1a" + nested(20)),
    "deep nesting": lambda it: raw_row(it, b"\x81\xa1a" + nested(100_000)),
    "unused code": lambda it: raw_row(it, b"\xc1"),
    "bytes behind": lambda it: msgpack.packb(it) + b"\xc0",
    "counter beyond 64 bits": lambda it: b"\x99\x03\xcf" + b"\xff" * 8 + msgpack.packb(it)[3:],
}


def raw_row(it: list[Value], extras: bytes) -> bytes:
    """Return a request with these bytes where its extras are."""
    whole = pack([*it[:-1], {}])
    assert whole.endswith(b"\x80")
    return whole[:-1] + extras


@pytest.mark.parametrize("name", WITH)
def test_bytes_that_say_it_in_another_way_are_refused(handset: Handset, line: Line, name: str) -> None:
    assert refused_sealed(handset, line, plain(WITH[name](row(handset)))) == "malformed"


def squeezed(content: bytes, *, declares: bool = True) -> bytes:
    return b"\1" + zstandard.ZstdCompressor(write_content_size=declares).compress(content)


@pytest.mark.parametrize(
    ("bomb", "code"),
    [
        pytest.param(lambda: squeezed(long_array(4 * MEBIBYTE - 5, b"\x80")), "malformed", id="4 MiB of empty maps"),
        pytest.param(lambda: squeezed(long_array(4 * MEBIBYTE - 5, b"\x90")), "malformed", id="of empty arrays"),
        pytest.param(lambda: squeezed(long_array(MEBIBYTE - 2, b"\xa3abc")), "malformed", id="a million texts"),
        pytest.param(lambda: squeezed(nested(4 * MEBIBYTE - 1)), "malformed", id="four million deep"),
        pytest.param(lambda: plain(b"\xdd\xff\xff\xff\xff"), "malformed", id="says it is long"),
        pytest.param(lambda: plain(b"\xc6\xff\xff\xff\xff"), "malformed", id="says it has 4 GiB"),
        pytest.param(lambda: squeezed(bytes(BODY_BYTES_MAX)), "malformed", id="zeros up to the limit"),
        pytest.param(lambda: squeezed(bytes(BODY_BYTES_MAX + 1)), "too_large", id="declares one too many"),
        pytest.param(lambda: squeezed(bytes(256 * MEBIBYTE)), "too_large", id="declares 256 MiB"),
        pytest.param(lambda: squeezed(bytes(256 * MEBIBYTE), declares=False), "too_large", id="declares nothing"),
        pytest.param(lambda: squeezed(b"\x90") + squeezed(b"\x90")[1:], "malformed", id="two frames"),
        pytest.param(lambda: b"\1" + bytes(64), "malformed", id="no frame"),
        pytest.param(lambda: bytes(SHIPPED) + pack([]), "malformed", id="unknown form"),
        pytest.param(lambda: b"", "malformed", id="nothing"),
    ],
)
def test_a_bomb_is_refused(handset: Handset, line: Line, bomb: Callable[[], bytes], code: str) -> None:
    assert refused_sealed(handset, line, bomb()) == code


@pytest.mark.parametrize(
    "text",
    [
        "a\0b",
        "\u202egpj.exe\u202c",
        "\u2066x\u2069",
        "𱁬𠀀𰻝䶮",
        "👨\u200d👩\u200d👧👩🏽‍🚒",
        "\ufeff",
        "\u0301e",
        "e\u0301",
        "\r\n\t",
    ],
)
def test_rare_characters_come_to_a_colleague_exactly(door: Door, handset: Handset, line: Line, text: str) -> None:
    colleague, beside = door.handset("W3")
    op = handset.creates(put("note", text))
    stored(handset, line, handset.request([handset.segment([op])]))
    answer = beside.exchanged(colleague, colleague.request())
    while isinstance(answer, SyncResponse) and answer.has_more:
        colleague.take(answer)
        answer = beside.exchanged(colleague, colleague.request())
    assert isinstance(answer, SyncResponse)
    (state,) = [each for each in answer.changes if each.id == op.record]
    (cell,) = state.fields["note"].cells.values()
    assert [head.value for head in cell.heads] == [text]


def test_a_note_of_a_mebibyte_is_refused_and_the_next_one_taken(handset: Handset, line: Line) -> None:
    long = handset.creates(put("note", "长" * (MEBIBYTE // 3)))
    answer = line.exchanged(handset, handset.request([handset.segment([long])]))
    assert isinstance(answer, Refused)
    assert answer.code in ("too_large", "malformed")
    handset.seq = 0
    assert stored(handset, line, pushed(handset))[1] == 1


def log_position(handset: Handset, line: Line) -> int:
    answer = line.exchanged(handset, handset.request())
    while isinstance(answer, SyncResponse) and answer.has_more:
        handset.take(answer)
        answer = line.exchanged(handset, handset.request())
    assert isinstance(answer, SyncResponse)
    return answer.to_position
