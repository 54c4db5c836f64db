"""Tables for people at a terminal: records, conflicts, held ops."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import milliseconds_of
from gridlog_protocol.errors import HOLDS
from gridlog_protocol.ids import UserId, shown
from gridlog_protocol.kinds import Field, Kind, shipped_kinds
from gridlog_protocol.kinds.presenting import shown_element, shown_value, title_of, visible
from gridlog_protocol.state import Head
from gridlog_protocol.texts import Language, Text
from gridlog_sync.view import Conflict, Unseen, said_by, values_said
from gridlog_sync.writing import InvalidRecordError

from . import listing_clocks
from .service.deciding import name_of
from .service.inspection import RecordLine
from .service.refusing import RefusedError
from .store.contract import StoredOp, WaitingSegment

T = TypeVar("T")
_WIDTH = 48
_COUNTS = {
    "log_position": Text("日志位置", "Log position"),
    "records": Text("记录", "Records"),
    "ops": Text("修改", "Ops"),
    "held": Text("暂存待核对", "Held"),
    "in_conflict": Text("有冲突的记录", "Records in conflict"),
    "clock_corrected": Text("时钟有偏差的修改", "Ops with a corrected clock"),
    "clock_review": Text("时钟需核查的修改", "Ops whose clock needs a look"),
    "people": Text("人员", "People"),
    "devices": Text("终端", "Devices"),
    "waiting": Text("等待前面修改的批次", "Segments behind a gap"),
    "quarantine": Text("隔离的请求", "Quarantined requests"),
}


class CommandError(Exception):
    """A command could not be carried out; `text` says why."""

    def __init__(self, text: Text) -> None:
        self.text = text
        super().__init__(text.en)


async def spoken(work: Awaitable[T]) -> T:
    """Await a command, and turn what was wrong with its facts into a CommandError."""
    try:
        return await work
    except (InvalidRecordError, RefusedError) as wrong:
        raise CommandError(wrong.text) from None
    except (ValueError, TypeError) as reason:
        raise CommandError(Text(str(reason), str(reason))) from None


def counts_table(counts: Mapping[str, int], language: Language) -> RenderableType:
    """Return the table of `status`."""
    table = Table(show_header=False)
    for name, number in counts.items():
        table.add_row(_COUNTS[name].spoken(language), str(number))
    return table


def records_table(lines: Sequence[RecordLine], language: Language) -> RenderableType:
    """Return the table of `records`."""
    table = table_of(
        language,
        "记录|Record",
        "种类|Kind",
        "网格|Grid",
        "登记人|Author",
        "摘要|Summary",
        "冲突|Conflicts",
        "时钟|Clock",
    )
    for line in lines:
        kind = shipped_kinds().get(line.stored.state.kind)
        table.add_row(
            shown(line.stored.state.id),
            _kind_label(line, language),
            "、".join(sorted(line.stored.scopes)),
            escape(visible(line.author)),
            escape(_short(title_of(kind, line.values, language))),
            str(len(line.conflicts) or ""),
            listing_clocks.mark(line.tier, language),
        )
    return table


def record_page(
    line: RecordLine, history: Sequence[StoredOp], names: Mapping[UserId, str], language: Language
) -> RenderableType:
    """Return the page of `record`."""
    kind = shipped_kinds().get(line.stored.state.kind)
    values = table_of(language, "项目|Field", "内容|Value", title=_kind_label(line, language))
    for name, value in line.values.items():
        field = kind.fields.get(name) if kind else None
        values.add_row(_field_label(field, name, language), escape(shown_value(field, value, language, names=names)))
    past = table_of(
        language,
        "位置|Position",
        "发生时间|Happened",
        "谁|Who",
        "修改|Edits",
        "时钟|Clock",
        title=Text("来历", "History").spoken(language),
    )
    for each in history:
        past.add_row(
            str(each.position or f"({each.verdict or each.hold})"),
            moment(each.when.at_ms),
            name_among(names, each.op.author),
            ", ".join(edited_labels(each, kind, language)),
            listing_clocks.discrepancy(each, language),
        )
    return Group(values, past)


def record_json(line: RecordLine, history: Sequence[StoredOp], names: Mapping[UserId, str]) -> dict[str, Any]:
    """Return a record and its history as plain JSON values; an op that never took effect has no position."""
    return as_json(line) | {
        "history": [
            {
                "op": name_of(each.op.id),
                "position": each.position,
                "author": names.get(each.op.author, ""),
                "happened_ms": each.when.at_ms,
                "clock": each.when.tier.name.lower(),
                "fields": [*dict.fromkeys(edit.field for edit in each.op.edits)],
                "hold": each.hold,
                "verdict": each.verdict.value if each.verdict else None,
            }
            for each in history
        ]
    }


def conflicts_table(lines: Sequence[RecordLine], names: Mapping[UserId, str], language: Language) -> RenderableType:
    """Return the table of `conflicts`: each value with who wrote it and when; ▶ marks what is shown meanwhile."""
    table = table_of(language, "记录|Record", "项目|Field", "等谁|Waits for", "内容|Values")
    for line in lines:
        kind = shipped_kinds().get(line.stored.state.kind)
        for conflict in line.conflicts:
            field = kind.fields.get(conflict.field) if kind else None
            waits = (
                Text("督导决定", "a decision") if conflict.severity == "hard" else Text("告知作者", "nobody; told")
            )
            table.add_row(
                shown(conflict.record),
                _field_label(field, conflict.field, language),
                waits.spoken(language),
                "\n".join(
                    [
                        *(_head_line(conflict, head, field, names, language) for head in conflict.heads),
                        *(_unseen_line(each, kind, names, language) for each in conflict.unseen),
                    ]
                ),
            )
    return table


def conflict_rows(line: RecordLine, names: Mapping[UserId, str]) -> list[dict[str, Any]]:
    """Return a record's conflicts as plain JSON values."""
    return [
        {
            "record": shown(conflict.record),
            "kind": line.stored.state.kind,
            "field": conflict.field,
            "key": conflict.key,
            "severity": conflict.severity.value,
            "shown": json_value(conflict.shown),
            "values": [_head_json(line, conflict.field, head, names) for head in conflict.heads],
            "unseen": [
                {"field": each.field, "key": each.key} | _head_json(line, each.field, each.head, names)
                for each in conflict.unseen
            ],
        }
        for conflict in line.conflicts
    ]


def held_table(ops: Sequence[StoredOp], names: Mapping[UserId, str], language: Language) -> RenderableType:
    """Return the table of `held`."""
    table = table_of(language, "编号|Op", "记录|Record", "谁|Who", "原因|Reason", "项目|Field")
    for each in ops:
        reason = _reason(each, language)
        kind = shipped_kinds().get(each.op.kind)
        field = kind.fields.get(each.hold_field or "") if kind else None
        label = _field_label(field, each.hold_field or "", language)
        who = name_among(names, each.op.author)
        table.add_row(name_of(each.op.id), shown(each.op.record), who, escape(visible(reason)), label)
    return table


def waiting_table(waiting: Sequence[WaitingSegment], language: Language) -> RenderableType:
    """Return the table of what waits behind gaps."""
    table = table_of(language, "终端|Device", "编号段|Incarnation", "修改|Ops", "收到|Received")
    for each in waiting:
        first, last = each.segment.first_seq, each.segment.ops[-1].id.seq
        names = each.device.hex()[:8], each.segment.incarnation.hex()[:8]
        table.add_row(*names, f"{first}-{last}", moment(each.received_ms))
    return table


def held_rows(ops: Sequence[StoredOp], names: Mapping[UserId, str]) -> list[dict[str, Any]]:
    """Return held ops as plain JSON values. `op` is how commands name one."""
    return [
        {
            "op": name_of(each.op.id),
            "record": shown(each.op.record),
            "kind": each.op.kind,
            "author": names.get(each.op.author, ""),
            "happened_ms": each.when.at_ms,
            "code": each.hold,
            "field": each.hold_field or "",
            "values": {
                name: json_value(value)
                for name, value in values_said(each.op, shipped_kinds().get(each.op.kind)).items()
            },
        }
        for each in ops
    ]


def decided_lines(answer: Mapping[str, Any], language: Language) -> list[str]:
    """Return what a decision did, a line for each op."""
    words = {"released": Text("已放行", "released"), "rejected": Text("已退回", "rejected")}
    lines = [
        f"{each['op']}  {words[each['verdict']].spoken(language)}"
        + Text(f"（位置 {each['position']}）", f" at position {each['position']}").spoken(language)
        for each in answer["decided"]
    ]
    for each in answer["waiting"]:
        why = HOLDS[each["code"]].worker_reads.spoken(language)
        lines.append(f"{each['op']}  {Text('仍待核对：', 'still held: ').spoken(language)}{why}")
    return lines


def as_json(line: RecordLine) -> dict[str, Any]:
    """Return a record as plain JSON values."""
    return {
        "id": shown(line.stored.state.id),
        "kind": line.stored.state.kind,
        "grids": sorted(line.stored.scopes),
        "author": line.author,
        "changed": line.stored.changed,
        "conflicts": len(line.conflicts),
        "clock": line.tier.name.lower(),
        "values": {name: json_value(value) for name, value in line.values.items()},
    }


def _reason(each: StoredOp, language: Language) -> str:
    hold = HOLDS.get(each.hold or "")
    return hold.worker_reads.spoken(language) if hold else str(each.hold)


def json_value(value: Value) -> Any:
    """Return a value as JSON has it: bytes in hex."""
    match value:
        case bytes():
            return value.hex()
        case list():
            return [json_value(each) for each in value]
        case dict():
            return {key: json_value(each) for key, each in value.items()}
        case _:
            return value


def table_of(language: Language, *columns: str, title: str | None = None) -> Table:
    """Begin a table with columns as `Chinese|English`."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        zh, en = column.split("|")
        table.add_column(Text(zh, en).spoken(language), overflow="fold")
    return table


def _kind_label(line: RecordLine, language: Language) -> str:
    kind = shipped_kinds().get(line.stored.state.kind)
    return kind.label.spoken(language) if kind else line.stored.state.kind


def _field_label(field: Field | None, name: str, language: Language) -> str:
    return field.label.spoken(language) if field else escape(visible(name))


def edited_labels(each: StoredOp, kind: Kind | None, language: Language) -> list[str]:
    """Return the labels of the fields that an op edits, in its order."""
    # An op names a field once for each element; a reader wants each field once.
    fields = dict.fromkeys(edit.field for edit in each.op.edits)
    return [_field_label(kind.fields.get(name) if kind else None, name, language) for name in fields]


def name_among(names: Mapping[UserId, str], user: UserId) -> str:
    """Return somebody's name for a table, or a dash if nobody here is he."""
    return escape(visible(names.get(user, "—")))


def _head_line(
    conflict: Conflict, head: Head, field: Field | None, names: Mapping[UserId, str], language: Language
) -> str:
    value = said_by(field, head)
    mark = "▶" if value == conflict.shown else " "
    text = _short(shown_element(field, value, language, names=names))
    return f"{mark} {escape(text)}  — {name_among(names, head.author)}, {moment(milliseconds_of(head.stamp))}"


def _unseen_line(unseen: Unseen, kind: Kind | None, names: Mapping[UserId, str], language: Language) -> str:
    field = kind.fields.get(unseen.field) if kind else None
    text = _short(shown_element(field, said_by(field, unseen.head), language, names=names))
    by = f"{name_among(names, unseen.head.author)}, {moment(milliseconds_of(unseen.head.stamp))}"
    return f"+ {_field_label(field, unseen.field, language)}: {escape(text)}  — {by}"


def _head_json(line: RecordLine, name: str, head: Head, names: Mapping[UserId, str]) -> dict[str, Any]:
    kind = shipped_kinds().get(line.stored.state.kind)
    value = said_by(kind.fields.get(name) if kind else None, head)
    return {"value": json_value(value), "author": names.get(head.author, ""), "position": head.position}


def _short(text: str) -> str:
    return text if len(text) <= _WIDTH else text[: _WIDTH - 1] + "…"


def shown_words(text: str) -> str:
    """Make somebody's text harmless for a table."""
    return escape(visible(_short(text)))


def moment(milliseconds: int) -> str:
    """Write a moment, given in Unix ms, as this machine's time zone has it."""
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
