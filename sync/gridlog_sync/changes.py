"""The server's answer to "what changed": which fields of which records go down to a device.

The rule it keeps (never echo): a field is left out only if every log entry that touched it since the request's
position is of this very push. A removal leaves no head, so heads alone cannot tell; the log can.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from types import MappingProxyType

from gridlog_protocol.ids import Position, RecordId, ScopeId
from gridlog_protocol.state import RecordState


class Movement(IntEnum):
    """What a log entry did to a record in one scope."""

    TOUCHED = 0
    ENTERED = 1
    LEFT = 2


@dataclass(frozen=True, slots=True)
class Touch:
    """One log entry as one scope sees it."""

    position: Position
    scope: ScopeId
    record: RecordId
    movement: Movement
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to send of one record: all of it, or these fields."""

    is_whole: bool
    fields: frozenset[str]


def wanted_records(
    touches: Iterable[Touch], *, own_push: range, echoed: Collection[RecordId] = ()
) -> dict[RecordId, Wanted]:
    """Return what the touches ask to send. `own_push` has the positions that this request's ops were given.

    `echoed` records are sent even if nobody but this push touched them.
    """
    wanted: dict[RecordId, Wanted] = {}
    for touch in touches:
        so_far = wanted.get(touch.record, Wanted(is_whole=False, fields=frozenset()))
        is_own = touch.position in own_push and touch.record not in echoed
        # What left and is back may stand in an answer that is cut between the two: its reader may hold nothing of it.
        is_whole = so_far.is_whole or (touch.movement is not Movement.TOUCHED and not is_own)
        fields = so_far.fields if is_own else so_far.fields | set(touch.fields)
        wanted[touch.record] = Wanted(is_whole, fields)
    return {record: each for record, each in wanted.items() if each.is_whole or each.fields}


def part_of(record: RecordState, wanted: Wanted) -> RecordState:
    """Return the record with the wanted fields only, and its origin if it is whole or new to the reader."""
    if wanted.is_whole:
        return record
    fields = {name: state for name, state in record.fields.items() if name in wanted.fields}
    return replace(record, origin=None, fields=MappingProxyType(fields))


def left_records(touches: Iterable[Touch], standing: Mapping[RecordId, frozenset[ScopeId]]) -> list[RecordId]:
    """Return the records that are in none of the reader's scopes now. `standing` has the scopes that each is in.

    Those that leave by an entry behind this answer are among them: nothing of them is told any more, so their reader,
    who keeps them, would count as having seen what was not sent.
    """
    return sorted({touch.record for touch in touches if not standing.get(touch.record)})
