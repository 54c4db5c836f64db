"""Held ops as a supervisor meets them: of her grids, or of people who work there; never one of her own.

Who may decide is looked up before the decision is made, not with it: what it hangs on, whose op it is and where it
belongs, does not change while an op waits. Whether somebody decided meanwhile is looked up again with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import OpId
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.limits import DECIDER_CHARACTERS_MAX
from gridlog_server.store.contract import StoredOp
from gridlog_server.store.desk import DeskStore
from gridlog_sync.view import values_of

from .deciding import Decided, Deciding, op_name
from .in_reach import NotThereError
from .permitting import Caller, ForbiddenError, Role, require


@dataclass(frozen=True, slots=True)
class HeldOp:
    """An op that waits for a decision. `standing` is what its record says now; None if there is no record yet."""

    stored: StoredOp
    author_name: str
    standing: Mapping[str, Value] | None


class HeldOps:
    """Look at held ops one by one, and decide.

    All raise ForbiddenError unless a supervisor asks, and NotThereError for what does not wait in her grids.
    """

    def __init__(self, store: DeskStore, deciding: Deciding, kinds: KindSet) -> None:
        self._store = store
        self._deciding = deciding
        self._kinds = kinds

    async def held(self, op: OpId, *, by: Caller) -> HeldOp:
        """Return what waits."""
        require(by, Role.SUPERVISOR)
        async with self._store.reading() as snapshot:
            found = await snapshot.desk.held(by.grids, 1, op)
            if not found:
                raise NotThereError
            record = (await snapshot.ledger.records({found[0].op.record})).get(found[0].op.record)
            author = await snapshot.registry.person(found[0].op.author)
        # The record of a grid elsewhere stays unseen, though what somebody of here wrote to it is not.
        is_seen = record is not None and bool(record.scopes & by.grids)
        standing = values_of(record.state, self._kinds.get(record.state.kind)) if record and is_seen else None
        return HeldOp(found[0], author.name if author else "", standing)

    async def release(self, op: OpId, *, by: Caller, reason: str = "") -> Decided:
        """Let it take effect now. Raises DecisionError if it cannot."""
        await self._check(op, by)
        return await self._deciding.release(op_name(op), by=_named(by), reason=reason)

    async def reject(self, op: OpId, *, by: Caller, reason: str) -> Decided:
        """Decide that it never takes effect. Raises DecisionError if the reason is missing."""
        await self._check(op, by)
        return await self._deciding.reject(op_name(op), by=_named(by), reason=reason)

    async def _check(self, op: OpId, by: Caller) -> None:
        held = await self.held(op, by=by)
        if held.stored.op.author == by.person:
            raise ForbiddenError(
                "这是您自己写的，请由别的督导处理。", "You wrote this yourself: somebody else decides about it."
            )


def _named(by: Caller) -> str:
    return by.named[:DECIDER_CHARACTERS_MAX]
