"""The review of a record: who may take which step from where, and what of it people read.

           submit            check             approve            archive
    draft ---------> submitted -----> checked ----------> approved ------> archived
                      |    ^ '------------ approve ----------^ |
               return |    | submit                            | return (30 days)
                      v    |                                   |
                     returned  <--------- return --------------'     each return opens a new round

The rule it keeps: the state is a field with `RANK`, whose value carries its round; so devices merge it as any other.
What is said beside it stands in `comments` and `transitions`, where nothing is ever taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from gridlog_protocol.canonical import Value

REVIEW_STATE: Final = "review_state"
COMMENTS: Final = "comments"
TRANSITIONS: Final = "transitions"
RETURNABLE_DAYS_MAX: Final = 30
"""How long after an approval a record may still be returned."""


class ReviewState(StrEnum):
    """Where a record stands."""

    DRAFT = "draft"
    RETURNED = "returned"
    SUBMITTED = "submitted"
    CHECKED = "checked"
    APPROVED = "approved"
    ARCHIVED = "archived"


class ReviewEvent(StrEnum):
    """What somebody does with it. Its author submits; the office does the rest."""

    SUBMIT = "submit"
    CHECK = "check"
    APPROVE = "approve"
    RETURN = "return"
    ARCHIVE = "archive"


STEPS: Final[Mapping[tuple[ReviewState, ReviewEvent], ReviewState]] = MappingProxyType(
    {
        (ReviewState.DRAFT, ReviewEvent.SUBMIT): ReviewState.SUBMITTED,
        (ReviewState.RETURNED, ReviewEvent.SUBMIT): ReviewState.SUBMITTED,
        (ReviewState.SUBMITTED, ReviewEvent.CHECK): ReviewState.CHECKED,
        (ReviewState.SUBMITTED, ReviewEvent.APPROVE): ReviewState.APPROVED,
        (ReviewState.CHECKED, ReviewEvent.APPROVE): ReviewState.APPROVED,
        (ReviewState.SUBMITTED, ReviewEvent.RETURN): ReviewState.RETURNED,
        (ReviewState.CHECKED, ReviewEvent.RETURN): ReviewState.RETURNED,
        (ReviewState.APPROVED, ReviewEvent.RETURN): ReviewState.RETURNED,
        (ReviewState.APPROVED, ReviewEvent.ARCHIVE): ReviewState.ARCHIVED,
    }
)

OFFICE_STATES: Final = frozenset({ReviewState.CHECKED, ReviewState.APPROVED, ReviewState.ARCHIVED})
"""What no handheld may write."""


@dataclass(frozen=True, slots=True)
class ReviewComment:
    """A remark: who (16 bytes), when (a moment), what; `field` is empty if it is about the whole record."""

    by: bytes
    at: str
    text: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """Where the review of a record stands: its round, why it was returned in this round, and what was remarked."""

    state: ReviewState
    round: int
    reason: str
    comments: tuple[ReviewComment, ...]


def state_of(values: Mapping[str, Value]) -> ReviewState | None:
    """Return where a record stands: a draft unless it says otherwise; None if only a later version knows."""
    said = values.get(REVIEW_STATE)
    if said is None:
        return ReviewState.DRAFT
    return ReviewState(said) if said in set(ReviewState) else None


def stepped_to(value: Value) -> str:
    """Return the state that a step names, empty if it names none."""
    match value:
        case [_, str(option), *_]:
            return option
        case _:
            return ""


def review_of(values: Mapping[str, Value], rounds: Mapping[str, Mapping[str, int]]) -> Review:
    """Return what people read of a record's review, as its fields show it. Remarks of earlier rounds are left out."""
    number = rounds.get(REVIEW_STATE, {}).get("", 0)
    comments = [each for each in _rows(values, COMMENTS) if each.get("round") == number]
    # The last return of all is the one that opened this round: each return opens one.
    returns = [each for each in _rows(values, TRANSITIONS) if each.get("event") == ReviewEvent.RETURN]
    reason = str(returns[-1].get("note", "")) if returns and number else ""
    return Review(
        state_of(values) or ReviewState.DRAFT,
        number,
        reason,
        tuple(
            ReviewComment(bytes(by), str(each.get("at")), str(each.get("text")), str(each.get("field", "")))
            for each in comments
            if isinstance(by := each.get("by"), bytes)
        ),
    )


def _rows(values: Mapping[str, Value], name: str) -> list[dict[str, Value]]:
    said = values.get(name)
    return [each for each in said if isinstance(each, dict)] if isinstance(said, list) else []
