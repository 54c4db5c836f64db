"""What a store that was ordered to destroy itself leaves for its server: one file of sealed messages, nothing else.

                          parting.gl durable        keys destroyed          delivered
    [order taken in] ──────────────────────► [doomed] ────────────► [wiped] ─────────► [wiped, file removed]

The messages are the word that the wipe is done, and the ops that had not been sent. They are sealed to the server
and signed while the keys are still there; so the keys need not wait for a network that somebody may have cut, and
what was written is not lost either. Whoever has the file can read none of it.

The rule it keeps: the word that a wipe is done leaves this machine only when the keys are destroyed. A process that
was killed before that is doomed: whoever opens the store next finishes the wipe, before anything can be read.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gridlog_protocol.canonical import NotCanonicalError, Value, pack, unpack
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.rows import Row

from .disk import disk_errors, read_bounded, remove_durably, write_durably
from .errors import (
    RefusedError,
    StoreDamagedError,
    StoreMissingError,
    StoreTooNewError,
    StoreWipedError,
    UnreachableError,
)
from .keydisk import destroy, read_file

if TYPE_CHECKING:
    from .transport import Transport

PARTING_FILE = "parting.gl"
UNSENT_BYTES_MAX = 4 << 20
"""Ops that had not been sent, packed: months of one worker. Signing and sealing them takes some seconds at most."""

_VERSION = 1
_ADDRESS_BYTES_MAX = 512
_FILE_BYTES_MAX = 16 << 20
_MESSAGES_MAX = 4096
_STORE_ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Parting:
    """Sealed messages of the store `store_id` to the server at `address`; the first is its acknowledgement."""

    store_id: bytes
    address: str
    messages: tuple[bytes, ...]


def write_parting(directory: Path, parting: Parting) -> None:
    """Doom the store in a directory, durably. Raises DiskFullError, DiskFailedError."""
    row: list[Value] = [_VERSION, parting.store_id, parting.address, [*parting.messages]]
    write_durably(directory / PARTING_FILE, pack(row))


def read_parting(directory: Path) -> Parting | None:
    """Return what was left in a directory, None if nothing was. Raises DiskFailedError."""
    path = directory / PARTING_FILE
    with disk_errors():
        if not path.exists():
            return None
    try:
        row = Row(unpack(read_bounded(path, bytes_max=_FILE_BYTES_MAX) or b""), "parting")
        if row.whole() != _VERSION:
            return None
        store_id, address = row.blob(_STORE_ID_BYTES), row.text(_ADDRESS_BYTES_MAX)
        messages = [each for each in row.items(_MESSAGES_MAX) if isinstance(each, bytes)]
        row.end()
    except (NotCanonicalError, ProtocolError):
        # It is written in one rename: this is not ours, and dooms nothing.
        return None
    return Parting(store_id, address, tuple(messages))


def is_doomed(directory: Path) -> bool:
    """Tell whether the store in a directory took in the order to destroy itself, and has keys still."""
    parting = read_parting(directory)
    if parting is None:
        return False
    try:
        # A new store in the same place has another id: what the old one left does not concern it.
        return read_file(directory).store_id == parting.store_id
    except (StoreMissingError, StoreWipedError, StoreDamagedError, StoreTooNewError):
        return False


def finish_if_doomed(directory: Path) -> None:
    """Finish a wipe that was ordered and cut off. The caller holds the store's lock.

    Raises DiskFullError, DiskFailedError.
    """
    if is_doomed(directory):
        destroy(directory)


async def deliver(directory: Path, transport: Transport, unsaved: Parting | None = None) -> bool:
    """Send what a wiped store left, and remove it. Return whether nothing is left to be sent. Raises DiskFailedError.

    A store that is doomed only has nothing to say yet. What is sent twice does no harm. `unsaved` is what a store
    that is wiped could not leave on the disk.
    """
    parting = unsaved or read_parting(directory)
    if parting is None:
        return True
    if is_doomed(directory):
        return False
    try:
        for message in parting.messages:
            # The answers are sealed to a key that is destroyed: nobody can read them any more.
            await transport.post("/v1/sync", message)
    except (UnreachableError, RefusedError):
        return False
    remove_durably([directory / PARTING_FILE])
    return True
