"""Receipts, log and cursors: three names for one history, and no other history fits them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridlog_protocol.clock import Stamp, reading
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceId, Epoch, Incarnation, OpId, Position, TenantId
from gridlog_protocol.log_chain import EntryType, log_next, log_start
from gridlog_protocol.messages import cursor_token
from gridlog_protocol.receipts import Receipt, sign_receipt, verify_receipt
from tests.unit.protocol.samples import (
    DEVICE,
    EPOCH,
    FOREIGN_SIGNING_KEY,
    INCARNATION,
    SERVER_SIGNING_KEY,
    START_MS,
    TENANT,
)

RECEIPT = Receipt(TENANT, DEVICE, INCARNATION, 17, b"c" * 32, Position(1042), b"\x3f\x9c" + bytes(30), START_MS)
KEY = SERVER_SIGNING_KEY.public_key()
OP = OpId(DEVICE, INCARNATION, 17)
STAMP = Stamp(reading(START_MS))
FIRST = Position(1)


def linked(
    before: bytes,
    *,
    position: Position = FIRST,
    op: OpId = OP,
    op_hash: bytes = bytes(32),
    stamp: Stamp = STAMP,
) -> bytes:
    return log_next(before, position=position, entry_type=EntryType.ACCEPTED, op=op, op_hash=op_hash, stamp=stamp)


def test_a_receipt_verifies_with_the_servers_key_only() -> None:
    signature = sign_receipt(RECEIPT, SERVER_SIGNING_KEY)

    verify_receipt(RECEIPT, signature, KEY)
    with pytest.raises(ProtocolError):
        verify_receipt(RECEIPT, signature, FOREIGN_SIGNING_KEY.public_key())
    with pytest.raises(ProtocolError):
        verify_receipt(RECEIPT, signature[:-1], KEY)


@pytest.mark.parametrize(
    "otherwise",
    [
        replace(RECEIPT, tenant=TenantId("420107")),
        replace(RECEIPT, device=DeviceId(bytes(16))),
        replace(RECEIPT, incarnation=Incarnation(bytes(8))),
        replace(RECEIPT, up_to_seq=18),
        replace(RECEIPT, chain_head=bytes(32)),
        replace(RECEIPT, log_position=Position(1043)),
        replace(RECEIPT, log_hash=bytes(32)),
        replace(RECEIPT, server_ms=START_MS + 1),
    ],
)
def test_a_receipt_for_anything_else_does_not_verify(otherwise: Receipt) -> None:
    with pytest.raises(ProtocolError) as refused:
        verify_receipt(otherwise, sign_receipt(RECEIPT, SERVER_SIGNING_KEY), KEY)
    assert refused.value.code == "bad_signature"


def test_people_read_a_receipt_by_its_place_in_the_log() -> None:
    assert RECEIPT.number == "1042-3f9c"


def test_each_tenant_and_epoch_begins_another_log() -> None:
    starts = {log_start(TENANT, EPOCH), log_start(TenantId("420107"), EPOCH), log_start(TENANT, Epoch(bytes(8)))}

    assert len(starts) == 3


def test_a_link_of_the_log_fixes_everything_before_it() -> None:
    start = log_start(TENANT, EPOCH)
    links = {
        linked(start),
        linked(bytes(32)),
        linked(start, position=Position(2)),
        linked(start, op=OP._replace(device=DeviceId(bytes(16)))),
        linked(start, op=OP._replace(incarnation=Incarnation(bytes(8)))),
        linked(start, op=OP._replace(seq=18)),
        linked(start, op_hash=b"h" * 32),
        linked(start, stamp=Stamp(STAMP + 1)),
    }

    assert len(links) == 8


def test_a_cursor_token_belongs_to_one_place_of_one_epoch() -> None:
    here = cursor_token(EPOCH, bytes(32))

    assert len(here) == 8
    assert len({here, cursor_token(Epoch(bytes(8)), bytes(32)), cursor_token(EPOCH, b"h" * 32)}) == 3
