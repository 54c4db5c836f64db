"""What the services need of a database: two small protocols and the store that hands them out.

`Ledger` has what devices wrote, `Registry` who they are. A transaction of the store offers both; nothing in it is
visible to anyone else before it commits. Each backend passes the same contract suite.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from gridlog_protocol.clock import Stamp
from gridlog_protocol.decisions import Decision, Verdict
from gridlog_protocol.ids import (
    DeviceId,
    Incarnation,
    OpId,
    Position,
    RecordId,
    ScopeId,
)
from gridlog_protocol.log_chain import Ruling
from gridlog_protocol.ops import Op
from gridlog_protocol.segment import Segment
from gridlog_sync.admission import Chain
from gridlog_sync.changes import Touch
from gridlog_sync.clocks import Estimate, Tier
from gridlog_sync.digest import SetDigest

from .accounts import Account, AccountBook, Session
from .quarantine import Outcome, Quarantined
from .registry import Act, Code, Device, Person, Registry
from .stored_record import StoredRecord
from .tenancy import Tenancy

# What belongs to the contract and stands in a file of its own.
__all__ = [
    "Account",
    "AccountBook",
    "Act",
    "Code",
    "Device",
    "Outcome",
    "Person",
    "Quarantined",
    "Registry",
    "Session",
    "StoredRecord",
]

START = Position(0)
"""Before everything."""


class StoreUnavailableError(Exception):
    """The database cannot commit (disk full, I/O error, or closed). Nothing was stored; try again later."""


@dataclass(frozen=True, slots=True)
class LogHead:
    """The last entry of the log, or the start of an empty one."""

    position: Position
    hash: bytes


@dataclass(frozen=True, slots=True)
class StoredOp:
    """An op as the server holds it. While it is held for `hold`, `position` and `stamp` are None.

    `hold` stays when somebody has decided; `verdict` then says what. A rejected op never gets a position.
    `when` was estimated as it came in, and never changes. `packed` is the op at rest, from whoever has packed it.
    """

    op: Op
    hash: bytes
    segment: int | None
    named: Position
    position: Position | None
    stamp: Stamp | None
    hold: str | None = None
    hold_field: str | None = None
    verdict: Verdict | None = None
    when: Estimate = field(kw_only=True)
    packed: bytes | None = field(default=None, kw_only=True, compare=False, repr=False)

    @property
    def is_waiting(self) -> bool:
        """Tell whether the op is held and nobody has decided about it."""
        return self.hold is not None and self.verdict is None


@dataclass(frozen=True, slots=True)
class LoggedEntry:
    """One log entry to write: the log hash at its position, and the op it is about."""

    position: Position
    hash: bytes
    entry_type: int
    op: OpId


@dataclass(frozen=True, slots=True)
class Commit:
    """Everything that one push or decision changes, written as one. `decided` are ops held before, as they are now.

    A dependant that is judged again is among them, though its hold only has another reason.
    """

    ops: Sequence[StoredOp]
    entries: Sequence[LoggedEntry]
    touches: Sequence[Touch]
    records: Sequence[StoredRecord]
    left: Collection[tuple[ScopeId, RecordId]]
    digests: Mapping[tuple[ScopeId, int], SetDigest]
    chains: Mapping[tuple[DeviceId, Incarnation], Chain]
    decided: Sequence[StoredOp] = ()
    decisions: Sequence[Decision] = ()
    closed: Sequence[ClosedGap] = ()


@dataclass(frozen=True, slots=True)
class ClosedGap:
    """A decision that ops up to `last` are not waited for any more."""

    last: OpId
    position: Position
    ruling: Ruling


@dataclass(frozen=True, slots=True)
class WaitingSegment:
    """A verified segment behind a gap. `served` is where its device stood when it came: what its ops may name."""

    device: DeviceId
    segment: Segment
    served: Position
    received_ms: int


@dataclass(frozen=True, slots=True)
class Logged:
    """One log entry to look at: the op it is about, unless that never came; who decided, if it is a decision."""

    entry: LoggedEntry
    op: StoredOp | None
    ruling: Ruling | None


class Ledger(Protocol):
    """Ops, log, records and digests. All lists come in the order of positions or ids, as named."""

    async def log_head(self) -> LogHead:
        """Return the last log entry's position and hash."""
        ...

    async def log_hash(self, position: Position) -> bytes | None:
        """Return the log hash at a position, or None beyond the head."""
        ...

    async def chain(self, device: DeviceId, incarnation: Incarnation) -> Chain:
        """Return how far an incarnation is held."""
        ...

    async def ops(self, device: DeviceId, incarnation: Incarnation, first: int, last: int) -> list[StoredOp]:
        """Return the ops of an incarnation in a range of seq, both ends included, in order."""
        ...

    async def ops_of_record(self, record: RecordId) -> list[StoredOp]:
        """Return every op of a record: accepted ones by position, then held ones."""
        ...

    async def named(self, ids: Collection[RecordId]) -> set[RecordId]:
        """Return those among `ids` that any op names, held ones too."""
        ...

    async def records(self, ids: Collection[RecordId]) -> dict[RecordId, StoredRecord]:
        """Return the records that exist among `ids`."""
        ...

    async def page(
        self,
        scope: ScopeId,
        after: RecordId | None,
        limit: int,
        *,
        of: Collection[str] | None = None,
        but: Collection[str] = (),
    ) -> list[RecordId]:
        """Return ids of records in a scope, newest first, below `after`; only `of` these kinds, all `but` those."""
        ...

    async def touches(self, scopes: Collection[ScopeId], since: Position, limit: int) -> list[Touch]:
        """Return what log entries after `since` did in these scopes, by position."""
        ...

    async def digests(self, scopes: Collection[ScopeId]) -> dict[tuple[ScopeId, int], SetDigest]:
        """Return the digests of these scopes, by scope and class."""
        ...

    async def scopes(self) -> set[ScopeId]:
        """Return every scope that ever had a record."""
        ...

    async def write(self, commit: Commit) -> None:
        """Write what one push changes."""
        ...


class Reviews(Protocol):
    """Held ops, what was decided about them and about the quarantine, and segments that wait behind a gap."""

    async def waiting(self, limit: int, *, device: DeviceId | None = None, code: str | None = None) -> list[StoredOp]:
        """Return held ops that nobody has decided about, newest first; only of a device, only for a reason."""
        ...

    async def held_by_device(self) -> dict[DeviceId, int]:
        """Return how many ops of each device are held, and nobody has decided about; only of those that have some."""
        ...

    async def numbered(self, seq: int) -> list[StoredOp]:
        """Return all ops with this seq that are held or once were, of whatever device."""
        ...

    async def decision(self, op: OpId) -> Decision | None:
        """Return what was decided about an op."""
        ...

    async def decisions(self, device: DeviceId, since: Position, to: Position, limit: int) -> list[Decision]:
        """Return the decisions about a device's ops after `since` up to `to`, by position."""
        ...

    async def behind_gap(
        self, device: DeviceId, incarnation: Incarnation, *, reach: int | None = None
    ) -> list[WaitingSegment]:
        """Return the segments of an incarnation that wait, by their first op.

        With `reach`: none of them, unless the first begins at that seq or below.
        """
        ...

    async def gaps(self, limit: int) -> list[WaitingSegment]:
        """Return segments that wait, of whatever device, by device, incarnation and first op."""
        ...

    async def keep_waiting(self, waiting: WaitingSegment, *, bytes_max: int, count_max: int) -> bool:
        """Keep a segment until the gap before it closes: once, and unless more would wait than these bounds."""
        ...

    async def apart(self, number: int) -> Quarantined | None:
        """Return what is in quarantine under this number."""
        ...

    async def decide_apart(self, number: int, outcome: Outcome, ruling: Ruling) -> None:
        """Write down what was decided about something in quarantine. It stays there."""
        ...

    async def wait_no_longer(self, waiting: WaitingSegment) -> None:
        """Forget a segment that waited."""
        ...


class Transaction(Protocol):
    """One consistent view of the database; what it writes is seen by others after its commit."""

    @property
    def ledger(self) -> Ledger:
        """Ops, log and records."""
        ...

    @property
    def reviews(self) -> Reviews:
        """Held ops and decisions."""
        ...

    @property
    def registry(self) -> Registry:
        """People and devices."""
        ...

    @property
    def accounts(self) -> AccountBook:
        """Who may sign in, and open sessions."""
        ...

    async def put_segment(self, segment: Segment, device: DeviceId, chain_after: bytes, *, now_ms: int) -> int:
        """Keep a segment's signature as evidence, and return its number."""
        ...

    async def quarantine(
        self,
        device: DeviceId,
        code: str,
        body: bytes,
        *,
        now_ms: int,
        served: Position = START,
        bytes_max: int | None = None,
    ) -> None:
        """Keep what could not be taken in: once, however often it comes.

        `served` is the position that its device stood at.

        With `bytes_max`: unless the device would then have more than so much here for this reason.
        """
        ...

    async def quarantined(
        self, limit: int, *, device: DeviceId | None = None, is_waiting: bool = False
    ) -> list[Quarantined]:
        """Return what could not be taken in, newest first; only of a device, only what nobody has decided about."""
        ...

    async def logged(self, after: Position, limit: int) -> list[Logged]:
        """Return the log entries after a position, in order."""
        ...

    async def listed(
        self, *, kind: str | None, in_conflict: bool, limit: int, scope: ScopeId | None = None
    ) -> list[StoredRecord]:
        """Return records by their last change, newest first."""
        ...

    async def changed(
        self, scopes: Collection[ScopeId], kinds: Collection[str], since: Position, limit: int
    ) -> list[StoredRecord]:
        """Return the records of some kinds in some scopes that changed after `since`, by their last change."""
        ...

    async def flagged(self, records: Collection[RecordId]) -> dict[RecordId, Tier]:
        """Return the worst tier among each record's ops, for those records in which it is not FINE."""
        ...

    async def counts(self) -> dict[str, int]:
        """Return how much there is of each: records, ops, ops undecided or with a wrong clock, people, and so on."""
        ...


T = TypeVar("T")


class Readable(Protocol):
    """A database that can be looked at."""

    @property
    def tenancy(self) -> Tenancy:
        """Whose it is."""
        ...

    def reading(self, *, briefly: bool = False) -> AbstractAsyncContextManager[Transaction]:
        """Open a snapshot that cannot write. Whoever reads a few rows by their keys may say so: it costs less."""
        ...


class Store(Readable, Protocol):
    """One tenant's database."""

    async def commit(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run `work` in a write transaction, and return its result after the commit.

        Works of different callers may share one commit; if one raises, only its own writes are undone.
        Raises StoreUnavailableError.
        """
        ...

    async def close(self) -> None:
        """Finish running commits and let go of the database."""
        ...
