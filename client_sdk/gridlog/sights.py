"""Work out once what screens, lists and digests need of a record, so that nobody unpacks it again to show it. Pure.

A sight is kept beside the record wherever the record is kept, in the journal too: a store that opens takes it as it
is. It follows from the record and from this version's kinds and rules alone; `derivation` names those, and what was
worked out under another name is worked out again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any, NamedTuple

import msgpack

from gridlog_protocol.canonical import Value, pack, pack_settled
from gridlog_protocol.ids import RecordId, ScopeId, UserId
from gridlog_protocol.kinds import Kind, KindSet
from gridlog_protocol.rows import Row
from gridlog_protocol.state import WITHDRAWN, RecordState
from gridlog_protocol.state_codec import stored_row, unpack_record
from gridlog_sync.digest import leaves_at_rest
from gridlog_sync.scope import scopes_of_record
from gridlog_sync.view import conflicts_of, rounds_of, values_of

from .fetched import fetched

_SIGHTS = 2
"""Raised when a sight says something else than before of the same record."""

_BYTES = "#"
_LEAF_BYTES = 32


class Sight(NamedTuple):
    """What is shown of a record. `shown` is its values as `shown_text` writes them.

    `conflicts` counts the cells that contradict each other; `is_hidden` says that lists leave it out; `facts` is its
    author and how often its workflows went back, packed.
    """

    shown: str
    conflicts: int
    is_hidden: bool
    facts: bytes


class Confirmed(NamedTuple):
    """A record as the server confirmed it: packed, what is shown of it, its leaves as `packed_leaves` packs them."""

    id: RecordId
    kind: str
    packed: bytes
    sight: Sight
    leaves: bytes

    @property
    def state(self) -> RecordState:
        """The record, unpacked."""
        return unpack_record(self.packed)


@cache
def derivation() -> bytes:
    """Return the name of what sights are worked out with: 8 bytes."""
    return hashlib.sha256(f"gridlog sights {_SIGHTS} {version('gridlog')}".encode()).digest()[:8]


def confirmed_of(state: RecordState, kinds: KindSet, sight: Sight | None = None) -> Confirmed:
    """Return a record with what is shown of it: `sight`, if that was worked out before."""
    kind = kinds.get(state.kind)
    made = fetched(state, kind) if kind is not None and sight is None else None
    if made is not None:
        shown = Sight(shown_text(made.values), 0, is_hidden=False, facts=_facts(state, made.rounds))
        counted = packed_leaves(made.scopes, made.leaves)
        return Confirmed(state.id, state.kind, pack_settled(made.stored), shown, counted)
    sight = sight or sight_of(state, kind)
    # Bytes and leaves are made of the same rows.
    stored = stored_row(state)
    counted = packed_leaves(scopes_of_record(state, kind), leaves_at_rest(stored)) if kind else b""
    return Confirmed(state.id, state.kind, pack_settled(stored), sight, counted)


def sight_of(state: RecordState, kind: Kind | None) -> Sight:
    """Return what is shown of a record."""
    values = values_of(state, kind)
    conflicts = len(conflicts_of(state, kind))
    rounds = rounds_of(state, kind) if kind else {}
    facts = _facts(state, rounds)
    # One that somebody still has to decide about stays in sight.
    return Sight(shown_text(values), conflicts, WITHDRAWN in values and not conflicts, facts)


def _facts(state: RecordState, rounds: Mapping[str, Mapping[str, int]]) -> bytes:
    author = state.origin.author if state.origin else None
    counts: Value = {name: dict(each) for name, each in rounds.items()}
    return pack([author, counts]) if rounds else pack_settled([author, {}])


def author_and_rounds(facts: bytes) -> tuple[UserId | None, Mapping[str, Mapping[str, int]]]:
    """Read the facts of a sight."""
    author, rounds = msgpack.unpackb(facts)
    return author, rounds


def packed_leaves(scopes: Collection[ScopeId], by_class: Mapping[int, int]) -> bytes:
    """Pack what the digests count of a record: [scopes, [class, leaf, ...]]."""
    flat: list[Value] = []
    for digest_class, leaf in by_class.items():
        flat += [digest_class, leaf.to_bytes(_LEAF_BYTES, "big")]
    return pack_settled([[*sorted(scopes)], flat])


def read_leaves(packed: bytes) -> tuple[frozenset[ScopeId], dict[int, int]]:
    """Read what `packed_leaves` packed: the scopes, and the leaf of each class."""
    if not packed:
        return frozenset(), {}
    # Packed by this device, and read for every record that changes.
    scopes, flat = msgpack.unpackb(packed)
    return frozenset(scopes), {flat[at]: int.from_bytes(flat[at + 1], "big") for at in range(0, len(flat), 2)}


def confirmed_rows(records: Iterable[Confirmed]) -> Value:
    """Write records for the journal, after the name of what their sights were worked out with."""
    return [derivation(), [_row(each, each.sight) for each in records]]


def read_confirmed(value: Value, kinds: KindSet) -> Iterator[Confirmed]:
    """Read what `confirmed_rows` wrote. Raises ProtocolError or NotCanonicalError."""
    head = Row(value, "confirmed records")
    is_current = head.value() == derivation()
    rows: Any = head.value()
    head.end()
    for row in rows:
        if is_current:
            record, kind, packed, shown, conflicts, is_hidden, facts, leaf = row
            yield Confirmed(record, kind, packed, Sight(shown, conflicts, is_hidden, facts), leaf)
        else:
            yield confirmed_of(unpack_record(row[2]), kinds)


def shown_text(values: Mapping[str, Value]) -> str:
    """Write values as JSON that SQL can look into: bytes become `{"#": hex}`. The same values are the same text."""
    plain = _Plain()
    text = plain.written(dict(values))
    if text.count(f'"{_BYTES}') != plain.marks:
        # Somebody else's text begins like the mark of bytes, and perhaps a name.
        text = json.dumps(_plain(dict(values)), ensure_ascii=False, separators=(",", ":"))
    return text


def shown_values(text: str) -> dict[str, Value]:
    """Read what `shown_text` wrote."""
    # Names that begin like the mark of bytes are rare, and cost a look at each name.
    decoder = _MEANING_WITH_SUCH_NAMES if f'"{_BYTES * 2}' in text else _MEANING
    values: dict[str, Value] = decoder.decode(text)
    return values


def sql_value(value: Value) -> object:
    """Return what SQL finds in the place of a value: bytes as the text of their JSON."""
    if isinstance(value, bytes):
        return json.dumps(_plain(value), separators=(",", ":"))
    return value


class _Plain:
    """Writes values as JSON with names in their order, and counts the marks of bytes."""

    __slots__ = ("marks",)

    def __init__(self) -> None:
        self.marks = 0

    def written(self, values: dict[str, Value]) -> str:
        encoder = json.JSONEncoder(
            ensure_ascii=False, separators=(",", ":"), sort_keys=True, check_circular=False, default=self._marked
        )
        return encoder.encode(values)

    def _marked(self, value: bytes) -> dict[str, str]:
        self.marks += 1
        return {_BYTES: value.hex()}


def _row(record: Confirmed, sight: Sight) -> Value:
    shown: list[Value] = [sight.shown, sight.conflicts, sight.is_hidden, sight.facts]
    return [record.id, record.kind, record.packed, *shown, record.leaves]


def _plain(value: Value) -> object:
    match value:
        case bytes():
            return {_BYTES: value.hex()}
        case list():
            return [_plain(each) for each in value]
        case dict():
            # In their order, as they come back from the disk: the same text whether or not they have been there.
            return {
                _BYTES + key if key.startswith(_BYTES) else key: _plain(each) for key, each in sorted(value.items())
            }
        case _:
            return value


def _meant(read: dict[str, Any]) -> Value:
    return bytes.fromhex(read[_BYTES]) if _BYTES in read else read


def _meant_with_such_names(read: dict[str, Any]) -> Value:
    if _BYTES in read:
        return bytes.fromhex(read[_BYTES])
    return {key[1:] if key.startswith(_BYTES) else key: each for key, each in read.items()}


# Made once: a list reads one record after another.
_MEANING = json.JSONDecoder(object_hook=_meant)
_MEANING_WITH_SUCH_NAMES = json.JSONDecoder(object_hook=_meant_with_such_names)
