"""The tree of grids: which grids lie below which. From `parent_code` alone; codes are opaque."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from gridlog_protocol.ids import TENANT_SCOPE, Position, RecordId, ScopeId
from gridlog_protocol.kinds import KindSet
from gridlog_server.store.contract import Transaction
from gridlog_sync.view import values_of

GRID = "grid"
GRIDS_MAX = 100_000


class GridTree:
    """The imported grids, read again only if one of them changed."""

    def __init__(self, kinds: KindSet) -> None:
        self._kinds = kinds
        self._read_at: tuple[Position, RecordId] | None = None
        self._parents: Mapping[str, str] = {}
        self._children: Mapping[str, tuple[str, ...]] = {}
        self._names: Mapping[ScopeId, str] = {}

    async def codes(self, snapshot: Transaction) -> Collection[str]:
        """Return the codes of all grids that were imported."""
        await self._read(snapshot)
        return self._parents.keys()

    async def names(self, snapshot: Transaction) -> Mapping[ScopeId, str]:
        """Return what people call the grids, by code."""
        await self._read(snapshot)
        return self._names

    async def below(self, snapshot: Transaction, top: str) -> frozenset[ScopeId]:
        """Return a grid with all below it. For the empty code: every grid there is, has records, or is worked in."""
        await self._read(snapshot)
        if not top:
            held, worked_in = await snapshot.ledger.scopes(), await snapshot.registry.assigned()
            return frozenset({ScopeId(each) for each in self._parents} | held | worked_in) - {TENANT_SCOPE}
        found, waiting = {top}, [top]
        while waiting:
            # A cycle, which nobody should have made, ends here too.
            new = [each for each in self._children.get(waiting.pop(), ()) if each not in found]
            found.update(new)
            waiting += new
        return frozenset(ScopeId(each) for each in found)

    async def _read(self, snapshot: Transaction) -> None:
        newest = await snapshot.listed(kind=GRID, in_conflict=False, limit=1)
        # With the record: a position of a commit that failed is given again, to something else.
        changed = (newest[0].changed, newest[0].state.id) if newest else None
        if changed == self._read_at:
            return
        kind = self._kinds.get(GRID)
        stored = await snapshot.listed(kind=GRID, in_conflict=False, limit=GRIDS_MAX)
        values = [values_of(each.state, kind) for each in stored]
        parents = {str(each.get("grid_code")): str(each.get("parent_code") or "") for each in values}
        children: dict[str, list[str]] = defaultdict(list)
        for code, parent in parents.items():
            children[parent].append(code)
        self._parents = parents
        self._children = {parent: tuple(sorted(codes)) for parent, codes in children.items()}
        self._names = {
            ScopeId(str(each["grid_code"])): str(each["name"])
            for each in values
            if each.get("grid_code") and each.get("name")
        }
        self._read_at = changed
