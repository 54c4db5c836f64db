"""A record made from its creating op alone is the record that merging makes, whatever else a push does to it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import nullcontext

from hypothesis import given
from hypothesis import strategies as st

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import Position
from gridlog_protocol.ops import Action, Edit, Intent, Op, op_hash
from gridlog_protocol.state_codec import pack_record
from gridlog_server.service import pushing
from gridlog_server.service.listed import listed, listed_at_creation
from gridlog_server.service.pushing import Work
from gridlog_server.store.contract import Commit, Transaction
from gridlog_sync.admission import Author
from gridlog_sync.creation import created
from gridlog_sync.digest import leaves
from gridlog_sync.merge import Entry, apply
from gridlog_sync.rules import rule_of
from gridlog_sync.scope import scopes_of_record
from gridlog_sync.view import conflicts_of
from tests.properties.wire_strategies import VALUES
from tests.unit.server.building import EAST, KINDS, START_MS, TENANCY, WEST, Handset, add, count, put
from tools.simulate.memory_store import CommitFate, MemoryStore
from tools.simulate.replacing import replaced

PATROL = next(kind for kind in KINDS if kind.name == "patrol")
COMMENT: Value = {"id": "c1", "by": bytes(16), "at": "2026-11-22T09:10:00+08:00", "text": "Seen"}
EDITS: st.SearchStrategy[Edit] = st.one_of(
    st.sampled_from(
        [
            put("grid_code", EAST),
            put("grid_code", WEST),
            put("summary", "积水"),
            put("summary", None),
            put("summary", "Two  LAMPS\nout"),
            put("occurred_at", "2026-11-22T09:10:00+08:00"),
            put("review_state", [0, "submitted"]),
            add("comments", "c1", COMMENT),
            add("tags", "water"),
            add("tags", "light"),
            Edit("tags", Action.REMOVE, "water", None, 0),
            count("handled_on_spot", 2),
            put("checklist", "ok", key="drain"),
            put("checklist", "bad", key="lamp"),
            put("deleted", {"reason": "写错了"}),
            put("state", [0, "cancelled", True]),
            put("of_a_newer_kind", {"a": [1, None]}),
            put("of_a_newer_kind", "x", digest_class=2),
        ]
    ),
    st.builds(
        Edit, st.sampled_from([*PATROL.fields]), st.sampled_from(Action), st.just(""), VALUES, st.integers(0, 2)
    ),
)
STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(Intent), st.lists(EDITS, max_size=6), st.integers(0, 9)),
    min_size=1,
    max_size=8,
)
AUTHOR = Author(frozenset({EAST}), Position(3), b"a user of 16 b..")  # type: ignore[arg-type]


def _written(steps: Sequence[tuple[int, Intent, list[Edit], int]]) -> list[Op]:
    handset = Handset((b"", b""), user=AUTHOR.user)
    ids = [handset.creates().record for _ in range(4)]
    return [
        handset.writes(ids[which], put("grid_code", EAST), *edits, intent=intent, seen=seen)
        if intent is Intent.CREATE and seen % 2
        else handset.writes(ids[which], *edits, intent=intent, seen=seen)
        for which, intent, edits, seen in steps
    ]


def _is_right(edit: Edit) -> bool:
    field = PATROL.fields[edit.field]
    rule = rule_of(field)
    return edit.action in rule.actions(field) and rule.fault(field, edit) is None


async def _no_pause() -> None:
    """Go on at once."""


async def _taken(ops: Sequence[Op], author: Author | None) -> Commit:
    store = MemoryStore(TENANCY, pause=_no_pause, fate=lambda: CommitFate.DONE, committed=lambda: None)

    async def work(transaction: Transaction) -> Commit:
        gathered = await Work.load(transaction, ops, KINDS, TENANCY, START_MS, sent=None)
        for op in ops:
            gathered.take(op, op_hash(op), 1, author)
        return gathered.commit()

    return await store.commit(work)


@given(STEPS, st.booleans())
def test_a_push_does_the_same_whether_its_creations_are_merged_or_not(
    steps: list[tuple[int, Intent, list[Edit], int]],
    is_ours: bool,  # noqa: FBT001 - hypothesis hands it in.
) -> None:
    ops, commits = _written(steps), []
    for shortcut in (nullcontext(), replaced(pushing, "created", lambda *_: None)):
        with shortcut:
            commits.append(asyncio.run(_taken(ops, None if is_ours else AUTHOR)))
    quick, slow = commits
    assert quick == slow
    assert [each.packed for each in quick.records] == [each.packed for each in slow.records]


@given(st.lists(EDITS, max_size=6), st.integers(0, 4))
def test_what_a_creation_makes_is_what_its_merging_makes(edits: list[Edit], own_seq: int) -> None:
    handset = Handset((b"", b""))
    handset.seq = own_seq
    op = handset.writes(handset.creates().record, put("grid_code", EAST), *edits, intent=Intent.CREATE, seen=4)
    entry = Entry(op, op.clock.hlc, Position(9))  # type: ignore[arg-type]
    made, merged = created(entry, PATROL), apply(None, entry)
    if made is None:
        return
    assert made.packed == pack_record(merged)
    assert made.leaves == leaves(merged)
    assert made.scopes == scopes_of_record(merged, PATROL)
    assert conflicts_of(merged, PATROL) == []
    if all(each.field not in PATROL.fields or _is_right(each) for each in edits):
        assert listed_at_creation(entry, PATROL) == listed(merged, PATROL)


def test_an_ordinary_creation_needs_no_merging() -> None:
    handset = Handset((b"", b""))
    op = handset.creates(put("summary", "积水"), add("tags", "water"), add("tags", "light"))
    assert created(Entry(op, op.clock.hlc, Position(1)), PATROL) is not None  # type: ignore[arg-type]
