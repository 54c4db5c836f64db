"""What lists of the office ask of a record, worked out once, when it is written.

The rule it keeps: search looks into no text that lists may not show: nothing sensitive, nothing masked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Final

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import milliseconds_of
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Field, Kind, ListOf, MapOf, Sensitivity, Struct, Words
from gridlog_protocol.kinds.times import moment_ms
from gridlog_protocol.state import FieldState, RecordState
from gridlog_server.store.stored_record import Listed
from gridlog_sync.merge import Entry
from gridlog_sync.review import REVIEW_STATE, ReviewState, stepped_to
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


def listed_at_creation(entry: Entry, kind: Kind) -> Listed:
    """Return what `listed` says of a record that one op made, from the op alone."""
    op, stamp_ms = entry.op, milliseconds_of(entry.stamp)
    said: dict[str, list[tuple[str, Value]]] = {}
    for edit in op.edits:
        said.setdefault(edit.field, []).append((edit.key, edit.value))
    review = said.get(REVIEW_STATE)
    state = stepped_to(review[0][1]) if review else ReviewState.DRAFT.value
    words = [text for field in _text_fields(kind) for text in _edited_texts(field, said.get(field.name, ()))]
    return Listed(
        op.author,
        _occurred_ms(op.record, said[_OCCURRED][0][1] if _OCCURRED in said else None),
        state,
        stamp_ms if review else 0,
        _joined(words),
    )


def _edited_texts(field: Field, cells: Sequence[tuple[str, Value]]) -> list[str]:
    if not field.has_elements:
        return [value for _, value in cells if isinstance(value, str)]
    values = [value for _, value in sorted(cells, key=itemgetter(0))]
    return [value for value in values if isinstance(value, str)] if isinstance(field.type, MapOf) else _texts(values)


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
    return _joined(said)


def _joined(said: Sequence[str]) -> str:
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
