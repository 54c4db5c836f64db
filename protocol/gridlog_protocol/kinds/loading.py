"""Make record kinds from TOML text, refusing every mistake with its place and reason.

The form is described in `protocol/KINDS.md`. A site's administrator writes these files, so an error names the file,
the field and the reason in both languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds.fitness import misfit
from gridlog_protocol.kinds.loading_checks import Known, check_scalars, read_checks, type_at
from gridlog_protocol.kinds.loading_types import read_type
from gridlog_protocol.kinds.model import (
    Envelope,
    Field,
    Kind,
    KindSet,
    Merge,
    Required,
    RequiredWhen,
    Sensitivity,
)
from gridlog_protocol.kinds.toml_table import KindFileError, Table
from gridlog_protocol.kinds.validation import check_value

__all__ = ["KindFileError", "KindSet", "parse_envelope", "parse_kind"]


def parse_envelope(text: str, *, source: str) -> Envelope:
    """Read the fields that every record has. Raises KindFileError."""
    table = Table.parsed(text, source=source)
    version = _version(table)
    fields = _fields(table, inherited={}, is_envelope=True)
    checks = read_checks(table, _known(fields))
    table.close()
    return Envelope(version, MappingProxyType(fields), checks)


def parse_kind(text: str, *, source: str, envelope: Envelope | None) -> Kind:
    """Read one kind; its fields follow the envelope's, its own declaration winning. Raises KindFileError."""
    table = Table.parsed(text, source=source)
    inherited = dict(envelope.fields) if envelope is not None else {}
    name, version, label = table.name("name"), _version(table), table.label()
    own = _fields(table, inherited=inherited)
    fields = {**inherited, **own}
    shared_checks = envelope.checks if envelope is not None else ()
    kind = Kind(
        name,
        version,
        label,
        MappingProxyType(fields),
        (*shared_checks, *read_checks(table, _known(fields))),
        table.strings("title_fields"),
        _scope_field(table),
        table.flag("urgent"),
    )
    table.close()
    _check_shown(table, kind)
    return kind


def _scope_field(table: Table) -> str:
    # Reference data has no scope of its own: every device of the tenant holds it.
    if table.raw("scope_field") == "":
        return ""
    return table.words("scope_field") if table.has("scope_field") else "grid_code"


def _version(table: Table) -> int:
    version = table.whole("version")
    if version < 1:
        raise table.refused("从 1 开始", "starts at 1", key="version")
    return version


def _known(fields: Mapping[str, Field]) -> Known:
    return {name: field.type for name, field in fields.items()}


def _fields(table: Table, *, inherited: Mapping[str, Field], is_envelope: bool = False) -> dict[str, Field]:
    rows = dict(table.table("fields", path="").named())
    # A condition may name a field that is declared further down: read every type first.
    types = {name: read_type(row) for name, row in rows.items()}
    known = {**_known(inherited), **types}
    fields: dict[str, Field] = {}
    for name, row in rows.items():
        if name in inherited and inherited[name].from_op:
            raise row.refused(
                "此信封字段取自操作头，不能重新声明",
                "this envelope field is read from the op and cannot be declared again",
            )
        if row.has("from_op") and not is_envelope:
            raise row.refused("只有信封字段可用", "only for fields of the envelope", key="from_op")
        fields[name] = _field(name, row, known)
    return fields


def _field(name: str, row: Table, known: Known) -> Field:
    type_ = known[name]
    merge = Merge(row.one_of("merge", tuple(Merge)))
    reason = misfit(merge, type_)
    if reason is not None:
        raise row.refused(reason.zh, reason.en, key="merge")
    required = Required(row.one_of("required", tuple(Required)))
    field = Field(
        name,
        row.label(),
        type_,
        required,
        Sensitivity(row.one_of("sensitivity", tuple(Sensitivity))),
        merge,
        row.words("why"),
        required_when=_required_when(row, required, known),
        default=_default(row),
        from_op=row.flag("from_op"),
        is_masked=row.flag("masked"),
    )
    row.close()
    wrong = check_value(field, field.default) if row.has("default") else None
    if wrong is not None:
        raise row.refused(wrong.text.zh, wrong.text.en, key="default")
    return field


def _default(row: Table) -> Value:
    value = row.raw("default")
    if value is None or isinstance(value, (bool, int, str)) or value in ([], {}):
        return [] if value == [] else {} if value == {} else value
    raise row.refused(
        "默认值应为文字、整数、true/false 或空列表",
        "a default is text, a whole number, true/false, or an empty list or map",
        key="default",
    )


def _required_when(row: Table, required: Required, known: Known) -> RequiredWhen | None:
    if row.has("required_when") != (required is Required.CONDITIONAL):
        raise row.refused(
            'required = "conditional" 要有 required_when，其他情况不能有',
            'required_when goes with required = "conditional", and with nothing else',
            key="required_when",
        )
    if required is not Required.CONDITIONAL:
        return None
    table = row.table("required_when")
    field = table.words("field") if table.has("field") else None
    values = table.scalars("is")
    if field is not None:
        check_scalars(table, type_at(table, field, known, key="field"), values, key="is")
    steps = tuple(table.snake(step, key="steps") for step in table.strings("steps"))
    guard = table.name("guard") if table.has("guard") else None
    when = RequiredWhen(field, values, steps, guard, table.count("items_min", 1))
    if not (field or steps or guard) or (values and not field):
        raise table.refused("要给出 field、steps 或 guard", "needs a field, steps or a guard")
    table.close()
    return when


def _check_shown(table: Table, kind: Kind) -> None:
    if not kind.title_fields:
        raise table.refused("至少要有一个字段", "needs at least one field", key="title_fields")
    for name in kind.title_fields:
        field = kind.fields.get(name)
        if field is None:
            raise table.refused(f"没有“{name}”", f"there is no {name!r}", key="title_fields")
        if field.sensitivity is Sensitivity.SENSITIVE:
            raise table.refused(
                f"“{name}”是敏感信息，不能出现在列表里",
                f"{name!r} is sensitive and may not appear in a list",
                key="title_fields",
            )
    if kind.scope_field and kind.scope_field not in kind.fields:
        raise table.refused(f"没有“{kind.scope_field}”", f"there is no {kind.scope_field!r}", key="scope_field")
