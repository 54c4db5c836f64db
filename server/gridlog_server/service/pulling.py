"""Answer "what changed": merged fields after a cursor, or pages of a first fetch, from one snapshot.

The rule it keeps: what is urgent goes ahead of its turn, but never instead of it. A record that came early comes
again when the cursor passes it, so an answer that is late, lost or doubled leaves no gap; the newer field stays.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gridlog_protocol.decisions import Decision
from gridlog_protocol.ids import DeviceId, Position, RecordId, ScopeId
from gridlog_protocol.limits import DECISIONS_MAX, PAGE_BYTES
from gridlog_protocol.messages import Fetch, Page
from gridlog_protocol.state import RecordState
from gridlog_server.store.contract import LogHead, StoredRecord, Transaction
from gridlog_sync.changes import Movement, Touch, left_records, part_of, wanted_records
from gridlog_sync.digest import combined

_TOUCHES_MAX = 4096
_PAGE_RECORDS = 512
_URGENT_RECORDS = 64
_DECISION_BYTES = 128
"""About what a decision takes in an answer: an op's id and hash, who decided, and why."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """How to share out an answer: which kinds go first, up to where they came already, and how many bytes it has."""

    urgent: frozenset[str] = frozenset()
    urgent_to: Position = Position(0)  # noqa: RUF009 - an int.
    room: int = PAGE_BYTES


@dataclass(frozen=True, slots=True)
class Pulled:
    """What goes down: changes up to `to`, or pages; `digest` is empty while more waits.

    `packed` are changes that are whole records, as they are at rest.
    `urgent_to` is the position up to which urgent records came ahead of their turn, 0 if none are ahead.
    """

    to: LogHead
    changes: tuple[RecordState, ...] = ()
    packed: tuple[bytes, ...] = ()
    left: tuple[RecordId, ...] = ()
    pages: tuple[Page, ...] = ()
    digest: bytes = b""
    has_more: bool = False
    urgent_to: Position = Position(0)  # noqa: RUF009 - an int.
    decisions: tuple[Decision, ...] = ()


async def pull(  # noqa: PLR0913 - each is a fact of one request.
    snapshot: Transaction,
    *,
    device: DeviceId,
    scopes: Sequence[ScopeId],
    since: LogHead,
    fetches: Sequence[Fetch],
    own_push: range,
    made: Collection[RecordId] = frozenset(),
    created: Collection[RecordId] = frozenset(),
    lanes: Lanes = Lanes(),
) -> Pulled:
    """Return what a device that stands at `since` lacks, within one page (the room of `lanes`, or one record).

    And what was decided about its ops. `created` are the records that this push created; `made` are those of them
    that are in its scopes alone, and that nothing else of it touched.
    """
    room = min(lanes.room, PAGE_BYTES)
    head = await snapshot.ledger.log_head()
    most = max(1, min(DECISIONS_MAX, room // _DECISION_BYTES))
    decided = await snapshot.reviews.decisions(device, since.position, head.position, most)
    is_short = len(decided) == most
    if is_short:
        # The answer covers the log up to the last decision that it has room for, and no further.
        head = await _head_at(snapshot, decided[-1].position)
    if fetches:
        untouched = await _untouched(snapshot, head, scopes, own_push, made)
        pulled = await _pages(snapshot, head, since, scopes, fetches, lanes.urgent, room, own=untouched)
    else:
        pulled = await _changes(snapshot, head, since, scopes, own_push, lanes, room, made=made, created=created)
    told = tuple(each for each in decided if each.position <= pulled.to.position)
    return replace(
        pulled, decisions=told, has_more=pulled.has_more or is_short, digest=b"" if is_short else pulled.digest
    )


async def _changes(  # noqa: PLR0913 - each is a fact of one request.
    snapshot: Transaction,
    head: LogHead,
    since: LogHead,
    scopes: Sequence[ScopeId],
    own_push: range,
    lanes: Lanes,
    room: int,
    *,
    made: Collection[RecordId],
    created: Collection[RecordId],
) -> Pulled:
    touches = await snapshot.ledger.touches(scopes, since.position, _TOUCHES_MAX)
    is_cut = len(touches) == _TOUCHES_MAX
    within_reach = [touch for touch in touches if touch.position <= head.position]
    is_cut, touches = is_cut and len(within_reach) == len(touches), within_reach
    if is_cut:
        # A log entry may touch several scopes: only whole entries go out.
        touches = [touch for touch in touches if touch.position < touches[-1].position]
    # What this push made and nobody has touched since is as its author has it, where he has it: no need to look.
    others = {touch.record for touch in touches if touch.record not in made or touch.position not in own_push}
    stored = await snapshot.ledger.records(others) if others else {}
    # Whoever ended a record lacks what the other writes of that cell had seen, which he had not.
    echoed = {record for record, each in stored.items() if _has_ended(each)}
    # And whoever brought a record into his grids may have nothing of it but what he wrote.
    echoed |= {
        touch.record
        for touch in touches
        if touch.position in own_push and touch.movement is Movement.ENTERED and touch.record not in created
    }
    # What nobody but this push touched is not sent, and takes no room.
    sizes = {record: stored[record].size for record in wanted_records(touches, own_push=own_push, echoed=echoed)}
    shown = _fitting(touches, sizes, room, early=())
    early: Mapping[RecordId, StoredRecord] = {}
    urgent_to = Position(0)
    if lanes.urgent and (is_cut or len(shown) < len(touches)):
        early, urgent_to = await _ahead(snapshot, head, since, scopes, lanes, own_push, room // 2)
        shown = _fitting(touches, sizes, room - sum(each.size for each in early.values()), early)
    within = dict.fromkeys(made, frozenset(scopes))
    within |= {record: each.scopes & frozenset(scopes) for record, each in stored.items()}
    wanted = wanted_records(shown, own_push=own_push, echoed=echoed)
    # What left the device's scopes is named, and nothing of it is told any more.
    within_reach_now = [(record, each) for record, each in wanted.items() if within.get(record)]
    parts = [
        part_of(stored[record].state, each)
        for record, each in within_reach_now
        if not each.is_whole and record not in early
    ]
    whole = {record: stored[record].packed for record, each in within_reach_now if each.is_whole}
    whole |= {record: each.packed for record, each in early.items()}
    changes, packed = tuple(parts), tuple(whole.values())
    left = tuple(left_records(shown, within))
    if is_cut or len(shown) < len(touches):
        to = await _head_at(snapshot, shown[-1].position)
        return Pulled(to, changes, packed, left, has_more=True, urgent_to=urgent_to)
    return Pulled(head, changes, packed, left, digest=combined(await snapshot.ledger.digests(scopes)))


def _has_ended(stored: StoredRecord) -> bool:
    return stored.is_ended


async def _ahead(
    snapshot: Transaction,
    head: LogHead,
    since: LogHead,
    scopes: Sequence[ScopeId],
    lanes: Lanes,
    own_push: range,
    room: int,
) -> tuple[Mapping[RecordId, StoredRecord], Position]:
    """Return the urgent records to send ahead, whole, within `room`, and up to which change they are complete."""
    reached = max(since.position, lanes.urgent_to)
    changed = await snapshot.changed(scopes, lanes.urgent, reached, _URGENT_RECORDS)
    early: dict[RecordId, StoredRecord] = {}
    left = room
    for each in changed:
        # What can never go ahead, and what nobody but the device itself wrote, waits for its turn.
        if each.size <= room and each.changed not in own_push:
            if each.size > left:
                return early, reached
            early[each.id] = each
            left -= each.size
        reached = each.changed
    return early, reached if len(changed) == _URGENT_RECORDS else head.position


def _fitting(
    touches: Sequence[Touch], sizes: Mapping[RecordId, int], room: int, early: Collection[RecordId]
) -> Sequence[Touch]:
    """Return the touches whose records fit into `room` bytes; early ones have theirs, and one more always fits.

    `sizes` are those of the records that are sent, in bytes.
    """
    sized = set(early)
    for touch in touches:
        if touch.record in sized or touch.record not in sizes:
            continue
        sized.add(touch.record)
        room -= sizes[touch.record]
        if room < 0 and len(sized) > len(early) + 1:
            return [each for each in touches if each.position < touch.position]
    return touches


@dataclass(slots=True)
class _Room:
    """What is left of an answer. Its first record always goes."""

    left: int
    is_untouched: bool = True

    def takes(self, size: int) -> bool:
        """Take room for a record, and tell whether there was any. Once there was none, there is none for others."""
        if size > self.left and not self.is_untouched:
            self.left = 0
            return False
        self.left -= size
        self.is_untouched = False
        return True


@dataclass(slots=True)
class _Listing:
    """One scope's part of a first fetch: urgent records first, then the others, newest first both.

    The place in it is the last record sent: its kind says in which lane that is, and a record's kind never changes.
    `own` are records that this very push made, and that nobody has touched since: their author has all of them.
    """

    fetch: Fetch
    as_of: Position
    is_past_urgent: bool
    own: Collection[RecordId]
    packed: list[bytes] = field(default_factory=list)
    last: RecordId | None = None
    is_complete: bool = False

    async def list_urgent(self, snapshot: Transaction, room: _Room, kinds: frozenset[str]) -> None:
        """Take what fits of the urgent lane."""
        if self.is_past_urgent or room.left <= 0:
            return
        ids = await snapshot.ledger.page(self.fetch.scope, self.fetch.after, _PAGE_RECORDS, of=kinds)
        self.is_past_urgent = await self._take(snapshot, ids, room)

    async def list_others(self, snapshot: Transaction, room: _Room, kinds: frozenset[str], *, is_begun: bool) -> None:
        """Take what fits of the other lane; `is_begun` says that the fetch was in it already."""
        if not self.is_past_urgent or room.left <= 0:
            return
        after = self.fetch.after if is_begun else None
        ids = await snapshot.ledger.page(self.fetch.scope, after, _PAGE_RECORDS, but=kinds)
        self.is_complete = await self._take(snapshot, ids, room)

    async def _take(self, snapshot: Transaction, ids: Sequence[RecordId], room: _Room) -> bool:
        """Take what fits, and tell whether this was all that the lane has."""
        wanted = [record for record in ids if record not in self.own]
        stored = await snapshot.ledger.records(wanted) if wanted else {}
        for record in ids:
            if record not in self.own:
                if not room.takes(stored[record].size):
                    return False
                self.packed.append(stored[record].packed)
            self.last = record
        return len(ids) < _PAGE_RECORDS

    @property
    def page(self) -> Page | None:
        """What goes out: nothing, if nothing was passed."""
        if self.is_complete:
            return Page(self.fetch.scope, self.as_of, None, packed=tuple(self.packed))
        return Page(self.fetch.scope, self.as_of, self.last, packed=tuple(self.packed)) if self.last else None


async def _untouched(
    snapshot: Transaction,
    head: LogHead,
    scopes: Sequence[ScopeId],
    own_push: range,
    made: Collection[RecordId],
) -> Collection[RecordId]:
    """Return those of the records that a push made which nobody has touched between its commit and this snapshot."""
    if not made or head.position < own_push.stop:
        return made
    later = await snapshot.ledger.touches(scopes, Position(own_push.stop - 1), _TOUCHES_MAX)
    return () if len(later) == _TOUCHES_MAX else {*made}.difference(touch.record for touch in later)


async def _pages(  # noqa: PLR0913 - each is a fact of one request.
    snapshot: Transaction,
    head: LogHead,
    since: LogHead,
    scopes: Sequence[ScopeId],
    fetches: Sequence[Fetch],
    urgent: frozenset[str],
    room_bytes: int,
    *,
    own: Collection[RecordId],
) -> Pulled:
    room = _Room(room_bytes)
    afters = [each.after for each in fetches if each.after is not None]
    last_sent = await snapshot.ledger.records(afters) if afters else {}
    listings: list[tuple[_Listing, bool]] = []
    for fetch in fetches:
        is_in_others = fetch.after in last_sent and last_sent[fetch.after].kind not in urgent
        as_of = fetch.as_of if fetch.after is not None else head.position
        # A grid that the device may not hold looks like one with nothing in it.
        is_foreign = fetch.scope not in scopes
        listing = _Listing(fetch, as_of, is_in_others or not urgent, own, is_complete=is_foreign)
        listings.append((listing, is_in_others or not urgent))
    open_ones = [each for each in listings if not each[0].is_complete]
    # The urgent lanes of all scopes come before the other lane of any.
    for listing, _ in open_ones:
        await listing.list_urgent(snapshot, room, urgent)
    for listing, is_begun in open_ones:
        await listing.list_others(snapshot, room, urgent, is_begun=is_begun)
    pages = tuple(page for listing, _ in listings if (page := listing.page) is not None)
    # A device that holds nothing yet takes the head as its cursor; otherwise the cursor stays while it fetches.
    if since.position or not set(scopes) <= {fetch.scope for fetch in fetches}:
        return Pulled(since, pages=pages, has_more=True)
    if not all(listing.is_complete and listing.fetch.after is None for listing, _ in listings):
        return Pulled(head, pages=pages, has_more=True)
    return Pulled(head, pages=pages, digest=combined(await snapshot.ledger.digests(scopes)))


async def _head_at(snapshot: Transaction, position: Position) -> LogHead:
    hashed = await snapshot.ledger.log_hash(position)
    assert hashed is not None
    return LogHead(position, hashed)
