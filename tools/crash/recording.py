"""What the shim logged: every operation on the files of a store, and what was acknowledged in between. Pure.

An operation is whatever changes what a disk holds, or when: opening that makes or empties a file, writing, resizing,
syncing, naming. Operations are counted from 1, by the shim and here alike, so that "operation 17" is the same one
when it is recorded, cut off behind, and made to fail.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from tools.crash.account import Account

_HEADER = struct.Struct("<IiqII")
_CREATED, _TRUNCATED = 1, 2
ACKNOWLEDGED, ENDED, _BEFORE = "A", "E", "B"


class RecordingError(Exception):
    """The log cannot be read, or does not explain the files: nothing that follows from it would prove anything."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A file or directory was opened: made, emptied, or just as it is."""

    descriptor: int
    path: str
    is_made: bool
    is_emptied: bool


@dataclass(frozen=True, slots=True)
class Closed:
    """A descriptor is free for another file."""

    descriptor: int


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes were written at an offset."""

    descriptor: int
    at: int
    content: bytes


@dataclass(frozen=True, slots=True)
class Resized:
    """A file was cut off, or made longer with zeros."""

    descriptor: int
    size: int


@dataclass(frozen=True, slots=True)
class Synced:
    """A file's content, or a directory's names, are on the disk."""

    descriptor: int


@dataclass(frozen=True, slots=True)
class Renamed:
    """A name was given to another file, in one step."""

    path: str
    to: str


@dataclass(frozen=True, slots=True)
class Unlinked:
    """A name was taken away."""

    path: str


@dataclass(frozen=True, slots=True)
class DirectoryMade:
    """A directory was made."""

    path: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The store's API came back: this is what it has promised now."""

    account: Account


@dataclass(frozen=True, slots=True)
class Failed:
    """An operation was made to fail, the first one if there are several."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The scenario came to its end: by itself, or with an error. `is_told` says whether the error is one of ours."""

    error: str
    is_told: bool


Operation: TypeAlias = Opened | Written | Resized | Synced | Renamed | Unlinked | DirectoryMade
Event: TypeAlias = Operation | Closed | Acknowledged | Failed | Ended


@dataclass(frozen=True, slots=True)
class Recording:
    """The files at the beginning, all durable, by path below the root (None is a directory); and what happened."""

    before: Mapping[str, bytes | None]
    events: tuple[Event, ...]

    @property
    def operations(self) -> int:
        """How many operations there are."""
        return sum(is_operation(event) for event in self.events)

    @property
    def promises(self) -> tuple[tuple[int, Account], ...]:
        """What was acknowledged, in order, each with the number of operations before it."""
        return tuple((done, event.account) for done, event in self.counted() if isinstance(event, Acknowledged))

    @property
    def ended(self) -> Ended | None:
        """How the scenario ended; None if it was killed."""
        return next((event for event in self.events if isinstance(event, Ended)), None)

    @property
    def failed_after(self) -> int | None:
        """How many operations were done when one was made to fail; None if none was."""
        return next((done for done, event in self.counted() if isinstance(event, Failed)), None)

    def counted(self) -> Iterator[tuple[int, Event]]:
        """Yield each event with the number of operations up to it, itself included."""
        done = 0
        for event in self.events:
            done += is_operation(event)
            yield done, event


def is_operation(event: Event) -> bool:
    """Tell whether this changes what the disk holds or must hold."""
    if isinstance(event, Opened):
        return event.is_made or event.is_emptied
    return not isinstance(event, Closed | Acknowledged | Failed | Ended)


def note(kind: str, said: Mapping[str, object]) -> bytes:
    """Write what the playing process says itself, as a record of the same log."""
    text = json.dumps(said).encode()
    return _HEADER.pack(ord(kind), -1, 0, len(text), 0) + text


def note_before(path: str, content: bytes | None) -> bytes:
    """Write what is on the disk, durably, when the recording begins; None is a directory."""
    name, raw = path.encode(), content or b""
    return _HEADER.pack(ord(_BEFORE), -1, content is None, len(name), len(raw)) + name + raw


def read_log(raw: bytes) -> Recording:
    """Read a whole log. Raises RecordingError."""
    before: dict[str, bytes | None] = {}
    events: list[Event] = []
    start = 0
    while start < len(raw):
        if start + _HEADER.size > len(raw):
            raise RecordingError("the log ends within a record")
        kind, descriptor, at, first_bytes, second_bytes = _HEADER.unpack_from(raw, start)
        middle = start + _HEADER.size + first_bytes
        first, second = raw[start + _HEADER.size : middle], raw[middle : middle + second_bytes]
        if chr(kind) == _BEFORE:
            before[first.decode()] = None if at else second
        else:
            events.append(_event(chr(kind), descriptor, at, first, second))
        start = middle + second_bytes
    return Recording(before, tuple(events))


def _event(kind: str, descriptor: int, at: int, first: bytes, second: bytes) -> Event:  # noqa: PLR0911 - one a kind.
    match kind:
        case "O":
            return Opened(descriptor, first.decode(), bool(at & _CREATED), bool(at & _TRUNCATED))
        case "C":
            return Closed(descriptor)
        case "W":
            return Written(descriptor, at, first)
        case "T":
            return Resized(descriptor, at)
        case "S":
            return Synced(descriptor)
        case "R":
            return Renamed(first.decode(), second.decode())
        case "U":
            return Unlinked(first.decode())
        case "D":
            return DirectoryMade(first.decode())
        case "F":
            return Failed()
        case _:
            return _said(kind, json.loads(first))


def _said(kind: str, said: dict[str, object]) -> Event:
    match kind:
        case "A":
            return Acknowledged(Account.of(said))
        case "E":
            return Ended(str(said["error"]), bool(said["is_told"]))
        case _:
            raise RecordingError(f"the log has a record of kind {kind!r}")
