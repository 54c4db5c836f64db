"""Vectors of bodies: every message as it is and squeezed, every refusal, and bodies that are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import zstandard

from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.clock import Stamp
from gridlog_protocol.codec import decode, encode, packed
from gridlog_protocol.compression import SHIPPED, shipped_dictionary
from gridlog_protocol.decisions import Decision, Verdict, decision_rows
from gridlog_protocol.errors import REFUSALS, ProtocolError
from gridlog_protocol.ids import DeviceHandle, Position, RecordId, ScopeId
from gridlog_protocol.limits import BODY_BYTES_MAX
from gridlog_protocol.log_chain import Ruling
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
from gridlog_protocol.ops import op_hash
from gridlog_protocol.repair import Overview, question_row
from tools.vectors import cast
from tools.vectors.evidence import changed
from tools.vectors.naming import Named, message_meaning, named

Kept = Mapping[str, bytes]
GRID = ScopeId("420106001001001")
TOKEN = cursor_token(cast.EPOCH, bytes(32))
RECORD = RecordId(cast.VISIT)


def enrolment() -> tuple[EnrolRequest, EnrolResponse]:
    """Return an enrolment and its answer."""
    return (
        EnrolRequest(
            bytes(range(0x70, 0x80)),
            cast.DEVICE,
            cast.DEVICE_SIGNING.public_key().public_bytes_raw(),
            cast.DEVICE_EXCHANGE.public_key().public_bytes_raw(),
            "handheld 5",
            "0.1.0",
        ),
        EnrolResponse(
            DeviceHandle(cast.HANDLE),
            cast.TENANT,
            "武昌区",
            cast.AUTHOR,
            "李芳",
            cast.EPOCH,
            (ScopeId("tenant"), GRID),
            1,
            cast.SERVER_MS,
            cast.FOREIGN_EXCHANGE.public_key().public_bytes_raw(),
        ),
    )


def idle() -> SyncRequest:
    """Return a request that has nothing to say."""
    return SyncRequest(cast.SERVER_MS, TOKEN, Position(0), 1)


def every_message() -> dict[str, Message]:
    """Return each message with all its parts, and with as few as there may be."""
    request, response = enrolment()
    patrol, visit, part = cast.record_states()
    ruling = Ruling("督导 陈", cast.SERVER_MS, "与现场一致，准予生效。", Position(9))
    decision = Decision(
        cast.OPS[1].id, op_hash(cast.OPS[1]), Verdict.RELEASED, Position(17), Stamp(cast.OPS[1].clock.hlc), ruling
    )
    quiet = SyncResponse(
        cast.SERVER_MS, b"", TOKEN, Position(0), Position(0), 1, bytes(16), has_more=False, known_seq=0
    )
    return {
        "enrol request": request,
        "enrol response": response,
        "enrol response without a recovery key": replace(response, recovery_key=b"", scopes=()),
        "idle request": idle(),
        "request with everything": SyncRequest(
            cast.SERVER_MS,
            TOKEN,
            Position(1 << 40),
            70_000,
            (cast.segment(cast.OPS[:3]), cast.segment(cast.OPS[3:])),
            (Fetch(GRID, Position(44), RECORD), Fetch(ScopeId("tenant"), Position(0), None)),
            {"app": "0.1.0", "battery": 71, "unsent": 3},
            cast.OPS[-1].clock,
            {"room": 65_536, "urgent": 12, "repair": question_row(Overview(0, bytes(8))), "unheard of": [b"\x00"]},
        ),
        "idle response": quiet,
        "response with everything": SyncResponse(
            cast.SERVER_MS,
            cast.EPOCH,
            TOKEN,
            Position(10),
            Position(20),
            2,
            b"",
            has_more=True,
            known_seq=8,
            accepted=(
                Accepted(
                    1, 3, Position(11), {0: Stamp(cast.OPS[0].clock.hlc + 3), 2: Stamp(cast.OPS[2].clock.hlc + 9)}
                ),
                Accepted(7, 1, Position(14), {}),
            ),
            held=(HeldOp(4, "out_of_scope", ""), HeldOp(5, "invalid_value", "companions")),
            changes=(patrol, part),
            left=(RecordId(cast.PATROL),),
            pages=(
                Page(GRID, Position(20), RECORD, (visit, patrol)),
                Page(ScopeId("tenant"), Position(20), None, ()),
            ),
            receipt=ReceiptNote(8, Position(20), bytes(range(32)), cast.SERVER_MS, bytes(range(64))),
            directives=(Directive(9, "of another version", {"reason": "lost"}),),
            extras={"decisions": decision_rows([decision]), "urgent": 19},
        ),
    }


def messages(kept: Kept) -> list[Named]:
    """Every message, as it is and squeezed with every dictionary; and bodies that are refused."""
    vectors: list[Named] = []
    for name, message in every_message().items():
        given = named(device=cast.DEVICE)
        plain = b"\0" + packed(message)
        vectors.append({"name": name, "given": given, "bytes": plain.hex(), "meaning": message_meaning(message)})
        squeezed = encode(message)
        if squeezed[0] in SHIPPED:
            label = f"{name}, squeezed"
            body = kept.get(label, b"")
            body = body if _says(body, message) else squeezed
            vectors.append({"name": label, "given": given, "bytes": body.hex(), "meaning": message_meaning(message)})
    bare = Refused("too_large", "one op after another " * 5)
    body = kept.get("without a dictionary", b"")
    body = body if _says(body, bare) else b"\1" + zstandard.ZstdCompressor(3).compress(packed(bare))
    vectors.append(
        {
            "name": "without a dictionary",
            "given": named(device=cast.DEVICE),
            "bytes": body.hex(),
            "meaning": message_meaning(bare),
        }
    )
    return [*vectors, *_refused(body, kept)]


def refusals(_: Kept) -> list[Named]:
    """Every code of the catalogue as message 9."""
    return [
        {
            "name": code,
            "bytes": (b"\0" + packed(Refused(code, ""))).hex(),
            "meaning": {**message_meaning(Refused(code, "")), "http": refusal.status},
        }
        for code, refusal in REFUSALS.items()
    ]


def _refused(bare: bytes, kept: Kept) -> list[Named]:
    request = unpack(packed(idle()))
    full = unpack(packed(every_message()["request with everything"]))
    response = unpack(packed(every_message()["response with everything"]))
    assert isinstance(full, list)
    two_lives = changed(full, (5, 1, 0), cast.OTHER_INCARNATION)
    rows: dict[str, Value] = {
        "an unknown message": [5],
        "a request with an element more": changed(request, (10,), None),
        "a request with an element less": full[:-1],
        "counter 0": changed(request, (1,), 0),
        "a token of seven bytes": changed(request, (2,), bytes(7)),
        "segments of two incarnations": two_lives,
        "more segments than there may be": changed(full, (5,), [None] * 65),
        "a status that is no map": changed(request, (7,), 7),
        "a status above its limit": changed(request, (7,), {"app": "a" * 2_048}),
        "an exchange key of small order": changed(unpack(packed(enrolment()[0])), (4,), bytes(32)),
        "a digest of eight bytes": changed(response, (7,), bytes(8)),
        "a flag that is a number": changed(response, (8,), 1),
        "a record by nobody": changed(response, (12,), []),
        "a long code": [9, "c" * 257, ""],
    }
    bodies = {name: b"\0" + pack(row) for name, row in rows.items()}
    bodies |= {
        "no body": b"",
        "no message": b"\0",
        "a message that is not canonical": b"\0\x93\x09\xd9\x01a\xa0",
        "an unknown dictionary": b"\xfe" + bare[1:],
        "a frame with a byte behind it": bare + b"\0",
        "a frame cut short": bare[:-1],
        "a frame that declares too much": b"\1\x28\xb5\x2f\xfd\xe0"
        + (BODY_BYTES_MAX + 1).to_bytes(8, "little")
        + b"\1\0\0",
        "a frame that asks for a window of 16 MiB": b"\1\x28\xb5\x2f\xfd\x40\x70\x00\x00\x01\x00\x00",
        "a frame with a dictionary's number": _naming_its_dictionary(
            kept.get("a frame with a dictionary's number", b"")
        ),
    }
    return [
        {"name": name, "given": named(device=cast.DEVICE), "bytes": body.hex(), "refused": _refusal(body)}
        for name, body in bodies.items()
    ]


def _naming_its_dictionary(kept: bytes) -> bytes:
    if kept and kept[0] in SHIPPED:
        return kept
    dictionary = zstandard.ZstdCompressionDict(shipped_dictionary(SHIPPED[-1]))
    plain = packed(Refused("too_large", "one op after another " * 5))
    return bytes([SHIPPED[-1]]) + zstandard.ZstdCompressor(dict_data=dictionary).compress(plain)


def _says(body: bytes, message: Message) -> bool:
    try:
        return decode(body, device=cast.DEVICE) == message
    except ProtocolError:
        return False


def _refusal(body: bytes) -> str:
    try:
        decode(body, device=cast.DEVICE)
    except ProtocolError as refused:
        return refused.code
    raise AssertionError("a body that was to be refused is read")
