"""The records that an answer changes, while it is taken in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gridlog_protocol.ids import RecordId
from gridlog_protocol.ops import Action
from gridlog_protocol.state import RecordState

from .merge import Entry, apply


class ChangedRecords(Mapping[RecordId, RecordState]):
    """Records by id. Those that one op created are merged when somebody looks at them: nearly nobody does."""

    def __init__(self) -> None:
        self._order: dict[RecordId, None] = {}
        self._states: dict[RecordId, RecordState] = {}
        self.created: dict[RecordId, Entry] = {}

    def __getitem__(self, record: RecordId) -> RecordState:
        state = self._states.get(record)
        if state is None:
            state = self._states[record] = apply(None, self.created[record])
        return state

    def __iter__(self) -> Iterator[RecordId]:
        return iter(self._order)

    def __len__(self) -> int:
        return len(self._order)

    def put(self, record: RecordState) -> None:
        """Take in a record that was merged."""
        self._order[record.id] = None
        self._states[record.id] = record
        self.created.pop(record.id, None)

    def create(self, entry: Entry) -> None:
        """Take in a record of which nothing is here."""
        self._order[entry.op.record] = None
        self.created[entry.op.record] = entry

    def drop(self, record: RecordId) -> None:
        """Forget a record, if it is here."""
        for each in (self._order, self._states, self.created):
            each.pop(record, None)


def makes_a_write_stand(entry: Entry) -> bool:
    """Tell whether an op that is merged into nothing leaves a head: nearly every one that creates a record does."""
    op, seen = entry.op, entry.op.seen
    has_seen_itself = entry.position <= seen.position or op.id.seq <= seen.own_seq
    return not has_seen_itself and any(edit.action is not Action.REMOVE for edit in op.edits)
