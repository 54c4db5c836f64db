"""Keep the device's entries, sealed, in the order they were written. The journal is the truth; all else is rebuilt.

`append` returns after the entries are on the disk, all or none of them: only then may a screen say "saved". Each
frame is bound to its place and to all frames before it, so a frame that was changed, moved, repeated or dropped from
the middle is refused with its number, at `open` already. What the chain alone cannot show is that the *last* frames
are gone, as after an old copy of the file was put back: only something kept elsewhere can say how long the journal
was. (The key file does so for one case: no journal is shorter than at the last new incarnation.)

After a fault of the disk the journal is closed, because nobody knows what a second fsync would vouch for: the entries
of that append are not saved as far as anyone may say, though a part of the disk may have them all. Close, open again
(which verifies everything), and go on from what is there.

Calls block, and must not overlap: give a store one thread. The vault, which holds the store's lock, outlives the
journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gridlog.errors import DiskFailedError, GridlogError, StoreDamagedError, StorePart, StoreTooNewError
from gridlog.frames import (
    NONCE_BYTES,
    PAYLOAD_BYTES_MAX,
    Frame,
    FrameRefusedError,
    FrameSealer,
    FrameTooNewError,
    FrameType,
    Place,
    epoch_of,
    first_hash,
    next_hash,
)
from gridlog.journal_file import JOURNAL_FILE, database_errors, make_file, open_file
from gridlog.vault import Vault
from gridlog_protocol.canonical import INTEGER_MAX, INTEGER_MIN
from gridlog_protocol.ids import Incarnation

__all__ = ["JOURNAL_FILE", "PAYLOAD_BYTES_MAX", "Frame", "FrameType", "Journal"]

_PAGE_FRAMES = 32


class Journal:
    """The open journal of an unlocked store. Made by `create` or `open`; use it in a `with` or close it."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault) -> None:
        self._connection = connection
        self._vault = vault
        self._sealer = FrameSealer()
        self._keys: dict[int, AESGCM] = {}
        self._head = _Head(0, first_hash(vault.store_id))
        self._failure: GridlogError | None = None

    @classmethod
    def create(cls, directory: Path, vault: Vault) -> Self:
        """Make the empty journal of a new store. Raises StoreExistsError and what `open` raises."""
        assert directory == vault.directory, "the vault holds the lock of its own directory"
        return cls._followed(make_file(directory), vault)

    @classmethod
    def open(cls, directory: Path, vault: Vault) -> Self:
        """Open the journal and verify all of it.

        Raises StoreMissingError, StoreDamagedError, StoreTooNewError, StoreInUseError, DiskFailedError.
        """
        assert directory == vault.directory, "the vault holds the lock of its own directory"
        return cls._followed(open_file(directory), vault)

    @classmethod
    def _followed(cls, connection: sqlite3.Connection, vault: Vault) -> Self:
        journal = cls(connection, vault)
        try:
            journal._follow_chain()
        except BaseException:
            journal.close()
            raise
        return journal

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. The vault stays open. Closing twice is harmless."""
        self._connection.close()

    @property
    def last_seq(self) -> int:
        """The number of the last entry that is saved; 0 when there is none."""
        return self._head.seq

    def append(self, frames: Sequence[tuple[FrameType, bytes]]) -> list[int]:
        """Save entries in one transaction, and return their numbers once they are on the disk.

        Raises DiskFullError or DiskFailedError: then none of them may be called saved, and the journal is closed.
        """
        self._refuse_after_failure()
        head = self._head
        rows: list[tuple[int, bytes]] = []
        for kind, payload in frames:
            frame = self._sealed(kind, payload, after=head)
            head = head.followed_by(frame)
            rows.append((head.seq, frame))
        if rows:
            self._commit(rows)
        # Only now: after a failed commit the chain must go on from what the disk has.
        self._head = head
        return [seq for seq, _ in rows]

    def replay(self) -> Iterator[Frame]:
        """Yield every entry in order, each verified before it is given out.

        Raises StoreDamagedError with the number of the first entry that is not what was written there, and
        StoreTooNewError for an entry that only a newer program understands.
        """
        self._refuse_after_failure()
        last_seq = self._head.seq
        head = _Head(0, first_hash(self._vault.store_id))
        for frame in self._rows(last_seq):
            yield self._opened(frame, after=head)
            head = head.followed_by(frame)
        if head.seq != last_seq:
            raise _damaged(head.seq + 1)

    def redraw_incarnation(self) -> Incarnation:
        """Write under a new incarnation from the next entry on; the old entries stay readable.

        After DiskFullError or DiskFailedError the vault must be closed and unlocked again.
        """
        # After a failed commit nobody knows how long the journal is, so nobody knows where to begin.
        self._refuse_after_failure()
        return self._vault.redraw_incarnation(first_seq=self._head.seq + 1)

    def _follow_chain(self) -> None:
        """Find the head, and prove all that leads to it.

        The seal of the last frame covers the hash of all the others, so opening this one verifies every frame. Only
        when it does not open is each frame tried, to say which is the first that fails.
        """
        before, last_frame = self._head, b""
        for frame in self._rows(INTEGER_MAX):
            before, last_frame = self._head, frame
            self._head = before.followed_by(frame)
        if self._head.seq + 1 < self._vault.incarnation_first_seq:
            raise _damaged(self._head.seq + 1)
        if not last_frame:
            return
        try:
            self._opened(last_frame, after=before)
        except StoreDamagedError:
            for _ in self.replay():
                pass
            raise

    def _rows(self, last_seq: int) -> Iterator[bytes]:
        """Yield the stored frames in order. A page is read whole, so that no cursor stays open between two frames."""
        expected, start = 1, INTEGER_MIN
        while page := self._page(start, last_seq, expected):
            for seq, frame in page:
                if seq != expected or not isinstance(frame, bytes) or not frame:
                    raise _damaged(expected)
                yield frame
                expected += 1
            start = expected

    def _page(self, start: int, last_seq: int, expected: int) -> list[tuple[int, object]]:
        page: list[tuple[int, object]] = []
        sql = "SELECT seq, frame FROM log WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"
        try:
            for row in self._connection.execute(sql, (start, last_seq, _PAGE_FRAMES)):
                page.append(row)  # noqa: PERF402  The rows before a fault say where it is.
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            with self._closing_on_a_fault(position=expected + len(page)):
                raise
        return page

    def _sealed(self, kind: FrameType, payload: bytes, *, after: _Head) -> bytes:
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise ValueError(f"an entry holds at most {PAYLOAD_BYTES_MAX} bytes")
        place = self._place(self._vault.journal_epoch, after)
        nonce = self._vault.entropy(NONCE_BYTES)
        return self._sealer.seal(kind, payload, place=place, key=self._key(place.epoch), nonce=nonce)

    def _opened(self, frame: bytes, *, after: _Head) -> Frame:
        place = self._place(epoch_of(frame), after)
        try:
            return self._sealer.open(frame, place=place, key=self._key(place.epoch))
        except (FrameRefusedError, KeyError):
            raise _damaged(place.seq) from None
        except FrameTooNewError:
            raise StoreTooNewError(StorePart.JOURNAL) from None

    def _place(self, epoch: int, after: _Head) -> Place:
        seq = after.seq + 1
        return Place(self._vault.store_id, self._vault.incarnation_at(seq), epoch, seq, after.hash)

    def _key(self, epoch: int) -> AESGCM:
        if epoch not in self._keys:
            self._keys[epoch] = AESGCM(self._vault.journal_key(epoch))
        return self._keys[epoch]

    def _commit(self, rows: list[tuple[int, bytes]]) -> None:
        with self._closing_on_a_fault(position=rows[0][0]):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.executemany("INSERT INTO log (seq, frame) VALUES (?, ?)", rows)
            self._connection.execute("COMMIT")

    @contextmanager
    def _closing_on_a_fault(self, *, position: int) -> Iterator[None]:
        try:
            with database_errors(self._vault.directory, position=position):
                yield
        except BaseException as error:
            self._failure = error if isinstance(error, GridlogError) else DiskFailedError()
            self._connection.close()
            raise

    def _refuse_after_failure(self) -> None:
        if self._failure is not None:
            raise self._failure


class _Head(NamedTuple):
    """The end of the chain: the number of its last frame, and the hash over all of them."""

    seq: int
    hash: bytes

    def followed_by(self, frame: bytes) -> _Head:
        return _Head(self.seq + 1, next_hash(self.hash, frame))


def _damaged(position: int) -> StoreDamagedError:
    return StoreDamagedError(StorePart.JOURNAL, position)
