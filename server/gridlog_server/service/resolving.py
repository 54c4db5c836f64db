"""Conflicts: every value with who wrote it and when, a supervisor's decision, and taking it back.

The rule it keeps: a decision is an op with the intent *resolve*, and has seen exactly what its page showed. Whoever
wrote meanwhile makes the page stale. What comes in later without having seen the decision contradicts it again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import SERVER_DEVICE, DeviceId, OpId, Position, RecordId, UserId, shown
from gridlog_protocol.kinds import Kind, KindSet, MapOf, Violation, check_record
from gridlog_protocol.ops import Edit, Intent
from gridlog_protocol.state import Head, RecordState
from gridlog_protocol.texts import Text
from gridlog_server.store.contract import Act, StoredOp, Transaction
from gridlog_server.store.desk import DeskStore
from gridlog_sync.merge import Entry, fold
from gridlog_sync.resolutions import Resolution, action_of, put_back, resolution_of
from gridlog_sync.rules import Severity, rule_of
from gridlog_sync.view import Conflict, conflicts_of, rounds_of, said_by, values_of
from gridlog_sync.writing import Add, Change, InvalidRecordError, edits_for

from .in_reach import Case, case_of, check_fresh, check_not_own
from .permitting import Caller
from .refusing import RefusedError
from .server_ops import Written, write_ops

_TIMELY = ("too_old", "in_future")


@dataclass(frozen=True, slots=True)
class Choice:
    """What one cell shall say: the value of one head, named by its op, or a value of the supervisor's own.

    `key` names an element of a set, list or map, and is empty for plain fields.
    """

    field: str
    key: str = ""
    chosen: OpId | None = None
    value: Value = None


@dataclass(frozen=True, slots=True)
class HeadLine:
    """One of the values, as people read it: who wrote it, with which device, when it happened and when it came.

    Times are Unix ms; `happened_ms` is as estimated, within `within_ms`.
    """

    op: OpId
    value: Value
    author: UserId
    author_name: str
    device: DeviceId
    happened_ms: int
    within_ms: int
    received_ms: int
    position: Position
    is_shown: bool


@dataclass(frozen=True, slots=True)
class UnseenLine:
    """Work that whoever ended the record had not seen: it stands beside the end."""

    field: str
    key: str
    line: HeadLine


@dataclass(frozen=True, slots=True)
class ConflictLine:
    """One cell that contradicts itself. `shown` is what phones show meanwhile; the newest stamp comes last."""

    field: str
    key: str
    severity: Severity
    shown: Value
    heads: tuple[HeadLine, ...]
    unseen: tuple[UnseenLine, ...]


@dataclass(frozen=True, slots=True)
class Conflicted:
    """A record's conflicts. `changed` goes back with the decision; `undoable` is the last one that can be undone."""

    record: RecordId
    kind: str
    changed: Position
    conflicts: tuple[ConflictLine, ...]
    undoable: OpId | None


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a decision, or its undoing, did: the position of the last op, and how many conflicts are left."""

    record: RecordId
    position: Position
    conflicts: int


class Resolving:
    """The use cases behind the conflict page and `gridlog-server conflicts resolve` and `undo`."""

    def __init__(
        self, store: DeskStore, kinds: KindSet, *, now_ms: Callable[[], int], entropy: Callable[[int], bytes]
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._now_ms = now_ms
        self._entropy = entropy

    async def conflicts(self, record: RecordId, *, by: Caller) -> Conflicted:
        """Return what contradicts what in a record. Raises ForbiddenError, NotThereError."""
        async with self._store.reading() as snapshot:
            case = await case_of(snapshot, record, by, self._kinds)
            ops = {each.op.id: each for each in await snapshot.ledger.ops_of_record(record)}
            received = await snapshot.desk.received(
                [each.segment for each in ops.values() if each.segment is not None]
            )
            names = {each.id: each.name for each in await snapshot.registry.people()}
        found = conflicts_of(case.state, case.kind)
        line = partial(_head_line, ops=ops, received=received, names=names)
        standing = _standing_decision(case, [*ops.values()])
        return Conflicted(
            record,
            case.kind.name,
            case.stored.changed,
            tuple(_conflict_line(each, case.kind, line) for each in found),
            standing.op if standing else None,
        )

    async def resolve(
        self, record: RecordId, shown_at: Position | None, choices: Sequence[Choice], *, by: Caller
    ) -> Resolved:
        """Decide what cells in conflict shall say, as the page showed them at `shown_at`.

        Raises ForbiddenError, NotThereError, StaleError, RefusedError, and InvalidRecordError for a value of one's
        own that breaks a rule.
        """

        async def work(transaction: Transaction) -> Resolved:
            case = await case_of(transaction, record, by, self._kinds)
            check_not_own(case, by)
            seen = check_fresh(case, shown_at)
            if not choices:
                raise RefusedError("请选择要保留的内容。", "Choose what shall stand.")
            edits = _edits(case, choices)
            written = [Written(record, case.kind, by.person, Intent.RESOLVE, seen, edits)]
            resolved = await self._write(transaction, written, by, "resolve")
            await self._check_own_values(transaction, case, choices)
            return resolved

        return await self._store.commit(work)

    async def undo(self, record: RecordId, decision: OpId | None, *, by: Caller) -> Resolved:
        """Take back the decision that stands last: what it replaced contradicts each other again.

        `decision` is the one that the page named, or None for whichever stands. Raises ForbiddenError,
        NotThereError, RefusedError if none stands, or another.
        """

        async def work(transaction: Transaction) -> Resolved:
            case = await case_of(transaction, record, by, self._kinds)
            check_not_own(case, by)
            standing = _standing_decision(case, await transaction.ledger.ops_of_record(record))
            if standing is None or decision not in (None, standing.op):
                raise RefusedError(
                    "没有可以撤回的决定：还没有决定过，或者之后又有人改过。",
                    "There is no decision to undo: none was made, or somebody has changed since what was decided.",
                )
            seen = case.stored.changed
            written = [
                Written(record, case.kind, by.person, Intent.UNDO, seen, edits)
                for edits in put_back(standing, case.kind.fields)
            ]
            return await self._write(transaction, written, by, "undo")

        return await self._store.commit(work)

    async def _write(self, transaction: Transaction, written: Sequence[Written], by: Caller, what: str) -> Resolved:
        now_ms, tenancy = self._now_ms(), self._store.tenancy
        stored = await write_ops(
            transaction, written, tenancy=tenancy, kinds=self._kinds, now_ms=now_ms, entropy=self._entropy
        )
        record, position = stored[-1].op.record, stored[-1].position
        assert position is not None
        if by.typed_by:
            await transaction.registry.note(Act(now_ms, by.named, f"conflict.{what}", shown(record), ""))
        after = (await transaction.ledger.records({record}))[record]
        return Resolved(record, position, after.conflicts)

    async def _check_own_values(self, transaction: Transaction, case: Case, choices: Sequence[Choice]) -> None:
        """Make sure that values of one's own do not contradict the rest. A choice of what is there is always free."""
        own = {each.field for each in choices if each.chosen is None}
        record = case.state.id
        after = values_of((await transaction.ledger.records({record}))[record].state, case.kind)
        found = check_record(case.kind, after, now_ms=self._now_ms(), fields=own, is_creation=False) if own else []
        # When it happened is as it is: a decision may come months later.
        wrong = [each for each in found if each.rule not in _TIMELY]
        if wrong:
            raise InvalidRecordError(wrong)


def _edits(case: Case, choices: Sequence[Choice]) -> tuple[Edit, ...]:
    """Return the edits that choices mean. Raises RefusedError, InvalidRecordError."""
    found = {(each.field, each.key): each for each in conflicts_of(case.state, case.kind)}
    edits: list[Edit] = []
    for each in choices:
        conflict = found.pop((each.field, each.key), None)
        if conflict is None:
            label = case.kind.fields[each.field].label if each.field in case.kind.fields else Text(*[each.field] * 2)
            raise RefusedError(
                f"“{label.zh}”没有需要决定的分歧。", f"“{label.en}” is not in conflict; there is nothing to decide."
            )
        edits += _chosen(case.kind, conflict, each.chosen) if each.chosen else _own(case, conflict, each.value)
    return tuple(edits)


def _chosen(kind: Kind, conflict: Conflict, chosen: OpId) -> list[Edit]:
    head = next((each for each in conflict.heads if each.op == chosen), None)
    if head is None:
        raise RefusedError("选中的内容已经不在了。", "What was chosen does not stand any more.")
    field = kind.fields[conflict.field]
    # As it stands, with the round of a workflow: to write it as a form would might go one round further.
    return [Edit(field.name, action_of(field), conflict.key, head.value, field.sensitivity.digest_class)]


def _own(case: Case, conflict: Conflict, value: Value) -> list[Edit]:
    field = case.kind.fields[conflict.field]
    change: Change = value
    if conflict.key and isinstance(field.type, MapOf):
        change = {conflict.key: value}
    elif conflict.key:
        if rule_of(field).is_write_once:
            raise RefusedError("这一项只能选择，不能改写。", "Choose one of these: they cannot be written anew.")
        change = Add((value,))
    edits = edits_for(
        case.kind,
        {field.name: change},
        shown=case.values,
        rounds=rounds_of(case.state, case.kind),
        undecided={field.name},
        is_creation=False,
    )
    if any(each.key != conflict.key for each in edits) or not edits:
        raise InvalidRecordError(
            [Violation(field.name, "wrong_change", Text("不能这样修改。", "This cannot be decided so."))]
        )
    return [*edits]


def _standing_decision(case: Case, history: Sequence[StoredOp]) -> Resolution | None:
    """Return the last decision of the office that stands: nobody has changed since what it decided."""
    accepted = [each for each in history if each.position is not None]
    decisions = [
        (index, each)
        for index, each in enumerate(accepted)
        if each.op.intent is Intent.RESOLVE and each.op.id.device == SERVER_DEVICE
    ]
    for index, each in reversed(decisions):
        if not _stands(each.op.id, [edit.field for edit in each.op.edits], case.state):
            continue
        before = fold(None, (_entry(earlier) for earlier in accepted[:index]))
        resolution = resolution_of(each.op, before)
        if resolution.stands_in(case.state):
            return resolution
    return None


def _stands(op: OpId, fields: Collection[str], state: RecordState) -> bool:
    # Cheaper than folding the history of a decision that is long overtaken.
    cells = (cell for name in fields if name in state.fields for cell in state.fields[name].cells.values())
    return any([head.op for head in cell.heads] == [op] for cell in cells)


def _entry(stored: StoredOp) -> Entry:
    assert stored.position is not None
    assert stored.stamp is not None
    seen = replace(stored.op.seen, position=stored.named)
    return Entry(replace(stored.op, seen=seen), stored.stamp, stored.position)


def _conflict_line(conflict: Conflict, kind: Kind, line: Callable[..., HeadLine]) -> ConflictLine:
    field = kind.fields[conflict.field]
    heads = tuple(
        line(each, value := said_by(field, each), is_shown=value == conflict.shown) for each in conflict.heads
    )
    unseen = tuple(
        UnseenLine(each.field, each.key, line(each.head, said_by(kind.fields.get(each.field), each.head)))
        for each in conflict.unseen
    )
    return ConflictLine(conflict.field, conflict.key, conflict.severity, conflict.shown, heads, unseen)


def _head_line(
    head: Head,
    value: Value,
    *,
    ops: Mapping[OpId, StoredOp],
    received: Mapping[int, int],
    names: Mapping[UserId, str],
    is_shown: bool = False,
) -> HeadLine:
    stored = ops[head.op]
    came = stored.op.clock.wall_ms if stored.segment is None else received.get(stored.segment, 0)
    return HeadLine(
        head.op,
        value,
        head.author,
        names.get(head.author, ""),
        head.op.device,
        stored.when.at_ms,
        stored.when.within_ms,
        came,
        head.position,
        is_shown,
    )
