"""What the SDK hands to an app: records, conflicts, receipts, and how an exchange went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import Incarnation, OpId, RecordId, UserId
from gridlog_protocol.ops import Seen
from gridlog_protocol.texts import Text

from .errors import RefusedError, UnreachableError


class Whereabouts(Enum):
    """Where a record's newest edit by this device is."""

    ON_DEVICE = Text("只在本机", "on this phone only")
    HELD = Text("已收到，待核对", "received, under review")
    RECEIVED = Text("服务器已收到", "received by the server")


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
class SyncReport:
    """How an exchange went. `is_equal` is None while the server had more to send than was asked for.

    `more_waits` tells that the byte budget ended it: something is left to send or to fetch.
    """

    sent: int
    received: int
    held: int
    round_trips: int
    bytes_up: int
    bytes_down: int
    is_equal: bool | None
    more_waits: bool = False


@dataclass(frozen=True, slots=True)
class SyncTurn:
    """One turn of `sync_forever`: what came through, what ended it but success, and the pause after it in seconds."""

    report: SyncReport
    trouble: UnreachableError | RefusedError | None
    pause_s: float


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """How the store stands: what waits, and the last word from the server (Unix milliseconds, 0 if never)."""

    pending: int
    held: int
    records: int
    conflicts: int
    last_contact_ms: int
    user_name: str
    tenant_name: str
    scopes: tuple[str, ...]
