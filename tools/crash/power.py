"""What is durable and what is not at each moment of a recording: where the power may be cut. Pure.

The rules of the disk, as strict as POSIX allows and no stricter than drives are:

* What was synced is there. What was not may be there or not, each sector of 512 bytes by itself.
* A sector holds what it held at some moment: never a later write without the earlier one to the same sector.
* Names are durable when their directory was synced, and become so in order; before that a new file may be gone
  altogether, a removed one be back, and a renamed one have its old name. A rename happens at once or not at all.
* A file may have grown before its bytes are there: they read as zeros.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from types import MappingProxyType

from tools.crash.recording import (
    Closed,
    DirectoryMade,
    Event,
    Opened,
    Recording,
    RecordingError,
    Renamed,
    Resized,
    Synced,
    Unlinked,
    Written,
    is_operation,
)

SECTOR_BYTES = 512
DIRECTORY = -1
"""The number that stands for a directory where files have theirs."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of an unsynced change that reaches the disk as a whole or not at all.

    Of operation number `change`, in file number `file`: bytes within one sector, or a new size if `content` is None.
    """

    change: int
    file: int
    at: int
    content: bytes | None

    @property
    def sector(self) -> tuple[int, int]:
        """The file and the number of the sector."""
        return self.file, self.at // SECTOR_BYTES


@dataclass(frozen=True, slots=True)
class Naming:
    """An unsynced change of a directory: `path` is given to `file`, or to nothing, and taken from `gone`."""

    path: str
    file: int | None
    gone: str | None = None

    def applied(self, names: dict[str, int]) -> None:
        """Change the names accordingly."""
        if self.gone is not None:
            names.pop(self.gone, None)
        if self.file is None:
            names.pop(self.path, None)
        else:
            names[self.path] = self.file


@dataclass(frozen=True, slots=True)
class Cut:
    """Everything that a power cut behind operation `number` leaves to chance, and what it does not."""

    number: int
    names: Mapping[str, int]
    """Durable: which file each path is, DIRECTORY for a directory."""
    contents: Mapping[int, bytes]
    """Durable: what is in each file that may have a name."""
    namings: tuple[Naming, ...]
    """To chance, in order."""
    pieces: tuple[Piece, ...]
    """To chance, in order."""
    sizes: Mapping[int, int]
    """How large each file is for the processes that run."""


@dataclass(slots=True)
class _File:
    durable: bytes
    size: int
    pieces: list[Piece] = field(default_factory=list)


class Power:
    """Follows a recording, event by event, and knows what a cut would leave."""

    def __init__(self, before: Mapping[str, bytes | None]) -> None:
        self._numbers = count()
        self._files: dict[int, _File] = {}
        self._durable: dict[str, int] = {"": DIRECTORY}
        for path, content in before.items():
            self._durable[path] = DIRECTORY if content is None else self._new(content)
        self._names = dict(self._durable)
        self._namings: list[Naming] = []
        self._open: dict[int, str | int] = {}
        self._done = 0

    def follow(self, event: Event) -> None:
        """Take in what happened next. Raises RecordingError if it cannot have happened."""
        self._done += is_operation(event)
        match event:
            case Opened():
                self._opened(event)
            case Closed(descriptor):
                self._open.pop(descriptor, None)
            case Written(descriptor, at, content):
                self._written(self._number(descriptor), at, content)
            case Resized(descriptor, size):
                self._resized(self._number(descriptor), size)
            case Synced(descriptor):
                self._synced(descriptor)
            case Renamed(path, to):
                self._named(Naming(to, self._names[path], gone=path))
            case Unlinked(path):
                self._named(Naming(path, None))
            case DirectoryMade(path):
                self._named(Naming(path, DIRECTORY))
            case _:
                pass

    def cut(self) -> Cut:
        """Return what a power cut at this moment leaves. Files that can have no name any more are left out."""
        named = {*self._durable.values(), *(each.file for each in self._namings if each.file is not None)} - {
            DIRECTORY
        }
        pieces = [piece for number in named for piece in self._files[number].pieces]
        return Cut(
            self._done,
            MappingProxyType(dict(self._durable)),
            MappingProxyType({number: self._files[number].durable for number in named}),
            tuple(self._namings),
            tuple(sorted(pieces, key=lambda piece: piece.change)),
            MappingProxyType({number: self._files[number].size for number in named}),
        )

    def _new(self, content: bytes) -> int:
        number = next(self._numbers)
        self._files[number] = _File(content, len(content))
        return number

    def _number(self, descriptor: int) -> int:
        opened = self._open.get(descriptor)
        if not isinstance(opened, int):
            raise RecordingError(f"descriptor {descriptor} is no open file")
        return opened

    def _opened(self, event: Opened) -> None:
        if event.is_made:
            self._named(Naming(event.path, self._new(b"")))
        number = self._names.get(event.path)
        if number is None:
            raise RecordingError(f"{event.path} was opened, and nobody made it")
        self._open[event.descriptor] = event.path if number == DIRECTORY else number
        if event.is_emptied:
            self._resized(number, 0)

    def _named(self, naming: Naming) -> None:
        naming.applied(self._names)
        self._namings.append(naming)

    def _written(self, number: int, at: int, content: bytes) -> None:
        file = self._files[number]
        file.size = max(file.size, at + len(content))
        start = at
        while start < at + len(content):
            end = min(at + len(content), (start // SECTOR_BYTES + 1) * SECTOR_BYTES)
            file.pieces.append(Piece(self._done, number, start, content[start - at : end - at]))
            start = end

    def _resized(self, number: int, size: int) -> None:
        self._files[number].size = size
        self._files[number].pieces.append(Piece(self._done, number, size, None))

    def _synced(self, descriptor: int) -> None:
        opened = self._open.get(descriptor)
        if opened is None:
            raise RecordingError(f"descriptor {descriptor} is not open")
        if isinstance(opened, int):
            file = self._files[opened]
            file.durable = with_pieces(file.durable, file.pieces)
            file.pieces.clear()
            return
        waiting: list[Naming] = []
        for naming in self._namings:
            if naming.path.rpartition("/")[0] == opened:
                naming.applied(self._durable)
            else:
                waiting.append(naming)
        self._namings = waiting


def cuts(recording: Recording) -> Iterator[Cut]:
    """Yield what a cut leaves before the first operation, and behind each. Raises RecordingError."""
    power = Power(recording.before)
    yield power.cut()
    for event in recording.events:
        power.follow(event)
        if is_operation(event):
            yield power.cut()


def with_pieces(content: bytes, pieces: list[Piece]) -> bytes:
    """Return a file's content with these pieces, in order."""
    if not pieces:
        return content
    changed = bytearray(content)
    for piece in pieces:
        if piece.content is None:
            del changed[piece.at :]
            changed += bytes(piece.at - len(changed))
            continue
        changed += bytes(max(0, piece.at - len(changed)))
        changed[piece.at : piece.at + len(piece.content)] = piece.content
    return bytes(changed)
