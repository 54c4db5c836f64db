"""Read a record for people: its values, and what contradicts what. Computed from state, never kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Field, Kind
from gridlog_protocol.ops import Op
from gridlog_protocol.state import PENDING, Cell, Head, RecordState, is_ending

from .merge import Entry, apply
from .rules import Severity, rule_of

UNSEEN_MAX = 100
"""Whoever decides about an ended record sees so many of the writes that its end did not know: enough to open it."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """Somebody's write that stands, and that whoever ended the record had not seen."""

    field: str
    key: str
    head: Head


@dataclass(frozen=True, slots=True)
class Conflict:
    """Concurrent values of one cell. `shown` is what the rule shows meanwhile; `heads` has all, latest stamp last.

    Of a cell that ends the record (a withdrawal, a cancellation), `unseen` has the work that its author did not know.
    """

    record: RecordId
    field: str
    key: str
    severity: Severity
    shown: Value
    heads: tuple[Head, ...]
    unseen: tuple[Unseen, ...] = ()


def values_of(record: RecordState, kind: Kind | None) -> dict[str, Value]:
    """Return every field that has a value, by the kind's rules; fields the kind does not know come as they are."""
    shown: dict[str, Value] = {}
    known = kind.fields if kind else {}
    for name, state in record.fields.items():
        field = known.get(name)
        value = rule_of(field).show(field, state.cells) if field else _unknown(state.cells)
        if value is not None:
            shown[name] = value
    return shown


def rounds_of(record: RecordState, kind: Kind) -> dict[str, Mapping[str, int]]:
    """Return, by field and element key, how often the workflows of a record have gone back."""
    known = ((name, kind.fields[name], state) for name, state in record.fields.items() if name in kind.fields)
    rounds = {name: rule_of(field).rounds(field, state.cells) for name, field, state in known}
    return {name: each for name, each in rounds.items() if each}


def conflicts_of(record: RecordState, kind: Kind | None) -> list[Conflict]:
    """Return what contradicts what, by field and element."""
    if kind is None or not _may_contradict(record):
        return []
    found: list[Conflict] = []
    for name, state in sorted(record.fields.items()):
        field = kind.fields.get(name)
        if field is not None:
            for key, cell in sorted(state.cells.items()):
                found += _of_cell(record, field, key, cell)
    return found


def _may_contradict(record: RecordState) -> bool:
    """Tell whether any cell has several heads, or ends the record: most records need no closer look."""
    for name, state in record.fields.items():
        for key, cell in state.cells.items():
            heads = cell.heads
            if len(heads) > 1 or (heads and is_ending(name, key, heads[0].value)):
                return True
    return False


def values_said(op: Op, kind: Kind | None) -> dict[str, Value]:
    """Return what an op alone says, field by field, as people read it. What it takes out of sets is not among it."""
    alone = apply(None, Entry(op, Stamp(0), PENDING))
    return values_of(alone, kind)


def said_by(field: Field | None, head: Head) -> Value:
    """Return what one head says to people: a step of a workflow without its round."""
    return rule_of(field).pick(field, (head,)) if field else head.value


def _of_cell(record: RecordState, field: Field, key: str, cell: Cell) -> Iterator[Conflict]:
    if not cell.heads:
        return
    rule = rule_of(field)
    severity = rule.conflict(field, cell.heads) if len(cell.heads) > 1 else None
    is_end = any(is_ending(field.name, key, head.value) for head in cell.heads)
    unseen = tuple(islice(_unseen_work(record, field.name, cell), UNSEEN_MAX)) if is_end else ()
    if unseen or severity:
        severity = Severity.HARD if unseen else severity
        assert severity is not None
        yield Conflict(record.id, field.name, key, severity, rule.pick(field, cell.heads), cell.heads, unseen)


def _unseen_work(record: RecordState, ending: str, end: Cell) -> Iterator[Unseen]:
    """Yield the writes elsewhere in the record that whoever ended it had not seen.

    Those who wrote knowing of the end are among them: what remains of a cell does not say what its author knew, and
    one question too many loses nothing.
    """
    ends = {head.op for head in end.heads}
    for name, state in sorted(record.fields.items()):
        if name == ending:
            continue
        for key, cell in sorted(state.cells.items()):
            for head in cell.heads:
                if head.op not in ends and not end.covered.has(head.op, head.position):
                    yield Unseen(name, key, head)


def _unknown(cells: Mapping[str, Cell]) -> Value:
    standing = {key: cell.heads[-1].value for key, cell in sorted(cells.items()) if cell.heads}
    return standing.get("") if set(standing) <= {""} else dict(standing)
