"""What a form names as seen, while the first fetch has not brought everything."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridlog.entries import Enrolled, TakenAnswer, WrittenOp, pack_answer, read_answer
from gridlog.memory import Memory
from gridlog.sights import confirmed_of
from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import DeviceHandle, Epoch, Position, RecordId, ScopeId, TenantId
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.messages import Fetch
from gridlog_protocol.ops import Op
from gridlog_protocol.segment import chain_start
from gridlog_protocol.state import RecordState
from gridlog_sync.session import Standing
from tests.unit.sync.building import EAST, EPOCH, Worker, log_of, put, state_of

ME = Worker(1)
CREATION = ME.creates(put("grid_code", EAST), put("summary", "a"))
RECORD = CREATION.record
SCOPES = (ScopeId("tenant"), ScopeId(EAST))


@pytest.fixture
def memory() -> Memory:
    made = Memory(ME.device, ME.incarnation, shipped_kinds())
    keys, handle, tenant = bytes(32), DeviceHandle(bytes(8)), TenantId("420106")
    made.take_enrolment(
        Enrolled("http://x", keys, keys, handle, tenant, "", ME.user, "", Epoch(EPOCH), SCOPES, 1, 0, b"")
    )
    made.take_op(written(CREATION))
    return made


def written(op: Op) -> WrittenOp:
    return WrittenOp(op, bytes(16), chain_start(op.id.device, op.id.incarnation))


def answered(
    position: int, *records: RecordState, is_fetching: bool, own_alone: tuple[RecordId, ...] = ()
) -> TakenAnswer:
    fetches = (Fetch(ScopeId(EAST), Position(position), None),) if is_fetching else ()
    standing = Standing(Epoch(EPOCH), Position(position), bytes(8), 1, SCOPES, fetches)
    settled = {(CREATION.id.incarnation, CREATION.id.seq): Position(3)}
    kept = tuple(confirmed_of(each, shipped_kinds()) for each in records)
    taken = TakenAnswer(standing, 1, 0, 0, Stamp(0), kept, (), settled, (), None, own_alone=own_alone)
    # As it comes back from the journal.
    return read_answer(pack_answer(taken), ME.device, shipped_kinds())


MINE = state_of(log_of(CREATION))


def test_a_record_that_stands_by_own_ops_alone_is_not_seen_up_to_the_cursor(memory: Memory) -> None:
    memory.take_answer(answered(9, MINE, is_fetching=True, own_alone=(RECORD,)))

    assert memory.projection.confirmed(RECORD) is not None
    assert (memory.seen(RECORD).position, memory.seen(RECORD).own_seq) == (0, 1)


def test_another_acknowledgement_brings_nothing_that_others_wrote(memory: Memory) -> None:
    for _ in range(2):
        memory.take_answer(answered(9, MINE, is_fetching=True, own_alone=(RECORD,)))

    assert memory.seen(RECORD).position == 0


def test_its_page_brings_it_whole(memory: Memory) -> None:
    memory.take_answer(answered(9, MINE, is_fetching=True, own_alone=(RECORD,)))
    memory.take_answer(answered(9, replace(MINE, schema=2), is_fetching=True))

    assert memory.seen(RECORD).position == 9


def test_when_all_is_fetched_everything_is_here(memory: Memory) -> None:
    memory.take_answer(answered(9, MINE, is_fetching=True, own_alone=(RECORD,)))
    memory.take_answer(answered(9, is_fetching=False))

    assert memory.seen(RECORD).position == 9


def test_what_the_replica_had_stays_seen_when_an_own_op_joins_it(memory: Memory) -> None:
    memory.take_answer(answered(5, MINE, is_fetching=True))
    memory.take_answer(answered(9, MINE, is_fetching=True, own_alone=(RECORD,)))

    assert memory.seen(RECORD).position == 9
