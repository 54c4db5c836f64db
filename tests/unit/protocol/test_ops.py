"""An op's hash says what its author said, and personal values only through commitments."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.clock import Hlc
from gridlog_protocol.ids import DeviceId, Epoch, Incarnation, Position, RecordId, UserId
from gridlog_protocol.ops import Action, Edit, Intent, Op, commitment, edit_salt, op_hash, op_salt
from tests.unit.protocol.samples import op, root, run, text_edit

PUBLIC = text_edit("楼道堆物", field="finding")
PERSONAL = text_edit("13800138000", field="phone", digest_class=1)
SENSITIVE = text_edit("患有哮喘", field="health", digest_class=2)


def hash_of_what_remains(one: Op, edits: list[Value]) -> bytes:
    clock, seen = one.clock, one.seen
    said: list[Value] = [
        *(one.id.device, one.id.incarnation, one.id.seq, one.author, one.record, one.kind, one.schema),
        int(one.intent),
        [seen.epoch, seen.position, seen.own_seq],
        [clock.hlc, clock.wall_ms, clock.boot, clock.monotonic_ms, clock.server_ms],
        edits,
    ]
    return hashlib.sha256(b"gridlog v1 op" + pack(said)).digest()


def test_replacing_personal_values_by_their_commitments_leaves_the_hash_the_same() -> None:
    one = op(7, PUBLIC, PERSONAL, SENSITIVE)
    hidden = [
        commitment(edit_salt(one.salt, index), edit.key, edit.value)
        for index, edit in enumerate(one.edits)
        if edit.is_committed
    ]

    remains: list[Value] = [
        ["finding", 0x00, "", "楼道堆物"],
        ["phone", 0x10, hidden[0]],
        ["health", 0x20, hidden[1]],
    ]
    assert hash_of_what_remains(one, remains) == op_hash(one)


def test_one_erased_value_tells_nothing_about_the_others() -> None:
    twins = op(7, PERSONAL, PERSONAL._replace(field="mobile"))
    first, second = (commitment(edit_salt(twins.salt, index), "", "13800138000") for index in (0, 1))

    assert first != second


def test_without_its_salt_a_personal_value_cannot_be_tried_out() -> None:
    one = op(7, PERSONAL)

    assert op_hash(replace(one, salt=bytes(16))) != op_hash(one)
    assert op_hash(replace(op(7, PUBLIC), salt=bytes(16))) == op_hash(op(7, PUBLIC))


ONE = op(7, PUBLIC, PERSONAL)
OTHERWISE = [
    replace(ONE, id=ONE.id._replace(device=DeviceId(bytes(16)))),
    replace(ONE, id=ONE.id._replace(incarnation=Incarnation(bytes(8)))),
    replace(ONE, id=ONE.id._replace(seq=8)),
    replace(ONE, author=UserId(bytes(16))),
    replace(ONE, record=RecordId(bytes(16))),
    replace(ONE, kind="mediation"),
    replace(ONE, schema=2),
    replace(ONE, intent=Intent.RESOLVE),
    replace(ONE, seen=replace(ONE.seen, epoch=Epoch(bytes(8)))),
    replace(ONE, seen=replace(ONE.seen, position=Position(41))),
    replace(ONE, seen=replace(ONE.seen, own_seq=5)),
    replace(ONE, clock=replace(ONE.clock, hlc=Hlc(1))),
    replace(ONE, clock=replace(ONE.clock, wall_ms=1)),
    replace(ONE, clock=replace(ONE.clock, boot=bytes(8))),
    replace(ONE, clock=replace(ONE.clock, monotonic_ms=1)),
    replace(ONE, clock=replace(ONE.clock, server_ms=1)),
    replace(ONE, edits=(PERSONAL, PUBLIC)),
    replace(ONE, edits=(PUBLIC,)),
    replace(ONE, edits=(PUBLIC._replace(field="other"), PERSONAL)),
    replace(ONE, edits=(PUBLIC._replace(action=Action.COUNT), PERSONAL)),
    replace(ONE, edits=(PUBLIC._replace(key="k"), PERSONAL)),
    replace(ONE, edits=(PUBLIC._replace(value="楼道堆物。"), PERSONAL)),
    replace(ONE, edits=(PUBLIC._replace(digest_class=1), PERSONAL)),
    replace(ONE, edits=(PUBLIC, PERSONAL._replace(key="k"))),
    replace(ONE, edits=(PUBLIC, PERSONAL._replace(value="13800138001"))),
    replace(ONE, edits=(PUBLIC, PERSONAL._replace(digest_class=2))),
]


@pytest.mark.parametrize("otherwise", OTHERWISE)
def test_everything_that_an_author_says_is_in_the_hash(otherwise: Op) -> None:
    assert otherwise != ONE
    assert op_hash(otherwise) != op_hash(ONE)


def test_every_op_of_a_block_has_a_salt_of_its_own() -> None:
    assert len({op_salt(root(0), each.id.seq) for each in run(1, 255)}) == 255


def test_an_edit_names_its_action_and_class_in_one_number() -> None:
    assert Edit("tags", Action.REMOVE, "k", None, 2).code == 0x22
