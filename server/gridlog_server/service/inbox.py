"""What waits for a supervisor, and lists to find things in: only of his grids, and cheap however much there is.

The rule it keeps: a list unpacks the records that it shows and no others, looks at a bounded number of them, and
says how far it looked. Totals are bounded too: "1000+".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import Position, RecordId, ScopeId, UserId, is_record_id
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.kinds.times import DAY_MS
from gridlog_server.store.contract import Device, StoredOp
from gridlog_server.store.desk import DeskStore, DeskTransaction, ListedRow, ListingQuery, Place
from gridlog_sync.review import Review, ReviewState, review_of
from gridlog_sync.view import rounds_of, values_of

from .filling import Filling
from .grid_tree import GridTree
from .in_reach import case_of
from .listed import searched
from .permitting import Caller, Role, require
from .refusing import RefusedError
from .standing import ACTIVE

__all__ = [
    "Filter",
    "HistoryLine",
    "Inbox",
    "Page",
    "RecordRow",
    "RecordView",
    "SilentDevice",
    "StoredOp",
    "Total",
    "Waiting",
]

PAGE_ROWS: Final = 50
PAGE_ROWS_MAX: Final = 200
TOTAL_MAX: Final = 1000
SILENT_DAYS: Final = 3
_SEARCH_CHARACTERS_MAX: Final = 100
_TO_REVIEW: Final = (ReviewState.SUBMITTED, ReviewState.CHECKED)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Total:
    """How many there are: exactly, or more than that."""

    number: int
    is_more: bool = False

    def __str__(self) -> str:
        return f"{self.number}+" if self.is_more else f"{self.number}"


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list. `next` goes back in for the next one, and is empty after the last.

    `searched_to_ms` is how far back it looked before it stopped, though fewer rows were found than fit; else None.
    `is_complete` is False while older records are still being filled in.
    """

    rows: Sequence[T]
    next: str = ""
    searched_to_ms: int | None = None
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class RecordRow:
    """One record as a list shows it. Times are Unix ms; `stepped_ms` is since when its review stands so."""

    record: RecordId
    kind: str
    values: Mapping[str, Value]
    grids: tuple[ScopeId, ...]
    grid_names: tuple[str, ...]
    author: UserId
    author_name: str
    occurred_ms: int
    review_state: str
    stepped_ms: int
    conflicts: int
    changed: Position


@dataclass(frozen=True, slots=True)
class SilentDevice:
    """A device of which nothing was heard for some days, and who holds it."""

    device: Device
    holder: str
    staff_no: str
    silent_days: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for a supervisor, counted."""

    to_review: Total
    conflicts: Total
    returned: Total
    held: Total
    silent: Total
    is_complete: bool = True


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records a list shows; what is left out asks for nothing. Times are Unix ms, `until_ms` excluded."""

    grid: str = ""
    review_state: str = ""
    author: UserId | None = None
    from_ms: int | None = None
    until_ms: int | None = None
    text: str = ""
    in_conflict: bool = False


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One op of a record: who, when it happened and when it came (Unix ms), and what it did."""

    stored: StoredOp
    author_name: str
    received_ms: int


@dataclass(frozen=True, slots=True)
class RecordView:
    """One record with all that is known of it. `row.changed` goes back with a decision."""

    row: RecordRow
    review: Review
    history: tuple[HistoryLine, ...]
    related: tuple[RecordRow, ...] = ()
    """What its fields name, as far as the reader may see it: the household of a visit."""
    field_positions: Mapping[str, Position] = field(default_factory=dict)


class Inbox:
    """Questions of the console. All raise ForbiddenError unless a supervisor asks."""

    def __init__(self, store: DeskStore, kinds: KindSet, tree: GridTree, *, now_ms: Callable[[], int]) -> None:
        self._store = store
        self._kinds = kinds
        self._now_ms = now_ms
        self._filling = Filling(store, kinds)
        self._tree = tree

    async def waiting(self, *, by: Caller, silent_days: int = SILENT_DAYS) -> Waiting:
        """Count what waits for a supervisor."""
        require(by, Role.SUPERVISOR)
        limit = TOTAL_MAX + 1
        async with self._store.reading() as snapshot:
            desk, grids = snapshot.desk, by.grids
            to_review = await desk.in_review(_TO_REVIEW, grids, None, limit)
            returned = await desk.in_review((ReviewState.RETURNED,), grids, None, limit)
            conflicts = await desk.in_conflict(grids, None, limit)
            held = await desk.held(grids, limit)
            silent = await self._silent(snapshot, by, silent_days)
        return Waiting(
            _total(len(to_review)),
            _total(len(conflicts)),
            _total(len(returned)),
            _total(len(held)),
            _total(len(silent)),
            await self._filling.is_done(),
        )

    async def to_review(self, *, by: Caller, after: str = "", limit: int = PAGE_ROWS) -> Page[RecordRow]:
        """Return what was handed in, those that wait longest first."""
        return await self._in_review(_TO_REVIEW, by, after, limit)

    async def following(self, record: RecordId, *, by: Caller) -> RecordId | None:
        """Return what waits for review next after a record that waits or did, or the first of all if it was the last.

        None if nothing else waits.
        """
        require(by, Role.SUPERVISOR)
        async with self._store.reading() as snapshot:
            facts = (await snapshot.desk.listed([record])).get(record)
            here = Place(facts.stepped_ms, record) if facts else None
            behind = await snapshot.desk.in_review(_TO_REVIEW, by.grids, here, 1)
            first = await snapshot.desk.in_review(_TO_REVIEW, by.grids, None, 2)
        return next((each.record for each in (*behind, *first) if each.record != record), None)

    async def returned(self, *, by: Caller, after: str = "", limit: int = PAGE_ROWS) -> Page[RecordRow]:
        """Return what went back to its authors, those that wait longest first."""
        return await self._in_review((ReviewState.RETURNED,), by, after, limit)

    async def in_conflict(self, *, by: Caller, after: str = "", limit: int = PAGE_ROWS) -> Page[RecordRow]:
        """Return records in conflict, changed last first."""
        require(by, Role.SUPERVISOR)
        async with self._store.reading() as snapshot:
            found = await snapshot.desk.in_conflict(by.grids, _place(after), _checked(limit))
            return await self._page(snapshot, found, limit)

    async def held(self, *, by: Caller, limit: int = PAGE_ROWS) -> list[tuple[StoredOp, str]]:
        """Return held ops with their authors' names, newest first."""
        require(by, Role.SUPERVISOR)
        async with self._store.reading() as snapshot:
            found = await snapshot.desk.held(by.grids, _checked(limit))
            names = await _names(snapshot)
        return [(each, names.get(each.op.author, "")) for each in found]

    async def silent(self, *, by: Caller, days: int = SILENT_DAYS) -> list[SilentDevice]:
        """Return devices of people in the caller's grids that did not call for some days, longest first."""
        require(by, Role.SUPERVISOR)
        async with self._store.reading() as snapshot:
            return await self._silent(snapshot, by, days)

    async def records(
        self, kind: str, wanted: Filter, *, by: Caller, after: str = "", limit: int = PAGE_ROWS
    ) -> Page[RecordRow]:
        """Return records of a kind, newest first by when they occurred.

        Raises RefusedError if a filter names what there is not. A grid of somebody else is as one without records.
        """
        query = self._query(kind, wanted, by)
        async with self._store.reading() as snapshot:
            found, place = await snapshot.desk.listing(query, _place(after), _checked(limit))
            page = await self._page(snapshot, found, limit)
        # Fewer than fit, and more to look at: the list stopped looking there.
        stopped = place if place is not None and len(found) < limit else None
        return Page(page.rows, _written(place), stopped.number if stopped else None, await self._filling.is_done())

    async def grids(self, *, by: Caller) -> list[tuple[ScopeId, str]]:
        """Return the grids that the caller looks after with their names, by code. A name may be empty."""
        require(by, Role.SUPERVISOR)
        async with self._store.reading() as snapshot:
            called = await self._tree.names(snapshot)
        return [(grid, called.get(grid, "")) for grid in sorted(by.grids)]

    async def total(self, kind: str, wanted: Filter, *, by: Caller) -> Total:
        """Count what `records` would show, as far as it looks."""
        query = self._query(kind, wanted, by)
        async with self._store.reading() as snapshot:
            found, is_all = await snapshot.desk.amount(query, TOTAL_MAX + 1)
        return Total(min(found, TOTAL_MAX), found > TOTAL_MAX or not is_all)

    async def record(self, record: RecordId, *, by: Caller) -> RecordView:
        """Return one record with its history. Its conflicts are `Resolving.conflicts`. Raises NotThereError too."""
        async with self._store.reading() as snapshot:
            case = await case_of(snapshot, record, by, self._kinds)
            ops = await snapshot.ledger.ops_of_record(record)
            received = await snapshot.desk.received([each.segment for each in ops if each.segment is not None])
            names = await _names(snapshot)
            [row] = await self._rows(snapshot, [record], names)
            named = await self._rows(snapshot, sorted(_named_in(row.values)), names)
        history = tuple(
            HistoryLine(each, names.get(each.op.author, ""), _received_ms(each, received)) for each in ops
        )
        review = review_of(case.values, rounds_of(case.state, case.kind))
        related = tuple(each for each in named if by.grids.intersection(each.grids))
        positions = {name: each.changed for name, each in case.state.fields.items()}
        return RecordView(row, review, history, related, positions)

    async def _in_review(self, states: Sequence[ReviewState], by: Caller, after: str, limit: int) -> Page[RecordRow]:
        require(by, Role.SUPERVISOR)
        async with self._store.reading() as snapshot:
            found = await snapshot.desk.in_review(states, by.grids, _place(after), _checked(limit))
            return await self._page(snapshot, found, limit)

    async def _page(self, snapshot: DeskTransaction, found: Sequence[ListedRow], limit: int) -> Page[RecordRow]:
        rows = await self._rows(snapshot, [each.record for each in found], await _names(snapshot))
        following = _written(found[-1].place) if len(found) == limit else ""
        return Page(rows, following, None, await self._filling.is_done())

    async def _rows(
        self, snapshot: DeskTransaction, records: Sequence[RecordId], names: Mapping[UserId, str]
    ) -> list[RecordRow]:
        stored = await snapshot.ledger.records(records) if records else {}
        listed = await snapshot.desk.listed(records)
        called = await self._tree.names(snapshot)
        rows = []
        for record in records:
            each, facts = stored.get(record), listed.get(record)
            if each is None or facts is None:
                continue
            kind = self._kinds.get(each.state.kind)
            grids = tuple(sorted(each.scopes))
            rows.append(
                RecordRow(
                    record,
                    each.state.kind,
                    values_of(each.state, kind),
                    grids,
                    tuple(called.get(grid, grid) for grid in grids),
                    facts.author,
                    names.get(facts.author, ""),
                    facts.occurred_ms,
                    facts.review_state,
                    facts.stepped_ms,
                    each.conflicts,
                    each.changed,
                )
            )
        return rows

    async def _silent(self, snapshot: DeskTransaction, by: Caller, days: int) -> list[SilentDevice]:
        now_ms = self._now_ms()
        people = {each.id: each for each in await snapshot.registry.people() if each.scopes & by.grids}
        quiet = [
            each
            for each in await snapshot.registry.devices()
            if each.status == ACTIVE and each.person in people and each.contact_ms < now_ms - days * DAY_MS
        ]
        quiet.sort(key=lambda each: each.contact_ms)
        return [
            SilentDevice(
                each,
                people[each.person].name,
                people[each.person].staff_no,
                (now_ms - each.contact_ms) // DAY_MS,
            )
            for each in quiet
        ]

    def _query(self, kind: str, wanted: Filter, by: Caller) -> ListingQuery:
        require(by, Role.SUPERVISOR)
        if self._kinds.get(kind) is None:
            raise RefusedError(f"没有“{kind}”这种记录。", f"There is no kind {kind!r}.")
        if wanted.review_state and wanted.review_state not in set(ReviewState):
            raise RefusedError(
                f"没有“{wanted.review_state}”这种审核状态。", f"There is no state {wanted.review_state!r}."
            )
        grids = by.grids & {ScopeId(wanted.grid)} if wanted.grid else by.grids
        words = searched(wanted.text[:_SEARCH_CHARACTERS_MAX]).split()
        return ListingQuery(
            kind,
            grids,
            wanted.review_state or None,
            wanted.author,
            wanted.from_ms,
            wanted.until_ms,
            words,
            wanted.in_conflict,
        )


def _total(found: int) -> Total:
    return Total(min(found, TOTAL_MAX), found > TOTAL_MAX)


def _named_in(values: Mapping[str, Value]) -> set[RecordId]:
    """Return what could be the names of other records."""
    return {RecordId(each) for each in values.values() if isinstance(each, bytes) and is_record_id(each)}


def _received_ms(stored: StoredOp, received: Mapping[int, int]) -> int:
    # What the server wrote itself came when it was written.
    return stored.op.clock.wall_ms if stored.segment is None else received.get(stored.segment, 0)


async def _names(snapshot: DeskTransaction) -> dict[UserId, str]:
    return {each.id: each.name for each in await snapshot.registry.people()}


def _checked(limit: int) -> int:
    if not 1 <= limit <= PAGE_ROWS_MAX:
        raise RefusedError(f"一页 1 到 {PAGE_ROWS_MAX} 条。", f"A page has 1 to {PAGE_ROWS_MAX} rows.")
    return limit


def _written(place: Place | None) -> str:
    return f"{place.number}-{place.record.hex()}" if place else ""


def _place(after: str) -> Place | None:
    """Read where a page begins. Raises RefusedError: it comes back from a browser."""
    if not after:
        return None
    number, _, record = after.partition("-")
    try:
        return Place(int(number) if len(number) <= 18 else int("x"), RecordId(bytes.fromhex(record)))
    except ValueError:
        raise RefusedError("这一页已经找不到了，请从头查看。", "There is no such page: begin at the first.") from None
