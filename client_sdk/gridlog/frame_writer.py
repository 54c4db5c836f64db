"""Append frames to the journal's file, each bound to all before it: what an open and a locked store have in common.

After a fault of the disk nothing more is written, because nobody knows what a second fsync would vouch for.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from gridlog.errors import DiskFailedError, GridlogError
from gridlog.frames import PAYLOAD_BYTES_MAX, FrameType, next_hash
from gridlog.journal_file import database_errors

PUT = "REPLACE INTO log (seq, frame) VALUES (?, ?)"
"""The first of what is appended takes the place of the end that was there."""


class ChainHead(NamedTuple):
    """The end of the chain: the number of its last frame, and the hash over all of them."""

    seq: int
    hash: bytes

    def followed_by(self, frame: bytes) -> ChainHead:
        """Return the end of the chain with one frame more."""
        return ChainHead(self.seq + 1, next_hash(self.hash, frame))


class FrameWriter(ABC):
    """Appends to one file. Whoever inherits opens it, and says how a frame is sealed."""

    _connection: sqlite3.Connection

    def __init__(self, directory: Path, head: ChainHead) -> None:
        self._directory = directory
        self._head = head
        self._failure: GridlogError | None = None

    @property
    def head(self) -> ChainHead:
        """The number of the last frame, and the hash over all of them."""
        return self._head

    @property
    def last_seq(self) -> int:
        """The number of the last entry that is saved; 0 when there is none."""
        return self._head.seq

    @property
    def has_failed(self) -> bool:
        """Whether the disk failed, so that nothing more can be written."""
        return self._failure is not None

    def close(self) -> None:
        """Close the file. Closing twice is harmless."""
        self._connection.close()

    def append(self, frames: Sequence[tuple[FrameType, bytes]]) -> list[int]:
        """Save entries in one transaction, and return their numbers once they are on the disk.

        Raises DiskFullError or DiskFailedError: then none of them may be called saved, and the file is closed.
        """
        self._refuse_after_failure()
        rows: list[tuple[int, bytes]] = []
        head = self._head
        for kind, payload in frames:
            if len(payload) > PAYLOAD_BYTES_MAX:
                raise ValueError(f"an entry holds at most {PAYLOAD_BYTES_MAX} bytes")
            frame = self._sealed(kind, payload, after=head)
            head = head.followed_by(frame)
            rows.append((head.seq, frame))
        if rows:
            end = (head.seq + 1, self._sealed(FrameType.END, b"", after=head))
            with self._transaction(position=rows[0][0]):
                self._connection.executemany(PUT, (*rows, end))
        # Only now: after a failed commit the chain must go on from what the disk has.
        self._head = head
        return [seq for seq, _ in rows]

    @abstractmethod
    def _sealed(self, kind: FrameType, payload: bytes, *, after: ChainHead) -> bytes:
        """Return the frame that follows `after`."""

    @contextmanager
    def _transaction(self, *, position: int) -> Iterator[None]:
        with self._closing_on_a_fault(position=position):
            self._connection.execute("BEGIN IMMEDIATE")
            yield
            self._connection.execute("COMMIT")

    @contextmanager
    def _closing_on_a_fault(self, *, position: int) -> Iterator[None]:
        try:
            with database_errors(self._directory, position=position):
                yield
        except BaseException as error:
            self._failure = error if isinstance(error, GridlogError) else DiskFailedError()
            self._connection.close()
            raise

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise self._failure
