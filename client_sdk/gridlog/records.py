"""What the SDK hands to an app: records, conflicts, receipts, and how an exchange went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gridlog_protocol.canonical import Value
from gridlog_protocol.decisions import Verdict
from gridlog_protocol.ids import Incarnation, OpId, RecordId, UserId
from gridlog_protocol.ops import Seen
from gridlog_protocol.state import WITHDRAWN
from gridlog_protocol.texts import Text
from gridlog_sync.clocks import Offset
from gridlog_sync.review import Review, review_of

from .clock_warning import clock_warning
from .errors import RefusedError, UnreachableError


class Whereabouts(Enum):
    """Where a record's newest edit by this device is."""

    ON_DEVICE = Text("只在本机", "on this phone only")
    HELD = Text("已收到，待核对", "received, under review")
    RECEIVED = Text("服务器已收到", "received by the server")
    REJECTED = Text("未被采纳", "not accepted")


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the screen shows it: what the server confirmed, and the device's own pending edits on top.

    Hand the same object to `FieldStore.edit`: `seen` says what the worker had in view when the form was opened, and
    `incarnation` whose own ops it counts. `rounds` says, by field and element key, how often a workflow went back.
    """

    id: RecordId
    kind: str
    values: Mapping[str, Value]
    rounds: Mapping[str, Mapping[str, int]]
    whereabouts: Whereabouts
    receipt: str | None
    is_in_conflict: bool
    author: UserId | None
    seen: Seen
    incarnation: Incarnation

    @property
    def is_withdrawn(self) -> bool:
        """Whether somebody withdrew the record. It can be put back."""
        return WITHDRAWN in self.values

    @property
    def review(self) -> Review:
        """Where its review stands: why it was returned, and what was remarked in the present round."""
        return review_of(self.values, self.rounds)


@dataclass(frozen=True, slots=True)
class PendingOp:
    """An op that the server has not acknowledged."""

    id: OpId
    record: RecordId
    kind: str
    fields: tuple[str, ...]
    wall_ms: int


@dataclass(frozen=True, slots=True)
class HeldNote:
    """An op of this device that the server holds for review: why, and what the worker reads."""

    op: OpId
    record: RecordId
    code: str
    field: str
    text: Text


@dataclass(frozen=True, slots=True)
class DecidedNote:
    """An op of this device that was held, and what was decided: by whom, when (server's clock, Unix ms) and why.

    `values` has what the op set, by field, so that it can be written again. `with_record` says that it was decided
    together with the creation of its record.
    """

    op: OpId
    record: RecordId
    kind: str
    code: str
    verdict: Verdict
    by: str
    decided_ms: int
    reason: str
    with_record: bool
    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class SyncReport:
    """How an exchange went. `is_equal` is None while the server had more to send than was asked for.

    `clock_offset_ms` is how far this device's clock is ahead of the server's (negative: behind), with an error of at
    most `clock_error_ms`; None if no answer came. `clock_warning` is what the worker should read about it.
    `more_waits` tells that the byte budget ended it: something is left to send or to fetch.
    """

    sent: int
    received: int
    held: int
    round_trips: int
    bytes_up: int
    bytes_down: int
    is_equal: bool | None
    clock_offset_ms: int | None = None
    clock_error_ms: int = 0
    more_waits: bool = False

    @property
    def clock_warning(self) -> Text | None:
        """Return the sentence that warns of a wrong clock, or None."""
        return _warning(self.clock_offset_ms, self.clock_error_ms)


@dataclass(frozen=True, slots=True)
class SyncTurn:
    """One turn of `sync_forever`: what came through, what ended it but success, and the pause after it in seconds."""

    report: SyncReport
    trouble: UnreachableError | RefusedError | None
    pause_s: float


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """How the store stands: what waits, and the last word from the server (Unix milliseconds, 0 if never).

    `clock_offset_ms`, `clock_error_ms` and `clock_warning` as in SyncReport, as of the last contact.
    `rejected` counts the records whose last edit by this device was rejected, and not written again, `drafts` the
    forms that were begun and not finished, `confirmed` the records that this device wrote and the server has received
    as they stand.
    """

    pending: int
    held: int
    records: int
    conflicts: int
    last_contact_ms: int
    user_name: str
    tenant_name: str
    scopes: tuple[str, ...]
    rejected: int = 0
    clock_offset_ms: int | None = None
    clock_error_ms: int = 0
    drafts: int = 0
    confirmed: int = 0

    @property
    def clock_warning(self) -> Text | None:
        """Return the sentence that warns of a wrong clock, or None."""
        return _warning(self.clock_offset_ms, self.clock_error_ms)


def _warning(ahead_ms: int | None, error_ms: int) -> Text | None:
    return clock_warning(None if ahead_ms is None else Offset(ahead_ms, error_ms))
