"""What the console asks of a database beside what devices need: part of `contract`, for stores that serve one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from gridlog_protocol.ids import OpId, RecordId, ScopeId, UserId

from .contract import Store, StoredOp, StoredRecord, Transaction
from .stored_record import Listed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of a list ends: the last row's number (a time or a position) and its record."""

    number: int
    record: RecordId


@dataclass(frozen=True, slots=True)
class ListingQuery:
    """Which records of a kind a list wants. None, or an empty text, asks for nothing; times are Unix ms.

    `words` must all be in the record's texts, in lower case. All the records of a kind that these grids have are
    looked at if they are `sorted_max` at most; else no more than `examined_max` of the kind, newest first.
    """

    kind: str
    grids: Collection[ScopeId]
    review_state: str | None = None
    author: UserId | None = None
    from_ms: int | None = None
    until_ms: int | None = None
    words: Sequence[str] = ()
    in_conflict: bool = False
    examined_max: int = 20_000
    sorted_max: int = 10_000


@dataclass(frozen=True, slots=True)
class ListedRow:
    """One row of a list: which record, and what its line begins with."""

    record: RecordId
    kind: str
    listed: Listed
    conflicts: int
    place: Place


class Desk(Protocol):
    """Questions of the office. Each list asks only for records in some grids."""

    async def received(self, segments: Collection[int]) -> dict[int, int]:
        """Return when segments came in, by their number (Unix ms)."""
        ...

    async def in_review(
        self, states: Collection[str], grids: Collection[ScopeId], after: Place | None, limit: int
    ) -> list[ListedRow]:
        """Return records whose review stands at these states, those that wait longest first."""
        ...

    async def in_conflict(self, grids: Collection[ScopeId], after: Place | None, limit: int) -> list[ListedRow]:
        """Return records in conflict, changed last first; their place's number is that position."""
        ...

    async def held(self, grids: Collection[ScopeId], limit: int, op: OpId | None = None) -> list[StoredOp]:
        """Return held ops nobody has decided about, of records in these grids or of people who work there.

        With `op`, that one, if it is among them.
        """
        ...

    async def listing(
        self, query: ListingQuery, after: Place | None, limit: int
    ) -> tuple[list[ListedRow], Place | None]:
        """Return records newest first, and how far it looked: None if it looked at all there are."""
        ...

    async def amount(self, query: ListingQuery, limit: int) -> tuple[int, bool]:
        """Count what `listing` would find, up to a limit, and tell whether it looked at all there are."""
        ...

    async def listed(self, records: Collection[RecordId]) -> dict[RecordId, Listed]:
        """Return what lists ask of these records."""
        ...

    async def unlisted(self, after: RecordId, limit: int) -> list[StoredRecord]:
        """Return records behind an id, by id, to be filled in."""
        ...

    async def put_listings(self, rows: Mapping[RecordId, tuple[str, Listed]]) -> None:
        """Write what lists ask of records, each with its kind."""
        ...

    async def filled(self) -> tuple[int, RecordId | None]:
        """Return which layout of listings is here, 0 for none, and up to which record; None if up to the last."""
        ...

    async def put_filled(self, layout: int, record: RecordId | None) -> None:
        """Write down how far listings are filled in."""
        ...


class DeskTransaction(Transaction, Protocol):
    """A transaction that answers the office too."""

    @property
    def desk(self) -> Desk:
        """Questions of the office."""
        ...


class DeskStore(Store, Protocol):
    """A database that the console can work with."""

    def reading(self, *, briefly: bool = False) -> AbstractAsyncContextManager[DeskTransaction]:
        """Open a snapshot that cannot write."""
        ...

    async def commit(self, work: Callable[[DeskTransaction], Awaitable[T]]) -> T:
        """Run `work` in a write transaction. See `Store`."""
        ...
