"""The journal of a locked store: it takes entries, and gives none out.

Each entry is sealed (HPKE, RFC 9180, base mode) to a key pair whose private half the master key gives: whoever holds
what a locked store has in memory adds entries, and opens none, not even the one he has just added. The frames stand
in the same chain as all others, bound to their place in the same way.
"""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gridlog.frame_writer import ChainHead, FrameWriter
from gridlog.frames import FrameSealer, FrameType, Place


class Inbox(FrameWriter):
    """Made by `Journal.into_inbox`. `place` is the one of its first frame."""

    def __init__(
        self,
        directory: Path,
        connection: sqlite3.Connection,
        head: ChainHead,
        *,
        place: Place,
        reader: X25519PublicKey,
    ) -> None:
        super().__init__(directory, connection, head)
        self._place = place
        self._reader = reader
        self._sealer = FrameSealer()

    def _sealed(self, kind: FrameType, payload: bytes, *, after: ChainHead) -> bytes:
        place = replace(self._place, seq=after.seq + 1, previous_hash=after.hash)
        return self._sealer.seal_to(self._reader, kind, payload, place=place)
