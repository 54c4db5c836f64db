"""Vectors of envelopes: sealed and signed messages, and what a reader must refuse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog_protocol.codec import packed
from gridlog_protocol.envelope import Purpose, key_id, open_sealed, read_header, reply_address, seal
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.invitation import code_id
from gridlog_protocol.messages import Refused
from tools.vectors import cast
from tools.vectors.bodies import enrolment, idle
from tools.vectors.naming import Named, named

Kept = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Letter:
    """One message on its way: who reads it, who signed it, as the answer to what."""

    purpose: Purpose
    address: bytes
    body: bytes
    reader: X25519PrivateKey
    sender: Ed25519PrivateKey
    context: bytes = b""

    def opened_from(self, raw: bytes) -> bool:
        """Tell whether these bytes are this letter."""
        try:
            header = read_header(raw)
            opened = open_sealed(raw, reader=self.reader, context=self.context)
            opened.verify(self.sender.public_key())
        except ProtocolError:
            return False
        return (header.purpose, header.address, opened.body) == (self.purpose, self.address, self.body)

    def sealed(self, kept: bytes) -> bytes:
        """Return these bytes if they are this letter, or seal it: that draws a share."""
        if self.opened_from(kept):
            return kept
        return seal(
            self.body,
            purpose=self.purpose,
            address=self.address,
            reader=self.reader.public_key(),
            sender=self.sender,
            context=self.context,
        )


def envelopes(kept: Kept) -> list[Named]:
    """Each purpose once, and every way in which an envelope is not what its reader expects."""
    request, response = (b"\0" + packed(each) for each in enrolment())
    server, device = (cast.SERVER_EXCHANGE, cast.SERVER_SIGNING), (cast.DEVICE_EXCHANGE, cast.DEVICE_SIGNING)
    asking = Letter(Purpose.ENROL_REQUEST, code_id(bytes(range(0x70, 0x80))), request, server[0], device[1])
    asked = asking.sealed(kept.get("enrol request", b""))
    syncing = Letter(Purpose.SYNC_REQUEST, cast.HANDLE, b"\0" + packed(idle()), server[0], device[1])
    synced = syncing.sealed(kept.get("sync request", b""))
    refused = b"\0" + packed(Refused("revoked", ""))
    answering = Letter(Purpose.ENROL_RESPONSE, reply_address(asked), response, device[0], server[1], asked)
    refusing = Letter(Purpose.SYNC_RESPONSE, reply_address(synced), refused, device[0], server[1], synced)
    sent = {
        "enrol request": (asking, asked),
        "enrol response": (answering, answering.sealed(kept.get("enrol response", b""))),
        "sync request": (syncing, synced),
        "sync response": (refusing, refusing.sealed(kept.get("sync response", b""))),
    }
    vectors: list[Named] = []
    for name, (letter, raw) in sent.items():
        meaning = named(purpose=int(letter.purpose), address=letter.address, body=letter.body)
        vectors.append({"name": name, "given": _given(letter), "bytes": raw.hex(), "meaning": meaning})
    forged = Letter(Purpose.SYNC_REQUEST, cast.HANDLE, syncing.body, server[0], cast.FOREIGN_SIGNING)
    wrong = {
        "signed by another": (syncing, forged.sealed(kept.get("signed by another", b""))),
        "as the answer to another request": (
            Letter(Purpose.SYNC_RESPONSE, reply_address(asked), refused, device[0], server[1], asked),
            sent["sync response"][1],
        ),
        "sealed to another": (
            syncing,
            Letter(Purpose.SYNC_REQUEST, cast.HANDLE, syncing.body, cast.FOREIGN_EXCHANGE, device[1]).sealed(
                kept.get("sealed to another", b"")
            ),
        ),
        "another version": (syncing, b"\2" + synced[1:]),
        "another suite": (syncing, synced[:1] + b"\2" + synced[2:]),
        "an unknown purpose": (syncing, synced[:2] + b"\5" + synced[3:]),
        "another purpose": (syncing, synced[:2] + b"\2" + synced[3:]),
        "another address": (syncing, synced[:7] + bytes(8) + synced[15:]),
        "a share of zeros": (syncing, synced[:15] + bytes(32) + synced[47:]),
        "a bit of the seal": (syncing, synced[:60] + bytes([synced[60] ^ 1]) + synced[61:]),
        "a byte too few": (syncing, synced[:-1]),
        "a byte too many": (syncing, synced + b"\0"),
        "too short for an envelope": (syncing, synced[:126]),
        "nothing": (syncing, b""),
    }
    vectors += [
        {"name": name, "given": _given(letter), "bytes": raw.hex(), "refused": _refusal(letter, raw)}
        for name, (letter, raw) in wrong.items()
    ]
    return vectors


def _given(letter: Letter) -> Named:
    return named(
        reader_secret=letter.reader.private_bytes_raw(),
        sender_key=letter.sender.public_key().public_bytes_raw(),
        context=letter.context,
    )


def _refusal(letter: Letter, raw: bytes) -> str:
    try:
        header = read_header(raw)
        if header.key_id != key_id(letter.reader.public_key()):
            return "unknown_key"
        open_sealed(raw, reader=letter.reader, context=letter.context).verify(letter.sender.public_key())
    except ProtocolError as refused:
        return refused.code
    raise AssertionError("an envelope that was to be refused opens")
