"""Planted bugs on the server's side. Each weakens one rule while it is entered."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from gridlog_protocol.clock import ClockFacts, Hlc, Stamp, reading
from gridlog_protocol.ids import OpId, Position, RecordId, ScopeId
from gridlog_protocol.limits import CLOCK_AHEAD_MS
from gridlog_protocol.ops import Op
from gridlog_protocol.segment import Segment, chain_next
from gridlog_protocol.state import RecordState
from gridlog_server.service import exchange, pulling, pushing, timing
from gridlog_server.service.exchange import Exchange
from gridlog_server.store.contract import LogHead, StoredOp, StoreUnavailableError
from gridlog_sync.admission import Chain
from gridlog_sync.changes import Movement, Touch, Wanted, part_of, wanted_records
from gridlog_sync.clocks import Arrival, Estimate, Tier, estimated
from gridlog_sync.digest import combined
from gridlog_sync.merge import Entry, apply
from gridlog_sync.scope import scopes_of_record
from tools.simulate.memory_store import MemoryLedger, MemoryTransaction, ServerDiedError
from tools.simulate.replacing import overridden, replaced

Weakening = Callable[[], AbstractContextManager[None]]
Kept = Callable[[str, RecordState], bool]


def future_positions() -> AbstractContextManager[None]:
    """Take the position that an op names as it comes."""
    return replaced(pushing, "bounded", lambda op, **_: op)


def old_grid_untold() -> AbstractContextManager[None]:
    """Name nothing as left."""
    return replaced(pulling, "left_records", lambda *_: [])


def new_grid_gets_the_field() -> AbstractContextManager[None]:
    """Send what the move touched, not the whole record."""

    def weak(touches: Iterable[Touch], **facts: Any) -> dict[RecordId, Wanted]:
        return wanted_records([replace(each, movement=Movement.TOUCHED) for each in touches], **facts)

    return replaced(pulling, "wanted_records", weak)


def pulls_by_heads() -> AbstractContextManager[None]:
    """Send a field only if one of its surviving heads is new: a removal has none."""

    def kept(since: LogHead, own_push: range) -> Kept:
        del own_push
        return lambda name, record: any(
            head.position > since.position for cell in record.fields[name].cells.values() for head in cell.heads
        )

    return _fields_left_out(kept)


def never_echo_by_heads() -> AbstractContextManager[None]:
    """Leave a field out if all its surviving heads are of this push."""

    def kept(since: LogHead, own_push: range) -> Kept:
        del since
        return lambda name, record: (
            not own_push
            or any(
                head.position not in own_push for cell in record.fields[name].cells.values() for head in cell.heads
            )
        )

    return _fields_left_out(kept)


@contextmanager
def _fields_left_out(kept: Callable[[LogHead, range], Kept]) -> Iterator[None]:
    original = pulling.pull

    async def weak(snapshot: Any, **facts: Any) -> pulling.Pulled:
        is_kept = kept(facts["since"], facts["own_push"])

        def part(record: RecordState, wanted: Wanted) -> RecordState:
            sent = part_of(record, wanted)
            if wanted.is_whole:
                return sent
            fields = {name: each for name, each in sent.fields.items() if is_kept(name, record)}
            return replace(sent, fields=MappingProxyType(fields))

        with replaced(pulling, "part_of", part):
            return await original(snapshot, **facts)

    with replaced(exchange, "pull", weak):
        yield


def page_by_change() -> AbstractContextManager[None]:
    """Order a first fetch by the last change: records move between the pages while they are fetched."""

    async def weak(
        self: MemoryLedger,
        scope: ScopeId,
        after: RecordId | None,
        limit: int,
        *,
        of: Collection[str] | None = None,
        but: Collection[str] = (),
    ) -> list[RecordId]:
        there = [
            each
            for each in self.tables.records.values()
            if scope in each.scopes and (of is None or each.state.kind in of) and each.state.kind not in but
        ]
        there.sort(key=lambda each: each.changed, reverse=True)
        listed = [each.state.id for each in there]
        return listed[listed.index(after) + 1 if after in listed else 0 :][:limit]

    return replaced(MemoryLedger, "page", weak)


def cursor_of_last_page() -> AbstractContextManager[None]:
    """Let the delta start where the last page was made, not where the first one was."""
    original = pulling._pages  # noqa: SLF001 - a mutant reaches where no caller may.

    async def weak(snapshot: Any, head: LogHead, *rest: Any, **facts: Any) -> pulling.Pulled:
        return replace(await original(snapshot, head, *rest, **facts), to=head)

    return replaced(pulling, "_pages", weak)


def cut_page_skips() -> AbstractContextManager[None]:
    """Name the head as the cursor of a page that was cut."""

    async def weak(snapshot: Any, position: Position) -> LogHead:
        del position
        head: LogHead = await snapshot.ledger.log_head()
        return head

    return replaced(pulling, "_head_at", weak)


@contextmanager
def early_moves_cursor() -> Iterator[None]:
    """Take what came ahead of its turn for how far the device is."""
    original = pulling.pull

    async def weak(snapshot: Any, **facts: Any) -> pulling.Pulled:
        pulled = await original(snapshot, **facts)
        if not pulled.urgent_to:
            return pulled
        return replace(pulled, to=await pulling._head_at(snapshot, pulled.urgent_to))  # noqa: SLF001

    with replaced(exchange, "pull", weak):
        yield


@contextmanager
def digest_of_another_state() -> Iterator[None]:
    """Send the digest of the head with an answer that stops before it."""
    original = pulling.pull

    async def weak(snapshot: Any, **facts: Any) -> pulling.Pulled:
        pulled = await original(snapshot, **facts)
        if pulled.has_more and not pulled.pages:
            return replace(pulled, digest=combined(await snapshot.ledger.digests(facts["scopes"])))
        return pulled

    with replaced(exchange, "pull", weak):
        yield


def unclamped() -> AbstractContextManager[None]:
    """Believe every clock."""
    return replaced(pushing, "stamp_for", lambda claimed, *, above, **_: Stamp(max(claimed, above + 1)))


def not_raised() -> AbstractContextManager[None]:
    """Stamp without looking at what the author saw."""

    def weak(claimed: Hlc, *, server_ms: int, above: Stamp) -> Stamp:
        del above
        return Stamp(min(claimed, reading(server_ms + CLOCK_AHEAD_MS)))

    return replaced(pushing, "stamp_for", weak)


def no_dedupe() -> AbstractContextManager[None]:
    """Take every op of a segment as new."""

    def weak(chain: Chain, segment: Segment, hashes: Sequence[bytes], stored: object) -> tuple[Chain, tuple[Op, ...]]:
        del stored
        if segment.first_seq > chain.known_seq + 1:
            return chain, ()
        link = segment.chain_before
        for hashed in hashes:
            link = chain_next(link, hashed)
        return Chain(segment.ops[-1].id.seq, link), segment.ops

    return replaced(pushing, "continue_chain", weak)


@contextmanager
def acknowledged_before_commit() -> Iterator[None]:
    """Answer before the commit, and never learn that there was none."""
    original = Exchange._push  # noqa: SLF001

    async def weak(self: Any, caller: Any, request: Any, *rest: Any) -> Any:
        try:
            return await original(self, caller, request, *rest)
        except (StoreUnavailableError, ServerDiedError):
            store = self._store
            if not request.segments:
                return None
            scratch = MemoryTransaction(store.tables.copied(), store.tenancy)
            with overridden(store, "commit", lambda work: work(scratch)):
                return await original(self, caller, request, *rest)

    with replaced(Exchange, "_push", weak):
        yield


@contextmanager
def released_at_arrival() -> Iterator[None]:
    """Merge a released op where the log stood when it arrived, as if all who synchronised since had seen it."""
    arrivals: dict[OpId, Position] = {}
    original = pushing.Work.take

    def take(self: Any, op: Op, *rest: Any) -> StoredOp:
        stored = original(self, op, *rest)
        if stored.position is None:
            arrivals[op.id] = Position(max(1, self.head.position))
        return stored

    def weak(record: RecordState | None, entry: Entry) -> RecordState:
        return apply(record, replace(entry, position=arrivals.get(entry.op.id, entry.position)))

    with replaced(pushing.Work, "take", take), replaced(pushing, "apply", weak):
        yield


@contextmanager
def release_untold() -> Iterator[None]:
    """Do not tell an author that a held op of his was released."""
    original = pulling.pull

    async def weak(snapshot: Any, **facts: Any) -> pulling.Pulled:
        pulled = await original(snapshot, **facts)
        return replace(pulled, decisions=tuple(each for each in pulled.decisions if not each.stamp))

    with replaced(exchange, "pull", weak):
        yield


def latest_grid_only() -> AbstractContextManager[None]:
    """Put a record into the grid that is shown, not into all that are claimed."""

    def weak(record: RecordState, kind: Any) -> frozenset[ScopeId]:
        field = record.fields.get(kind.scope_field) if kind.scope_field else None
        heads = field.cells[""].heads if field and "" in field.cells else ()
        return frozenset({ScopeId(str(heads[-1].value))}) if heads else scopes_of_record(record, kind)

    return replaced(pushing, "scopes_of_record", weak)


def estimate_believes_the_wall_clock() -> AbstractContextManager[None]:
    """Date an op by what the phone's clock said."""
    return replaced(timing, "estimated", lambda said, *_, **__: Estimate(said.wall_ms, 0, Tier.FINE))


def estimate_ignores_the_boot() -> AbstractContextManager[None]:
    """Count the time since boot across restarts."""

    def weak(said: ClockFacts, arrival: Arrival, *, before: ClockFacts | None) -> Estimate:
        boot = arrival.sent.boot if arrival.sent else said.boot
        return estimated(replace(said, boot=boot), arrival, before=before)

    return replaced(timing, "estimated", weak)


def end_not_echoed() -> AbstractContextManager[None]:
    """Leave a record to whoever ended it as he has it, without what others' writes had seen."""
    return replaced(pulling, "_has_ended", lambda _: False)
