"""Keep the device's entries, sealed, in the order they were written. The journal is the truth; all else is rebuilt.

`append` returns after the entries are on the disk, all or none of them: only then may a screen say "saved". Each
frame is bound to its place and to all frames before it, so a frame that was changed, moved, repeated or dropped from
the middle is refused with its number, at `open` already. So is one that lost its last frames: behind the last entry
stands an end, bound to all of them in the same way, and replaced by each append. What no chain can show is that an
old copy of the whole file was put back: only something kept elsewhere can say how long the journal was. (The key file
and the snapshot do: no journal is shorter than at the last new incarnation or the last snapshot.)

`compact` puts what is still true in the place of all frames so far. The chain goes on from where it stood, so a
journal has one sequence of numbers for ever; the key file says at which of them it may begin, and the key of the
epoch before is destroyed: frames that were superseded or erased are noise, wherever a copy of them survives.

After a fault of the disk the journal is closed, because nobody knows what a second fsync would vouch for: the entries
of that append are not saved as far as anyone may say, though a part of the disk may have them all. Close, open again
(which verifies everything), and go on from what is there.

Calls block, and must not overlap: give a store one thread. The vault, which holds the store's lock, outlives the
journal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from gridlog.errors import StoreDamagedError, StorePart
from gridlog.frame_writer import PUT, ChainHead, FrameWriter
from gridlog.frames import PAYLOAD_BYTES_MAX, Frame, FrameType
from gridlog.inbox import Inbox
from gridlog.journal_file import JOURNAL_FILE, VERSION, make_file, open_file, set_version, version_of
from gridlog.keyfile import Base
from gridlog.seals import Seals
from gridlog.vault import Vault
from gridlog_protocol.canonical import INTEGER_MAX, INTEGER_MIN
from gridlog_protocol.ids import Incarnation

__all__ = ["JOURNAL_FILE", "PAYLOAD_BYTES_MAX", "Frame", "FrameType", "Journal"]

_PAGE_FRAMES = 32


class Journal(FrameWriter):
    """The open journal of an unlocked store. Made by `create` or `open`; use it in a `with` or close it."""

    def __init__(self, connection: sqlite3.Connection, vault: Vault, seals: Seals) -> None:
        self._base = vault.bases[0]
        super().__init__(vault.directory, _head_before(self._base))
        self._connection = connection
        self._vault = vault
        self._seals = seals
        self._marked = self._head

    @classmethod
    def create(cls, directory: Path, vault: Vault) -> Self:
        """Make the empty journal of a new store. Raises StoreExistsError and what `open` raises."""
        assert directory == vault.directory, "the vault holds the lock of its own directory"
        seals = Seals(vault)
        end = seals.sealed(FrameType.END, b"", after=_head_before(vault.bases[0]))
        return cls._followed(make_file(directory, end), vault, seals)

    @classmethod
    def open(cls, directory: Path, vault: Vault, *, mark: int = 0) -> Self:
        """Open the journal and verify all of it. `mark` is a frame whose hash will be asked for.

        Raises StoreMissingError, StoreDamagedError, StoreTooNewError, StoreInUseError, DiskFullError,
        DiskFailedError.
        """
        assert directory == vault.directory, "the vault holds the lock of its own directory"
        return cls._followed(open_file(directory), vault, Seals(vault), mark)

    @classmethod
    def _followed(cls, connection: sqlite3.Connection, vault: Vault, seals: Seals, mark: int = 0) -> Self:
        journal = cls(connection, vault, seals)
        try:
            journal._find_base()
            has_end = journal._has_end()
            last = journal._follow_chain(mark)
            if has_end:
                journal._step_before_end(last)
            journal._verify_last(last)
            journal._settle_base()
            journal._settle_end(has_end=has_end)
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

    @property
    def first_seq(self) -> int:
        """The number of the first frame, or of the one that will be."""
        return self._base.first_seq

    @property
    def mark(self) -> tuple[int, bytes]:
        """The number and the chained hash of the last frame, or of the one that `open` was asked to mark."""
        return self._marked

    def size_bytes(self) -> int:
        """Return how large the frames are together. It reads the whole index, not the frames."""
        with self._closing_on_a_fault(position=self._base.first_seq):
            (size,) = self._connection.execute("SELECT coalesce(sum(length(frame)), 0) FROM log").fetchone()
        return int(size)

    def into_inbox(self) -> Inbox:
        """Return the journal of the same store, locked. It goes on where this one ends: close this one first."""
        self._refuse_after_failure()
        vault = self._vault
        place = self._seals.place(FrameType.OP, vault.journal_epoch, self._head)
        return Inbox(vault.directory, self._head, place=place, reader=vault.inbox_key.public_key())

    def compact(self, payloads: Iterable[bytes]) -> None:
        """Put `payloads`, which say all that is still true, in the place of every frame so far; one at least.

        A cut leaves the old frames or the new. Raises as `append`, and leaves the vault unusable like it.
        """
        self._refuse_after_failure()
        last_old = self._head
        base = Base(last_old.seq + 1, last_old.hash)
        self._vault.begin_epoch(base)
        head = last_old
        with self._transaction(position=base.first_seq):
            for payload in payloads:
                frame = self._sealed(FrameType.BASE, payload, after=head)
                head = head.followed_by(frame)
                self._connection.execute(PUT, (head.seq, frame))
            self._put_end(head)
            self._connection.execute("DELETE FROM log WHERE seq <= ?", (last_old.seq,))
        assert head.seq > last_old.seq, "a journal that begins anew begins with something"
        self._base, self._head = base, head
        self._vault.settle_base(base)
        with self._closing_on_a_fault(position=base.first_seq):
            self._connection.execute("VACUUM")

    def replay(self, *, after: int = 0) -> Iterator[Frame]:
        """Yield every entry in order, each verified before it is given out; those up to `after` are left out.

        Raises StoreDamagedError with the number of the first entry that is not what was written there, and
        StoreTooNewError for an entry that only a newer program understands.
        """
        self._refuse_after_failure()
        last_seq = self._head.seq
        head = _head_before(self._base)
        for frame in self._rows(last_seq):
            if head.seq >= after:
                yield self._seals.opened(frame, after=head)
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

    def _find_base(self) -> None:
        """Find where the journal begins. While it is being compacted there are two such places."""
        with self._closing_on_a_fault(position=self._base.first_seq):
            (first_seq,) = self._connection.execute("SELECT min(seq) FROM log").fetchone()
        bases = self._vault.bases
        self._base = next((base for base in bases if base.first_seq == first_seq), bases[0])
        self._head = _head_before(self._base)

    def _has_end(self) -> bool:
        """Tell whether the journal has an end. Raises StoreDamagedError if it had one once."""
        with self._closing_on_a_fault(position=self._base.first_seq):
            has_end = version_of(self._connection) >= VERSION
        if self._vault.expects_end and not has_end:
            raise StoreDamagedError(StorePart.JOURNAL)
        return has_end

    def _follow_chain(self, mark: int) -> _Last:
        """Go to the end of the chain, and return the last frame with all that leads to it."""
        before, last_frame = self._head, b""
        for frame in self._rows(INTEGER_MAX):
            if not last_frame and self._is_compacted and frame[0] != FrameType.BASE:
                raise _damaged(self._base.first_seq)
            before, last_frame = self._head, frame
            self._head = before.followed_by(frame)
            if self._head.seq <= mark:
                self._marked = self._head
        if not last_frame and self._is_compacted:
            raise _damaged(self._base.first_seq)
        return _Last(before, last_frame)

    def _step_before_end(self, last: _Last) -> None:
        """Let the chain end where the entries do."""
        if last.frame[:1] != bytes((FrameType.END,)):
            self._try_each()
            raise _damaged(self._head.seq + 1)
        self._head = last.before

    def _verify_last(self, last: _Last) -> None:
        """Prove every frame: the seal of the last one covers the hash of all the others.

        Only when it does not open is each frame tried, to say which is the first that fails.
        """
        if self._head.seq + 1 < self._vault.incarnation_first_seq:
            raise _damaged(self._head.seq + 1)
        if not last.frame:
            return
        try:
            self._seals.opened(last.frame, after=last.before)
        except StoreDamagedError:
            self._try_each()
            raise

    def _try_each(self) -> None:
        for _ in self.replay():
            pass

    def _settle_base(self) -> None:
        # Only now that all was verified: what is given up here cannot be read any more.
        if len(self._vault.bases) > 1:
            self._vault.settle_base(self._base)

    def _settle_end(self, *, has_end: bool) -> None:
        if not has_end:
            with self._transaction(position=self._head.seq + 1):
                self._put_end(self._head)
                set_version(self._connection)
        if not self._vault.expects_end:
            self._vault.expect_end()

    def _put_end(self, head: ChainHead) -> None:
        """Put the end behind `head`, in a transaction."""
        self._connection.execute(PUT, (head.seq + 1, self._sealed(FrameType.END, b"", after=head)))

    @property
    def _is_compacted(self) -> bool:
        return self._base.first_seq > 1

    def _rows(self, last_seq: int) -> Iterator[bytes]:
        """Yield the stored frames in order. A page is read whole, so that no cursor stays open between two frames."""
        expected, start = self._base.first_seq, INTEGER_MIN
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

    def _sealed(self, kind: FrameType, payload: bytes, *, after: ChainHead) -> bytes:
        return self._seals.sealed(kind, payload, after=after)


class _Last(NamedTuple):
    """The last frame of the file, empty if there is none, and the chain before it."""

    before: ChainHead
    frame: bytes


def _head_before(base: Base) -> ChainHead:
    return ChainHead(base.first_seq - 1, base.hash_before)


def _damaged(position: int) -> StoreDamagedError:
    return StoreDamagedError(StorePart.JOURNAL, position)
