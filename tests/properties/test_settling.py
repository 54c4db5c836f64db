"""What a handheld keeps of its own settled ops is what merging them makes, however little of that it worked out."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gridlog.entries import Enrolled, WrittenOp
from gridlog.memory import Memory
from gridlog.settling import confirmed_by
from gridlog.sights import confirmed_of, shown_text, shown_values
from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import DeviceHandle, Position, ScopeId, TenantId
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.messages import Accepted, SyncResponse
from gridlog_protocol.ops import Intent, Op
from gridlog_protocol.segment import chain_start
from gridlog_sync.merge import Entry, apply, fold
from gridlog_sync.session import Standing, absorb
from tests.properties.test_creations import EDITS
from tests.properties.wire_strategies import VALUES
from tests.unit.sync.building import EAST, EPOCH, Worker, a_record, put

SCOPES = (ScopeId("tenant"), EAST)
KINDS = shipped_kinds()
STEPS = st.lists(
    st.tuples(st.integers(1, 3), st.sampled_from(Intent), st.lists(EDITS, max_size=6), st.integers(0, 3)),
    min_size=1,
    max_size=8,
)


def _written(worker: Worker, steps: Sequence[tuple[int, Intent, list, int]]) -> list[Op]:  # type: ignore[type-arg]
    ops = []
    for number, intent, edits, own in steps:
        worker.record = a_record(number)
        creation = [put("grid_code", EAST)] if intent is Intent.CREATE and own % 2 else []
        ops.append(worker.writes(*creation, *edits, own=min(own, worker.seq), intent=intent))
    return ops


def _with(ops: Sequence[Op], worker: Worker) -> Memory:
    memory = Memory(worker.device, worker.incarnation, KINDS)
    keys, handle, tenant = bytes(32), DeviceHandle(bytes(8)), TenantId("420106")
    memory.take_enrolment(
        Enrolled("http://x", keys, keys, handle, tenant, "", worker.user, "", EPOCH, SCOPES, 1, 0, b"")
    )
    for op in ops:
        memory.take_op(WrittenOp(op, bytes(16), chain_start(worker.device, worker.incarnation)))
    return memory


@given(STEPS, st.integers(1, 8), st.sets(st.integers(0, 7)), st.booleans())
def test_what_settles_is_kept_as_merging_makes_it(
    steps: list[tuple[int, Intent, list, int]],  # type: ignore[type-arg]
    sent_count: int,
    raised: set[int],
    is_partly_forgotten: bool,  # noqa: FBT001 - drawn, not passed.
) -> None:
    worker = Worker(1)
    ops = _written(worker, steps)
    memory, sent = _with(ops, worker), ops[:sent_count]
    if is_partly_forgotten:
        # As after a decision about the first op, whose answer overtook this one.
        memory._leave_pending(ops[0].id)
        memory._show_stale()
    assert memory.standing is not None
    stamps = {at: Stamp(int(sent[at].clock.hlc) + 7) for at in raised if at < len(sent)}
    accepted = Accepted(1, len(sent), Position(1), stamps)
    response = SyncResponse(
        1, b"", bytes(8), Position(0), Position(9), 1, b"", has_more=False, known_seq=0, accepted=(accepted,)
    )
    standing: Standing = memory.standing
    absorbed = absorb(
        standing, response, sent=sent, confirmed=lambda _: None, has_more_pending=False, device=worker.device
    )
    lacking = {op.record for op in ops}

    kept = confirmed_by(absorbed, sent, memory, lacking)

    assert kept == tuple(confirmed_of(each, KINDS) for each in absorbed.records.values())
    for record, entry in absorbed.created.items():
        assert absorbed.records[record] == apply(None, entry)
    for record, state in absorbed.records.items():
        entries = [
            Entry(op, stamps.get(at, Stamp(op.clock.hlc)), Position(at + 1))
            for at, op in enumerate(sent)
            if op.record == record
        ]
        created = next(at for at, each in enumerate(entries) if each.op.intent is Intent.CREATE)
        assert state == fold(None, entries[created:])


@given(st.dictionaries(st.text(max_size=3), VALUES | st.dictionaries(st.sampled_from(["#", "##", "a"]), VALUES)))
def test_what_is_shown_comes_back_from_its_text(values: dict[str, Value]) -> None:
    text = shown_text(values)

    assert shown_values(text) == values
    assert shown_text(shown_values(text)) == text
