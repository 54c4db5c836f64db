"""Which ops of a segment are new: those that continue the chain; repeats, gaps, forks and breaks."""

from __future__ import annotations

import pytest

from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ops import Op, op_hash
from gridlog_protocol.segment import chain_start, chain_through
from gridlog_sync.admission import Chain, continue_chain
from tests.unit.sync.building import (
    Worker,
    put,
    segment_of,
)

START = chain_start(Worker(1).device, Worker(1).incarnation)


def hashes(ops: list[Op]) -> dict[int, bytes]:
    return {op.id.seq: op_hash(op) for op in ops}


def pushed(ops: list[Op], chain: Chain, stored: list[Op], *, before: bytes | None = None) -> tuple[Chain, list[int]]:
    segment = segment_of(ops, chain_before=before)
    after, new = continue_chain(chain, segment, [op_hash(op) for op in ops], hashes(stored))
    return after, [op.id.seq for op in new]


def written(number: int, text: str = "a") -> list[Op]:
    worker = Worker(1)
    return [worker.writes(put("summary", f"{text}{each}")) for each in range(number)]


def chain_of(ops: list[Op]) -> Chain:
    return Chain(len(ops), chain_through(START, [op_hash(op) for op in ops]))


def test_the_first_ops_of_an_incarnation_are_new() -> None:
    ops = written(3)

    assert pushed(ops, Chain(0, START), []) == (chain_of(ops), [1, 2, 3])


def test_ops_that_the_server_holds_already_are_known_again_and_the_rest_is_new() -> None:
    ops = written(3)

    assert pushed(ops, chain_of(ops[:2]), ops[:2]) == (chain_of(ops), [3])
    assert pushed(ops, chain_of(ops), ops) == (chain_of(ops), [])
    assert pushed(ops[:1], chain_of(ops), ops[:1]) == (chain_of(ops), [])


def test_the_same_ops_may_come_in_another_cut() -> None:
    ops = written(4)
    middle = chain_through(START, [op_hash(op) for op in ops[:1]])

    assert pushed(ops[1:], chain_of(ops[:2]), ops[1:2], before=middle) == (chain_of(ops), [3, 4])


def test_a_segment_behind_a_gap_brings_nothing_and_changes_nothing() -> None:
    ops = written(3)
    before = chain_of(ops[:2]).head

    assert pushed(ops[2:], chain_of(ops[:1]), [], before=before) == (chain_of(ops[:1]), [])


def test_another_op_of_the_same_name_is_a_fork() -> None:
    ops, clone = written(3), written(3, "other")

    for known in (1, 2, 3):
        with pytest.raises(ProtocolError) as refused:
            pushed(clone, chain_of(ops[:known]), ops[:known])
        assert refused.value.code == "fork"


def test_a_device_that_was_restored_from_a_backup_and_reuses_numbers_is_noticed() -> None:
    ops = written(3)
    restored = [*ops[:2], written(3, "other")[2]]

    with pytest.raises(ProtocolError) as refused:
        pushed(restored, chain_of(ops), ops)
    assert refused.value.code == "fork"


def test_a_run_that_does_not_follow_what_the_server_holds_is_broken() -> None:
    ops = written(3)

    with pytest.raises(ProtocolError) as refused:
        pushed(ops[2:], chain_of(ops[:2]), [], before=bytes(32))
    assert refused.value.code == "broken_chain"


def test_a_run_that_overlaps_but_came_from_elsewhere_is_broken() -> None:
    ops = written(3)

    with pytest.raises(ProtocolError) as refused:
        pushed(ops[1:], chain_of(ops[:2]), ops[1:2], before=bytes(32))
    assert refused.value.code == "broken_chain"
