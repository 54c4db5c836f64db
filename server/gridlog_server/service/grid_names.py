"""What people call a grid. Every line of a list says it, a district has two thousand, and they hardly ever change."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gridlog_protocol.ids import ScopeId
from gridlog_protocol.kinds import KindSet
from gridlog_server.store.contract import Transaction
from gridlog_sync.view import values_of

from .people import GRID, GRIDS_MAX

_FRESH_MS = 60_000


class GridNames:
    """The names of all grids, as they were a minute ago at most."""

    def __init__(self, kinds: KindSet, *, now_ms: Callable[[], int]) -> None:
        self._kinds = kinds
        self._now_ms = now_ms
        self._names: Mapping[ScopeId, str] = {}
        self._read_ms: int | None = None

    async def read(self, snapshot: Transaction) -> Mapping[ScopeId, str]:
        """Return names by code. A grid that nobody imported is not among them."""
        now_ms = self._now_ms()
        if self._read_ms is None or not 0 <= now_ms - self._read_ms < _FRESH_MS:
            found = await snapshot.listed(kind=GRID, in_conflict=False, limit=GRIDS_MAX)
            values = [values_of(each.state, self._kinds.get(GRID)) for each in found]
            self._names = {
                ScopeId(str(each["grid_code"])): str(each["name"])
                for each in values
                if each.get("grid_code") and each.get("name")
            }
            self._read_ms = now_ms
        return self._names
