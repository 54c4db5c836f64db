"""A form that was begun and is not finished: what the journal keeps of it, and what the entries add up to. Pure.

The rule it keeps: a draft may be incomplete, wrong or half typed. Nothing here judges a value; finalising does. An
entry says what changed and needs nothing before it to be written, so a save never waits for what was read.

        begun            saved, any number of times             ended
    ──────────► [ kind, form as opened, a change by field ] ──────────► (a record, or nothing)
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from gridlog_protocol.canonical import NotCanonicalError, Value, pack, unpack
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import Epoch, Incarnation, Position, RecordId, UserId
from gridlog_protocol.kinds import Field, Kind, KindSet, MapOf, Violation
from gridlog_protocol.limits import EDITS_MAX, FIELD_NAME_CHARACTERS_MAX, OP_BYTES_MAX
from gridlog_protocol.ops import Seen
from gridlog_protocol.rows import Row, reading
from gridlog_protocol.texts import Text
from gridlog_sync.writing import Add, Change, Count, InvalidRecordError, Remove

from .entries import reading_entry
from .errors import DraftTooLargeError
from .records import Record, Whereabouts

DRAFT_BYTES_MAX = OP_BYTES_MAX
"""What a draft says, packed: as much as the op that it becomes may hold, and so little that no reader counts."""

_UNWRITABLE = Text("的内容不是文字、数字或列表，无法保存。", "cannot be saved: it is no text, number or list.")
_VERSION = 1
_NAME_BYTES_MAX = 512
_FIELD_BYTES_MAX = 4 * FIELD_NAME_CHARACTERS_MAX
_COUNT_MAX = 1 << 17


@dataclass(frozen=True, slots=True)
class Draft:
    """A form that nobody has finished.

    `id` is the id of the record that it is about, or will become. `opened` is that record as the form showed it when
    it was opened, None for a new one. `changes` has what was saved, by field, as `create` and `edit` take it;
    `values` what the form shows with it, right or wrong. `begun_ms` and `saved_ms` are Unix milliseconds, by the
    clock of this device.
    """

    id: RecordId
    kind: str
    opened: Record | None
    changes: Mapping[str, Change]
    values: Mapping[str, Value]
    begun_ms: int
    saved_ms: int

    @property
    def is_new(self) -> bool:
        """Whether it becomes a new record."""
        return self.opened is None


@dataclass(frozen=True, slots=True)
class DraftBegun:
    """Somebody opened a form: an empty one, or one on a record."""

    id: RecordId
    kind: str
    at_ms: int
    opened: Record | None


@dataclass(frozen=True, slots=True)
class DraftSaved:
    """Somebody left a field. Each change replaces what was saved of its field; nothing stays of those `without`."""

    id: RecordId
    at_ms: int
    changes: Mapping[str, Change]
    without: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DraftEnded:
    """The draft has become a record, or was thrown away."""

    id: RecordId


DraftEntry: TypeAlias = DraftBegun | DraftSaved | DraftEnded


def take_in(drafts: dict[RecordId, Draft], entry: DraftEntry, kinds: KindSet) -> None:
    """Change the drafts by one entry. The one that was saved last comes last."""
    match entry:
        case DraftBegun(draft, kind, at_ms, opened):
            drafts[draft] = Draft(draft, kind, opened, {}, _shown(kind, opened, {}, kinds), at_ms, at_ms)
        case DraftSaved(draft) if draft in drafts:
            drafts[draft] = _saved(drafts.pop(draft), entry, kinds)
        case DraftSaved():
            # Whoever saves without reading cannot know that the draft has ended meanwhile.
            pass
        case DraftEnded(draft):
            drafts.pop(draft, None)


def entries_of(draft: Draft) -> tuple[DraftBegun, DraftSaved]:
    """Return the two entries that add up to a draft, however many it was saved with."""
    return (
        DraftBegun(draft.id, draft.kind, draft.begun_ms, draft.opened),
        DraftSaved(draft.id, draft.saved_ms, draft.changes),
    )


def laid_over(shown: Value, change: Change, field: Field | None) -> Value:
    """Return what a form shows of a field after a change of any shape; `field` is None if nobody knows it."""
    match change:
        case Add(elements):
            return [*_others(shown, elements), *elements]
        case Remove(elements):
            return _others(shown, elements)
        case Count(number):
            return (shown if isinstance(shown, int) else 0) + number
        case dict() if field and isinstance(field.type, MapOf) and isinstance(shown, dict):
            return {**shown, **change}
        case _:
            return change


def unwritable(changes: Mapping[str, Change]) -> list[str]:
    """Return the fields whose change has no bytes: a float, half a character, a shape that is no value at all."""
    return [name for name, change in changes.items() if not _is_writable(name, change)]


def is_within_limits(changes: Mapping[str, Change]) -> bool:
    """Tell whether one draft may say so much. The changes can be written."""
    is_few = len(changes) <= EDITS_MAX and all(len(name.encode()) <= _FIELD_BYTES_MAX for name in changes)
    return is_few and len(pack(_change_rows(changes))) <= DRAFT_BYTES_MAX


def differing(changes: Mapping[str, Change], before: Mapping[str, Change]) -> dict[str, Change]:
    """Return those of the changes that are not what `before` says: by their bytes, for Python takes 1 for True."""
    return {
        name: change
        for name, change in changes.items()
        if name not in before or pack(_change_row(before[name])) != pack(_change_row(change))
    }


def pack_draft(entry: DraftEntry) -> bytes:
    """Write the entry of a draft."""
    match entry:
        case DraftBegun(draft, kind, at_ms, opened):
            return pack([_VERSION, "begun", draft, kind, at_ms, _form_row(opened) if opened else None])
        case DraftSaved(draft, at_ms, changes, without):
            return pack([_VERSION, "saved", draft, at_ms, _change_rows(changes), [*without]])
        case DraftEnded(draft):
            return pack([_VERSION, "ended", draft])


def read_draft(raw: bytes) -> DraftEntry:
    """Read the entry of a draft. Raises EntryError."""
    with reading_entry(raw, "draft") as row:
        what, draft = row.text(_NAME_BYTES_MAX), RecordId(row.blob(16))
        entry: DraftEntry
        match what:
            case "begun":
                kind, at_ms = row.text(_NAME_BYTES_MAX), row.whole()
                entry = DraftBegun(draft, kind, at_ms, _read_form(draft, kind, row.value()))
            case "saved":
                at_ms, changes = row.whole(), _read_changes(row)
                without = tuple(Row([each], "field").text(_FIELD_BYTES_MAX) for each in row.items(EDITS_MAX))
                entry = DraftSaved(draft, at_ms, changes, without)
            case "ended":
                entry = DraftEnded(draft)
            case _:
                raise row.malformed("unknown entry")
        row.end()
    return entry


def _saved(draft: Draft, entry: DraftSaved, kinds: KindSet) -> Draft:
    kept = {name: change for name, change in draft.changes.items() if name not in entry.without}
    changes = {**kept, **entry.changes}
    values = _shown(draft.kind, draft.opened, changes, kinds)
    return replace(draft, changes=changes, values=values, saved_ms=entry.at_ms)


def _shown(kind_name: str, opened: Record | None, changes: Mapping[str, Change], kinds: KindSet) -> dict[str, Value]:
    """Return what a form shows: the fields that are filled in."""
    kind = kinds.get(kind_name)
    values = dict(opened.values) if opened else {}
    for name, change in changes.items():
        values[name] = laid_over(values.get(name), change, kind.fields.get(name) if kind else None)
    return {name: value for name, value in values.items() if value is not None}


def _others(shown: Value, elements: Collection[Value]) -> list[Value]:
    named = {_name(each) for each in elements}
    return [each for each in shown if _name(each) not in named] if isinstance(shown, list) else []


def _name(element: Value) -> bytes:
    """Return what tells an element from others, as bytes: it may be of any shape."""
    name = element.get("id") if isinstance(element, dict) else element
    return pack(name.hex() if isinstance(name, bytes) else name)


def _is_writable(name: str, change: Change) -> bool:
    # And readable: an entry that cannot be read again would shut the whole store.
    try:
        pack(name)
        _read_change(unpack(pack(_change_row(change))))
    except (NotCanonicalError, ProtocolError):
        return False
    return True


def _change_rows(changes: Mapping[str, Change]) -> dict[str, Value]:
    return {name: _change_row(change) for name, change in changes.items()}


def _change_row(change: Change) -> list[Value]:
    match change:
        case Add(elements):
            return ["add", [*elements]]
        case Remove(elements):
            return ["remove", [*elements]]
        case Count(number):
            return ["count", number]
        case _:
            return ["set", change]


def _read_changes(row: Row) -> dict[str, Change]:
    rows = row.mapping()
    if len(rows) > EDITS_MAX or any(len(name.encode()) > _FIELD_BYTES_MAX for name in rows):
        raise row.malformed("more than one draft may say")
    return {name: _read_change(each) for name, each in rows.items()}


def _read_change(value: Value) -> Change:
    with reading(value, "change") as row:
        match row.text(_NAME_BYTES_MAX):
            case "set":
                return row.value()
            case "add":
                return Add(tuple(row.items(_COUNT_MAX)))
            case "remove":
                return Remove(tuple(row.items(_COUNT_MAX)))
            case "count":
                return Count(row.signed())
            case _:
                raise row.malformed("unknown change")


def _form_row(opened: Record) -> list[Value]:
    seen = opened.seen
    return [
        dict(opened.values),
        {name: dict(rounds) for name, rounds in opened.rounds.items()},
        opened.whereabouts.name,
        opened.receipt,
        opened.is_in_conflict,
        opened.author,
        [seen.epoch, seen.position, seen.own_seq],
        opened.incarnation,
    ]


def _read_form(record: RecordId, kind: str, value: Value) -> Record | None:
    if value is None:
        return None
    with reading(value, "form") as row:
        values, rounds = row.mapping(), {name: _read_rounds(each) for name, each in row.mapping().items()}
        where = Whereabouts.__members__.get(row.text(_NAME_BYTES_MAX))
        if where is None:
            raise row.malformed("unknown whereabouts")
        receipt, is_in_conflict, author = _read_receipt(row.value()), row.flag(), _read_author(row.value())
        with reading(row.value(), "seen") as seen_row:
            seen = Seen(Epoch(seen_row.blob(8)), Position(seen_row.whole()), seen_row.whole())
        incarnation = Incarnation(row.blob(8))
        return Record(record, kind, values, rounds, where, receipt, is_in_conflict, author, seen, incarnation)


def _read_rounds(value: Value) -> dict[str, int]:
    rounds = Row([value], "rounds").mapping()
    return {key: Row([each], "rounds").whole() for key, each in rounds.items()}


def _read_receipt(value: Value) -> str | None:
    return None if value is None else Row([value], "receipt").text(_NAME_BYTES_MAX)


def _read_author(value: Value) -> UserId | None:
    return None if value is None else UserId(Row([value], "author").blob(16))


def check_changes(kind: Kind | None, changes: Mapping[str, Change], before: Mapping[str, Change]) -> None:
    """Refuse what no form can hold. Raises InvalidRecordError, DraftTooLargeError."""
    wrong = unwritable(changes)
    if wrong:
        raise InvalidRecordError([_unwritable(kind, name) for name in wrong])
    if not is_within_limits({**before, **changes}):
        raise DraftTooLargeError(DRAFT_BYTES_MAX)


def _unwritable(kind: Kind | None, name: str) -> Violation:
    field = kind.fields.get(name) if kind else None
    label = field.label if field else Text(name, name)
    text = Text(f"“{label.zh}”{_UNWRITABLE.zh}", f"“{label.en}” {_UNWRITABLE.en}")
    return Violation(name, "unwritable", text)
