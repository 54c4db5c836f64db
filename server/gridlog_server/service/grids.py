"""Bring in grids as an office has them: rows of a spreadsheet, without ids.

The rule it keeps: a grid's code is its identity. A file may be brought in again; a grid that is there stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId, record_id
from gridlog_protocol.kinds import Kind, KindSet
from gridlog_server.store.contract import Store

from .grid_tree import GRID, GridTree
from .importing import Given, Importing
from .refusing import RefusedError

COLUMNS = ("grid_code", "name", "parent_code", "level", "kind")
_WANTED = COLUMNS[:4]


class Grids:
    """The use case behind `gridlog-server admin grid import`."""

    def __init__(
        self,
        store: Store,
        importing: Importing,
        kinds: KindSet,
        tree: GridTree,
        *,
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._importing = importing
        self._kinds = kinds
        self._tree = tree
        self._now_ms = now_ms
        self._entropy = entropy

    async def write(self, rows: Sequence[Mapping[str, str]], *, by: str) -> int:
        """Create the grids that are not there yet, and return how many.

        Columns are named as fields of the kind, or by their labels. Raises RefusedError, naming the row, or
        InvalidRecordError; nothing is stored then.
        """
        kind = self._kinds.get(GRID)
        assert kind is not None
        named = [_named(kind, number, row) for number, row in enumerate(rows, start=1)]
        async with self._store.reading() as snapshot:
            known = {*await self._tree.codes(snapshot)}
        given, new = list[Given](), set[str]()
        for number, values in enumerate(named, start=1):
            code = str(values["grid_code"])
            if code in known:
                continue
            if code in new:
                raise RefusedError(
                    f"第 {number} 行：网格 {code} 出现了两次。", f"Row {number}: the grid {code} occurs twice."
                )
            given.append(Given(self._new_id(), GRID, values))
            new.add(code)
        return await self._importing.write(given, by=by)

    def _new_id(self) -> RecordId:
        return record_id(self._now_ms(), self._entropy(10))


def _named(kind: Kind, number: int, row: Mapping[str, str]) -> dict[str, Value]:
    labels = {name: kind.fields[name].label for name in COLUMNS}
    labels = {name: kind.fields[name].label for name in COLUMNS}
    names = {said: name for name, label in labels.items() for said in (name, label.zh, label.en)}
    values: dict[str, Value] = {}
    for column, cell in row.items():
        name = names.get(str(column).strip())
        if name is None:
            raise RefusedError(
                f"没有“{column}”这一列，可以用的是：{'、'.join(each.zh for each in labels.values())}。",
                f'There is no column "{column}". Those that count: {", ".join(COLUMNS)}.',
            )
        if str(cell).strip():
            values[name] = str(cell).strip()
    missing = next((name for name in _WANTED if name not in values), None)
    if missing is not None:
        raise RefusedError(f"第 {number} 行缺少“{labels[missing].zh}”。", f"Row {number} has no {missing}.")
    if not str(values["level"]).isdecimal():
        raise RefusedError(f"第 {number} 行：层级应为数字。", f"Row {number}: level is a number.")
    return values | {"level": int(str(values["level"]))}
