"""Which acknowledged ops a device offers to a restored server again, and how long it keeps them."""

from __future__ import annotations

import pytest

from gridlog import kept_ops
from gridlog.entries import WrittenOp
from gridlog.kept_ops import KEPT_DAYS, KeptOps
from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import Position
from gridlog_protocol.segment import chain_start
from tests.unit.sync.building import Worker

DAY_MS = 86_400_000
ME = Worker(1)
WRITTEN = [WrittenOp(op, bytes(16), chain_start(ME.device, ME.incarnation)) for op in (ME.writes() for _ in range(4))]


@pytest.fixture
def kept() -> KeptOps:
    """Return four ops that were accepted at positions 3, 5, 7 and 9, a day apart."""
    made = KeptOps()
    for number, written in enumerate(WRITTEN):
        made.keep(written, Position(3 + 2 * number), Stamp(100 + number), told_ms=number * DAY_MS)
    return made


def seqs(written: list[WrittenOp]) -> list[int]:
    return [each.op.id.seq for each in written]


@pytest.mark.parametrize(("fork", "again"), [(0, [1, 2, 3, 4]), (5, [3, 4]), (8, [4]), (9, [])])
def test_what_stands_behind_the_fork_is_offered_again(kept: KeptOps, fork: int, again: list[int]) -> None:
    assert seqs(kept.beyond(Position(fork), {})) == again


def test_what_is_offered_again_says_nothing_about_a_second_restore_until_it_is_acknowledged(kept: KeptOps) -> None:
    kept.doubt(each.op.id for each in kept.beyond(Position(0), {}))
    kept.keep(WRITTEN[0], Position(8), Stamp(100), told_ms=0)

    # The second backup reaches up to 9 of the new epoch: the positions of old, 5 to 9, are not among them.
    assert seqs(kept.beyond(Position(9), {})) == [2, 3, 4]
    assert kept.stamp(WRITTEN[3].op.id) == 103


def test_what_is_held_in_a_new_life_keeps_the_stamp_of_the_old_one_until_it_is_released(kept: KeptOps) -> None:
    kept.keep(WRITTEN[1], None, None, told_ms=0)
    assert kept.stamp(WRITTEN[1].op.id) == 101
    kept.restamp(WRITTEN[1].op.id, Stamp(500))
    assert kept.stamp(WRITTEN[1].op.id) == 500


def test_they_are_kept_for_some_days_and_a_bounded_number(kept: KeptOps, monkeypatch: pytest.MonkeyPatch) -> None:
    kept.forget_old((KEPT_DAYS + 1) * DAY_MS)
    assert seqs(kept.beyond(Position(0), {})) == [2, 3, 4]
    monkeypatch.setattr(kept_ops, "KEPT_OPS_MAX", 2)
    kept.forget_old(0)
    assert seqs(kept.beyond(Position(0), {})) == [3, 4]


def test_they_come_back_from_a_snapshot_as_they_were(kept: KeptOps) -> None:
    kept.doubt([WRITTEN[1].op.id])
    again = KeptOps()
    for packed, position, stamp, told_ms in kept.rows():
        assert isinstance(packed, bytes)
        assert position is None or isinstance(position, int)
        assert stamp is None or isinstance(stamp, int)
        assert isinstance(told_ms, int)
        again.restore(packed, position, stamp, told_ms)
    assert [*again.rows()] == [*kept.rows()]
