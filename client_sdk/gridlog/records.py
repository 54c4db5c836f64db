"""What the SDK hands to an app: records, conflicts, receipts, and how an exchange went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gridlog_protocol.canonical import Value
from gridlog_protocol.decisions import Verdict
from gridlog_protocol.ids import Incarnation, OpId, RecordId, UserId
from gridlog_protocol.ops import Seen
from gridlog_protocol.texts import Text


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
    `incarnation` whose own ops it counts.
    """

    id: RecordId
    kind: str
    values: Mapping[str, Value]
    whereabouts: Whereabouts
    receipt: str | None
    is_in_conflict: bool
    author: UserId | None
    seen: Seen
    incarnation: Incarnation


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
    """How an exchange went. `is_equal` is None while the server had more to send than was asked for."""

    sent: int
    received: int
    held: int
    round_trips: int
    bytes_up: int
    bytes_down: int
    is_equal: bool | None


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """How the store stands: what waits, and the last word from the server (Unix milliseconds, 0 if never).

    `rejected` counts the records whose last edit by this device was rejected, and not written again.
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
