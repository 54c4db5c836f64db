"""Tables and JSON about the log, and about what was kept apart from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.markup import escape

from gridlog_protocol.ids import UserId, shown
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.kinds.presenting import visible
from gridlog_protocol.log_chain import EntryType
from gridlog_protocol.ops import Op
from gridlog_protocol.texts import Language, Text
from gridlog_sync.view import values_said

from .listing import edited_labels, json_value, moment, name_among, table_of
from .service.deciding import name_of
from .service.inspection import QuarantineLine
from .store.contract import Logged, Outcome, Quarantined

_TYPES = {
    EntryType.ACCEPTED: Text("收到", "accepted"),
    EntryType.RELEASED: Text("放行", "released"),
    EntryType.REJECTED: Text("退回", "rejected"),
    EntryType.GAP_CLOSED: Text("不再等待", "gap closed"),
}
_OUTCOMES = {
    Outcome.TAKEN_IN: Text("已取入", "taken in by"),
    Outcome.DISMISSED: Text("已忽略", "dismissed by"),
}
_HASH_DIGITS = 12


def log_table(entries: Sequence[Logged], names: Mapping[UserId, str], language: Language) -> RenderableType:
    """Return the table of `log`."""
    table = table_of(language, "位置|Position", "时间|When", "何事|What", "记录|Record", "谁|Who", "哈希|Hash")
    for each in entries:
        record = shown(each.op.op.record) if each.op else "—"
        what = f"{_TYPES[EntryType(each.entry.entry_type)].spoken(language)} {_fields(each, language)}".strip()
        digits = each.entry.hash.hex()[:_HASH_DIGITS]
        table.add_row(str(each.entry.position), _when(each), what, record, _who(each, names), digits)
    return table


def log_json(logged: Logged, names: Mapping[UserId, str]) -> dict[str, Any]:
    """Return a log entry as plain JSON values: times in Unix ms, null for what it does not have."""
    op, ruling = logged.op, logged.ruling
    return {
        "position": logged.entry.position,
        "hash": logged.entry.hash.hex(),
        "type": EntryType(logged.entry.entry_type).name.lower(),
        "op": name_of(logged.entry.op),
        "device": shown(logged.entry.op.device),
        "record": shown(op.op.record) if op else None,
        "kind": op.op.kind if op else None,
        "fields": [*dict.fromkeys(edit.field for edit in op.op.edits)] if op else [],
        "author": names.get(op.op.author, "") if op else None,
        "happened_ms": op.when.at_ms if op else None,
        "decided_by": ruling.by if ruling else None,
        "decided_ms": ruling.at_ms if ruling else None,
        "reason": ruling.reason if ruling else None,
    }


def quarantine_table(
    lines: Sequence[QuarantineLine], names: Mapping[UserId, str], language: Language
) -> RenderableType:
    """Return the table of `quarantine`."""
    columns = "编号|No.", "收到|Received", "终端|Device", "原因|Reason", "谁|Who", "修改|Ops", "决定|Decision"
    table = table_of(language, *columns)
    for line in lines:
        kept = line.kept
        who = "、".join(dict.fromkeys(name_among(names, op.author) for op in line.ops))
        device = kept.device.hex()[:8]
        facts = str(kept.number), moment(kept.received_ms), device, kept.code, who, str(len(line.ops))
        table.add_row(*facts, _outcome(kept, language))
    return table


def quarantine_json(line: QuarantineLine, names: Mapping[UserId, str]) -> dict[str, Any]:
    """Return something in quarantine as plain JSON values, with what was written."""
    kept = line.kept
    return {
        "number": kept.number,
        "received_ms": kept.received_ms,
        "device": shown(kept.device),
        "code": kept.code,
        "ops": [_op_json(op, names) for op in line.ops],
        "outcome": kept.outcome.value if kept.outcome else None,
        "decided_by": kept.ruling.by if kept.ruling else None,
        "decided_ms": kept.ruling.at_ms if kept.ruling else None,
        "reason": kept.ruling.reason if kept.ruling else None,
    }


def taken_in_lines(answer: Mapping[str, Any], language: Language) -> list[str]:
    """Return what `take-in` did: the ops that are held now, and what became of the others."""
    lines = [*answer["held"]]
    held, known, behind = len(lines), answer["known"], answer["behind_gap"]
    lines.append(Text(f"取入 {held} 项修改，待核对：held", f"{held} ops are held now: see held.").spoken(language))
    if known:
        zh, en = f"{known} 项已经以其他途径收到", f"{known} had come in already"
        lines.append(Text(zh, en).spoken(language))
    if behind:
        zh, en = f"{behind} 项前面还缺修改：admin close-gap", f"{behind} wait behind a gap: see admin close-gap"
        lines.append(Text(zh, en).spoken(language))
    return lines


def _outcome(kept: Quarantined, language: Language) -> str:
    if kept.outcome is None or kept.ruling is None:
        return ""
    said = _OUTCOMES[kept.outcome].spoken(language)
    return escape(visible(": ".join(each for each in (f"{said} {kept.ruling.by}", kept.ruling.reason) if each)))


def _op_json(op: Op, names: Mapping[UserId, str]) -> dict[str, Any]:
    values = values_said(op, shipped_kinds().get(op.kind))
    return {
        "op": name_of(op.id),
        "record": shown(op.record),
        "kind": op.kind,
        "author": names.get(op.author, ""),
        "wall_ms": op.clock.wall_ms,
        "values": {name: json_value(value) for name, value in values.items()},
    }


def _fields(logged: Logged, language: Language) -> str:
    if logged.op is None:
        return ""
    return ", ".join(edited_labels(logged.op, shipped_kinds().get(logged.op.op.kind), language))


def _when(logged: Logged) -> str:
    if logged.ruling is not None:
        return moment(logged.ruling.at_ms)
    return moment(logged.op.when.at_ms) if logged.op else "—"


def _who(logged: Logged, names: Mapping[UserId, str]) -> str:
    if logged.ruling is not None:
        return escape(visible(logged.ruling.by))
    return name_among(names, logged.op.op.author) if logged.op else "—"
