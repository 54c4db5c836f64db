"""The journal of a locked store: it takes entries, and gives none out.

Each entry is sealed (HPKE, RFC 9180, base mode) to a key pair whose private half the master key gives: whoever holds
what a locked store has in memory adds entries, and opens none, not even the one he has just added. The frames stand
in the same chain as all others, bound to their place in the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gridlog.errors import StoreDamagedError, StorePart
from gridlog.frame_writer import ChainHead, FrameWriter
from gridlog.frames import FrameSealer, FrameType, Place
from gridlog.journal_file import open_file


class Inbox(FrameWriter):
    """Made by `Journal.into_inbox`. `place` is the one of its first frame.

    It opens the file when there is something to write: what the journal had open is full of what it read.
    """

    def __init__(self, directory: Path, head: ChainHead, *, place: Place, reader: X25519PublicKey) -> None:
        super().__init__(directory, head)
        self._place = place
        self._reader = reader
        self._is_open = False

    def append(self, frames: Sequence[tuple[FrameType, bytes]]) -> list[int]:
        """See FrameWriter. Raises StoreDamagedError, too, if the journal is not as it was left."""
        self._refuse_after_failure()
        if not self._is_open:
            self._connection = open_file(self._directory)
            self._is_open = True
            with self._closing_on_a_fault(position=self._head.seq):
                (end_seq,) = self._connection.execute("SELECT coalesce(max(seq), 0) FROM log").fetchone()
                if end_seq != self._head.seq + 1:
                    raise StoreDamagedError(StorePart.JOURNAL, min(end_seq, self._head.seq) + 1)
        return super().append(frames)

    def close(self) -> None:
        """Close the file, if it was opened."""
        if self._is_open:
            super().close()

    def _sealed(self, kind: FrameType, payload: bytes, *, after: ChainHead) -> bytes:
        place = replace(self._place, seq=after.seq + 1, previous_hash=after.hash)
        # Made anew each time: a compressor takes a megabyte as it finds it, and keeps what it has seen.
        return FrameSealer().seal_to(self._reader, kind, payload, place=place)
