"""Write records as the server: grids and households that an administrator brings in from a file.

The rule it keeps: importing a file twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId, UserId, shown
from gridlog_protocol.kinds import Kind, KindSet, Merge, Violation, check_record
from gridlog_protocol.ops import Edit, Intent
from gridlog_protocol.texts import Text
from gridlog_server.store.contract import Act, Store, Transaction
from gridlog_sync.rules import rule_of
from gridlog_sync.writing import InvalidRecordError, steps_to

from .server_ops import Written, write_ops

SERVER_USER = UserId(bytes(16))
_BATCH = 2000


@dataclass(frozen=True, slots=True)
class Given:
    """One record of a file."""

    id: RecordId
    kind: str
    values: Mapping[str, Value]


class Importing:
    """The use case behind `gridlog-server admin import`."""

    def __init__(
        self, store: Store, kinds: KindSet, *, now_ms: Callable[[], int], entropy: Callable[[int], bytes]
    ) -> None:
        self._store = store
        self._kinds = kinds
        self._now_ms = now_ms
        self._entropy = entropy

    async def write(self, given: Sequence[Given], *, by: str = "") -> int:
        """Create the records that are not there yet, and return how many.

        `by` is who orders it, by the operating system's word.
        Raises InvalidRecordError if any of them is wrong; nothing is stored then.
        """
        _check_ids(given)
        edits = [(each, self._edits(each)) for each in given]
        written = 0
        for first in range(0, len(edits), _BATCH):
            batch = edits[first : first + _BATCH]
            written += await self._store.commit(partial(self._write, batch=batch, by=by))
        return written

    def _edits(self, given: Given) -> tuple[Edit, ...]:
        kind = self._kinds.get(given.kind)
        if kind is None:
            zh, en = f"没有“{given.kind}”这种记录。", f'There is no kind "{given.kind}".'
            raise InvalidRecordError([Violation("", "unknown_kind", Text(zh, en))])
        edits, violations = [], []
        for name, value in given.values.items():
            edit, violation = _edit(kind, name, value)
            edits += edit
            violations += [violation] if violation else []
        violations = violations or check_record(kind, given.values, now_ms=self._now_ms(), is_creation=True)
        if violations:
            raise InvalidRecordError(violations)
        return tuple(edits)

    async def _write(
        self, transaction: Transaction, *, batch: Sequence[tuple[Given, tuple[Edit, ...]]], by: str
    ) -> int:
        known = await transaction.ledger.records([each.id for each, _ in batch])
        seen = (await transaction.ledger.log_head()).position
        now_ms = self._now_ms()
        new = []
        for each, edits in batch:
            kind = self._kinds.get(each.kind)
            assert kind is not None
            if each.id not in known:
                new.append(Written(each.id, kind, SERVER_USER, Intent.CREATE, seen, edits))
        ops = await write_ops(
            transaction,
            new,
            tenancy=self._store.tenancy,
            kinds=self._kinds,
            now_ms=now_ms,
            entropy=self._entropy,
        )
        if ops:
            of = " ".join(sorted({each.op.kind for each in ops}))
            await transaction.registry.note(Act(now_ms, by, "import", of, f"{len(ops)}"))
        return len(ops)


def _check_ids(given: Sequence[Given]) -> None:
    seen: set[RecordId] = set()
    for each in given:
        if each.id in seen:
            zh, en = f"编号 {shown(each.id)} 出现了两次。", f"The id {shown(each.id)} occurs twice."
            raise InvalidRecordError([Violation("", "record_exists", Text(zh, en))])
        seen.add(each.id)


def _edit(kind: Kind, name: str, value: Value) -> tuple[list[Edit], Violation | None]:
    field = kind.fields.get(name)
    if field is None or field.from_op or field.merge is Merge.DERIVED:
        zh, en = f"不能导入“{name}”这一项。", f'The field "{name}" cannot be imported.'
        return [], Violation(name, "unknown_field", Text(zh, en))
    edits = [
        Edit(name, action, key, each, field.sensitivity.digest_class) for action, key, each in steps_to(field, value)
    ]
    wrong = next(filter(None, (rule_of(field).fault(field, edit) for edit in edits)), None)
    return ([], wrong) if wrong else (edits, None)
