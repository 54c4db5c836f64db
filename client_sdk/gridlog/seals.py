"""Seal and open the journal's frames with the keys of an unlocked store."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gridlog.errors import StoreDamagedError, StorePart, StoreTooNewError
from gridlog.frame_writer import ChainHead
from gridlog.frames import (
    NONCE_BYTES,
    Frame,
    FrameRefusedError,
    FrameSealer,
    FrameTooNewError,
    FrameType,
    Place,
    epoch_of,
)
from gridlog.vault import Vault
from gridlog_protocol.ids import SHORT_ID_BYTES, Incarnation

_NO_INCARNATION = Incarnation(bytes(SHORT_ID_BYTES))


class Seals:
    """What one journal's frames are sealed with and opened by. One thread only."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._sealer = FrameSealer()
        self._keys: dict[int, AESGCM] = {}
        self._inbox_key = vault.inbox_key

    def sealed(self, kind: FrameType, payload: bytes, *, after: ChainHead) -> bytes:
        """Return the frame that follows `after`."""
        place = self.place(kind, self._vault.journal_epoch, after)
        nonce = self._vault.entropy(NONCE_BYTES)
        return self._sealer.seal(kind, payload, place=place, key=self._key(place.epoch), nonce=nonce)

    def opened(self, frame: bytes, *, after: ChainHead) -> Frame:
        """Open the frame that follows `after`. Raises StoreDamagedError with its number, StoreTooNewError."""
        place = self.place(frame[0], epoch_of(frame), after)
        try:
            return self._sealer.open(frame, place=place, key=self._key(place.epoch), inbox=self._inbox_key)
        except (FrameRefusedError, KeyError):
            raise StoreDamagedError(StorePart.JOURNAL, place.seq) from None
        except FrameTooNewError:
            raise StoreTooNewError(StorePart.JOURNAL) from None

    def place(self, kind: int, epoch: int, after: ChainHead) -> Place:
        """Return the place of the frame that follows `after`."""
        seq = after.seq + 1
        written_in = after.seq if kind == FrameType.END else seq
        incarnation = self._vault.incarnation_at(written_in) if written_in else _NO_INCARNATION
        return Place(self._vault.store_id, incarnation, epoch, seq, after.hash)

    def _key(self, epoch: int) -> AESGCM:
        if epoch not in self._keys:
            self._keys[epoch] = AESGCM(self._vault.journal_key(epoch))
        return self._keys[epoch]
