"""An independent fold of the log: what every record must say, worked out from the definitions and nothing else.

The rule it keeps: it shares no code with `merge`, `rules`, `view`, `scope` or `digest`. It is slow and short: a write
stands if no other write of its cell saw it, and each merge rule is one line below. What both sides got wrong in the
same way, it cannot find; so it was written from the specification, not from the code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.ids import OpId, RecordId
from gridlog_protocol.kinds import (
    Choice,
    Field,
    Identity,
    Kind,
    KindSet,
    ListOf,
    MapOf,
    Merge,
    Reference,
    SetOf,
    Struct,
)
from gridlog_protocol.ops import Action, Edit, Op
from gridlog_protocol.state import RecordState

Place = tuple[str, str]
"""A cell: field and element key."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One op that took effect: its position, its stamp, the position it names after bounding, and when that was.

    `is_released` says that it was held before: later ops of its author may be in the log already.
    """

    op: Op
    position: int
    stamp: int
    named: int
    accepted_ms: int
    is_released: bool = False

    def saw(self, other: LogLine) -> bool:
        """Tell whether this op names a state that the other one was part of."""
        mine, theirs = self.op.id, other.op.id
        is_same_author = (mine.device, mine.incarnation) == (theirs.device, theirs.incarnation)
        return other.position <= self.named or (is_same_author and theirs.seq <= self.op.seen.own_seq)

    @property
    def order(self) -> tuple[int, bytes, bytes, int]:
        """Return what orders writes that did not see each other."""
        return (self.stamp, *self.op.id)


@dataclass(frozen=True, slots=True)
class Standing:
    """A write that stands: its op, its stamp, its value."""

    op: OpId
    stamp: int
    value: Value


@dataclass(frozen=True, slots=True)
class ToldConflict:
    """A cell whose standing writes contradict each other. `is_hard` says that a person must decide.

    `unseen` are the writes elsewhere (field, key, op) that whoever ended the record had not seen.
    """

    field: str
    key: str
    is_hard: bool
    unseen: frozenset[tuple[str, str, OpId]] = frozenset()


@dataclass(frozen=True, slots=True)
class FoldedRecord:
    """What one record must be, on every replica that holds it."""

    kind: str
    cells: Mapping[Place, tuple[Standing, ...]]
    values: Mapping[str, Value]
    conflicts: frozenset[ToldConflict]
    scopes: frozenset[str]


def fold_log(lines: Iterable[LogLine], kinds: KindSet) -> dict[RecordId, FoldedRecord]:
    """Return every record of the log."""
    by_record: dict[RecordId, list[LogLine]] = {}
    for line in lines:
        by_record.setdefault(line.op.record, []).append(line)
    return {record: _folded(own, kinds) for record, own in by_record.items()}


def content_of(state: RecordState) -> dict[Place, tuple[Standing, ...]]:
    """Return a replica's cells in the form of the fold, those without standing writes left out."""
    return {
        (name, key): tuple(Standing(head.op, int(head.stamp), head.value) for head in cell.heads)
        for name, field in state.fields.items()
        for key, cell in field.cells.items()
        if cell.heads
    }


def writes_of(lines: Iterable[LogLine]) -> dict[Place, list[tuple[LogLine, Edit]]]:
    """Return the writes of each cell of one record."""
    writes: dict[Place, list[tuple[LogLine, Edit]]] = {}
    for line in lines:
        for edit in line.op.edits:
            writes.setdefault((edit.field, edit.key), []).append((line, edit))
    return writes


def _folded(lines: list[LogLine], kinds: KindSet) -> FoldedRecord:
    name = lines[0].op.kind
    kind = kinds.get(name)
    assert kind is not None, f"the world writes known kinds only, not {name}"
    writes = writes_of(lines)
    cells = {place: standing for place, all_of in writes.items() if (standing := _standing(all_of))}
    values: dict[str, Value] = {}
    conflicts: set[ToldConflict] = set()
    for field in {place[0] for place in cells}:
        own = {key: standing for (name, key), standing in cells.items() if name == field}
        value = _shown(kind.fields[field], own)
        if value is not None:
            values[field] = value
        for key, standing in own.items():
            unseen = _unseen((field, key), cells, writes) if _is_end(field, key, standing) else frozenset()
            found = _conflict(kind.fields[field], key, standing)
            if unseen:
                found = ToldConflict(field, key, is_hard=True, unseen=unseen)
            conflicts |= {found} if found else set()
    return FoldedRecord(name, cells, values, frozenset(conflicts), _scopes(kind, cells))


def _standing(writes: list[tuple[LogLine, Edit]]) -> tuple[Standing, ...]:
    standing = [
        (line, edit)
        for line, edit in writes
        if edit.action is not Action.REMOVE
        and not any(other.saw(line) for other, by in writes if other is not line and by.action is not Action.COUNT)
    ]
    standing.sort(key=lambda write: write[0].order)
    return tuple(Standing(line.op.id, line.stamp, edit.value) for line, edit in standing)


def _is_end(field: str, key: str, standing: tuple[Standing, ...]) -> bool:
    if key:
        return False
    if field == "deleted":
        return any(each.value is not None for each in standing)
    return any(isinstance(each.value, list) and each.value[2:] == [True] for each in standing)


def _unseen(
    end: Place, cells: Mapping[Place, tuple[Standing, ...]], writes: Mapping[Place, list[tuple[LogLine, Edit]]]
) -> frozenset[tuple[str, str, OpId]]:
    """Return what stands elsewhere, and was not seen by whoever wrote the end."""

    def is_seen_in(place: Place, op: OpId) -> bool:
        line = by_op[op]
        return any(other.saw(line) for other, edit in writes[place] if edit.action is not Action.COUNT)

    by_op = {line.op.id: line for each in writes.values() for line, _ in each}
    ends = [each.op for each in cells[end]]
    unseen: set[tuple[str, str, OpId]] = set()
    for place, standing in cells.items():
        for each in standing:
            if place[0] != end[0] and each.op not in ends and not is_seen_in(end, each.op):
                unseen.add((*place, each.op))
    return frozenset(unseen)


def _scopes(kind: Kind, cells: Mapping[Place, tuple[Standing, ...]]) -> frozenset[str]:
    if not kind.scope_field:
        return frozenset({"tenant"})
    return frozenset(str(each.value) for each in cells.get((kind.scope_field, ""), ()))


def _shown(field: Field, cells: Mapping[str, tuple[Standing, ...]]) -> Value:
    if field.merge is Merge.AWSET:
        return [_element(field, key, cells[key][-1].value) for key in sorted(cells)] or None
    if field.merge is Merge.APPEND:
        return [_element(field, key, each[0].value) for key, each in sorted(cells.items(), key=_by_first)] or None
    if isinstance(field.type, MapOf):
        return {key: _picked(field, each) for key, each in sorted(cells.items())} or None
    return _picked(field, cells[""])


def _by_first(cell: tuple[str, tuple[Standing, ...]]) -> tuple[int, bytes, bytes, int, str]:
    first = cell[1][0]
    return (first.stamp, *first.op, cell[0])


def _picked(field: Field, standing: tuple[Standing, ...]) -> Value:
    match field.merge:
        case Merge.IMMUT:
            return standing[0].value
        case Merge.COUNTER:
            return sum(each.value for each in standing if isinstance(each.value, int))
        case Merge.RANK:
            return max(reversed(standing), key=lambda each: _stage(field, each)[:2]).value[1]  # type: ignore[index]
        case Merge.MAX | Merge.MIN:
            return _furthest(field, [each.value for each in standing], is_up=field.merge is Merge.MAX)
        case _:
            return standing[-1].value


def _furthest(field: Field, values: list[Value], *, is_up: bool) -> Value:
    given = [value for value in values if value is not None]
    if len({pack(value) for value in values}) == 1 or not given:
        return values[0]
    type_ = field.type.element if isinstance(field.type, MapOf) else field.type
    assert not isinstance(type_, Struct), "the world does not edit structures that join member by member"

    def placed(value: Value) -> tuple[int | float, bytes]:
        if isinstance(type_, Choice):
            return [option.value for option in type_.options].index(str(value)), pack(value)
        if isinstance(value, str):
            return datetime.fromisoformat(value).timestamp(), pack(value)
        assert isinstance(value, int)
        return value, pack(value)

    return max(given, key=placed) if is_up else min(given, key=placed)


def _conflict(field: Field, key: str, standing: tuple[Standing, ...]) -> ToldConflict | None:
    if field.merge is Merge.RANK:
        stages = {_stage(field, each) for each in standing}
        pairs = [(one, other) for one in stages for other in stages if one != other]
        opposed = any(one[0] != other[0] or one[1] == other[1] or one[3] or other[3] for one, other in pairs)
        return ToldConflict(field.name, key, is_hard=True) if opposed else None
    is_told = field.merge not in (Merge.MAX, Merge.MIN, Merge.COUNTER)
    if not is_told or len({pack(each.value) for each in standing}) == 1:
        return None
    return ToldConflict(field.name, key, is_hard=field.merge is Merge.MV)


def _stage(field: Field, standing: Standing) -> tuple[int, int, str, bool]:
    """Return round, rank, option and whether it ends the record."""
    type_ = field.type.element if isinstance(field.type, MapOf) else field.type
    assert isinstance(type_, Choice)
    match standing.value:
        case [int(number), str(name), *end]:
            rank = next(option.rank for option in type_.options if option.value == name)
            return number, rank, name, end == [True]
        case other:
            raise AssertionError(f"the world writes no such stage: {other!r}")


def _element(field: Field, key: str, value: Value) -> Value:
    type_ = field.type.element if isinstance(field.type, (SetOf, ListOf)) else field.type
    if isinstance(type_, Struct):
        return value
    is_id = isinstance(type_, Identity) or (isinstance(type_, Reference) and type_.form == "identity")
    is_hex = len(key) == 32 and all(each in "0123456789abcdef" for each in key)
    return bytes.fromhex(key) if is_id and is_hex else key
