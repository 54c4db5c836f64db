"""What a phone has on its screen, as acts: facts for the witness, whatever an op claims to have seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from gridlog.memory import Memory
from gridlog_protocol.ids import RecordId
from gridlog_protocol.ops import Intent, Op
from gridlog_protocol.state import PENDING
from gridlog_sync.testing.oracle import Place
from gridlog_sync.testing.witness import ActId, act_of
from tools.simulate.office import Office

Sight: TypeAlias = "Mapping[Place, frozenset[ActId]]"


def sight_of(memory: Memory, office: Office, record: RecordId) -> Sight:
    """Return the acts that each cell of a record shows on this phone."""
    state = memory.shown(record)
    assert state is not None
    sight: dict[Place, frozenset[ActId]] = {}
    for name, field in state.fields.items():
        for key, cell in field.cells.items():
            acts = set()
            for head in cell.heads:
                waiting = memory.pending.get(head.op) if head.position == PENDING else None
                act = act_of(waiting.op) if waiting else office.act(head.op)
                acts |= {act} if act is not None else set()
            sight[(name, key)] = frozenset(acts)
    return sight


def seen_with(sight: Sight, waiting: Iterable[Op], op: Op) -> Sight:
    """Return what an op's author had seen; with a proposal also those that waited then, as it stands for them."""
    seen = {**sight}
    for other in waiting if op.intent is Intent.PROPOSE else ():
        if other.id.incarnation == op.id.incarnation and other.id.seq <= op.seen.own_seq:
            for edit in other.edits:
                place = (edit.field, edit.key)
                seen[place] = seen.get(place, frozenset()) | {act_of(other)}
    return seen
