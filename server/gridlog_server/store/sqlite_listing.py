"""The row that lists of the office have of each record: written with it, or filled in later."""

from __future__ import annotations

from typing import Any

from gridlog_protocol.ids import RecordId

from .stored_record import Listed

PUT_LISTING = (
    "INSERT INTO listing (record, kind, author, occurred_ms, review_state, stepped_ms, words)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET occurred_ms = excluded.occurred_ms,"
    " review_state = excluded.review_state, stepped_ms = excluded.stepped_ms, words = excluded.words"
)


def listing_row(record: RecordId, kind: str, listed: Listed) -> tuple[Any, ...]:
    """Return what `PUT_LISTING` binds."""
    return (
        record,
        kind,
        listed.author,
        listed.occurred_ms,
        listed.review_state,
        listed.stepped_ms,
        listed.words,
    )
