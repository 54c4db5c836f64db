"""Whenever a held op is released, the record is what a fold of its entries says, in whatever order they come."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from gridlog_protocol.canonical import pack
from gridlog_protocol.ids import RecordId
from gridlog_protocol.ops import Edit, Op
from gridlog_server.service.deciding import name_of
from gridlog_sync.admission import bounded
from gridlog_sync.digest import leaves
from gridlog_sync.merge import Entry, fold
from gridlog_sync.view import conflicts_of, values_of
from tests.unit.server.building import (
    EAST,
    KINDS,
    TENANCY,
    WEST,
    Handset,
    Server,
    add,
    count,
    put,
    served_by,
)
from tools.simulate.memory_store import CommitFate, MemoryStore

EDITS: Sequence[tuple[Edit, ...]] = (
    (put("summary", "积水"),),
    (put("summary", "已干"), add("tags", "water")),
    (add("tags", "light"), count("handled_on_spot", 2)),
    (Edit("tags", put("", None).action.REMOVE, "water", None, 0),),
    (put("checklist", "ok", key="drain"),),
    (put("weather", "rain"),),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(["write", "hold", "pull", "release"]), st.integers(0, 1), st.integers(0, 99)),
    min_size=4,
    max_size=25,
)


async def _no_pause() -> None:
    """Go on at once."""


def _served() -> Server:
    store = MemoryStore(TENANCY, pause=_no_pause, fate=lambda: CommitFate.DONE, committed=lambda: None)
    return served_by(store)


async def _played(server: Server, steps: Sequence[tuple[str, int, int]]) -> RecordId:
    handsets: list[Handset] = [await server.enrolled(f"W{number}") for number in range(2)]
    creation = handsets[0].creates(put("summary", "原"))
    await server.exchanged(handsets[0], creation)
    waiting: list[Op] = []
    for what, number, choice in steps:
        handset, edits = handsets[number], EDITS[choice % len(EDITS)]
        seen = max(0, handset.position - choice % 3)
        match what:
            case "write":
                await server.exchanged(handset, handset.writes(creation.record, *edits, seen=seen))
            case "hold":
                away = handset.writes(creation.record, *edits, put("grid_code", WEST), seen=seen)
                answer = await server.answered(handset, handset.request([handset.segment([away])]))
                waiting += [away] if getattr(answer, "held", ()) else []
            case "pull":
                await server.caught_up(handset)
            case _ if waiting:
                server.clock.now_ms += choice
                await server.deciding.release(name_of(waiting.pop(choice % len(waiting)).id), by="督导")
    for op in waiting:
        await server.deciding.release(name_of(op.id), by="督导")
    return creation.record


@settings(deadline=None, max_examples=40)
@given(steps=STEPS, order=st.integers(0, 1 << 32))
def test_a_release_at_any_moment_gives_what_a_fold_in_any_order_gives(
    steps: list[tuple[str, int, int]], order: int
) -> None:
    async def work() -> None:
        server = _served()
        record = await _played(server, steps)
        async with server.store.reading() as snapshot:
            history = await snapshot.ledger.ops_of_record(record)
            stored = (await snapshot.ledger.records([record]))[record]
        entries = [
            Entry(bounded(each.op, epochs=TENANCY.epochs, served=each.named), each.stamp, each.position)
            for each in history
            if each.position is not None and each.stamp is not None
        ]
        entries.sort(key=lambda each: sha256(pack([order, *each.op.id])).digest())
        folded, kind = fold(None, entries), KINDS.get("patrol")
        assert folded is not None
        assert values_of(folded, kind) == values_of(stored.state, kind)
        assert conflicts_of(folded, kind) == conflicts_of(stored.state, kind)
        assert leaves(folded) == leaves(stored.state)
        for handset_scopes in ([EAST], [WEST], [EAST, WEST]):
            async with server.store.reading() as snapshot:
                kept = await snapshot.ledger.digests(handset_scopes)
            assert sum(each.count for each in kept.values()) == sum(
                len(leaves(folded)) for scope in handset_scopes if scope in stored.scopes
            )

    asyncio.run(work())
