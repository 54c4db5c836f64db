"""What the `gridlog` command shows: records, conflicts, and where everything is. Computes text, does nothing else.

The rule it keeps: nothing is said by colour alone, and nothing that another device wrote reaches the terminal unless
`visible` or `escape` has passed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text as Line

from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import milliseconds_of
from gridlog_protocol.decisions import Verdict
from gridlog_protocol.ids import RecordId, UserId, shown
from gridlog_protocol.kinds import Field, Kind, KindSet, shipped_envelope
from gridlog_protocol.kinds.presenting import shown_element, shown_value, title_of, visible
from gridlog_protocol.state import Head
from gridlog_protocol.texts import Language, Text
from gridlog_sync.rules import Severity
from gridlog_sync.view import Conflict, Unseen, said_by

from .cli_times import written
from .records import DecidedNote, HeldNote, PendingOp, Record, Whereabouts
from .resolutions import Overruled

SHORT_ID_CHARACTERS = 13
"""The time in a record's id, to the millisecond: two records of one device never share it."""

_STYLES = {
    Whereabouts.ON_DEVICE: "yellow",
    Whereabouts.HELD: "magenta",
    Whereabouts.RECEIVED: "green",
    Whereabouts.REJECTED: "red",
}
_VERDICTS = {Verdict.RELEASED: Text("已采纳", "accepted"), Verdict.REJECTED: Text("未被采纳", "not accepted")}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who looks: the language, the kinds the store knows, and whose device it is."""

    language: Language
    kinds: KindSet
    me: UserId
    my_name: str

    @property
    def names(self) -> Mapping[UserId, str]:
        """Return the names that this device knows: only its worker's own."""
        return {self.me: self.my_name}

    def say(self, zh: str, en: str) -> str:
        """Return a sentence in the reader's language."""
        return Text(zh, en).spoken(self.language)

    def who(self, user: UserId | None) -> str:
        """Name a person: oneself, or a colleague by the end of the id."""
        if user is None:
            return "—"
        if user == self.me:
            return visible(self.my_name)
        return self.say(f"同事 {user.hex()[-4:]}", f"colleague {user.hex()[-4:]}")

    def title(self, record: Record) -> str:
        """Say what a record is: its title, or at least its kind."""
        kind = self.kinds.get(record.kind)
        return title_of(kind, record.values, self.language, names=self.names) or self.kind_label(record.kind)

    def kind_label(self, name: str) -> str:
        """Return what a kind is called."""
        kind = self.kinds.get(name)
        return kind.label.spoken(self.language) if kind else visible(name)

    def field(self, kind_name: str, name: str) -> Field | None:
        """Return a field of a kind, if this version knows it."""
        kind = self.kinds.get(kind_name)
        return kind.fields.get(name) if kind else None

    def field_label(self, kind_name: str, name: str) -> str:
        """Return what a field is called."""
        field = self.field(kind_name, name)
        return field.label.spoken(self.language) if field else visible(name)


def records_table(records: Sequence[Record], reader: Reader) -> RenderableType:
    """Return the table of `list`."""
    table = table_of(reader, "标识|Id", "摘要|What", "登记人|By", "在哪里|Where it is")
    for record, name in zip(records, short_ids([each.id for each in records]), strict=True):
        table.add_row(name, escape(reader.title(record)), escape(reader.who(record.author)), _where(record, reader))
    return table


def record_page(
    record: Record,
    conflicts: Sequence[Conflict],
    held: Sequence[HeldNote],
    decided: Sequence[DecidedNote],
    reader: Reader,
) -> RenderableType:
    """Return the page of `show`: what it says, where it is and what to do, and what contradicts what."""
    parts: list[RenderableType] = [
        Line(f"{reader.kind_label(record.kind)} · {reader.title(record)}", style="bold"),
        Line(f"{shown(record.id)}  {reader.say('登记人', 'by')} {reader.who(record.author)}", style="dim"),
        values_table(record.kind, record.values, reader),
        where_line(record, held, reader),
    ]
    if decided:
        parts += ["", decided_table(decided, reader)]
    if conflicts:
        parts += ["", conflicts_block(conflicts, record, reader)]
    return Group(*parts)


def values_table(kind_name: str, values: Mapping[str, Value], reader: Reader) -> RenderableType:
    """Return what a record, or a form, says: a line for each field that is filled in."""
    kind, table = reader.kinds.get(kind_name), table_of(reader, "项目|Field", "内容|Value")
    for name in _in_order(values, kind):
        field = kind.fields.get(name) if kind else None
        text = shown_value(field, values[name], reader.language, names=reader.names, is_whole=True)
        table.add_row(escape(reader.field_label(kind_name, name)), escape(text))
    return table


def where_line(record: Record, held: Sequence[HeldNote], reader: Reader) -> RenderableType:
    """Say where a record is, why, and what to do."""
    words = record.whereabouts.value.spoken(reader.language)
    style = _STYLES[record.whereabouts]
    match record.whereabouts:
        case Whereabouts.ON_DEVICE:
            then = reader.say("已保存，有网络时运行 gridlog sync 发送。", "Saved. Run gridlog sync to send it.")
        case Whereabouts.HELD:
            then = " ".join(held_reason(note, record.kind, reader) for note in held)
        case Whereabouts.REJECTED:
            then = reader.say("理由见 gridlog held；可以改后重新填写。", "Why: gridlog held. You can write it again.")
        case Whereabouts.RECEIVED:
            receipt = record.receipt
            then = reader.say(f"回执 {receipt}", f"receipt {receipt}") if receipt else ""
    colon = reader.say("：", ": ")
    return Line.assemble((f"● {words}", style), f"{colon}{then}" if then else "")


def conflicts_block(conflicts: Sequence[Conflict], record: Record, reader: Reader) -> RenderableType:
    """Return what contradicts what in one record: each value, who wrote it, and which one is shown meanwhile."""
    lines = Line()
    for conflict in conflicts:
        field = reader.field(record.kind, conflict.field)
        label = reader.field_label(record.kind, conflict.field)
        if conflict.unseen:
            waits = reader.say(
                "还有别人写的内容，作废或终止时没有看到，都保留着，要有人决定",
                "others wrote what whoever ended this had not seen; somebody must decide",
            )
        elif conflict.severity is Severity.HARD:
            waits = reader.say(
                "几个人写得不一样，都保留着，要有人决定", "people wrote different things; somebody must decide"
            )
        else:
            waits = reader.say(
                "几个人写得不一样，已按规则选一个", "people wrote different things; the rule chose one"
            )
        lines.append(
            f"⚠ {label}{reader.say('：', ': ')}{waits}\n", style="red" if conflict.severity == "hard" else "yellow"
        )
        for head in conflict.heads:
            lines.append_text(_head_line(conflict, head, field, reader))
        for unseen in conflict.unseen:
            lines.append_text(_unseen_line(unseen, record.kind, reader))
    assignments = " ".join(f"{name}=…" for name in dict.fromkeys(conflict.field for conflict in conflicts))
    choose = f"gridlog resolve {short_id(record.id)} {assignments}"
    lines.append(
        reader.say(f"  ▶ 是目前显示的。要改定：{choose}", f"  ▶ is what is shown meanwhile. To settle it: {choose}"),
        style="dim",
    )
    return lines


def pending_table(ops: Sequence[PendingOp], titles: Mapping[RecordId, str], reader: Reader) -> RenderableType:
    """Return the table of `pending`: what the server has not acknowledged, oldest first."""
    table = table_of(reader, "写于|Written", "标识|Id", "记录|Record", "项目|Fields")
    for op in ops:
        labels = ", ".join(reader.field_label(op.kind, name) for name in op.fields)
        name = (
            f"{reader.kind_label(op.kind)} · {titles[op.record]}"
            if op.record in titles
            else reader.kind_label(op.kind)
        )
        table.add_row(written(op.wall_ms), short_id(op.record), escape(name), escape(labels))
    return table


def held_table(notes: Sequence[HeldNote], records: Mapping[RecordId, Record], reader: Reader) -> RenderableType:
    """Return the table of `held`: what the server has but keeps aside, and why."""
    table = table_of(reader, "标识|Id", "记录|Record", "原因|Why")
    for note in notes:
        record = records.get(note.record)
        title = f"{reader.kind_label(record.kind)} · {reader.title(record)}" if record else "—"
        reason = held_reason(note, record.kind if record else "", reader)
        table.add_row(short_id(note.record), escape(title), escape(reason))
    return table


def decided_table(notes: Sequence[DecidedNote], reader: Reader) -> RenderableType:
    """Return what was decided about held edits, newest first: by whom, why, and what they said."""
    table = table_of(reader, "标识|Id", "内容|What it said", "决定|Decision", "谁|By", "时间|When", "理由|Why")
    for note in notes:
        kind = reader.kinds.get(note.kind)
        said = []
        for name, value in note.values.items():
            field = kind.fields.get(name) if kind else None
            text = shown_value(field, value, reader.language, names=reader.names)
            said.append(f"{reader.field_label(note.kind, name)}={text}")
        with_record = reader.say("（随登记一起）", " (with the record)") if note.with_record else ""
        verdict = f"{_VERDICTS[note.verdict].spoken(reader.language)}{with_record}"
        style = "red" if note.verdict is Verdict.REJECTED else "green"
        table.add_row(
            short_id(note.record),
            escape(", ".join(said)),
            Line(verdict, style=style),
            escape(visible(note.by)),
            written(note.decided_ms),
            escape(visible(note.reason)),
        )
    return table


def held_reason(note: HeldNote, kind: str, reader: Reader) -> str:
    """Say why an edit was held, and of which field."""
    label = reader.field_label(kind, note.field)
    reason = note.text.spoken(reader.language)
    return f"{label}{reader.say('：', ': ')}{reason}" if label else reason


def short_id(record: RecordId) -> str:
    """Abbreviate a record's id to its time."""
    return shown(record)[:SHORT_ID_CHARACTERS]


def short_ids(records: Sequence[RecordId]) -> list[str]:
    """Abbreviate ids, but keep whole those that would look alike."""
    short = [short_id(each) for each in records]
    return [name if short.count(name) == 1 else shown(each) for each, name in zip(records, short, strict=True)]


def record_json(record: Record) -> dict[str, Any]:
    """Return a record as plain JSON values."""
    return {
        "id": shown(record.id),
        "kind": record.kind,
        "where": record.whereabouts.name.lower(),
        "receipt": record.receipt,
        "in_conflict": record.is_in_conflict,
        "author": shown(record.author) if record.author else None,
        "values": values_json(record.values),
    }


def values_json(values: Mapping[str, Value]) -> dict[str, Any]:
    """Return values by field as plain JSON values; bytes as an id is written."""
    return {name: _json_value(value) for name, value in values.items()}


def conflicts_json(conflicts: Sequence[Conflict], kind: Kind | None) -> list[dict[str, Any]]:
    """Return conflicts of a record as plain JSON values; times are Unix milliseconds."""
    fields = kind.fields if kind else {}
    return [
        {
            "field": conflict.field,
            "key": conflict.key,
            "severity": conflict.severity.value,
            "shown": _json_value(conflict.shown),
            "values": [_head_json(fields.get(conflict.field), head) for head in conflict.heads],
            "unseen": [
                {"field": each.field, "key": each.key} | _head_json(fields.get(each.field), each.head)
                for each in conflict.unseen
            ],
        }
        for conflict in conflicts
    ]


def _head_json(field: Field | None, head: Head) -> dict[str, Any]:
    value, written_ms = said_by(field, head), milliseconds_of(head.stamp)
    return {"value": _json_value(value), "author": shown(head.author), "written_ms": written_ms}


def _head_line(conflict: Conflict, head: Head, field: Field | None, reader: Reader) -> Line:
    value = said_by(field, head)
    is_shown = value == conflict.shown
    key = f"{visible(conflict.key)}{reader.say('：', ': ')}" if conflict.key and value is not None else ""
    text = shown_element(field, value, reader.language, names=reader.names, is_whole=True)
    return Line.assemble(
        "  ▶ " if is_shown else "    ",
        (f"{key}{text}", "bold" if is_shown else ""),
        (f"  — {reader.who(head.author)}, {written(milliseconds_of(head.stamp))}\n", "dim"),
    )


def _unseen_line(unseen: Unseen, kind: str, reader: Reader) -> Line:
    value = said_by(reader.field(kind, unseen.field), unseen.head)
    text = shown_element(reader.field(kind, unseen.field), value, reader.language, names=reader.names, is_whole=True)
    label = f"{reader.field_label(kind, unseen.field)}{reader.say('：', ': ')}"
    by = f"  — {reader.who(unseen.head.author)}, {written(milliseconds_of(unseen.head.stamp))}\n"
    return Line.assemble(f"  + {label}{text}", (by, "dim"))


def overruled_block(overruled: Sequence[Overruled], record: Record, reader: Reader) -> RenderableType:
    """Return where somebody decided for another's value than this worker's, and how to put it back."""
    lines = Line()
    for each in overruled:
        field = reader.field(record.kind, each.field)
        mine, shown_now = (
            shown_element(field, value, reader.language, names=reader.names, is_whole=True)
            for value in (each.mine, each.shown)
        )
        label = reader.field_label(record.kind, each.field)
        zh = f"{label}：没有采用您写的“{mine}”，现在是“{shown_now}”。\n"
        lines.append(reader.say(zh, f"{label}: not yours, {mine!r}, was kept, but {shown_now!r}.\n"), style="yellow")
    put_back = f"gridlog edit {short_id(record.id)} {overruled[0].field}=…"
    lines.append(reader.say(f"  要改回去：{put_back}", f"  To put it back: {put_back}"), style="dim")
    return lines


def _where(record: Record, reader: Reader) -> Line:
    words = record.whereabouts.value.spoken(reader.language)
    line = Line(f"● {words}", style=_STYLES[record.whereabouts])
    if record.is_in_conflict:
        line.append(reader.say("\n⚠ 有冲突", "\n⚠ in conflict"), style="red")
    return line


def _in_order(values: Mapping[str, Value], kind: Kind | None) -> list[str]:
    """Return the fields as a form has them: the kind's own, then those of every record, then unknown ones."""
    known = [name for name in kind.fields if name in values] if kind else []
    shared = shipped_envelope().fields
    return sorted(known, key=lambda name: name in shared) + [name for name in values if name not in known]


def table_of(reader: Reader, *columns: str) -> Table:
    """Return an empty table; a column is called `中文|English`."""
    table = Table()
    for column in columns:
        zh, en = column.split("|")
        table.add_column(reader.say(zh, en), overflow="fold")
    return table


def _json_value(value: Value) -> Any:
    match value:
        case bytes():
            return shown(value)
        case list():
            return [_json_value(each) for each in value]
        case dict():
            return {key: _json_value(each) for key, each in value.items()}
        case _:
            return value
