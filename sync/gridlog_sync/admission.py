"""The server's decision on what a device pushes: accepted, duplicate, fork, or held with a reason.

The rule it keeps: every op that verifies and follows its chain is stored and answered; behind a gap, the device is
asked to go on from there. An op that breaks a rule is held by itself; the ops behind it go on, except those that edit
a record whose creation is held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import Hlc, Stamp, reading
from gridlog_protocol.epochs import Epochs
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import Position, ScopeId, UserId
from gridlog_protocol.kinds import Field, Kind, Merge
from gridlog_protocol.limits import CLOCK_AHEAD_MS, RECORD_BYTES_MAX
from gridlog_protocol.ops import Action, Edit, Intent, Op
from gridlog_protocol.segment import Segment, chain_next
from gridlog_protocol.state import WITHDRAWN, RecordState

from .lives import as_of_now, lowered
from .merge import Entry
from .review import OFFICE_STATES, REVIEW_STATE, stepped_to
from .rules import Rule, rule_of
from .scope import scopes_of_edit, scopes_of_record
from .view import values_of
from .writing import is_proposable


@dataclass(frozen=True, slots=True)
class Chain:
    """How far the server holds one incarnation: the last seq, and the chain value there."""

    known_seq: int
    head: bytes


@dataclass(frozen=True, slots=True)
class Author:
    """What bounds an author: the scopes he may write, the position served to his device at most, and who he is."""

    scopes: frozenset[ScopeId]
    served: Position
    user: UserId


@dataclass(frozen=True, slots=True)
class Held:
    """An op that waits for a person. `code` is in the catalogue of holds; `field` may be empty."""

    op: Op
    code: str
    field: str = ""


def continue_chain(
    chain: Chain, segment: Segment, hashes: Sequence[bytes], stored: Mapping[int, bytes]
) -> tuple[Chain, tuple[Op, ...]]:
    """Return the chain after a segment, and those of its ops that are new.

    `stored` has the hashes of the ops that the server holds within the segment's range. A segment that begins
    beyond a gap has nothing new: the answer's `known_seq` tells the device where to go on.
    Raises ProtocolError `fork` if an op differs from the stored one, `broken_chain` if the run does not follow.
    """
    if segment.first_seq > chain.known_seq + 1:
        return chain, ()
    link, known_seq, new = segment.chain_before, chain.known_seq, []
    if segment.first_seq == known_seq + 1 and link != chain.head:
        raise ProtocolError("broken_chain", detail=f"before seq {segment.first_seq}")
    for op, hashed in zip(segment.ops, hashes, strict=True):
        link = chain_next(link, hashed)
        if op.id.seq > chain.known_seq:
            new.append(op)
        elif stored.get(op.id.seq) != hashed:
            raise ProtocolError("fork", detail=f"seq {op.id.seq}")
        elif op.id.seq == chain.known_seq and link != chain.head:
            raise ProtocolError("broken_chain", detail=f"at seq {op.id.seq}")
        known_seq = max(known_seq, op.id.seq)
    return (Chain(known_seq, link) if new else chain), tuple(new)


def bounded(op: Op, *, epochs: Epochs, served: Position) -> Op:
    """Return the op with its named position lowered to what its device was served, and to 0 for a foreign epoch.

    Without it, a device could name any future position, and overwrite edits that it never saw. A position of an
    epoch before the present one holds up to the fork: what stood there behind it is another entry now.
    """
    return lowered(as_of_now(op, epochs), served)


def stamp_for(claimed: Hlc | Stamp, *, server_ms: int, above: Stamp) -> Stamp:
    """Stamp an op, once: its claim, at most a minute ahead of the server, raised above all that its author saw."""
    ceiling = reading(server_ms + CLOCK_AHEAD_MS)
    return Stamp(max(min(claimed, ceiling), above + 1))


def judge(
    entry: Entry,
    *,
    record: RecordState | None,
    size: int,
    creation: str | None,
    kind: Kind | None,
    author: Author,
) -> Entry | Held:
    """Decide about one new op against its record's state (None if there is none).

    `size` is about what the record would take with the op in it, in bytes. `creation` is the hold code of the
    record's own creation if that op is held. `entry.op` is bounded already.
    """
    op = entry.op
    code = _wrong_op(op, record, creation, kind, author) or ("record_full" if size > RECORD_BYTES_MAX else None)
    if code or kind is None:
        return Held(op, code or "unknown_kind")
    held = _first_wrong_edit(op, record, kind)
    if held is None and op.intent is Intent.PROPOSE:
        return Held(op, "proposal")
    return held or entry


def still_held(op: Op, *, record: RecordState | None, size: int, kind: Kind | None) -> Held | None:
    """Say why nobody can release a held op, if so: it could not take effect, or phones could not show it.

    A person overrules authority, authorship and "set once"; not what the record or its kind cannot hold. `record` is
    the state now, `size` about what it would take with the op in it, in bytes.
    """
    if kind is None or (record is not None and record.kind != op.kind):
        return Held(op, "unknown_kind")
    if record is None and op.intent is not Intent.CREATE:
        return Held(op, "unknown_record")
    if record is not None and op.intent is Intent.CREATE:
        return Held(op, "record_exists")
    if size > RECORD_BYTES_MAX:
        return Held(op, "record_full")
    named = [(edit.field, edit.key) for edit in op.edits]
    for index, edit in enumerate(op.edits):
        facts = _facts_of(kind).get(edit.field)
        if (edit.field, edit.key) in named[:index]:
            return Held(op, "invalid_value", edit.field)
        if facts is not None and (facts.field.merge is Merge.DERIVED or facts.field.from_op):
            return Held(op, "server_decides", edit.field)
        code = _invalid(edit, facts) if facts else None
        if code:
            return Held(op, code, edit.field)
    return None


def _wrong_op(
    op: Op, record: RecordState | None, creation: str | None, kind: Kind | None, author: Author
) -> str | None:
    if op.author != author.user:
        return "foreign_author"
    if kind is None or (record is not None and record.kind != op.kind):
        return "unknown_kind"
    if record is None and op.intent is not Intent.CREATE:
        return "depends_on_held" if creation else "unknown_record"
    if op.intent is Intent.CREATE and (record is not None or creation):
        return "record_exists"
    return None if _has_authority(op, record, kind, author) else "out_of_scope"


def _has_authority(op: Op, record: RecordState | None, kind: Kind, author: Author) -> bool:
    standing = scopes_of_record(record, kind) if record else frozenset()
    wanted = scopes_of_edit(op, kind)
    # Moving a record takes authority over every grid that claims it, or one grid's worker could end another's claim.
    is_in_reach = standing <= author.scopes if wanted else bool(standing & author.scopes)
    return wanted <= author.scopes and bool(standing or wanted) and (record is None or is_in_reach)


def _first_wrong_edit(op: Op, record: RecordState | None, kind: Kind) -> Held | None:
    named: set[tuple[str, str]] = set()
    is_new, facts_of = record is None and op.intent is not Intent.PROPOSE, _facts_of(kind)
    for edit in op.edits:
        if (edit.field, edit.key) in named:
            return Held(op, "invalid_value", edit.field)
        named.add((edit.field, edit.key))
        facts = facts_of.get(edit.field)
        # A field of a newer kind than ours is kept byte for byte; there is no rule here to hold it against.
        if facts is None or (is_new and facts.is_plain and _is_remembered(edit, facts)):
            continue
        code = _wrong_edit(edit, facts, op, record, kind)
        if code:
            return Held(op, code, edit.field)
    return None


def _wrong_edit(edit: Edit, facts: _Facts, op: Op, record: RecordState | None, kind: Kind) -> str | None:
    field = facts.field
    is_proposed = op.intent is Intent.PROPOSE and is_proposable(field)
    if facts.is_the_servers and not is_proposed:
        return "server_decides"
    if op.intent is Intent.PROPOSE and not is_proposed:
        # What a worker decides himself is no proposal: phones would never show it.
        return "invalid_value"
    wrong = _invalid(edit, facts)
    if wrong is None and field.name == WITHDRAWN and not _may_withdraw(op, record, kind):
        return "not_a_draft"
    if wrong is None and field.name == REVIEW_STATE and stepped_to(edit.value) in OFFICE_STATES:
        return "review_step"
    if wrong is None and facts.rule.is_write_once and record is not None and _saw_a_value(edit, op, record):
        return "immutable"
    return wrong


def _invalid(edit: Edit, facts: _Facts) -> str | None:
    if edit.digest_class != facts.digest_class:
        return "not_committed"
    if edit.action not in facts.actions or (edit.key and not facts.has_elements):
        return "invalid_value"
    if _is_remembered(edit, facts):
        return None
    if facts.rule.fault(facts.field, edit):
        return "invalid_value"
    # Grids, people and options come again and again. Of what is personal nothing is remembered.
    is_short = type(edit.value) is not str or len(edit.value) <= _REMEMBERED_CHARACTERS
    if type(edit.value) in _REMEMBERED and not edit.digest_class and is_short:
        right = facts.right[edit.action]
        if len(right) >= _REMEMBERED_MAX:
            right.clear()
        right.add((edit.key, edit.value))
    return None


def _is_remembered(edit: Edit, facts: _Facts) -> bool:
    """Tell whether the same edit of the field was right before."""
    _, action, key, value, digest_class = edit
    return not digest_class and type(value) in _REMEMBERED and (key, value) in facts.right[action]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What judging asks of a field again and again, and by action the keys and values that were right.

    `is_plain` says that nothing but the edit itself decides whether a new record may have it.
    """

    field: Field
    rule: Rule
    is_the_servers: bool
    is_plain: bool
    digest_class: int
    actions: frozenset[Action]
    has_elements: bool
    right: tuple[set[tuple[str, Value]], ...]


_FACTS: dict[int, tuple[Kind, dict[str, _Facts]]] = {}
_KINDS_MAX = 256
_REMEMBERED: frozenset[type] = frozenset({str, type(None)})
_REMEMBERED_MAX, _REMEMBERED_CHARACTERS = 1024, 32


def _facts_of(kind: Kind) -> dict[str, _Facts]:
    """Return what judging asks of each field of a kind."""
    # By identity, which means one kind as long as that is kept here: kinds have no hash, and never change.
    found = _FACTS.get(id(kind))
    if found is None:
        if len(_FACTS) >= _KINDS_MAX:
            _FACTS.clear()
        found = _FACTS[id(kind)] = kind, {name: _facts(field) for name, field in kind.fields.items()}
    return found[1]


def _facts(field: Field) -> _Facts:
    rule, is_the_servers = rule_of(field), field.merge in (Merge.SERVER, Merge.DERIVED) or field.from_op
    is_plain = not is_the_servers and field.name not in (WITHDRAWN, REVIEW_STATE)
    digest_class, actions = field.sensitivity.digest_class, rule.actions(field)
    return _Facts(
        field, rule, is_the_servers, is_plain, digest_class, actions, field.has_elements, tuple(set() for _ in Action)
    )


def _may_withdraw(op: Op, record: RecordState | None, kind: Kind) -> bool:
    """Tell whether the author may withdraw a record, or put it back, alone: it is his own, and still a draft."""
    if record is None or record.origin is None:
        return op.intent is Intent.CREATE
    return record.origin.author == op.author and values_of(record, kind).get("review_state", "draft") == "draft"


def _saw_a_value(edit: Edit, op: Op, record: RecordState | None) -> bool:
    state = record.fields.get(edit.field) if record else None
    cell = state.cells.get(edit.key) if state else None
    mine = (op.id.device, op.id.incarnation)
    return cell is not None and any(
        head.position <= op.seen.position
        or ((head.op.device, head.op.incarnation) == mine and head.op.seq <= op.seen.own_seq)
        for head in cell.heads
    )
