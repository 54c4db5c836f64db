"""Answer "what changed": merged fields after a cursor, or pages of a first fetch, from one snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gridlog_protocol.decisions import Decision
from gridlog_protocol.ids import DeviceId, Position, RecordId, ScopeId
from gridlog_protocol.limits import DECISIONS_MAX, PAGE_BYTES
from gridlog_protocol.messages import Fetch, Page
from gridlog_protocol.state import RecordState
from gridlog_protocol.state_codec import pack_record
from gridlog_server.store.contract import LogHead, StoredRecord, Transaction
from gridlog_sync.changes import Touch, left_records, part_of, wanted_records
from gridlog_sync.digest import combined

_TOUCHES_MAX = 4096
_PAGE_RECORDS = 256


@dataclass(frozen=True, slots=True)
class Pulled:
    """What goes down: changes up to `to`, or pages; `digest` is empty while more waits."""

    to: LogHead
    changes: tuple[RecordState, ...] = ()
    left: tuple[RecordId, ...] = ()
    pages: tuple[Page, ...] = ()
    digest: bytes = b""
    has_more: bool = False
    decisions: tuple[Decision, ...] = ()


async def pull(
    snapshot: Transaction,
    *,
    device: DeviceId,
    scopes: Sequence[ScopeId],
    since: LogHead,
    fetches: Sequence[Fetch],
    own_push: range,
) -> Pulled:
    """Return what a device that stands at `since` lacks, within one page, and what was decided about its ops."""
    head = await snapshot.ledger.log_head()
    decided = await snapshot.reviews.decisions(device, since.position, head.position, DECISIONS_MAX)
    if len(decided) == DECISIONS_MAX:
        # The answer covers the log up to the last decision that it has room for, and no further.
        head = await _head_at(snapshot, decided[-1].position)
    is_short = len(decided) == DECISIONS_MAX
    if fetches:
        pulled = await _pages(snapshot, head, since, scopes, fetches)
    else:
        pulled = await _changes(snapshot, head, since, scopes, own_push)
    told = tuple(each for each in decided if each.position <= pulled.to.position)
    return replace(
        pulled, decisions=told, has_more=pulled.has_more or is_short, digest=b"" if is_short else pulled.digest
    )


async def _changes(
    snapshot: Transaction, head: LogHead, since: LogHead, scopes: Sequence[ScopeId], own_push: range
) -> Pulled:
    touches = await snapshot.ledger.touches(scopes, since.position, _TOUCHES_MAX)
    is_cut = len(touches) == _TOUCHES_MAX
    within_reach = [touch for touch in touches if touch.position <= head.position]
    is_cut, touches = is_cut and len(within_reach) == len(touches), within_reach
    if is_cut:
        # A log entry may touch several scopes: only whole entries go out.
        touches = [touch for touch in touches if touch.position < touches[-1].position]
    stored = await snapshot.ledger.records({touch.record for touch in touches}) if touches else {}
    shown = _fitting(touches, stored)
    within = {record: each.scopes & frozenset(scopes) for record, each in stored.items()}
    wanted = wanted_records(shown, own_push=own_push)
    # What left the device's scopes is named, and nothing of it is told any more.
    changes = tuple(part_of(stored[record].state, each) for record, each in wanted.items() if within.get(record))
    left = tuple(left_records(shown, within))
    if is_cut or len(shown) < len(touches):
        return Pulled(await _head_at(snapshot, shown[-1].position), changes, left, has_more=True)
    return Pulled(head, changes, left, digest=combined(await snapshot.ledger.digests(scopes)))


def _fitting(touches: Sequence[Touch], stored: Mapping[RecordId, StoredRecord]) -> Sequence[Touch]:
    """Return the touches whose records fit into one page; at least one record always does."""
    room = PAGE_BYTES
    sized: set[RecordId] = set()
    for touch in touches:
        if touch.record in sized:
            continue
        sized.add(touch.record)
        room -= len(pack_record(stored[touch.record].state))
        if room < 0 and len(sized) > 1:
            return [each for each in touches if each.position < touch.position]
    return touches


async def _pages(
    snapshot: Transaction, head: LogHead, since: LogHead, scopes: Sequence[ScopeId], fetches: Sequence[Fetch]
) -> Pulled:
    room = PAGE_BYTES
    pages: list[Page] = []
    for fetch in fetches:
        if room <= 0:
            break
        as_of = fetch.as_of if fetch.after is not None else head.position
        # A grid that the device may not hold looks like one with nothing in it.
        ids = await snapshot.ledger.page(fetch.scope, fetch.after, _PAGE_RECORDS) if fetch.scope in scopes else []
        stored = await snapshot.ledger.records(ids) if ids else {}
        states: list[RecordState] = []
        for record in ids:
            if room <= 0:
                break
            states.append(stored[record].state)
            room -= len(pack_record(stored[record].state))
        is_last = len(states) == len(ids) < _PAGE_RECORDS
        pages.append(Page(fetch.scope, as_of, None if is_last else states[-1].id, tuple(states)))
    # A device that holds nothing yet takes the head as its cursor; otherwise the cursor stays while it fetches.
    if since.position or not set(scopes) <= {fetch.scope for fetch in fetches}:
        return Pulled(since, pages=tuple(pages), has_more=True)
    if len(pages) < len(fetches) or any(page.after or fetches[i].after for i, page in enumerate(pages)):
        return Pulled(head, pages=tuple(pages), has_more=True)
    return Pulled(head, pages=tuple(pages), digest=combined(await snapshot.ledger.digests(scopes)))


async def _head_at(snapshot: Transaction, position: Position) -> LogHead:
    hashed = await snapshot.ledger.log_hash(position)
    assert hashed is not None
    return LogHead(position, hashed)
