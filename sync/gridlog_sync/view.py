"""Read a record for people: its values, and what contradicts what. Computed from state, never kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Kind
from gridlog_protocol.state import Cell, Head, RecordState

from .rules import Severity, rule_of


@dataclass(frozen=True, slots=True)
class Conflict:
    """Concurrent values of one cell. `shown` is what the rule shows meanwhile; `heads` has all, latest stamp last."""

    record: RecordId
    field: str
    key: str
    severity: Severity
    shown: Value
    heads: tuple[Head, ...]


def values_of(record: RecordState, kind: Kind | None) -> dict[str, Value]:
    """Return every field that has a value, by the kind's rules; fields the kind does not know come as they are."""
    shown: dict[str, Value] = {}
    for name, state in record.fields.items():
        field = kind.fields.get(name) if kind else None
        value = rule_of(field).show(field, state.cells) if field else _unknown(state.cells)
        if value is not None:
            shown[name] = value
    return shown


def conflicts_of(record: RecordState, kind: Kind | None) -> list[Conflict]:
    """Return what contradicts what, by field and element."""
    found: list[Conflict] = []
    for name, state in sorted(record.fields.items()):
        field = kind.fields.get(name) if kind else None
        if field is None:
            continue
        rule = rule_of(field)
        for key, cell in sorted(state.cells.items()):
            severity = rule.conflict(cell.heads) if len(cell.heads) > 1 else None
            if severity:
                shown = rule.pick(field, cell.heads)
                found.append(Conflict(record.id, name, key, severity, shown, cell.heads))
    return found


def _unknown(cells: Mapping[str, Cell]) -> Value:
    standing = {key: cell.heads[-1].value for key, cell in sorted(cells.items()) if cell.heads}
    return standing.get("") if set(standing) <= {""} else dict(standing)
