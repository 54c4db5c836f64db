"""Every message of version 1, as plain values. `codec` writes and reads them; nothing here knows about bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

from .canonical import Value
from .clock import ClockFacts, Stamp
from .ids import DeviceHandle, DeviceId, Epoch, Position, RecordId, ScopeId, TenantId, UserId
from .segment import Segment
from .state import RecordState

TOKEN_BYTES = 8
NO_EXTRAS: Mapping[str, Value] = MappingProxyType({})


def cursor_token(epoch: Epoch, log_hash: bytes) -> bytes:
    """Return the 8 bytes that stand for an epoch and the log hash at a cursor's position."""
    return hashlib.sha256(b"gridlog v1 token" + epoch + log_hash).digest()[:TOKEN_BYTES]


@dataclass(frozen=True, slots=True)
class EnrolRequest:
    """A device asks to be known. The envelope is signed by `signing_key`, which proves possession."""

    secret: bytes
    device: DeviceId
    signing_key: bytes
    exchange_key: bytes
    model: str
    app: str


@dataclass(frozen=True, slots=True)
class EnrolResponse:
    """Who the device is, for whom it writes, and what it may hold.

    `recovery_key` is the organisation's offline recovery key (X25519, 32 bytes) or empty.
    """

    handle: DeviceHandle
    tenant: TenantId
    tenant_name: str
    user: UserId
    user_name: str
    epoch: Epoch
    scopes: tuple[ScopeId, ...]
    generation: int
    server_ms: int
    recovery_key: bytes


@dataclass(frozen=True, slots=True)
class Fetch:
    """A first fetch of one scope: its records as of `as_of`, newest first, those after record `after` (or all)."""

    scope: ScopeId
    as_of: Position
    after: RecordId | None


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """One exchange: what I have, what I wrote, what I lack.

    `counter` rises with every request of a device. `token` and `position` are the cursor. `generation` is the scope
    set that the device works with. `status` and `clock` travel only when they changed or ops are sent. `extras` is
    room for additions: a reader leaves alone what it does not know.
    """

    counter: int
    token: bytes
    position: Position
    generation: int
    segments: tuple[Segment, ...] = ()
    fetches: tuple[Fetch, ...] = ()
    status: Mapping[str, Value] | None = None
    clock: ClockFacts | None = None
    extras: Mapping[str, Value] = field(default_factory=lambda: NO_EXTRAS)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A run of ops in the log: `count` ops from `first_seq` on got the positions from `first_position` on.

    `stamps` names, by offset in the run, each stamp that differs from the op's claimed clock.
    """

    first_seq: int
    count: int
    first_position: Position
    stamps: Mapping[int, Stamp]


@dataclass(frozen=True, slots=True)
class HeldOp:
    """An op that is stored but waits for a person; `code` is in the catalogue of holds."""

    seq: int
    code: str
    field: str


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a first fetch. `after` continues it; None says that it was the last page.

    `packed` are records as a store keeps them (`state_codec.pack_record`), written behind the others. Whoever reads a
    page finds all of them in `records`.
    """

    scope: ScopeId
    as_of: Position
    after: RecordId | None
    records: tuple[RecordState, ...] = ()
    packed: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiptNote:
    """A receipt without what the device knows already: tenant, device, incarnation and its own chain."""

    up_to_seq: int
    log_position: Position
    log_hash: bytes
    server_ms: int
    signature: bytes


@dataclass(frozen=True, slots=True)
class Directive:
    """A command to this device. `counter` rises, so that an old command cannot be played again."""

    counter: int
    name: str
    facts: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class SyncResponse:
    """The answer: what became of your ops, and every merged field that changed in your scopes.

    Changes are those of the log entries in `(from_position, to_position]`; `left` names records that are in none of
    the device's scopes any more. `epoch` is empty unless it differs from the one behind the request's token. `digest`
    (16 bytes) is the server's, as of `to_position`, and empty while more changes wait (`has_more`). `known_seq` is
    the last op that the server holds of the incarnation that the request pushed; 0 if it pushed none. `packed` are
    whole records among the changes, as in a `Page`.
    """

    server_ms: int
    epoch: bytes
    token: bytes
    from_position: Position
    to_position: Position
    generation: int
    digest: bytes
    has_more: bool
    known_seq: int
    accepted: tuple[Accepted, ...] = ()
    held: tuple[HeldOp, ...] = ()
    changes: tuple[RecordState, ...] = ()
    left: tuple[RecordId, ...] = ()
    pages: tuple[Page, ...] = ()
    receipt: ReceiptNote | None = None
    directives: tuple[Directive, ...] = ()
    extras: Mapping[str, Value] = field(default_factory=lambda: NO_EXTRAS)
    packed: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A refusal from a server that knows the device: `code` is in the catalogue, nothing was stored."""

    code: str
    detail: str


Message: TypeAlias = EnrolRequest | EnrolResponse | SyncRequest | SyncResponse | Refused
