"""Review: a supervisor approves a record, returns it to its author with remarks, or only remarks.

The rule it keeps: each of these is one op in the log, authored by the supervisor and written by the server's own
device. So handhelds pull it as any change, history shows it, and the log's hash chain proves it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import milliseconds_of
from gridlog_protocol.ids import Position, RecordId, shown
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.kinds.times import DAY_MS, moment_text
from gridlog_protocol.limits import REASON_CHARACTERS_MAX, REASON_CHARACTERS_MIN
from gridlog_protocol.ops import Action, Edit, Intent
from gridlog_protocol.state import WITHDRAWN
from gridlog_protocol.texts import Text
from gridlog_server.store.contract import Act, Store, StoredOp, Transaction
from gridlog_sync.review import (
    COMMENTS,
    RETURNABLE_DAYS_MAX,
    REVIEW_STATE,
    STEPS,
    TRANSITIONS,
    ReviewEvent,
    ReviewState,
    review_of,
    state_of,
)
from gridlog_sync.rules import Severity
from gridlog_sync.view import conflicts_of, rounds_of
from gridlog_sync.writing import Add, Change, edits_for

from .in_reach import Case, case_of, check_fresh, check_not_own
from .permitting import Caller
from .refusing import RefusedError
from .server_ops import Written, write_ops

REMARKS_MAX: Final = 20
REMARK_CHARACTERS_MAX: Final = 500
_ID_BYTES: Final = 8
_STATES: Final = {
    None: Text("未知状态", "in a state of a later version"),
    ReviewState.DRAFT: Text("草稿，还没有提交", "a draft, not submitted yet"),
    ReviewState.RETURNED: Text("已退回，等待改正", "returned, and waits for its author"),
    ReviewState.SUBMITTED: Text("待审核", "submitted"),
    ReviewState.CHECKED: Text("已初审", "checked"),
    ReviewState.APPROVED: Text("已审定", "approved"),
    ReviewState.ARCHIVED: Text("已归档", "archived"),
}


@dataclass(frozen=True, slots=True)
class Remark:
    """What a supervisor says; `field` is empty if it is about the whole record."""

    text: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a step did: the op's position in the log, where the record stands now, and in which round."""

    record: RecordId
    position: Position
    state: ReviewState
    round: int


class Reviewing:
    """The use cases behind the review page and `gridlog-server review`."""

    def __init__(
        self, store: Store, kinds: KindSet, *, now_ms: Callable[[], int], entropy: Callable[[int], bytes]
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._now_ms = now_ms
        self._entropy = entropy

    async def approve(self, record: RecordId, shown_at: Position | None, *, by: Caller, note: str = "") -> Reviewed:
        """Approve a submitted record, as the page showed it at `shown_at` (its `changed`). `note` may be empty.

        Raises ForbiddenError (no supervisor, or his own), NotThereError, StaleError, RefusedError (not submitted,
        withdrawn, or in conflict).
        """
        said = _words(note, 0)
        return await self._step(record, shown_at, ReviewEvent.APPROVE, said, (), by)

    async def send_back(
        self,
        record: RecordId,
        shown_at: Position | None,
        *,
        by: Caller,
        reason: str,
        remarks: Sequence[Remark] = (),
    ) -> Reviewed:
        """Return a record to its author, with a reason of 5 to 200 characters and remarks on fields; a new round.

        An approved one can be returned for 30 days. Raises as `approve`.
        """
        said = _words(reason, REASON_CHARACTERS_MIN)
        return await self._step(record, shown_at, ReviewEvent.RETURN, said, remarks, by)

    async def remark(self, record: RecordId, *, by: Caller, remarks: Sequence[Remark]) -> Reviewed:
        """Say something about a record, and leave it where it stands. Raises as `approve`, but never StaleError."""

        async def work(transaction: Transaction) -> Reviewed:
            case = await case_of(transaction, record, by, self._kinds)
            if not remarks:
                raise RefusedError("请写明批注内容。", "Say something.")
            number = review_of(case.values, rounds_of(case.state, case.kind)).round
            changes: dict[str, Change] = {COMMENTS: self._comments(case, remarks, number, by)}
            written = await self._write(transaction, case, changes, by, "remark")
            return _reviewed(written, state_of(case.values) or ReviewState.DRAFT, number)

        return await self._store.commit(work)

    async def _step(
        self,
        record: RecordId,
        shown_at: Position | None,
        event: ReviewEvent,
        note: str,
        remarks: Sequence[Remark],
        by: Caller,
    ) -> Reviewed:
        async def work(transaction: Transaction) -> Reviewed:
            case = await case_of(transaction, record, by, self._kinds)
            check_not_own(case, by)
            check_fresh(case, shown_at)
            before, after = self._stepping(case, event)
            number = review_of(case.values, rounds_of(case.state, case.kind)).round
            number += event is ReviewEvent.RETURN
            changes: dict[str, Change] = {REVIEW_STATE: after.value}
            if note:
                changes[TRANSITIONS] = Add((self._transition(before, after, event, note, by),))
            if remarks:
                changes[COMMENTS] = self._comments(case, remarks, number, by)
            written = await self._write(transaction, case, changes, by, event.value)
            return _reviewed(written, after, number)

        return await self._store.commit(work)

    def _stepping(self, case: Case, event: ReviewEvent) -> tuple[ReviewState, ReviewState]:
        """Return from where to where a step leads. Raises RefusedError if nobody may take it now."""
        before = state_of(case.values)
        after = STEPS.get((before, event)) if before else None
        if before is None or after is None:
            said = _STATES[before]
            raise RefusedError(
                f"这条记录{said.zh}，不能这样处理。", f"This record is {said.en}: that does not apply."
            )
        if WITHDRAWN in case.values:
            raise RefusedError("这条记录已作废。", "This record was withdrawn.")
        conflicts = conflicts_of(case.state, case.kind)
        if any(each.field == REVIEW_STATE or self._blocks(each.severity, event) for each in conflicts):
            raise RefusedError("这条记录有分歧，请先处理分歧。", "This record is in conflict: decide that first.")
        if before is ReviewState.APPROVED and self._approved_for_ms(case) > RETURNABLE_DAYS_MAX * DAY_MS:
            raise RefusedError(
                f"审定已超过 {RETURNABLE_DAYS_MAX} 天，不能退回。",
                f"It was approved more than {RETURNABLE_DAYS_MAX} days ago and cannot be returned.",
            )
        return before, after

    def _blocks(self, severity: Severity, event: ReviewEvent) -> bool:
        # What contradicts itself may go back to its author; nobody can say that it is right.
        return severity is Severity.HARD and event is not ReviewEvent.RETURN

    def _approved_for_ms(self, case: Case) -> int:
        heads = case.state.fields[REVIEW_STATE].cells[""].heads
        return self._now_ms() - max(milliseconds_of(each.stamp) for each in heads)

    def _transition(
        self, before: ReviewState, after: ReviewState, event: ReviewEvent, note: str, by: Caller
    ) -> dict[str, Value]:
        return self._row(by) | {"from": before.value, "to": after.value, "event": event.value, "note": note}

    def _comments(self, case: Case, remarks: Sequence[Remark], number: int, by: Caller) -> Add:
        if len(remarks) > REMARKS_MAX:
            raise RefusedError(f"一次最多 {REMARKS_MAX} 条批注。", f"At most {REMARKS_MAX} remarks at once.")
        rows: list[Value] = []
        for each in remarks:
            if each.field and each.field not in case.kind.fields:
                raise RefusedError(f"没有“{each.field}”这一项。", f'There is no field "{each.field}".')
            text = each.text.strip()
            if not 1 <= len(text) <= REMARK_CHARACTERS_MAX:
                raise RefusedError(
                    f"每条批注 1 到 {REMARK_CHARACTERS_MAX} 个字。",
                    f"A remark has 1 to {REMARK_CHARACTERS_MAX} characters.",
                )
            about: dict[str, Value] = {"field": each.field} if each.field else {}
            rows.append(self._row(by) | {"text": text, "round": number} | about)
        return Add(tuple(rows))

    def _row(self, by: Caller) -> dict[str, Value]:
        at = moment_text(self._now_ms())
        return {"id": self._entropy(_ID_BYTES).hex(), "by": bytes(by.person), "at": at}

    async def _write(
        self, transaction: Transaction, case: Case, changes: dict[str, Change], by: Caller, what: str
    ) -> StoredOp:
        rounds = rounds_of(case.state, case.kind)
        edits: tuple[Edit, ...] = edits_for(case.kind, changes, shown=case.values, rounds=rounds, is_creation=False)
        assert all(each.action in (Action.SET, Action.ADD) for each in edits)
        op = Written(case.state.id, case.kind, by.person, Intent.EDIT, case.stored.changed, edits)
        now_ms, tenancy = self._now_ms(), self._store.tenancy
        [stored] = await write_ops(
            transaction, [op], tenancy=tenancy, kinds=self._kinds, now_ms=now_ms, entropy=self._entropy
        )
        if by.typed_by:
            # The op has the supervisor's name; whoever typed it for him is in the list of acts.
            await transaction.registry.note(Act(now_ms, by.named, f"review.{what}", shown(case.state.id), ""))
        return stored


def _reviewed(written: StoredOp, state: ReviewState, number: int) -> Reviewed:
    assert written.position is not None
    return Reviewed(written.op.record, written.position, state, number)


def _words(text: str, least: int) -> str:
    said = text.strip()
    if not least <= len(said) <= REASON_CHARACTERS_MAX:
        raise RefusedError(
            f"理由应为 {least} 到 {REASON_CHARACTERS_MAX} 个字。",
            f"The reason has {least} to {REASON_CHARACTERS_MAX} characters.",
        )
    return said
