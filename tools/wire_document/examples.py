"""The examples of the wire specification, each as labelled lines of bytes or text.

Each is made from the cast and from its block as it stands: what is drawn at random stays while it still fits.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from gridlog_protocol import receipts, segment
from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.codec import decode, encode, packed
from gridlog_protocol.column_forms import Elements
from gridlog_protocol.columns import read_op_parts, record_columns
from gridlog_protocol.compression import SHIPPED
from gridlog_protocol.envelope import Purpose, key_id, open_sealed, read_header, reply_address, seal
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import (
    DeviceHandle,
    Position,
    ScopeId,
    shown,
)
from gridlog_protocol.invitation import Invitation, code_id, fingerprint
from gridlog_protocol.messages import (
    Accepted,
    EnrolRequest,
    EnrolResponse,
    Message,
    ReceiptNote,
    Refused,
    SyncRequest,
    SyncResponse,
    cursor_token,
)
from gridlog_protocol.ops import commitment, edit_salt, op_hash
from gridlog_protocol.receipts import sign_receipt
from gridlog_protocol.segment_codec import segment_row
from gridlog_protocol.state_codec import Authors, record_row
from gridlog_sync.digest import combined
from gridlog_sync.merge import apply
from tools.wire_document.cast import Cast

Lines: TypeAlias = "list[tuple[str, bytes | str]]"


def diagnostic(value: Value) -> str:
    """Write a value for readers, as CBOR's diagnostic notation does: h'0102' for bytes."""
    match value:
        case bytes():
            return f"h'{value.hex()}'"
        case str():
            return f'"{value}"'
        case list():
            return f"[{', '.join(map(diagnostic, value))}]"
        case dict():
            return "{" + ", ".join(f'"{key}": {diagnostic(each)}' for key, each in value.items()) + "}"
        case _:
            return {"None": "nil", "True": "true", "False": "false"}.get(str(value), str(value))


def _values(_: Cast, __: str) -> Lines:
    values: list[Value] = [None, True, 5, -1, 200, 1 << 40, "网格", b"\x01\x02", [1, []], {"b": 1, "a": 2}]
    return [(diagnostic(value), pack(value)) for value in values]


def _ids(cast: Cast, _: str) -> Lines:
    record = cast.ops[0].record
    return [("record id", record), ("shown", shown(record)), ("hlc", f"{cast.ops[0].clock.hlc}")]


def _commitment(cast: Cast, _: str) -> Lines:
    op = cast.ops[0]
    salt = edit_salt(op.salt, 1)
    edit = op.edits[1]
    return [
        ("op salt", op.salt),
        ("edit salt", salt),
        ("packed", pack([edit.key, edit.value])),
        ("commitment", commitment(salt, edit.key, edit.value)),
    ]


def _op_hash(cast: Cast, _: str) -> Lines:
    first, second = cast.ops
    return [("first op", op_hash(first)), ("second op", op_hash(second))]


def _chain(cast: Cast, _: str) -> Lines:
    start, first, second = cast.chain
    signed = segment.signed_bytes(cast.tenant, cast.ops[0], 2, start, second)
    return [
        ("before", start),
        ("after first", first),
        ("after second", second),
        ("signed", signed),
        ("signature", cast.segment.signature),
    ]


def _segment(cast: Cast, _: str) -> Lines:
    row = segment_row(cast.segment)
    assert isinstance(row, list)
    columns, edits = read_op_parts(row[7], 2, Elements())
    second: Value = [*(column[1] for column in columns), [*edits[1]]]
    return [("second op", diagnostic(second)), ("ops", diagnostic(row[7])), ("whole row", pack(row))]


def _record(cast: Cast, _: str) -> Lines:
    state = apply(apply(None, cast.entries[0]), cast.entries[1])
    authors = Authors(2)
    row = record_row(state, authors)
    columns = record_columns([row])
    return [
        ("authors", diagnostic(authors.table())),
        ("record", diagnostic(row)),
        ("records", diagnostic(columns)),
        ("packed", pack(columns)),
    ]


def _message(message: Message) -> Lines:
    plain = packed(message)
    return [("row", diagnostic(unpack(plain))), ("plain body", b"\0" + plain)]


def _enrolment(cast: Cast, _: str) -> Lines:
    secret = cast.raw("code_secret")
    request = EnrolRequest(
        secret,
        cast.ops[0].id.device,
        cast.device_signing.public_key().public_bytes_raw(),
        cast.device_exchange.public_key().public_bytes_raw(),
        "handheld 5",
        "0.1.0",
    )
    response = EnrolResponse(
        DeviceHandle(cast.raw("handle")),
        cast.tenant,
        "武昌区",
        cast.ops[0].author,
        "李芳",
        cast.epoch,
        (ScopeId("tenant"), ScopeId("42010600100101")),
        1,
        cast.facts["server_ms"],
        b"",
    )
    return [*_message(request), *_message(response)]


def _idle(cast: Cast) -> SyncRequest:
    return SyncRequest(cast.facts["server_ms"], cursor_token(cast.epoch, cast.log[0]), Position(0), 1)


def _request(cast: Cast, _: str) -> Lines:
    return _message(_idle(cast))


def _response(cast: Cast, _: str) -> Lines:
    receipt = cast.receipt
    signature = sign_receipt(receipt, cast.server_signing)
    return _message(
        SyncResponse(
            receipt.server_ms,
            b"",
            cursor_token(cast.epoch, cast.log[2]),
            Position(0),
            Position(2),
            1,
            combined(cast.digests),
            has_more=False,
            known_seq=2,
            accepted=(Accepted(1, 2, Position(1), {}),),
            receipt=ReceiptNote(2, receipt.log_position, receipt.log_hash, receipt.server_ms, signature),
        )
    )


def _refused(_: Cast, __: str) -> Lines:
    return _message(Refused("revoked", ""))


def _squeezed(_: Cast, before: str) -> Lines:
    # Another version of the compressor may write another frame: a frame that still decodes to this stays.
    message = Refused("too_large", "one op after another " * 5)
    body = _kept(before, "body")
    if not body or body[0] != SHIPPED[-1] or decode(body) != message:
        body = encode(message)
    return [("row", diagnostic([9, message.code, message.detail])), ("body", body)]


def _envelope(cast: Cast, before: str) -> Lines:
    # Sealing draws an ephemeral key: an envelope that opens to the idle request stays.
    body = encode(_idle(cast))
    raw = _kept(before, "envelope")
    address = cast.raw("handle")
    reader, sender = cast.server_exchange, cast.device_signing
    try:
        header = read_header(raw)
        opened = open_sealed(raw, reader=reader)
        opened.verify(sender.public_key())
        fits = (header.purpose, header.address, opened.body) == (Purpose.SYNC_REQUEST, address, body)
    except ProtocolError:
        fits = False
    if not fits:
        raw = seal(body, purpose=Purpose.SYNC_REQUEST, address=address, reader=reader.public_key(), sender=sender)
        opened = open_sealed(raw, reader=reader)
    return [
        ("reader's key", reader.public_key().public_bytes_raw()),
        ("key id", key_id(reader.public_key())),
        ("signed", opened.signed),
        ("signature", opened.signature),
        ("envelope", raw),
        ("its answer goes to", reply_address(raw)),
    ]


def _receipt(cast: Cast, _: str) -> Lines:
    start, first, second = cast.log
    return [
        ("log at 0", start),
        ("log at 1", first),
        ("log at 2", second),
        ("token at 2", cursor_token(cast.epoch, second)),
        ("signed", receipts._signed_bytes(cast.receipt)),  # noqa: SLF001
        ("signature", sign_receipt(cast.receipt, cast.server_signing)),
        ("number", cast.receipt.number),
    ]


def _digest(cast: Cast, _: str) -> Lines:
    sums = [(f"class {key[1]}", digest.total.to_bytes(32, "big")) for key, digest in sorted(cast.digests.items())]
    return [*sums, ("combined", combined(cast.digests))]


def _invitation(cast: Cast, _: str) -> Lines:
    keys = (cast.server_signing.public_key(), cast.server_exchange.public_key())
    pinned = fingerprint(*(key.public_bytes_raw() for key in keys))
    invitation = Invitation(cast.facts["address"], cast.raw("code_secret"), pinned)
    return [("fingerprint", pinned), ("code id", code_id(invitation.secret)), ("code", invitation.code())]


def _kept(block: str, label: str) -> bytes:
    found = re.search(rf"^{label} +([0-9a-f]+)((?:\n +[0-9a-f]+)*)", block, re.MULTILINE)
    return bytes.fromhex(found[1] + "".join(found[2].split())) if found else b""


EXAMPLES: dict[str, Callable[[Cast, str], Lines]] = {
    "values": _values,
    "ids": _ids,
    "commitment": _commitment,
    "op_hash": _op_hash,
    "chain": _chain,
    "segment": _segment,
    "record": _record,
    "enrolment": _enrolment,
    "request": _request,
    "response": _response,
    "refused": _refused,
    "squeezed": _squeezed,
    "envelope": _envelope,
    "receipt": _receipt,
    "digest": _digest,
    "invitation": _invitation,
}
