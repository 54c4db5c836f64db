"""Read a record for people: its values, and what contradicts what. Computed from state, never kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Field, Kind
from gridlog_protocol.state import Cell, Head, RecordState, is_ending

from .rules import Severity, rule_of


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
    for name, state in record.fields.items():
        field = kind.fields.get(name) if kind else None
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
    if kind is None:
        return []
    found: list[Conflict] = []
    for name, state in sorted(record.fields.items()):
        field = kind.fields.get(name)
        if field is not None:
            for key, cell in sorted(state.cells.items()):
                found += _of_cell(record, field, key, cell)
    return found


def said_by(field: Field | None, head: Head) -> Value:
    """Return what one head says to people: a step of a workflow without its round."""
    return rule_of(field).pick(field, (head,)) if field else head.value


def _of_cell(record: RecordState, field: Field, key: str, cell: Cell) -> Iterator[Conflict]:
    if not cell.heads:
        return
    rule = rule_of(field)
    severity = rule.conflict(field, cell.heads) if len(cell.heads) > 1 else None
    is_end = any(is_ending(field.name, key, head.value) for head in cell.heads)
    unseen = tuple(_unseen_work(record, field.name, cell)) if is_end else ()
    if unseen or severity:
        severity = Severity.HARD if unseen else severity
        assert severity is not None
        yield Conflict(record.id, field.name, key, severity, rule.pick(field, cell.heads), cell.heads, unseen)


def _unseen_work(record: RecordState, ending: str, end: Cell) -> Iterator[Unseen]:
    """Yield the writes elsewhere in the record that whoever ended it had not seen, nor their authors its end."""
    for name, state in sorted(record.fields.items()):
        if name == ending:
            continue
        for key, cell in sorted(state.cells.items()):
            # With one head left, what its cell's writes had seen is what its author had seen.
            knew = len(cell.heads) == 1 and all(cell.covered.has(head.op, head.position) for head in end.heads)
            for head in cell.heads:
                is_same = any(head.op == each.op for each in end.heads)
                if not (knew or is_same or end.covered.has(head.op, head.position)):
                    yield Unseen(name, key, head)


def _unknown(cells: Mapping[str, Cell]) -> Value:
    standing = {key: cell.heads[-1].value for key, cell in sorted(cells.items()) if cell.heads}
    return standing.get("") if set(standing) <= {""} else dict(standing)
