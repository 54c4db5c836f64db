"""Compression with a dictionary that both sides have: small, named, and no way around the limits."""

from __future__ import annotations

import hashlib
import struct

import msgpack
import pytest
import zstandard

from gridlog_protocol.canonical import pack
from gridlog_protocol.codec import decode, encode, packed
from gridlog_protocol.compression import (
    DICTIONARY_BYTES_MAX,
    SHIPPED,
    Compression,
    Effort,
    shipped,
    shipped_dictionary,
)
from gridlog_protocol.envelope import OVERHEAD_BYTES
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.limits import BATCH_BYTES, BODY_BYTES_MAX, COMPRESSION_WINDOW_MAX, PAGE_BYTES
from gridlog_protocol.op_codec import pack_op
from gridlog_protocol.state_codec import pack_record
from tools.bench.messages import answer, request, written_ops
from tools.bench.records import confirmed_records, forms
from tools.demo.vocabulary import MEASURING
from tools.dice import dice
from tools.train_dictionary import samples, trained

NUMBERS = [1, *SHIPPED]
# What was shipped stays as it is: phones and stored bundles hold messages made with it.
SHA256 = {3: "4f3bded9948231ccf75ce1ac379f1de75f7041d85e206d1959cf7f01b4d23f8c"}
NEWER = trained(samples(3, 40))


def squeezed(number: int, content: bytes, **how: bool) -> bytes:
    dictionary = zstandard.ZstdCompressionDict(shipped_dictionary(number)) if number in SHIPPED else None
    how = {"write_dict_id": False} | how
    return bytes([number]) + zstandard.ZstdCompressor(dict_data=dictionary, **how).compress(content)  # type: ignore[arg-type]


def refusal(body: bytes) -> str:
    with pytest.raises(ProtocolError) as refused:
        decode(body)
    return refused.value.code


def test_a_dictionary_that_was_shipped_never_changes() -> None:
    assert {number: hashlib.sha256(shipped_dictionary(number)).hexdigest() for number in SHIPPED} == SHA256
    assert [number for number in SHIPPED if len(shipped_dictionary(number)) > DICTIONARY_BYTES_MAX] == []


@pytest.mark.parametrize("effort", Effort)
def test_what_is_squeezed_comes_back_and_names_the_newest_dictionary(effort: Effort) -> None:
    plain = packed(request(written_ops(20, half=MEASURING), dice(1)))

    body = shipped().squeeze(plain, effort)

    assert body[0] == SHIPPED[-1]
    assert shipped().expand(body) == plain
    assert shipped().squeeze(b"ab", effort) == b"\0ab"


def test_an_older_dictionary_stays_readable_and_a_newer_one_is_refused_by_name() -> None:
    plain = pack("二号楼楼道堆物，已通知物业清理。" * 9)
    old = Compression({3: shipped_dictionary(3)})
    new = Compression({3: shipped_dictionary(3), 4: NEWER})

    assert new.expand(old.squeeze(plain, Effort.QUICK)) == plain
    body = new.squeeze(plain, Effort.QUICK)
    assert body[0] == 4
    with pytest.raises(ProtocolError) as refused:
        old.expand(body)
    assert (refused.value.code, refused.value.detail) == ("unsupported_version", "dictionaries [3]")


def test_a_frame_says_nothing_to_a_reader_with_another_dictionary() -> None:
    body = Compression({3: NEWER}).squeeze(packed(request(written_ops(5), dice(1))), Effort.QUICK)

    assert refusal(body) == "malformed"


@pytest.mark.parametrize("number", NUMBERS)
def test_a_frame_with_anything_beside_its_message_is_refused(number: int) -> None:
    body = squeezed(number, pack([9, "malformed", "text that compresses " * 9]))
    skippable = struct.pack("<II", 0x184D2A50, 0)
    assert decode(body)

    for changed in (
        body + b"\0",
        body + body[1:],
        body[:-1],
        body[:1] + skippable + body[1:],
        body[:1] + skippable,
    ):
        assert refusal(changed) == "malformed"
    assert refusal(squeezed(number, b"a size that is not declared", write_content_size=False)) == "too_large"


@pytest.mark.parametrize("number", SHIPPED)
def test_a_frame_that_names_its_dictionary_is_refused(number: int) -> None:
    assert refusal(squeezed(number, b"a sentence that everybody writes" * 9, write_dict_id=True)) == "malformed"


@pytest.mark.parametrize("number", NUMBERS)
def test_a_frame_that_declares_too_much_is_too_large_before_it_is_expanded(number: int) -> None:
    magic = b"\x28\xb5\x2f\xfd"
    # Window_Descriptor 0x70 is 16 MiB; a single segment declares its size in eight bytes.
    window = magic + b"\x40\x70" + struct.pack("<H", 0) + b"\x01\x00\x00"
    size = magic + b"\xe0" + struct.pack("<Q", BODY_BYTES_MAX + 1) + b"\x01\x00\x00"

    for frame in (window, size):
        assert refusal(bytes([number]) + frame) == "too_large"
    assert zstandard.get_frame_parameters(window).window_size > COMPRESSION_WINDOW_MAX


@pytest.mark.parametrize("number", NUMBERS)
def test_a_bomb_is_too_large_and_a_lie_about_its_size_malformed(number: int) -> None:
    assert refusal(squeezed(number, bytes(BODY_BYTES_MAX + 1))) == "too_large"
    honest = squeezed(number, bytes(200))
    at = honest.index(bytes([200]), 5)
    for declared in (0, 199, 201):
        assert refusal(honest[:at] + bytes([declared]) + honest[at + 1 :]) == "malformed"


def test_twenty_notes_go_up_in_3500_bytes() -> None:
    for seed in (9, 10):
        ops = written_ops(20, seed=seed, half=MEASURING, kind="patrol")
        assert len(encode(request(ops, dice(seed)))) + OVERHEAD_BYTES <= 3_500


def test_a_thousand_records_take_no_more_than_one_compressed_post_in_either_direction() -> None:
    rng = dice(1)
    floor = {
        alone: len(
            zstandard.ZstdCompressor(3).compress(
                msgpack.packb(
                    [
                        {"id": form.id, "kind": form.kind, **form.values}
                        for form in forms(1000, seed=9, half=MEASURING, alone=alone)
                    ]
                )
            )
        )
        for alone in (True, False)
    }
    ops, up, down = written_ops(1000, seed=9, half=MEASURING), 0, 0
    for batch in cut_at(BATCH_BYTES, [len(pack_op(op)) for op in ops]):
        body = encode(request(ops[batch], rng))
        assert decode(body, device=ops[0].id.device)
        up += len(body) + OVERHEAD_BYTES
    records = list(confirmed_records(1000, seed=9, half=MEASURING))
    for page in cut_at(PAGE_BYTES, [len(pack_record(record)) for record in records]):
        message = answer(records[page], rng)
        body = encode(message)
        assert decode(body) == message
        down += len(body) + OVERHEAD_BYTES

    assert up <= floor[True]
    assert down <= floor[False]


def cut_at(bytes_max: int, sizes: list[int]) -> list[slice]:
    """Cut a run into parts, each within so many bytes."""
    starts, taken = [0], 0
    for index, size in enumerate(sizes):
        taken += size
        if taken > bytes_max:
            starts.append(index)
            taken = size
    return [slice(start, end) for start, end in zip(starts, [*starts[1:], len(sizes)], strict=True)]
