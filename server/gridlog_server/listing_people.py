"""Tables and JSON about who works with what: people, their devices, grids, and what administrators did."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape

from gridlog_protocol.kinds.presenting import visible
from gridlog_protocol.texts import Language, Text

from .listing import moment, table_of
from .listing_clocks import devices_table
from .service.accounts import roles_of
from .service.inspection import DeviceLine, GridLine, PersonLine
from .service.permitting import ROLE_LABELS, Role
from .store.contract import Act

_STATES = {
    "active": Text("在用", "active"),
    "disabled": Text("已停用", "disabled"),
}


def people_table(lines: Sequence[PersonLine], language: Language) -> RenderableType:
    """Return the table of `admin user list`."""
    table = table_of(
        language, "工号|Staff no.", "姓名|Name", "状态|Status", "终端|Devices", "网格|Grids", "角色|Roles"
    )
    for line in lines:
        person = line.person
        name = escape(visible(person.name)), state(person.status, language)
        grids = "、".join(sorted(person.scopes))
        table.add_row(escape(visible(person.staff_no)), *name, str(line.devices), grids, _roles(line, language))
    return table


def person_page(line: PersonLine, devices: Sequence[DeviceLine], language: Language) -> RenderableType:
    """Return the page of `admin user show`."""
    return Group(people_table([line], language), devices_table(devices, language))


def person_json(line: PersonLine) -> dict[str, Any]:
    """Return a person as plain JSON values."""
    person = line.person
    return {
        "staff_no": person.staff_no,
        "name": person.name,
        "status": person.status,
        "grids": sorted(person.scopes),
        "devices": line.devices,
        "roles": sorted(roles_of(line.account)),
        "subtree": line.account.subtree if line.account else "",
        "has_password": bool(line.account and line.account.password),
    }


def grids_table(lines: Sequence[GridLine], language: Language) -> RenderableType:
    """Return the table of `admin grid list`."""
    table = table_of(language, "编码|Code", "名称|Name", "上级|Parent", "层级|Level", "人员|People")
    for line in lines:
        values = (str(line.values.get(name, "")) for name in ("grid_code", "name", "parent_code", "level"))
        table.add_row(*(escape(visible(each)) for each in values), escape("、".join(line.staff_nos)))
    return table


def grid_json(line: GridLine) -> dict[str, Any]:
    """Return a grid as plain JSON values; null for what it does not say."""
    names = ("grid_code", "name", "parent_code", "level", "kind")
    return {name: line.values.get(name) for name in names} | {"staff_nos": [*line.staff_nos]}


def acts_table(acts: Sequence[Act], language: Language) -> RenderableType:
    """Return the table of `admin acts`."""
    table = table_of(language, "时间|When", "谁|Who", "做了什么|What", "对象|Of", "说明|Detail")
    for each in acts:
        said = (each.by, each.what, each.subject, each.detail)
        table.add_row(moment(each.at_ms), *(escape(visible(words)) for words in said))
    return table


def act_json(act: Act) -> dict[str, Any]:
    """Return an act as plain JSON values."""
    return {"at_ms": act.at_ms, "by": act.by, "what": act.what, "subject": act.subject, "detail": act.detail}


def role_label(role: str, language: Language) -> str:
    """Return the word for a role."""
    return ROLE_LABELS[Role(role)].spoken(language)


def _roles(line: PersonLine, language: Language) -> str:
    labels = "、".join(role_label(each, language) for each in sorted(roles_of(line.account)))
    below = f" @ {escape(visible(line.account.subtree))}" if line.account and line.account.subtree else ""
    return labels + below


def state(status: str, language: Language) -> str:
    """Return the word for a status."""
    known = _STATES.get(status)
    return known.spoken(language) if known else escape(visible(status))
