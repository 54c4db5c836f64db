"""Rows to columns and back: what is alike stands together, so that compression finds it.

A run of ops or records is written as its columns, the forms that their edits or fields have (which names, in which
order), the form of each row, and for each name the values of all rows. A thousand notes take a tenth fewer bytes than
row by row. The layout is section 5.2 of the wire specification, that of one column in `column_forms`. Nothing here is
signed or hashed: rows are restored first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from .canonical import ITEMS_MAX, NESTING, Value
from .column_forms import Elements, column_form, id_form, read_column, read_id_form, read_rests
from .errors import ProtocolError
from .rows import Row, reading
from .state import WITHDRAWN
from .written_at_once import Said, are_ordinary, is_ordinary, rows_of

_OP_COLUMNS = 13
_RECORD_COLUMNS = 5
_WITH_KEYS, _WITH_POSITION = 1, 2
_FormT = TypeVar("_FormT")


class _Forms:
    """The forms of a run and, by name, its values."""

    def __init__(self) -> None:
        self.forms: dict[tuple[Value, ...], int] = {}
        self.which: list[Value] = []
        self.values: dict[str, list[Value]] = {}

    def take(self, form: Sequence[Value]) -> None:
        self.which.append(self.forms.setdefault(tuple(form), len(self.forms)))

    def of(self, name: str) -> list[Value]:
        values = self.values.get(name)
        if values is None:
            values = self.values[name] = []
        return values

    def written(self, first: Value, columns: Iterable[list[Value]]) -> list[Value]:
        forms: list[Value] = [[*form] for form in self.forms]
        return [[first, *map(column_form, columns)], forms, self.which, [*map(column_form, self.values.values())]]


def op_columns(columns: Sequence[list[Value]], edits: Sequence[Sequence[Sequence[Value]]]) -> Value:
    """Write ops: the columns of their rows (section 5.1), of which there are thirteen, and the edits of each."""
    forms = _Forms()
    for rows in edits:
        form: list[Value] = []
        for name, code, *rest in rows:
            form += (name, code, len(rest))
            forms.of(name).extend(rest)  # type: ignore[arg-type]  # An edit begins with its field's name.
        forms.take(form)
    named = [each for each in columns[0] if isinstance(each, bytes)]
    indexes: list[Value] = [None if isinstance(each, bytes) else each for each in columns[0]]
    return forms.written([indexes, b"".join(named)], columns[1:])


def read_op_parts(
    value: Value, count_max: int, elements: Elements
) -> tuple[list[list[Value]], list[list[list[Value]]]]:
    """Return the columns of a run of ops, and the rows of each op's edits. Raises ProtocolError `malformed`."""
    with reading(value, "ops") as row:
        columns = _columns(row, _read_records, _OP_COLUMNS, count_max)
        forms = [_op_form(Row(form, "form")) for form in row.items(count_max)]
        which = [_indexed(forms, index, row) for index in row.items(len(columns[0]))]
        names = dict.fromkeys(field for form in forms for field, _, _ in form)
        values = _value_columns(row, names, elements)
    if len(which) != len(columns[0]):
        raise row.malformed("not one form for each op")
    takes = {name: iter(column) for name, column in values.items()}
    edits: list[list[list[Value]]] = []
    try:
        for form in which:
            of_op: list[list[Value]] = []
            for field, code, length in form:
                take = takes[field]
                of_op.append([field, code, next(take)] if length == 1 else [field, code, next(take), next(take)])
            edits.append(of_op)
    except StopIteration:
        raise ProtocolError("malformed", detail="ops: more edits than values") from None
    if any(True for take in takes.values() for _ in take):
        raise ProtocolError("malformed", detail="ops: values left over")
    return columns, edits


def record_columns(rows: Sequence[Sequence[Value]]) -> Value:
    """Write record rows (section 6): five columns, their fields by name, and the last elements of ended ones."""
    if not rows:
        return []
    forms = _Forms()
    ends: list[Value] = []
    for index, row in enumerate(rows):
        form: list[Value] = []
        # A loop that every field of every answer goes through: rows are of our own making, nothing is asked twice.
        fields: Any = row[_RECORD_COLUMNS]
        for field in fields:
            name, digest_class, cells = field[:3]
            values = forms.of(name)
            if len(field) == 3 and len(cells) == 2 and cells[0] == "" and len(cells[1]) == 2:
                # As nearly every field: one element, one write.
                write, value = cells[1]
                form += (name, digest_class, 0, 1, 1, write)
                values.append(value)
                continue
            is_plain = len(cells) == 2 and cells[0] == ""
            flags = (0 if is_plain else _WITH_KEYS) | (_WITH_POSITION if len(field) > 3 else 0)
            values += field[3:]
            form += (name, digest_class, flags, len(cells) // 2)
            for key, heads in zip(cells[::2], cells[1::2], strict=True):
                values += () if is_plain else (key,)
                values += heads[1::2]
                form += (len(heads) // 2, *heads[::2])
        forms.take(form)
        if len(row) > _RECORD_COLUMNS + 1:
            ends += [index, row[_RECORD_COLUMNS + 1]]
    ids: Any = [row[0] for row in rows]
    return [*forms.written(id_form(ids), ([row[at] for row in rows] for at in range(1, _RECORD_COLUMNS))), ends]


def read_record_columns(value: Value, count_max: int, elements: Elements) -> list[Any]:
    """Restore record rows; of one that may be written at once, the fields are a tuple of what was said of each.

    Raises ProtocolError `malformed`.
    """
    if value == []:
        return []
    with reading(value, "records") as row:
        columns = _columns(row, read_id_form, _RECORD_COLUMNS, count_max)
        forms = [_RecordForm(Row(form, "form")) for form in row.items(count_max)]
        which = [_indexed(forms, index, row) for index in row.items(len(columns[0]))]
        names = dict.fromkeys(field.name for form in forms for field in form.fields)
        values = {name: Row(column, name) for name, column in _value_columns(row, names, elements).items()}
        ends = Row(row.items(2 * count_max), "ends")
    if len(which) != len(columns[0]):
        raise row.malformed("not one form for each record")
    # A form may have fields without elements, which take no value: without a bound few bytes would become many rows.
    elements.take(sum(len(form.fields) for form in which))
    restored: list[list[Any]] = []
    for index, form in enumerate(which):
        restored.append([*(column[index] for column in columns), form.read(values)])
    while ends.has_more:
        restored[ends.whole(high=len(restored) - 1)].append(ends.value())
    _end(values.values())
    return restored


class _FieldForm:
    """What a field of a record looks like, without its values."""

    def __init__(self, row: Row) -> None:
        self.name = _name(row)
        self.digest_class: Any = row.value()
        flags = row.whole(high=_WITH_KEYS | _WITH_POSITION)
        self.has_keys, self.has_position = bool(flags & _WITH_KEYS), bool(flags & _WITH_POSITION)
        self.cells = [self._heads(row) for _ in range(row.whole(high=ITEMS_MAX))]
        if not self.has_keys and len(self.cells) != 1:
            raise row.malformed("elements without keys")

    @property
    def is_written_once(self) -> bool:
        """Tell whether it has elements, and each has one write: the record's first."""
        are_first = all(len(heads) == 1 and type(heads[0]) is int and not heads[0] for heads in self.cells)
        return bool(self.cells) and are_first and not self.has_position

    @staticmethod
    def _heads(row: Row) -> list[Value]:
        return [row.value() for _ in range(row.whole(high=ITEMS_MAX))]

    def row(self, values: Row) -> Value:
        position = [values.value()] if self.has_position else []
        cells: list[Value] = []
        for writes in self.cells:
            cells.append(values.value() if self.has_keys else "")
            heads: list[Value] = []
            for write in writes:
                heads += [write, values.value()]
            cells.append(heads)
        return [self.name, self.digest_class, cells, *position]


class _RecordForm:
    """What the fields of a record look like, without their values."""

    def __init__(self, row: Row) -> None:
        self.fields: list[_FieldForm] = []
        while row.has_more:
            self.fields.append(_FieldForm(row))
        are_written_once = bool(self.fields) and all(each.is_written_once for each in self.fields)
        names, classes = [each.name for each in self.fields], [each.digest_class for each in self.fields]
        self._is_at_once = are_written_once and are_ordinary(names, classes)

    def read(self, values: Mapping[str, Row]) -> list[Value] | tuple[Said, ...]:
        """Take one record's values: as rows, or as what was said at once."""
        if not self._is_at_once:
            return [field.row(values[field.name]) for field in self.fields]
        found: list[Said] = []
        is_at_once = True
        for field in self.fields:
            name, take = field.name, values[field.name].value
            elements: list[Any] = [(take(), take()) for _ in field.cells] if field.has_keys else [("", take())]
            # A plain text or number is right, and ends no record, but in one field: nearly all of them.
            if field.has_keys or type(elements[0][1]) in NESTING or name == WITHDRAWN:
                is_at_once = is_at_once and is_ordinary(name, elements)
            found.append(Said(name, field.digest_class, elements))
        return tuple(found) if is_at_once else rows_of(found)


def _op_form(row: Row) -> list[tuple[str, int, int]]:
    form = []
    while row.has_more:
        form.append((_name(row), row.whole(), row.whole(low=1, high=2)))
    return form


def _name(row: Row) -> str:
    name = row.value()
    if not isinstance(name, str):
        raise row.malformed("a field's name is not text")
    return name


def _columns(
    row: Row, read_first: Callable[[Row, int], list[Value]], count: int, length_max: int
) -> list[list[Value]]:
    written = row.items(count)
    if len(written) != count:
        raise row.malformed("not all columns")
    with reading(written[0], "records") as first:
        columns = [read_first(first, length_max)]
    columns += [read_column(column, "column", length_max) for column in written[1:]]
    if len({len(column) for column in columns}) != 1:
        raise row.malformed("not all columns")
    return columns


def _read_records(row: Row, count_max: int) -> list[Value]:
    """Read which record each op edits: the rest of its id, or the index of an earlier op."""
    indexes = row.items(count_max)
    if any(index is not None and type(index) is not int for index in indexes):
        raise row.malformed("no index of an earlier op")
    rests = iter(read_rests(row, indexes.count(None)))
    return [next(rests) if index is None else index for index in indexes]


def _indexed(forms: Sequence[_FormT], index: Value, row: Row) -> _FormT:
    if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < len(forms):
        raise row.malformed("no such form")
    return forms[index]


def _value_columns(row: Row, names: Iterable[str], elements: Elements) -> dict[str, list[Value]]:
    named = list(names)
    columns = row.items(len(named))
    if len(columns) != len(named):
        raise row.malformed("not the values of each field")
    found: dict[str, list[Value]] = {}
    for name, column in zip(named, columns, strict=True):
        found[name] = read_column(column, name, elements.left)
        elements.take(len(found[name]))
    return found


def _end(values: Iterable[Row]) -> None:
    for each in values:
        each.end()
