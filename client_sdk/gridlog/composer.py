"""Make ops from what the worker wants to see: checked, chained, and never changed afterwards.

Nothing here is durable. The store puts what it gets from here on the disk before anybody is told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from gridlog_protocol.canonical import settled
from gridlog_protocol.clock import tick
from gridlog_protocol.ids import Incarnation, OpId, RecordId, UserId
from gridlog_protocol.kinds import Kind, Violation, check_record
from gridlog_protocol.limits import OP_BYTES_MAX, SALT_BLOCK_OPS
from gridlog_protocol.op_codec import pack_op
from gridlog_protocol.ops import SALT_BYTES, Edit, Intent, Op, Seen, op_hash, op_salt
from gridlog_protocol.segment import chain_next
from gridlog_protocol.texts import Text
from gridlog_sync.resolutions import Resolution, put_back
from gridlog_sync.view import conflicts_of, values_of
from gridlog_sync.writing import Change, InvalidRecordError, edits_for, is_proposable

from .device_clock import DeviceClock
from .entries import WrittenOp
from .errors import UnknownKindError
from .memory import Memory
from .records import Record

_DECIDED = Text("没有需要决定的分歧。", "is not in conflict; there is nothing to decide.")
_TOO_LARGE = Text("一次填写的内容太多，请分几次保存。", "This is too much for one entry. Save it in several steps.")


class Composer:
    """Writes for one store, on the store's thread."""

    def __init__(self, memory: Memory, clock: DeviceClock, entropy: Callable[[int], bytes]) -> None:
        self._memory = memory
        self._clock = clock
        self._entropy = entropy

    def compose(
        self,
        record: RecordId,
        kind_name: str,
        changes: Mapping[str, Change],
        *,
        opened: Record | None,
        author: UserId,
        intent: Intent = Intent.EDIT,
        step: str | None = None,
    ) -> list[WrittenOp]:
        """Return the ops that make `changes`, none if nothing changes. `opened` is None for a new record.

        `step` is what the record is to be fit for, as `submit`; None asks for what any edit must keep.
        Values for fields that the server decides are proposals, in an op of their own behind the others.

        Raises InvalidRecordError, which names every wrong field, or UnknownKindError.
        """
        memory = self._memory
        kind = memory.kinds.get(kind_name)
        if kind is None:
            raise UnknownKindError(kind_name)
        is_creation = opened is None
        standing = memory.shown(record)
        undecided = {each.field for each in conflicts_of(standing, kind)} if standing else set()
        if intent is Intent.RESOLVE:
            _check_undecided(kind, changes, undecided)
        edits = edits_for(
            kind,
            changes,
            shown=opened.values if opened else {},
            rounds=opened.rounds if opened else {},
            undecided=undecided,
            is_creation=is_creation,
        )
        proposed = tuple(edit for edit in edits if is_proposable(kind.fields[edit.field]))
        own = tuple(edit for edit in edits if edit not in proposed)
        seen = self._seen(opened) if opened else memory.seen(record)
        pen = _Pen(memory, self._clock, self._entropy, author)
        written = [
            pen.write(record, kind, purpose, seen, part)
            for purpose, part in ((Intent.CREATE if is_creation else intent, own), (Intent.PROPOSE, proposed))
            if part or purpose is Intent.CREATE
        ]
        if written:
            self._check([each.op for each in written], kind, pen.wall_ms, step, is_creation=is_creation)
        return written

    def _check(self, ops: Sequence[Op], kind: Kind, wall_ms: int, step: str | None, *, is_creation: bool) -> None:
        """Raise InvalidRecordError if the record would contradict itself with these ops, or one is too large."""
        after = values_of(self._memory.with_ops(ops), kind)
        touched = {edit.field for op in ops for edit in op.edits}
        violations = check_record(kind, after, now_ms=wall_ms, fields=touched, is_creation=is_creation, step=step)
        if any(len(pack_op(op)) > OP_BYTES_MAX for op in ops):
            violations.append(Violation("", "too_large", _TOO_LARGE))
        if violations:
            raise InvalidRecordError(violations)

    def undone(self, resolution: Resolution, author: UserId) -> list[WrittenOp]:
        """Return the ops that put back what a resolution replaced, again without knowledge of each other."""
        memory, record = self._memory, resolution.record
        kind = memory.kinds.get(resolution.kind)
        assert kind is not None
        seen, pen = memory.seen(record), _Pen(memory, self._clock, self._entropy, author)
        return [pen.write(record, kind, Intent.UNDO, seen, edits) for edits in put_back(resolution, kind.fields)]

    def _seen(self, opened: Record) -> Seen:
        if opened.incarnation == self._memory.incarnation:
            return opened.seen
        # The form is older than this incarnation: none of whose ops it can have shown.
        return replace(opened.seen, own_seq=0)

    def renamed(self, new: Incarnation) -> list[WrittenOp]:
        """Return all pending ops once more, as the first ops of `new`.

        What was seen of own ops that are pending keeps its meaning; those that the server has already are no longer
        named, so at worst a conflict with oneself is shown, and nothing is overwritten unseen.
        """
        waiting = [written.op for written in self._memory.pending.values()]
        chain = self._memory.next_place(new)[1]
        root = b""
        written: list[WrittenOp] = []
        for seq, op in enumerate(waiting, start=1):
            if not root or seq % SALT_BLOCK_OPS == 0:
                root = self._entropy(SALT_BYTES)
            again = replace(
                op,
                id=OpId(op.id.device, new, seq),
                seen=replace(op.seen, own_seq=_own_seq(op, waiting[: seq - 1])),
                salt=op_salt(root, seq),
            )
            written.append(WrittenOp(again, root, chain))
            chain = chain_next(chain, op_hash(again))
        return written


def _own_seq(op: Op, before: Sequence[Op]) -> int:
    """Return the new seq of the last op before `op` that its author saw: all those of older incarnations count."""
    seen = (
        seq
        for seq, each in enumerate(before, start=1)
        if each.id.incarnation != op.id.incarnation or each.id.seq <= op.seen.own_seq
    )
    return max(seen, default=0)


class _Pen:
    """Writes ops that follow each other: numbered, chained, salted, each with a later clock."""

    def __init__(self, memory: Memory, clock: DeviceClock, entropy: Callable[[int], bytes], author: UserId) -> None:
        self.wall_ms = clock.wall_ms()
        self._memory = memory
        self._clock = clock
        self._entropy = entropy
        self._author = author
        self._seq, self._chain = memory.next_place(memory.incarnation)
        self._hlc = memory.hlc
        self._root = b""

    def write(self, record: RecordId, kind: Kind, intent: Intent, seen: Seen, edits: tuple[Edit, ...]) -> WrittenOp:
        memory, seq, chain = self._memory, self._seq, self._chain
        known = memory.root(memory.incarnation, seq)
        if known or not self._root or seq % SALT_BLOCK_OPS == 0:
            self._root = known or self._entropy(SALT_BYTES)
        self._hlc = tick(self._hlc, self.wall_ms)
        facts = self._clock.facts(self._hlc, server_ms=memory.server_ms)
        op_id, salt = OpId(memory.device, memory.incarnation, seq), op_salt(self._root, seq)
        # In order from the beginning: what is out of order is put in order whenever it is hashed, kept or sent.
        ordered = tuple(edit._replace(value=settled(edit.value)) for edit in edits)
        op = Op(op_id, self._author, record, kind.name, kind.version, intent, seen, facts, ordered, salt)
        self._seq, self._chain = seq + 1, chain_next(chain, op_hash(op))
        return WrittenOp(op, self._root, chain)


def _check_undecided(kind: Kind, changes: Mapping[str, Change], undecided: Collection[str]) -> None:
    decided = [kind.fields[name] for name in changes if name in kind.fields and name not in undecided]
    if decided:
        texts = [Text(f"“{each.label.zh}”{_DECIDED.zh}", f"“{each.label.en}” {_DECIDED.en}") for each in decided]
        raise InvalidRecordError(
            [Violation(each.name, "not_in_conflict", text) for each, text in zip(decided, texts, strict=True)]
        )
