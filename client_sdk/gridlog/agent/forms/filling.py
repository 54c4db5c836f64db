"""A draft as a form, and what came back of it as changes: only what differs from what the form showed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gridlog import Draft, SyncStatus
from gridlog.typed_plain import Typist
from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Field, Kind, ListOf, Merge, Moment, Reference, Required, SetOf, Struct
from gridlog_protocol.texts import Text
from gridlog_sync.writing import Add, Change

from .inputs import Answer, Input, Known, Maker
from .layouts import KEYS_OF, is_asked, sections_of
from .posted import Sent, change_of, new_row, sent_pairs

_BEGINS_AS: Mapping[str, str] = {
    "patrol": "in_progress",
    "household_visit": "visited",
    "mediation": "registered",
    "incident": "reported",
}
_NAMED_BY = ("name", "text", "label")


@dataclass(slots=True)
class Changes:
    """What a form changes of a draft: new values, and fields that are as if nobody had touched them."""

    new: dict[str, Change] = field(default_factory=dict)
    without: set[str] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.new or self.without)


@dataclass(frozen=True, slots=True)
class Filling:
    """One draft under a worker's hands."""

    kind: Kind
    draft: Draft
    known: Known

    def sections(self) -> list[tuple[Text, bool, list[Input]]]:
        """Return what the page shows: headings, whether folded, and inputs."""
        return [
            (section.title, section.is_folded, [self.input_of(each) for each in section.fields])
            for section in sections_of(self.kind)
        ]

    def input_of(self, of: Field) -> Input:
        """Return the input of one field as the draft has it. What a list had when the form was opened is fixed."""
        keys = {name: self._keys(source) for name, source in KEYS_OF.items() if name == of.name}
        fixed = len(self._opened_items(of.name)) if of.merge is Merge.APPEND else 0
        return Maker(self.known, keys).of_field(of, self.draft.values.get(of.name), fixed_rows=fixed)

    def changes(self, names: Sequence[str], sent: Sent, typist: Typist) -> Changes:
        """Return what came back of the named fields, as far as it is not what the form showed."""
        found = Changes()
        for name in dict.fromkeys(names):
            of = self.kind.fields.get(name)
            if of is None or not is_asked(of):
                continue
            if sorted(sent_pairs(of, sent)) == sorted(self.input_of(of).pairs()):
                continue
            self.note(found, of, change_of(of, sent, typist))
        return found

    def note(self, found: Changes, of: Field, change: Change) -> None:
        """Add a change, unless it says what the record has anyway."""
        opened = self.draft.opened
        before = opened.values.get(of.name) if opened else None
        is_same = before is not None and change == before and type(change) is type(before)
        if is_same or _is_nothing(change, before):
            found.without.add(of.name)
        else:
            found.new[of.name] = change

    def with_row(self, of: Field, key: str, typist: Typist) -> Change:
        """Return the change that adds an empty row to a field, or an empty entry to a map."""
        assert isinstance(of.type, (SetOf, ListOf))
        row = new_row(of.type, key, typist)
        return self._rows(of, [*self._own_items(of), row])

    def without_row(self, of: Field, key: str) -> Change:
        """Return the change that takes a row away again."""
        kept = [each for each in self._own_items(of) if not (isinstance(each, dict) and each.get("id") == key)]
        return self._rows(of, kept)

    def _rows(self, of: Field, rows: list[Value]) -> Change:
        return Add(tuple(rows)) if of.merge is Merge.APPEND else rows

    def _own_items(self, of: Field) -> list[Value]:
        """Return the rows that this draft may still change."""
        shown = self.draft.values.get(of.name)
        items = shown if isinstance(shown, list) else []
        return items[len(self._opened_items(of.name)) :] if of.merge is Merge.APPEND else list(items)

    def _opened_items(self, name: str) -> list[Value]:
        opened = self.draft.opened.values.get(name) if self.draft.opened else None
        return opened if isinstance(opened, list) else []

    def _keys(self, source: str) -> list[Answer]:
        items = self.draft.values.get(source)
        found = []
        for number, each in enumerate(items if isinstance(items, list) else [], 1):
            if isinstance(each, dict):
                said = next((str(each[name]) for name in _NAMED_BY if each.get(name)), str(number))
                found.append(Answer(str(each.get("id", number)), Text(said, said)))
        return found


def beginning(kind: Kind, *, status: SyncStatus, typist: Typist) -> dict[str, Change]:
    """Return what a new form knows without asking: now, here, and who writes."""
    values: dict[str, Change] = {}
    grids = [each for each in status.scopes if each != "tenant"]
    for name, of in kind.fields.items():
        if not is_asked(of) or of.required is not Required.YES:
            continue
        match of.type:
            case Moment():
                values[name] = typist.now
            case Reference(to="user", form="identity"):
                values[name] = typist.me
            case SetOf(element=Reference(to="user", form="identity")):
                values[name] = [typist.me]
    if kind.scope_field and grids and kind.scope_field in kind.fields and is_asked(kind.fields[kind.scope_field]):
        values[kind.scope_field] = grids[0]
    if kind.name in _BEGINS_AS:
        values["state"] = _BEGINS_AS[kind.name]
    return values


def is_struct_rows(of: Field) -> bool:
    """Tell whether a field has rows that a worker adds one by one."""
    return isinstance(of.type, (SetOf, ListOf)) and isinstance(of.type.element, Struct)


def _is_nothing(change: Change, before: Value) -> bool:
    if isinstance(change, Add):
        return not change.elements
    return before is None and change in (None, [], {})
