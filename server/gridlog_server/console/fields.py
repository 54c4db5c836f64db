"""Lay a record's values out for reading: what matters first, lists as lists, plumbing last. Pure.

The rule it keeps: nothing that somebody wrote is left out. What this version does not know stands among the rest,
under the name it came with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import UserId
from gridlog_protocol.kinds import Field, Kind
from gridlog_protocol.kinds import value_types as types
from gridlog_protocol.kinds.presenting import shown_element, shown_value, visible
from gridlog_protocol.kinds.shipped import shipped_envelope
from gridlog_protocol.texts import Language

_ELSEWHERE = frozenset({"state", "review_state", "comments", "transitions", "deleted"})
"""Shown at their own places on the page: badges, remarks, the timeline."""
_PLUMBING = frozenset(
    {"epoch", "record_no", "clock_offset_ms", "received_at", "retention_class", "legal_hold", "track_chunks"}
)
_FIRST = ("occurred_at", "grid_code")
_LONG_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class FieldLine:
    """One field as a page shows it: one text, or a text for each of its items."""

    name: str
    label: str
    text: str
    items: tuple[str, ...] = ()
    is_masked: bool = False

    @property
    def is_long(self) -> bool:
        """Tell whether the text is read as a paragraph."""
        return len(self.text) > _LONG_CHARACTERS or "\n" in self.text


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: the language, people's names, and which masked fields he was shown whole."""

    language: Language
    names: Mapping[UserId, str]
    whole: Collection[str] = ()


def label_of(kind: Kind | None, name: str, language: Language) -> str:
    """Return what people call a field."""
    field = kind.fields.get(name) if kind else None
    return field.label.spoken(language) if field else visible(name)


def lines_of(kind: Kind | None, values: Mapping[str, Value], reader: Reader) -> list[FieldLine]:
    """Return the fields that say something of the matter, its own before those of every record."""
    return [
        _line(kind, name, values[name], reader) for name in _ordered(kind, values) if not _is_plumbing(kind, name)
    ]


def plumbing_of(kind: Kind | None, values: Mapping[str, Value], reader: Reader) -> list[FieldLine]:
    """Return the fields that say something of the record as a thing of this system."""
    return [_line(kind, name, values[name], reader) for name in _ordered(kind, values) if _is_plumbing(kind, name)]


def text_of(field: Field | None, value: Value, reader: Reader) -> str:
    """Return the text of a whole value, with the lines that its author made."""
    is_whole = field is not None and field.name in reader.whole
    if isinstance(value, str) and "\n" in value and not (field and field.is_masked and not is_whole):
        return paragraphs(value)
    return shown_value(field, value, reader.language, names=reader.names, is_whole=is_whole)


def paragraphs(text: str) -> str:
    """Return a text with its own lines; everything else that would steer the reading stands as an escape."""
    return "\n".join(visible(line) for line in text.replace("\r\n", "\n").split("\n"))


def _line(kind: Kind | None, name: str, value: Value, reader: Reader) -> FieldLine:
    field = kind.fields.get(name) if kind else None
    label = label_of(kind, name, reader.language)
    is_masked = field is not None and field.is_masked and name not in reader.whole
    if isinstance(value, list) and field and _has_structs(field) and value:
        items = tuple(
            shown_element(field, each, reader.language, names=reader.names, is_whole=not is_masked) for each in value
        )
        return FieldLine(name, label, "", items, is_masked)
    return FieldLine(name, label, text_of(field, value, reader), (), is_masked)


def _has_structs(field: Field) -> bool:
    return isinstance(field.type, (types.ListOf, types.SetOf)) and isinstance(field.type.element, types.Struct)


def _is_plumbing(kind: Kind | None, name: str) -> bool:
    field = kind.fields.get(name) if kind else None
    return name in _PLUMBING or (field is not None and field.from_op)


def _ordered(kind: Kind | None, values: Mapping[str, Value]) -> Iterator[str]:
    """Yield the names of the fields that have a value: first where and when, then the kind's own, then the others."""
    present = [name for name in values if name not in _ELSEWHERE]
    first = [name for name in _FIRST if name in present]
    envelope = shipped_envelope().fields
    own = [name for name in (kind.fields if kind else ()) if name in present and name not in envelope]
    yield from (*first, *own, *(name for name in present if name not in first and name not in own))
