"""Whatever can be said comes back as it was said; whatever else arrives is refused, and only refused."""

from __future__ import annotations

import hashlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridlog_protocol.canonical import (
    DEPTH_MAX,
    NotCanonicalError,
    Value,
    is_nested_within,
    pack,
    pack_settled,
    settled,
    unpack,
)
from gridlog_protocol.codec import decode, encode, packed
from gridlog_protocol.envelope import Purpose, open_sealed, read_header, seal
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.messages import Message, SyncRequest
from gridlog_protocol.op_codec import pack_op, unpack_op
from gridlog_protocol.ops import Op, commitment, edit_salt, op_hash
from gridlog_protocol.segment import Segment, chain_start, chain_through, verify
from gridlog_protocol.segment_codec import read_segment, segment_row
from gridlog_protocol.state import RecordState
from gridlog_protocol.state_codec import pack_record, unpack_record
from tests.properties.wire_strategies import MESSAGES, SYNC_REQUESTS, VALUES, records, runs
from tests.unit.protocol.samples import (
    DEVICE,
    DEVICE_SIGNING_KEY,
    SERVER_EXCHANGE_KEY,
    TENANT,
    signed,
)

KEY = DEVICE_SIGNING_KEY.public_key()


def sealed(body: bytes) -> bytes:
    return seal(
        body,
        purpose=Purpose.SYNC_REQUEST,
        address=b"handle.1",
        reader=SERVER_EXCHANGE_KEY.public_key(),
        sender=DEVICE_SIGNING_KEY,
    )


def taken_in(raw: bytes) -> Message:
    """Do what the server does before it believes anything."""
    read_header(raw)
    opened = open_sealed(raw, reader=SERVER_EXCHANGE_KEY)
    opened.verify(KEY)
    return decode(opened.body, device=DEVICE)


@given(value=VALUES)
def test_every_value_has_one_spelling_and_comes_back(value: Value) -> None:
    raw = pack(value)

    assert pack(unpack(raw)) == raw
    assert unpack(raw) == value


@given(value=VALUES)
def test_a_value_settled_among_trusted_rows_is_spelled_as_anywhere_else(value: Value) -> None:
    assert pack_settled([1, [settled(value)]]) == pack([1, [value]])


@given(message=MESSAGES)
def test_every_message_comes_back_as_it_was(message: Message) -> None:
    assert decode(encode(message), device=DEVICE) == message


@given(message=SYNC_REQUESTS)
def test_every_message_survives_its_envelope(message: SyncRequest) -> None:
    assert taken_in(sealed(encode(message))) == message


@given(ops=runs())
def test_every_op_comes_back_from_its_store(ops: tuple[Op, ...]) -> None:
    assert tuple(unpack_op(pack_op(op)) for op in ops) == ops


@given(record=records(at_rest=True))
def test_every_record_comes_back_from_its_store(record: RecordState) -> None:
    assert unpack_record(pack_record(record)) == record


@given(message=SYNC_REQUESTS, data=st.data())
def test_a_byte_changed_anywhere_in_an_envelope_is_refused(message: SyncRequest, data: st.DataObject) -> None:
    raw = bytearray(sealed(encode(message)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))

    with pytest.raises(ProtocolError):
        taken_in(bytes(raw))


@given(message=SYNC_REQUESTS, data=st.data())
def test_an_envelope_cut_anywhere_is_refused(message: SyncRequest, data: st.DataObject) -> None:
    raw = sealed(encode(message))

    with pytest.raises(ProtocolError):
        taken_in(raw[: data.draw(st.integers(0, len(raw) - 1))])


@given(message=MESSAGES, data=st.data())
def test_a_body_cut_anywhere_is_refused(message: Message, data: st.DataObject) -> None:
    body = encode(message)

    with pytest.raises(ProtocolError):
        decode(body[: data.draw(st.integers(0, len(body) - 1))], device=DEVICE)


@given(raw=st.binary(max_size=300))
def test_random_bytes_are_refused_and_nothing_else_happens(raw: bytes) -> None:
    for form in (b"", b"\0", b"\1", b"\1\x28\xb5\x2f\xfd"):
        with pytest.raises(ProtocolError):
            decode(form + raw, device=DEVICE)
    with pytest.raises(ProtocolError):
        taken_in(sealed(raw))
    with pytest.raises(ProtocolError):
        taken_in(b"\1\1\1" + raw)
    for read in (unpack_op, unpack_record):
        with pytest.raises((ProtocolError, NotCanonicalError)):
            read(raw)


@given(value=VALUES)
def test_random_values_are_refused_and_nothing_else_happens(value: Value) -> None:
    with pytest.raises(ProtocolError):
        decode(b"\0" + pack(value), device=DEVICE)
    for read in (unpack_op, unpack_record):
        with pytest.raises(ProtocolError):
            read(pack(value))


_EDGES: st.SearchStrategy[Value] = st.sampled_from(
    [0, 1, -1, 255, 1 << 16, (1 << 47) - 1, (1 << 53) - 1, (1 << 62) - 1, (1 << 63) - 1, -(1 << 63), None, [], ""]
)


def _changed(value: Value, data: st.DataObject, changes: st.SearchStrategy[Value]) -> Value:
    if isinstance(value, list) and value and data.draw(st.integers(0, 5)):
        at = data.draw(st.integers(0, len(value) - 1))
        return [*value[:at], _changed(value[at], data, changes), *value[at + 1 :]]
    if isinstance(value, list) and value and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(value) - 1))
        return data.draw(st.sampled_from([value[:at] + value[at + 1 :], [*value[:at], value[at], *value[at:]]]))
    return data.draw(changes)


@given(message=MESSAGES, data=st.data())
def test_a_message_with_a_part_changed_is_refused_or_is_still_a_message(
    message: Message, data: st.DataObject
) -> None:
    changed = _changed(unpack(packed(message)), data, VALUES | _EDGES)
    if not is_nested_within(changed, DEPTH_MAX):
        return

    try:
        again = decode(b"\0" + pack(changed), device=DEVICE)
        if isinstance(again, SyncRequest):
            for segment in again.segments:
                verify(segment, tenant=TENANT, key=KEY)
    except ProtocolError:
        return
    assert decode(encode(again), device=DEVICE) == again


@given(op_bytes=runs().map(lambda ops: pack_op(ops[0])), data=st.data())
def test_a_stored_op_with_a_part_changed_is_refused_or_is_still_an_op(op_bytes: bytes, data: st.DataObject) -> None:
    changed = _changed(unpack(op_bytes), data, VALUES | _EDGES)

    try:
        again = unpack_op(pack(changed))
    except ProtocolError:
        return
    op_hash(again)
    assert unpack_op(pack_op(again)) == again


@given(ops=runs(), data=st.data())
def test_ops_in_other_segments_keep_their_hashes_salts_and_chain(ops: tuple[Op, ...], data: st.DataObject) -> None:
    whole = verify(signed(ops), tenant=TENANT, key=KEY)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(ops) - 1)) if len(ops) > 1 else st.just(set[int]())))

    chain = chain_start(DEVICE, ops[0].id.incarnation)
    hashes: list[bytes] = []
    restored: list[Op] = []
    for first, last in pairwise([0, *cuts, len(ops)]):
        segment: Segment = read_segment(segment_row(signed(ops[first:last], chain_before=chain)), DEVICE)
        hashes += verify(segment, tenant=TENANT, key=KEY)
        restored += segment.ops
        chain = chain_through(chain, hashes[first:last])

    assert (hashes, tuple(restored)) == (whole, ops)
    assert chain == chain_through(chain_start(DEVICE, ops[0].id.incarnation), whole)


@given(ops=runs())
def test_an_op_whose_personal_values_are_gone_keeps_its_hash(ops: tuple[Op, ...]) -> None:
    for op in ops:
        remains: list[Value] = [
            [edit.field, edit.code, commitment(edit_salt(op.salt, index), edit.key, edit.value)]
            if edit.digest_class
            else [edit.field, edit.code, edit.key, edit.value]
            for index, edit in enumerate(op.edits)
        ]
        clock, seen = op.clock, op.seen
        said: list[Value] = [
            *(op.id.device, op.id.incarnation, op.id.seq, op.author, op.record, op.kind, op.schema, int(op.intent)),
            [seen.epoch, seen.position, seen.own_seq],
            [clock.hlc, clock.wall_ms, clock.boot, clock.monotonic_ms, clock.server_ms],
            remains,
        ]
        assert op_hash(op) == hashlib.sha256(b"gridlog v1 op" + pack(said)).digest()
