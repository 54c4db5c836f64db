"""The commands of an administrator: codes for handhelds, people, devices, grids, imports, gaps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from . import cli_codes, listing_people
from .cli_base import (
    DEFAULT_DATA,
    LANGUAGE,
    LIMIT,
    AsJson,
    Data,
    DecidedBy,
    Limit,
    StaffNo,
    fail,
    look,
    order,
    out,
    say,
    say_json,
)
from .cli_devices import device
from .cli_people import grid, say_imported, user

admin = typer.Typer(no_args_is_help=True, help=say("登记终端、导入资料。", "Enrol devices, import reference data."))

admin.add_typer(user, name="user")
admin.add_typer(device, name="device")
admin.add_typer(grid, name="grid")


@admin.command(help=say("给一个人发一次性登记码。", "Make a one-time enrolment code for somebody's handheld."))
def enroll(
    staff_no: StaffNo,
    name: Annotated[str, typer.Option(help=say("姓名，新人必填。", "Name; wanted for a new person."))] = "",
    grid: Annotated[
        list[str] | None,
        typer.Option(help=say("负责的网格，可多次；新人必填。", "A grid; repeatable; wanted for a new person.")),
    ] = None,
    qr: Annotated[bool, typer.Option("--qr", help=say("在终端显示二维码。", "Show a QR code here."))] = False,
    png: Annotated[
        Path | None, typer.Option(help=say("二维码图片，写到这个文件。", "Write the QR code to this file."))
    ] = None,
    svg: Annotated[Path | None, typer.Option(help=say("二维码矢量图，写到这个文件。", "Likewise, as SVG."))] = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Invite."""
    if qr and as_json:
        fail("--qr 和 --json 不能一起用。", "--qr and --json do not go together.")
    with cli_codes.pictures({"png": png, "svg": svg}) as files:
        answer = order(data, "enroll", {"staff_no": staff_no, "name": name, "grids": grid or []})
        cli_codes.draw(answer["code"], files)
    if as_json:
        say_json(answer)
    else:
        cli_codes.say_code(answer, with_qr=qr)


@admin.command(help=say("不再等待缺少的修改，后面的转为待核对。", "Stop waiting for missing ops."))
def close_gap(
    device: Annotated[str, typer.Argument(help=say("终端，见 held。", "The device, as `held` names it."))],
    incarnation: Annotated[str, typer.Argument(help=say("编号段，见 held。", "As `held` names it."))],
    by: DecidedBy,
    reason: Annotated[str, typer.Option(help=say("理由，5 到 200 字。", "Why, 5 to 200 characters."))],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Close a gap."""
    facts = {"device": device, "incarnation": incarnation, "by": by, "reason": reason}
    answer = order(data, "close_gap", facts)
    if as_json:
        say_json(answer)
        return
    first, last, number = answer["first_seq"], answer["last_seq"], answer["held"]
    out.print(
        say(
            f"不再等待 {first} 到 {last}；后面 {number} 项修改转为待核对。",
            f"Ops {first} to {last} are not waited for any more; {number} behind them are held.",
        )
    )


@admin.command("import", help=say("导入网格和住户（JSON）。", "Import grids and households from a JSON file."))
def import_(
    file: Annotated[Path, typer.Argument(help=say("JSON 文件。", "JSON file: a list of {id, kind, values}."))],
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Import."""
    try:
        rows = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as reason:
        fail(f"读不了 {file}：{reason}", f"Cannot read {file}: {reason}")
    say_imported(order(data, "import", {"records": rows}), as_json=as_json)


@admin.command(help=say("管理员做过什么。", "What administrators did, newest first."))
def acts(data: Data = DEFAULT_DATA, limit: Limit = LIMIT, as_json: AsJson = False) -> None:
    """List acts."""
    found = look(data, lambda inspection: inspection.acts(limit))
    if as_json:
        say_json([listing_people.act_json(each) for each in found])
    else:
        out.print(listing_people.acts_table(found, LANGUAGE))
