"""What the command `gridlog kinds` shows: what can be written down, and what to type for each field."""

from __future__ import annotations

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from gridlog_protocol.kinds import (
    Amount,
    Choice,
    Code,
    Day,
    Digest32,
    Field,
    Flag,
    Identity,
    Kind,
    KindSet,
    Line,
    ListOf,
    MapOf,
    Merge,
    Moment,
    Point,
    Reference,
    Required,
    SetOf,
    Shape,
    Struct,
    ValueType,
    Whole,
    Words,
    shipped_envelope,
)
from gridlog_protocol.texts import Language, Text

_RULES = {
    Merge.IMMUT: Text("写后不改", "written once"),
    Merge.LWW: Text("后写的算", "the later one counts"),
    Merge.MV: Text("都保留，由人决定", "all kept, a person decides"),
    Merge.AWSET: Text("合在一起", "put together"),
    Merge.APPEND: Text("只增不减", "only grows"),
    Merge.COUNTER: Text("相加", "added up"),
    Merge.RANK: Text("按流程", "by the workflow"),
    Merge.MAX: Text("取大取晚", "the higher or later counts"),
    Merge.MIN: Text("取小取早", "the lower or earlier counts"),
    Merge.SERVER: Text("服务器填写", "the server's"),
    Merge.DERIVED: Text("服务器计算", "computed"),
}
_REQUIRED = {Required.YES: Text("必填", "required"), Required.CONDITIONAL: Text("有时必填", "at times")}


def kinds_table(kinds: KindSet, language: Language) -> RenderableType:
    """Return the table of `kinds`."""
    table = _table(language, "种类|Kind", "名称|Called", "新建时要写|To be given")
    for kind in kinds:
        needed = [each for each in kind.required_at_creation() if each.name not in ("occurred_at", kind.scope_field)]
        names = ", ".join(each.label.zh if language == "zh" else each.name for each in needed)
        table.add_row(kind.name, kind.label.spoken(language), escape(names))
    return table


def fields_table(kind: Kind, language: Language) -> RenderableType:
    """Return the table of `kinds KIND`: the fields that a worker can write, what must be given first."""
    table = _table(language, "项目|Field", "怎样填|What to type", "必填|Required", "多人填写时|When several write")
    table.title = (
        f"{kind.label.spoken(language)}（{kind.name}）" if language == "zh" else f"{kind.label.en} ({kind.name})"
    )
    required = {field.name for field in kind.required_at_creation()}
    shared = shipped_envelope().fields
    offered = [field for field in kind.fields.values() if is_offered(field)]
    # What must be given comes first, and what every kind has comes last.
    for field in sorted(offered, key=lambda each: (each.name not in required, each.name in shared)):
        need = _REQUIRED.get(field.required)
        if field.required is Required.YES and field.name not in required:
            need = None
        table.add_row(
            f"[bold]{field.name}[/]\n{escape(field.label.spoken(language))}",
            escape(what_to_type(field.type, language)),
            need.spoken(language) if need else "",
            _RULES[field.merge].spoken(language),
        )
    return table


def is_offered(field: Field) -> bool:
    """Tell whether a worker would write the field: no other hand, nor the workflow, fills it in."""
    is_filled_in = field.from_op or field.required is Required.SERVER or field.merge in (Merge.SERVER, Merge.DERIVED)
    is_of_workflow = field.name in shipped_envelope().fields and field.default is not None
    return not is_filled_in and not is_of_workflow


def what_to_type(type_: ValueType, language: Language) -> str:
    """Say what to type for a value of this type."""
    return _hint(type_, language)


def _hint(type_: ValueType, language: Language) -> str:
    match type_:
        case Choice():
            return _choice_hint(type_, language)
        case Reference():
            return _reference_hint(type_).spoken(language)
        case Struct():
            return _members_hint(type_, language)
        case SetOf() | ListOf() | MapOf():
            return _collection_hint(type_, language)
        case _:
            return _plain_hint(type_).spoken(language)


def _plain_hint(type_: ValueType) -> Text:
    match type_:
        case Words(characters_max=limit):
            return Text(f"文字，最多 {limit} 字", f"text, at most {limit} characters")
        case Flag():
            return Text("是 或 否", "yes or no")
        case Whole(minimum=low, maximum=high):
            return (
                Text("整数", "a whole number")
                if high > 1 << 32
                else Text(f"整数，{low} 到 {high}", f"{low} to {high}")
            )
        case Amount(scale=scale):
            return Text(f"数字，{scale} 位小数", f"a number, {scale} decimals")
        case Moment():
            return Text("日期时间：2026-11-22 09:10、09:10 或 现在", "a time: 2026-11-22 09:10, 09:10 or now")
        case Day():
            return Text("日期：2026-11-22 或 今天", "a date: 2026-11-22 or today")
        case Point():
            return Text("纬度, 经度", "latitude, longitude")
        case _:
            return _rare_hint(type_)


def _rare_hint(type_: ValueType) -> Text:
    match type_:
        case Line():
            return Text("纬度, 经度；纬度, 经度", "latitude, longitude; latitude, longitude")
        case Shape():
            return Text("GeoJSON 多边形", "a GeoJSON polygon")
        case Identity():
            return Text("标识", "an id")
        case Code():
            return Text("代码", "a code")
        case Digest32():
            return Text("64 位十六进制摘要", "a SHA-256 in hex")
        case _:
            return Text("JSON", "JSON")


def _reference_hint(type_: Reference) -> Text:
    to = type_.to.replace("_", " ")
    if type_.form == "code":
        return Text("代码", f"a code ({to})")
    hint = Text("“我”或人员标识", "me, or a person's id") if type_.to == "user" else Text("标识", f"an id ({to})")
    return Text(f"{hint.zh}，或姓名", f"{hint.en}, or a name") if type_.name_characters_max else hint


def _choice_hint(type_: Choice, language: Language) -> str:
    if language == "zh":
        return " / ".join(option.label.zh for option in type_.options)
    return " / ".join(option.value for option in type_.options)


def _members_hint(type_: Struct, language: Language) -> str:
    members = [
        f"{name}={_hint(member.type, language)}" if isinstance(member.type, (Choice, Flag)) else f"{name}=…"
        for name, member in type_.members.items()
        if name != "id"
    ]
    return ", ".join(members)


def _collection_hint(type_: SetOf | ListOf | MapOf, language: Language) -> str:
    inner = _hint(type_.element, language)
    match type_:
        case MapOf():
            return f"{Text('名称', 'key').spoken(language)}={inner}"
        case ListOf():
            return Text(f"逐条：{inner}", f"one by one: {inner}").spoken(language)
        case SetOf():
            return Text(f"可多项：{inner}", f"one or more: {inner}").spoken(language)


def _table(language: Language, *columns: str) -> Table:
    table = Table(title_justify="left", show_lines=False)
    for column in columns:
        zh, en = column.split("|")
        table.add_column(Text(zh, en).spoken(language), overflow="fold")
    return table
