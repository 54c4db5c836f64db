"""Hand in for review: only what nobody is looking at already."""

from __future__ import annotations

from gridlog_protocol.kinds import KindSet, Violation
from gridlog_protocol.texts import Text
from gridlog_sync.review import REVIEW_STATE, STEPS, ReviewEvent, state_of
from gridlog_sync.writing import InvalidRecordError

from .records import Record

_TEXT = Text("这条记录已经提交过，现在不用再提交。", "This record has been handed in, and need not be now.")


def check_submittable(kinds: KindSet, record: Record) -> None:
    """Make sure that a record is a draft or was returned. Raises InvalidRecordError."""
    state = state_of(record.values)
    if kinds.get(record.kind) is not None and (state is None or (state, ReviewEvent.SUBMIT) not in STEPS):
        raise InvalidRecordError([Violation(REVIEW_STATE, "wrong_step", _TEXT)])
