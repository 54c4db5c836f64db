"""What must hold of a log and its replicas. Each finding is one sentence; none is the only good answer.

Of the log: every op once, positions without gaps, each incarnation in its own order, stamps bounded. Of a replica: it
is the fold of the log within its scopes, no record more, none less, the same values, the same conflicts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import DeviceId, Incarnation, RecordId, shown
from gridlog_protocol.state import RecordState

from .oracle import FoldedRecord, LogLine, Place, Standing, ToldConflict, content_of

AHEAD_MS_MAX = 60_000
_COUNTER_BITS = 16


@dataclass(frozen=True, slots=True)
class ReplicaRecord:
    """A record as a replica holds and shows it."""

    state: RecordState
    values: Mapping[str, Value]
    conflicts: frozenset[ToldConflict]


def findings_in_log(
    lines: Sequence[LogLine], held: Iterable[tuple[DeviceId, Incarnation, int]], without_effect: Iterable[int] = ()
) -> Iterator[str]:
    """Say what is wrong with the log itself.

    `held` names the ops that the server keeps apart, `without_effect` the positions of entries that are no op's.
    """
    positions = sorted([*(line.position for line in lines), *without_effect])
    if positions != [*range(1, len(positions) + 1)]:
        yield "positions have gaps, or are given twice"
    named = [line.op.id for line in lines]
    if len(set(named)) != len(named):
        yield "an op is in the log twice"
    at_once = _by_incarnation(line.op.id for line in lines if not line.is_released)
    if any(each != sorted(each) for each in at_once.values()):
        yield "ops of one incarnation are in the log out of their order"
    for (device, _), each in _by_incarnation([*named, *held]).items():
        if sorted(each) != [*range(1, len(each) + 1)]:
            yield f"ops of {shown(device)[:8]} are missing, or held and accepted at once"
    yield from _unbounded(lines)


def _by_incarnation(
    ops: Iterable[tuple[DeviceId, Incarnation, int]],
) -> dict[tuple[DeviceId, Incarnation], list[int]]:
    seqs: dict[tuple[DeviceId, Incarnation], list[int]] = {}
    for device, incarnation, seq in ops:
        seqs.setdefault((device, incarnation), []).append(seq)
    return seqs


def _unbounded(lines: Sequence[LogLine]) -> Iterator[str]:
    by_record: dict[RecordId, list[LogLine]] = {}
    for line in lines:
        own = by_record.setdefault(line.op.record, [])
        seen = max((other.stamp for other in own if line.saw(other)), default=0)
        mine = max((other.stamp for other in own if other.op.id[:2] == line.op.id[:2]), default=0)
        before = [other.stamp for other in own if other.op.id[:2] == line.op.id[:2] and other.op.id < line.op.id]
        if any(each >= line.stamp for each in before):
            yield f"the stamp at {line.position} is not above those of its author's earlier ops"
        if line.stamp <= seen:
            yield f"the stamp at {line.position} is not above all that its author saw"
        # A clock that is far ahead is held back to the same millisecond for many ops, and they keep their order.
        if line.stamp > max((line.accepted_ms + AHEAD_MS_MAX) << _COUNTER_BITS, max(seen, mine) + 1):
            yield f"the stamp at {line.position} is further ahead than a minute"
        own.append(line)


def findings_in_replica(
    name: str,
    replica: Mapping[RecordId, ReplicaRecord],
    folded: Mapping[RecordId, FoldedRecord],
    scopes: frozenset[str] | None,
) -> Iterator[str]:
    """Say where a replica differs from the log within its scopes. `scopes` is None for the server, which has all."""
    wanted = {record: each for record, each in folded.items() if scopes is None or each.scopes & scopes}
    for record in replica.keys() - wanted.keys():
        yield f"{name}: holds {shown(record)[-6:]}, which is in none of its scopes"
    for record in wanted.keys() - replica.keys():
        yield f"{name}: lacks {shown(record)[-6:]}"
    for record in sorted(wanted.keys() & replica.keys()):
        yield from _different(f"{name} {shown(record)[-6:]}", replica[record], wanted[record])


def _different(name: str, held: ReplicaRecord, wanted: FoldedRecord) -> Iterator[str]:
    if held.state.kind != wanted.kind:
        yield f"{name}: kind {held.state.kind}, not {wanted.kind}"
    for place, is_, must in _unequal_cells(content_of(held.state), wanted.cells):
        yield f"{name}: {'/'.join(place)} is {_said(is_)}, must be {_said(must)}"
    for field in sorted(held.values.keys() | wanted.values.keys()):
        if held.values.get(field) != wanted.values.get(field):
            yield f"{name}: shows {field} = {held.values.get(field)!r}, must be {wanted.values.get(field)!r}"
    if held.conflicts != wanted.conflicts:
        wrong = ", ".join(sorted(each.field for each in held.conflicts ^ wanted.conflicts))
        yield f"{name}: conflicts listed differ: {wrong}"


def _unequal_cells(
    held: Mapping[Place, tuple[Standing, ...]], wanted: Mapping[Place, tuple[Standing, ...]]
) -> Iterator[tuple[Place, tuple[Standing, ...], tuple[Standing, ...]]]:
    for place in sorted(held.keys() | wanted.keys()):
        if held.get(place, ()) != wanted.get(place, ()):
            yield place, held.get(place, ()), wanted.get(place, ())


def _said(standing: tuple[Standing, ...]) -> str:
    return "[" + ", ".join(f"{each.value!r} by {each.op.device.hex()[:4]}.{each.op.seq}" for each in standing) + "]"
