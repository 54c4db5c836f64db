"""The patrol that is being walked: its draft, and the track that grows behind it, also while the store is locked.

The rule it keeps: a fix is sealed in the store before the page is told. Chunks that are full go into the record; the
one that grows is a change of the draft, and comes with it after a crash.

                begin                pause               resume                 end
    (nothing) ─────────► [walking] ─────────► [paused] ─────────► [walking] ─────────► (a record)
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from gridlog import Add, Draft, FieldStore, LockedError
from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId
from gridlog_sync.writing import Change

from .speech import local
from .tracks import Chunk, Fix, Track, chunked, fixes_of

TRACK = "track_chunks"
_STATE = "state"


@dataclass(slots=True)
class Walk:
    """One patrol under way. `device` names the phone in its chunks."""

    record: RecordId
    device: bytes
    track: Track
    is_paused: bool = False

    @staticmethod
    def of(draft: Draft, device: bytes) -> Walk:
        """Go on with a draft, after a start or a crash: the chunk that grew when it was saved has ended."""
        own = _rows(draft.changes.get(TRACK))
        known = _rows(draft.values.get(TRACK))
        numbers = [row.get("seq") for row in known if row.get("device") == device]
        highest = max((each for each in numbers if isinstance(each, int)), default=-1)
        track = Track(next_number=highest + 1, new_key=lambda: secrets.token_hex(8))
        for row, fixes in zip(own, fixes_of([*own]), strict=False):
            track.chunks.append(Chunk(str(row["id"]), int(str(row["seq"])), fixes))
        track.pause()
        return Walk(draft.id, device, track)

    async def add(self, fix: Fix, store: FieldStore) -> bool:
        """Take a fix in and save it. Tell whether it was taken. Raises as `FieldStore.save_draft`."""
        if self.is_paused or not self.track.add(fix):
            return False
        try:
            done = self.track.chunks[:-1]
            if done:
                await store.edit(self.record, {TRACK: Add(self._spelled(done))})
                self.track.take_done()
        except LockedError:
            # Nothing is read while it is locked: the chunks stay in the draft until the first fix after it.
            pass
        await store.save_draft(self.record, self.changes())
        return True

    async def take_in(self, fixes: list[Fix], store: FieldStore) -> int:
        """Put a whole track from a file into the record, and return its chunks. Raises InvalidRecordError."""
        record = await store.get(self.record)
        rows = _rows(record.values.get(TRACK))
        chunks = chunked(fixes, next_number=len(rows) + 1000, new_key=lambda: secrets.token_hex(8))
        await store.edit(self.record, {TRACK: Add(self._spelled(chunks))})
        return len(chunks)

    def pause(self) -> None:
        """Measure nothing until `resume`."""
        self.is_paused = True
        self.track.pause()

    def resume(self) -> None:
        """Measure again; what was walked meanwhile is a gap."""
        self.is_paused = False

    def changes(self) -> dict[str, Change]:
        """Return what the draft says of the track so far."""
        return {TRACK: Add(self._spelled(self.track.chunks))} if self.track.chunks else {}

    def pieces(self, recorded: Value) -> list[list[Fix]]:
        """Return everything that was walked: what the record has, and what is on its way there."""
        kept = {str(row.get("id")) for row in _rows(recorded)}
        growing = [[*each.fixes] for each in self.track.chunks if each.key not in kept]
        return [*fixes_of(recorded), *growing]

    def _spelled(self, chunks: list[Chunk]) -> tuple[Value, ...]:
        return tuple(each.row(self.device, lambda ms: local(ms).isoformat(timespec="seconds")) for each in chunks)


def _rows(value: object) -> list[dict[str, Value]]:
    items = value.elements if isinstance(value, Add) else value
    return [each for each in items if isinstance(each, dict)] if isinstance(items, (list, tuple)) else []
