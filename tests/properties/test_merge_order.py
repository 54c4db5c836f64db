"""For a fixed set of log entries, every order of application gives the same values, conflicts and digests."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from hypothesis import given, settings
from hypothesis import strategies as st

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import OpId, Position
from gridlog_protocol.ops import Action, Edit, Op
from gridlog_protocol.state import PENDING, RecordState
from gridlog_sync.digest import EMPTY, SetDigest, leaves
from gridlog_sync.merge import Entry, adopt, apply, fold, overlay
from gridlog_sync.view import conflicts_of, values_of
from tests.unit.sync.building import START_MS, Worker, add, as_sent, count, kind, put, remove, saw, state_of

WITHDRAWAL: Value = {"by": bytes(16), "at": "2026-11-22T09:10:00+08:00", "reason": "重复登记了"}
EDITS: list[tuple[Edit, ...]] = [
    (put("summary", "积水"),),
    (put("summary", "路面积水"), put("weather", "rain")),
    (put("summary", None),),
    (put("weather", "fog"), count("handled_on_spot", 2)),
    (add("tags", "flood"), add("tags", "dry")),
    (remove("tags", "flood"), put("started_at", "2026-11-22T09:10:00+08:00")),
    (remove("tags", "dry"), add("tags", "flood")),
    (count("handled_on_spot", -1), put("started_at", "2026-11-22T08:10:00+08:00")),
    (put("checklist", "ok", key="drain"), put("checklist", "bad", key="lamp")),
    (put("checklist", "bad", key="drain"),),
    (add("comments", "c1", {"id": "c1", "text": "漏水"}), put("content", "x", digest_class=1)),
    (add("comments", "c1", {"id": "c1", "text": "水管"}), put("content", "y", digest_class=2)),
    (put("state", [0, "finished"]), put("weather", "rain")),
    (put("state", [1, "in_progress"]),),
    (put("state", [0, "aborted"]),),
    (put("state", [0, "cancelled", True]),),
    (put("deleted", WITHDRAWAL),),
    (put("deleted", None),),
    (put("mixed", 1),),
    (count("mixed", 3),),
    (remove("mixed", ""),),
]
DEVICES = ((1, 0), (1, 1), (2, 0), (3, 0))


@dataclass(slots=True)
class History:
    """What several devices wrote and how it reached the log. Held ops get their position when they are released."""

    entries: list[Entry] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=lambda: [Worker(number, restored) for number, restored in DEVICES])
    outbox: dict[int, list[tuple[Op, Stamp]]] = field(default_factory=lambda: defaultdict(list))
    held: list[tuple[Op, Stamp]] = field(default_factory=list)
    replica: dict[int, int] = field(default_factory=lambda: defaultdict(int))

    def step(self, what: str, device: int, choice: int) -> None:
        match what:
            case "write":
                self._write(device, choice)
            case "pull":
                self.replica[device] = len(self.entries)
            case "push" if self.outbox[device]:
                self._log(*self.outbox[device].pop(0))
            case "hold" if self.outbox[device]:
                self.held.append(self.outbox[device].pop(0))
            case "release" if self.held:
                self._log(*self.held.pop(choice % len(self.held)))

    def finish(self) -> list[Entry]:
        for waiting in (*self.outbox.values(), self.held):
            for op, stamp in waiting:
                self._log(op, stamp)
        return self.entries

    def _write(self, device: int, choice: int) -> None:
        worker = self.workers[device]
        # The form may have been opened a while ago, before newer entries and ops came in.
        seen = max(0, self.replica[device] - choice % 3)
        own = max(0, worker.seq - choice // 3 % 3)
        op = worker.writes(*EDITS[choice // 9 % len(EDITS)], seen=seen, own=own, at=choice % 4)
        self.outbox[device].append((op, Stamp((START_MS << 16) + choice % 4)))

    def _log(self, op: Op, stamp: Stamp) -> None:
        self.entries.append(Entry(op, stamp, Position(len(self.entries) + 1)))


STEPS = st.tuples(
    st.sampled_from(["write", "write", "write", "pull", "push", "push", "hold", "release"]),
    st.integers(0, len(DEVICES) - 1),
    st.integers(0, 9 * len(EDITS) - 1),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    history = History()
    for what, device, choice in draw(st.lists(STEPS, min_size=4, max_size=40)):
        history.step(what, device, choice)
    history.step("write", 0, draw(st.integers(0, 99)))
    return history.finish()


def heads_by_definition(entries: list[Entry]) -> dict[tuple[str, str], dict[OpId, Value]]:
    """A write stands if no other write of its element, counts aside, has seen it."""
    writes: dict[tuple[str, str], list[tuple[Entry, Edit]]] = defaultdict(list)
    for entry in entries:
        for edit in {(edit.field, edit.key): edit for edit in entry.op.edits}.values():
            writes[edit.field, edit.key].append((entry, edit))
    return {
        place: {
            entry.op.id: edit.value
            for entry, edit in cell
            if edit.action is not Action.REMOVE
            and not any(saw(other.op, entry) for other, by in cell if by.action is not Action.COUNT)
        }
        for place, cell in writes.items()
    }


def heads_of(state: RecordState) -> dict[tuple[str, str], dict[OpId, Value]]:
    return {
        (name, key): {head.op: head.value for head in cell.heads}
        for name, each in state.fields.items()
        for key, cell in each.cells.items()
    }


def total(records: list[RecordState]) -> SetDigest:
    digest = EMPTY
    for record in records:
        for leaf in leaves(record).values():
            digest = digest.plus(leaf)
    return digest


@settings(deadline=None, max_examples=66)
@given(entries=histories(), data=st.data())
def test_any_order_with_duplicates_gives_the_same_state(entries: list[Entry], data: st.DataObject) -> None:
    in_order = state_of(entries)
    repeated = entries + data.draw(st.lists(st.sampled_from(entries), max_size=5))

    shuffled = state_of(data.draw(st.permutations(repeated)))

    assert shuffled == in_order
    assert values_of(shuffled, kind()) == values_of(in_order, kind())
    assert conflicts_of(shuffled, kind()) == conflicts_of(in_order, kind())
    assert leaves(shuffled) == leaves(in_order)


@settings(deadline=None, max_examples=66)
@given(entries=histories())
def test_what_stands_is_what_nobody_saw_and_wrote_over(entries: list[Entry]) -> None:
    assert heads_of(state_of(entries)) == heads_by_definition(entries)


@settings(deadline=None, max_examples=60)
@given(entries=histories())
def test_heads_stand_in_the_order_of_stamp_device_incarnation_and_number(entries: list[Entry]) -> None:
    stamps = {entry.op.id: entry.stamp for entry in entries}
    for each in state_of(entries).fields.values():
        for cell in each.cells.values():
            keys = [(stamps[head.op], *head.op) for head in cell.heads]
            assert keys == sorted(keys)
            assert len(set(keys)) == len(keys)


@settings(deadline=None, max_examples=60)
@given(entries=histories(), data=st.data())
def test_a_digest_kept_step_by_step_is_the_one_computed_from_scratch(
    entries: list[Entry], data: st.DataObject
) -> None:
    digest = EMPTY
    state: RecordState | None = None
    for entry in data.draw(st.permutations(entries)):
        for leaf in leaves(state).values() if state else ():
            digest = digest.minus(leaf)
        state = apply(state, entry)
        for leaf in leaves(state).values():
            digest = digest.plus(leaf)

    assert digest == total([state_of(entries)])


@settings(deadline=None, max_examples=60)
@given(entries=histories(), choices=st.lists(st.integers(0, 9 * len(EDITS) - 1), min_size=1, max_size=6))
def test_pending_ops_over_what_is_confirmed_look_as_they_will_when_accepted(
    entries: list[Entry], choices: list[int]
) -> None:
    worker, confirmed = Worker(9), state_of(entries)
    pending = [
        worker.writes(
            *EDITS[choice // 9],
            seen=max(0, len(entries) - choice % 3),
            own=max(0, worker.seq - choice // 3 % 3),
            at=choice % 4,
        )
        for choice in choices
    ]
    accepted = [
        Entry(op, Stamp(op.clock.hlc), Position(position)) for position, op in enumerate(pending, len(entries) + 1)
    ]

    later = state_of([*entries, *accepted])
    # What a device holds came over the air, without what its cells had seen.
    for held in (confirmed, as_sent(confirmed)):
        screen = overlay(held, pending)
        assert screen is not None
        assert heads_of(screen) == heads_of(later)
        assert values_of(screen, kind()) == values_of(later, kind())
        assert leaves(screen) == leaves(later)


@settings(deadline=None, max_examples=60)
@given(entries=histories(), data=st.data())
def test_fields_sent_whole_bring_any_older_replica_to_the_same_state(
    entries: list[Entry], data: st.DataObject
) -> None:
    newest = state_of(entries)
    older = fold(None, entries[: data.draw(st.integers(0, len(entries)))])
    names = data.draw(st.permutations(sorted(newest.fields)))
    for name in names:
        part = replace(newest, fields=MappingProxyType({name: newest.fields[name]}))
        older = adopt(older, part)
        stale = fold(None, entries[: data.draw(st.integers(1, len(entries)))])
        assert stale is not None
        older = adopt(older, stale)

    assert older == newest


@settings(deadline=None, max_examples=60)
@given(entries=histories())
def test_whoever_saw_everything_and_writes_last_stands_alone(entries: list[Entry]) -> None:
    leader = Worker(9)
    edits = (put("summary", "decided"), put("checklist", "ok", key="drain"), remove("tags", "flood"))
    decision = leader.writes(*edits, seen=len(entries))
    state = state_of([Entry(decision, Stamp(1), Position(len(entries) + 1)), *entries])

    for edit in edits:
        heads = state.fields[edit.field].cells[edit.key].heads
        assert [head.op for head in heads] == ([] if edit.action is Action.REMOVE else [decision.id])


@settings(deadline=None, max_examples=60)
@given(entries=histories())
def test_a_field_changed_last_when_its_last_entry_came(entries: list[Entry]) -> None:
    changed: dict[str, int] = {}
    for entry in entries:
        changed.update({edit.field: entry.position for edit in entry.op.edits})

    assert {name: each.changed for name, each in state_of(entries).fields.items()} == changed
    assert max(changed.values()) < PENDING
