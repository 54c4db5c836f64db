"""The record that a supervisor decides about: in his grids, not his own, and as his page showed it.

The rule it keeps: whoever may not see a record is told the same as of one that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import Position, RecordId
from gridlog_protocol.kinds import Kind, KindSet
from gridlog_protocol.state import RecordState
from gridlog_server.store.contract import StoredRecord, Transaction
from gridlog_sync.view import values_of

from .permitting import Caller, ForbiddenError, Role, require
from .refusing import RefusedError


class NotThereError(RefusedError):
    """There is no such record, or none that this caller may see."""

    def __init__(self) -> None:
        super().__init__(
            "没有这条记录，或它不在您督导的网格内。", "There is no such record in the grids you supervise."
        )


class StaleError(RefusedError):
    """The record changed after the page was made. `changed` is the position to look at now."""

    def __init__(self, changed: Position) -> None:
        super().__init__(
            "您打开之后，这条记录又有了变化，请重新查看后再决定。",
            "This record has changed since you opened it. Look at it again, then decide.",
        )
        self.changed = changed


@dataclass(frozen=True, slots=True)
class Case:
    """A record that somebody may decide about, with its kind and what it says."""

    stored: StoredRecord
    kind: Kind
    values: Mapping[str, Value]

    @property
    def state(self) -> RecordState:
        """The merged state."""
        return self.stored.state


async def case_of(transaction: Transaction, record: RecordId, caller: Caller, kinds: KindSet) -> Case:
    """Return a record of the caller's grids. Raises ForbiddenError, NotThereError."""
    require(caller, Role.SUPERVISOR)
    stored = (await transaction.ledger.records({record})).get(record)
    kind = kinds.get(stored.state.kind) if stored else None
    if stored is None or kind is None or not stored.scopes & caller.grids:
        raise NotThereError
    return Case(stored, kind, values_of(stored.state, kind))


def check_not_own(case: Case, caller: Caller) -> None:
    """Make sure that nobody decides about his own record. Raises ForbiddenError."""
    origin = case.state.origin
    if origin is not None and origin.author == caller.person:
        raise ForbiddenError(
            "这是您自己登记的记录，请由别的督导处理。",
            "You wrote this record yourself: somebody else decides about it.",
        )


def check_fresh(case: Case, shown: Position | None) -> Position:
    """Return the position that a decision has seen: what the page showed. Raises StaleError if there is a later one.

    None is whoever has no page, and decides about the record as it is.
    """
    if shown is not None and case.stored.changed > shown:
        raise StaleError(case.stored.changed)
    return case.stored.changed
