"""A frame hides its length, and a genuine seal is no licence for what is inside."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gridlog import frames
from gridlog.frames import PAYLOAD_BYTES_MAX, FrameRefusedError, FrameSealer, FrameTooNewError, FrameType, Place
from gridlog.keyfile import StoreId
from gridlog_protocol.ids import Incarnation
from tests.unit.client.stores import opened, stored_frame


def test_entries_of_nearly_one_length_look_alike(empty: Path) -> None:
    with opened(empty) as journal:
        journal.append([(FrameType.OP, os.urandom(length)) for length in range(1, 100)])
    assert len({len(stored_frame(empty, seq)) for seq in range(1, 100)}) == 1


def test_padding_costs_at_most_a_bucket_or_an_eighth() -> None:
    for length in [*range(1, 5000), *range(5000, PAYLOAD_BYTES_MAX, 9973)]:
        padded = frames.padded_bytes(length)
        assert padded >= length
        assert padded - length < frames.BUCKET_BYTES or padded - length <= length * 0.12


KEY = AESGCM(bytes(32))
INBOX = X25519PrivateKey.from_private_bytes(bytes(range(32)))
PLACE = Place(StoreId(bytes(16)), Incarnation(bytes(8)), epoch=1, seq=1, previous_hash=bytes(32))


def genuine(kind: int, content: bytes) -> bytes:
    header = bytes((kind, 1)) + frames._numbers(PLACE)
    return header + bytes(12) + KEY.encrypt(bytes(12), content, frames._associated(header, PLACE))


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, store_id=StoreId(b"s" * 16)),
        replace(PLACE, incarnation=Incarnation(b"i" * 8)),
        replace(PLACE, epoch=2),
        replace(PLACE, seq=2),
        replace(PLACE, previous_hash=b"h" * 32),
    ],
)
@pytest.mark.parametrize("is_locked", [False, True])
def test_a_frame_opens_in_no_place_but_its_own(elsewhere: Place, *, is_locked: bool) -> None:
    sealer = FrameSealer()
    frame = (
        sealer.seal_to(INBOX.public_key(), FrameType.OP, b"note", place=PLACE)
        if is_locked
        else sealer.seal(FrameType.OP, b"note", place=PLACE, key=KEY, nonce=bytes(12))
    )
    assert sealer.open(frame, place=PLACE, key=KEY, inbox=INBOX).payload == b"note"
    renumbered = frame[:2] + frames._numbers(elsewhere) + frame[14:]
    for moved in (frame, renumbered):
        with pytest.raises(FrameRefusedError):
            sealer.open(moved, place=elsewhere, key=KEY, inbox=INBOX)


@pytest.mark.parametrize(
    "compressed",
    [
        zstandard.compress(bytes(PAYLOAD_BYTES_MAX + 1)),
        zstandard.ZstdCompressor(write_content_size=False).compress(b"note"),
        zstandard.compress(b"note") + b"more",
        zstandard.compress(b"note")[:-1],
        b"no zstd at all",
    ],
    ids=["bomb", "undeclared", "extra", "cut", "foreign"],
)
def test_a_genuine_seal_around_a_bomb_is_refused(compressed: bytes) -> None:
    frame = genuine(FrameType.OP, len(compressed).to_bytes(4, "big") + compressed)
    with pytest.raises(FrameRefusedError):
        FrameSealer().open(frame, place=PLACE, key=KEY, inbox=INBOX)


def test_a_genuine_frame_of_an_unknown_type_is_from_a_newer_program() -> None:
    with pytest.raises(FrameTooNewError):
        FrameSealer().open(genuine(9, b""), place=PLACE, key=KEY, inbox=INBOX)


def test_a_frame_written_while_locked_opens_with_the_private_key_alone_and_with_no_bit_changed() -> None:
    sealer = FrameSealer()
    frame = sealer.seal_to(INBOX.public_key(), FrameType.OP, b"note", place=PLACE)
    for at in range(len(frame)):
        changed = frame[:at] + bytes([frame[at] ^ 1 << at % 8]) + frame[at + 1 :]
        with pytest.raises(FrameRefusedError):
            sealer.open(changed, place=PLACE, key=KEY, inbox=INBOX)
    for length in range(len(frame)):
        with pytest.raises(FrameRefusedError):
            sealer.open(frame[:length], place=PLACE, key=KEY, inbox=INBOX)
    with pytest.raises(FrameRefusedError):
        sealer.open(frame, place=PLACE, key=KEY, inbox=X25519PrivateKey.generate())
