"""Commands about who works where: people and grids."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated, Any

import typer

from . import cli_accounts, listing_clocks, listing_people
from .cli_base import (
    DEFAULT_DATA,
    LANGUAGE,
    LIMIT,
    AsJson,
    Data,
    Limit,
    Reason,
    StaffNo,
    fail,
    look,
    order,
    out,
    say,
    say_json,
)

user = typer.Typer(no_args_is_help=True, help=say("人员。", "People."))
grid = typer.Typer(no_args_is_help=True, help=say("网格。", "Grids."))

GridCodes = Annotated[list[str] | None, typer.Option("--grid", help=say("网格，可多次。", "A grid; repeatable."))]
Status = Annotated[str | None, typer.Option(help=say("只看这种状态。", "Only those of a status."))]


@user.command("add", help=say("新增一个人。", "Make somebody known."))
def user_add(
    staff_no: StaffNo,
    name: Annotated[str, typer.Option(help=say("姓名。", "Name."))],
    grids: GridCodes = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Add."""
    answer = order(data, "user_add", {"staff_no": staff_no, "name": name, "grids": grids or []})
    _say_person(answer, as_json=as_json)


@user.command("list", help=say("全部人员。", "Everybody."))
def user_list(status: Status = None, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """List people."""
    lines = look(data, lambda inspection: inspection.people(status=status))
    if as_json:
        say_json([listing_people.person_json(line) for line in lines])
    else:
        out.print(listing_people.people_table(lines, LANGUAGE))


@user.command("show", help=say("一个人和他的终端。", "One person, with his devices."))
def user_show(staff_no: StaffNo, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Show a person."""
    line, devices = look(data, lambda inspection: inspection.person(staff_no))
    if as_json:
        own = [listing_clocks.device_json(each) for each in devices]
        say_json(listing_people.person_json(line) | {"devices": own})
    else:
        out.print(listing_people.person_page(line, devices, LANGUAGE))


@user.command("grids", help=say("让一个人只负责这些网格。", "Let somebody work in these grids and no others."))
def user_grids(
    staff_no: StaffNo,
    grids: Annotated[list[str], typer.Argument(help=say("网格编码。", "Grid codes."))],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Assign."""
    _say_person(order(data, "user_grids", {"staff_no": staff_no, "grids": grids}), as_json=as_json)


@user.command("disable", help=say("停用一个人：他的终端都不能同步。", "Turn away all devices of somebody."))
def user_disable(staff_no: StaffNo, reason: Reason = "", data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Disable."""
    _say_person(order(data, "user_disable", {"staff_no": staff_no, "reason": reason}), as_json=as_json)


@user.command("enable", help=say("重新启用一个人。", "Let somebody work again."))
def user_enable(staff_no: StaffNo, reason: Reason = "", data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Enable."""
    _say_person(order(data, "user_enable", {"staff_no": staff_no, "reason": reason}), as_json=as_json)


user.command("password", help=say("设置密码；他的登录都会结束。", "Set a password; ends all sessions."))(
    cli_accounts.password
)
user.command("grant", help=say("让一个人只有这些角色。", "Let somebody have these roles and no others."))(
    cli_accounts.grant
)
user.command("sign-out", help=say("结束一个人的全部登录。", "End all sessions of somebody."))(cli_accounts.sign_out)


@grid.command("list", help=say("已导入的网格和负责人。", "The grids that were imported, and who works in them."))
def grid_list(data: Data = DEFAULT_DATA, limit: Limit = LIMIT, as_json: AsJson = False) -> None:
    """List grids."""
    lines = look(data, lambda inspection: inspection.grids())[:limit]
    if as_json:
        say_json([listing_people.grid_json(line) for line in lines])
    else:
        out.print(listing_people.grids_table(lines, LANGUAGE))


@grid.command("import", help=say("从表格（CSV）导入网格。", "Import grids from a table (CSV)."))
def grid_import(
    file: Annotated[Path, typer.Argument(help=say("CSV 文件，首行是列名。", "CSV; the first line names columns."))],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Import grids."""
    say_imported(order(data, "import_grids", {"rows": _rows(file)}), as_json=as_json)


def say_imported(answer: dict[str, Any], *, as_json: bool) -> None:
    """Say how much was read and is new."""
    if as_json:
        say_json(answer)
    else:
        counts = answer["read"], answer["written"]
        out.print(say("读到 {} 条，新增 {} 条。".format(*counts), "Read {}, new {}.".format(*counts)))


def _rows(file: Path) -> list[dict[str, str]]:
    try:
        raw = file.read_bytes()
    except OSError as reason:
        fail(f"读不了 {file}：{reason.strerror}", f"Cannot read {file}: {reason.strerror}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        # What a Chinese Excel saves; whatever it is not would show as wrong column names.
        text = raw.decode("gb18030", errors="replace")
    rows = [*csv.reader(text.splitlines())]
    if not rows:
        fail(f"{file} 是空的。", f"{file} is empty.")
    columns, lines = rows[0], [row for row in rows[1:] if any(cell.strip() for cell in row)]
    for number, row in enumerate(lines, start=1):
        if len(row) != len(columns):
            fail(
                f"第 {number} 行有 {len(row)} 列，应有 {len(columns)} 列。",
                f"Row {number} has {len(row)} columns, not {len(columns)}.",
            )
    return [dict(zip(columns, row, strict=True)) for row in lines]


def _say_person(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(answer)
        return
    status = listing_people.state(answer["status"], LANGUAGE)
    grids = "、".join(answer["grids"]) or say("没有网格", "no grids")
    out.print(f"{answer['staff_no']} {answer['name']}: {status}, {grids}", markup=False, highlight=False)
