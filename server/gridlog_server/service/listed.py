"""What lists of the office ask of a record, worked out once, when it is written.

The rule it keeps: search looks into no text that lists may not show: nothing sensitive, nothing masked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import milliseconds_of
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Field, Kind, ListOf, MapOf, Sensitivity, Struct, Words
from gridlog_protocol.kinds.times import moment_ms
from gridlog_protocol.state import FieldState, RecordState
from gridlog_server.store.stored_record import Listed
from gridlog_sync.review import REVIEW_STATE, ReviewState
from gridlog_sync.rules import rule_of

WORDS_CHARACTERS_MAX: Final = 4000
_OCCURRED: Final = "occurred_at"
_BETWEEN: Final = "\n"
_UUID_TIME_BYTES: Final = 6
# Asked for at every write, and the same as long as the kind is.
_TEXT_FIELDS: Final[dict[str, tuple[Kind, tuple[Field, ...]]]] = {}


def listed(state: RecordState, kind: Kind | None) -> Listed | None:
    """Return what lists ask of a record; None for reference data, and for what this version does not know."""
    if kind is None or not kind.scope_field or state.origin is None:
        return None
    fields = state.fields
    review = fields.get(REVIEW_STATE)
    heads = review.cells[""].heads if review is not None and "" in review.cells else ()
    return Listed(
        state.origin.author,
        _occurred_ms(state.id, _shown(kind.fields.get(_OCCURRED), fields.get(_OCCURRED))),
        str(_shown(kind.fields.get(REVIEW_STATE), review) or ReviewState.DRAFT.value),
        max((milliseconds_of(head.stamp) for head in heads), default=0),
        _words(kind, fields),
    )


def searched(text: str) -> str:
    """Return a text as search compares it: whatever the case, and without what breaks a line."""
    return " ".join(text.casefold().split())


def _occurred_ms(record: RecordId, said: Value) -> int:
    # A UUIDv7 begins with the moment at which it was made.
    found = moment_ms(said)
    return int.from_bytes(record[:_UUID_TIME_BYTES], "big") if found is None else found


def _words(kind: Kind, fields: Mapping[str, FieldState]) -> str:
    said: list[str] = []
    for field in _text_fields(kind):
        if field.name in fields:
            said += _texts(_shown(field, fields[field.name]))
    return _BETWEEN.join(searched(each) for each in said)[:WORDS_CHARACTERS_MAX]


def _text_fields(kind: Kind) -> tuple[Field, ...]:
    known = _TEXT_FIELDS.get(kind.name)
    if known is None or known[0] is not kind:
        known = _TEXT_FIELDS[kind.name] = (kind, _found_text_fields(kind))
    return known[1]


def _found_text_fields(kind: Kind) -> tuple[Field, ...]:
    return tuple(
        each
        for each in kind.fields.values()
        if each.sensitivity is not Sensitivity.SENSITIVE
        and not each.is_masked
        and not each.from_op
        and _has_text(each)
    )


def _has_text(field: Field) -> bool:
    type_ = field.type.element if isinstance(field.type, (MapOf, ListOf)) else field.type
    if isinstance(type_, Struct):
        return isinstance(field.type, ListOf) and any(isinstance(each.type, Words) for each in type_.members.values())
    return isinstance(type_, Words)


def _texts(value: Value) -> list[str]:
    match value:
        case str():
            return [value]
        case list():
            rows = [each for each in value if isinstance(each, dict)]
            return [said for each in rows if isinstance(said := each.get("text"), str)]
        case dict():
            return [each for each in value.values() if isinstance(each, str)]
        case _:
            return []


def _shown(field: Field | None, state: FieldState | None) -> Value:
    return rule_of(field).show(field, state.cells) if field is not None and state is not None else None
