"""What goes into one request: as much as fits, of one incarnation, in runs that can be signed."""

from __future__ import annotations

from dataclasses import replace

from gridlog_protocol.ids import TENANT_SCOPE, Epoch
from gridlog_protocol.limits import SEGMENT_OPS_MAX, SEGMENTS_MAX
from gridlog_protocol.ops import Op
from gridlog_sync.session import Standing, batch_of, request_for
from tests.unit.sync.building import EAST, EPOCH, Worker


def ops(number: int) -> list[Op]:
    worker = Worker(1)
    return [worker.writes() for _ in range(number)]


def test_a_batch_is_a_prefix_that_fits_and_never_empty() -> None:
    pending = ops(5)

    assert batch_of(pending, lambda _: 10, bytes_max=35) == [pending[:3]]
    assert batch_of(pending, lambda _: 10, bytes_max=30) == [pending[:3]]
    assert batch_of(pending, lambda _: 10, bytes_max=1) == [pending[:1]]
    assert batch_of([], lambda _: 10) == []


def test_a_batch_has_a_run_for_each_author_and_epoch() -> None:
    first, second, third = ops(3)
    again = replace(second, author=Worker(2).user)
    restored = replace(third, seen=replace(third.seen, epoch=Epoch(b"restored")))

    assert batch_of([first, again, restored], lambda _: 1) == [[first], [again], [restored]]


def test_ops_of_another_incarnation_wait_for_the_next_request() -> None:
    old, new = ops(2), [Worker(1, restored=1).writes()]

    assert batch_of([*old, *new], lambda _: 1) == [old]


def test_a_batch_keeps_to_the_limits_of_a_request() -> None:
    pending = ops(SEGMENT_OPS_MAX + 1)
    alternating = [replace(op, author=Worker(op.id.seq % 2).user) for op in pending[: SEGMENTS_MAX + 1]]

    assert [len(run) for run in batch_of(pending, lambda _: 0)] == [SEGMENT_OPS_MAX, 1]
    assert len(batch_of(alternating, lambda _: 0)) == SEGMENTS_MAX


def test_a_request_names_the_cursor_the_scopes_and_what_is_still_fetched() -> None:
    standing = Standing.fresh(EPOCH, b"token-01", (TENANT_SCOPE, EAST), 4)
    facts = Worker(1).writes().clock

    request = request_for(standing, (), counter=9, status={"app": "1"}, clock=facts)

    assert (request.counter, request.token, request.position, request.generation) == (9, b"token-01", 0, 4)
    assert [fetch.scope for fetch in request.fetches] == [TENANT_SCOPE, EAST]
    assert request.status == {"app": "1"}
    assert request.clock == facts
    assert request_for(standing, (), counter=9, status=None, clock=facts).clock is None
