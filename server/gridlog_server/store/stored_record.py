"""A record as a database keeps it, and as services ask for it: unpacked only if somebody looks inside."""

from __future__ import annotations

from dataclasses import dataclass, field

from gridlog_protocol.ids import Position, RecordId, ScopeId, UserId
from gridlog_protocol.state import RecordState, is_ended
from gridlog_protocol.state_codec import PackedRecord, pack_record


@dataclass(frozen=True, slots=True)
class Listed:
    """What lists of the office ask of a record. Times are Unix ms; `stepped_ms` is 0 for an untouched draft."""

    author: UserId
    occurred_ms: int
    review_state: str
    stepped_ms: int
    words: str


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record's merged state with what lists need to find it. `size` is about what it takes at rest, in bytes.

    `listed` is there when a record is written, and None when it is read, or no list of the office has its kind.
    """

    content: RecordState | PackedRecord
    changed: Position
    conflicts: int
    scopes: frozenset[ScopeId]
    size: int
    listed: Listed | None = field(default=None, compare=False)

    @property
    def id(self) -> RecordId:
        """The record's name."""
        return self.content.id

    @property
    def kind(self) -> str:
        """Its kind, which never changes."""
        return self.content.kind

    @property
    def state(self) -> RecordState:
        """The merged state, unpacked when it is first asked for."""
        return self.content.state if isinstance(self.content, PackedRecord) else self.content

    @property
    def packed(self) -> bytes:
        """The merged state as a store keeps it."""
        return self.content.raw if isinstance(self.content, PackedRecord) else pack_record(self.content)

    @property
    def is_ended(self) -> bool:
        """Tell whether a write that ends the record stands."""
        return self.content.is_ended if isinstance(self.content, PackedRecord) else is_ended(self.content)
