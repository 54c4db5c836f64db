"""Commands about who may sign in to the console: passwords, roles, open sessions."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from .cli_base import DEFAULT_DATA, LANGUAGE, AsJson, Data, StaffNo, fail, order, out, say, say_json
from .listing_people import role_label
from .service.passwords import generated


def password(
    staff_no: StaffNo,
    from_stdin: Annotated[
        bool, typer.Option("--password-stdin", help=say("从标准输入读一行。", "Read one line of standard input."))
    ] = False,
    generate: Annotated[
        bool, typer.Option("--generate", help=say("随机生成，只显示一次。", "Make a random one, and print it once."))
    ] = False,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Set a password."""
    if from_stdin and generate:
        fail("--password-stdin 和 --generate 不能一起用。", "--password-stdin and --generate do not go together.")
    made = generated() if generate else ""
    given = made or (sys.stdin.readline().rstrip("\r\n") if from_stdin else _asked())
    answer = order(data, "user_password", {"staff_no": staff_no, "password": given})
    if as_json:
        say_json(answer | ({"password": made} if made else {}))
        return
    if made:
        out.print(
            say(f"密码（只显示这一次）：{made}", f"Password, shown this once: {made}"), markup=False, highlight=False
        )
    _say_granted(answer)


def grant(
    staff_no: StaffNo,
    roles: Annotated[
        list[str],
        typer.Option("--role", help=say("worker、supervisor 或 administrator，可多次。", "A role; repeatable.")),
    ],
    subtree: Annotated[
        str,
        typer.Option(help=say("督导哪个网格及其下级；不写为全部。", "Supervises this grid and all below; else all.")),
    ] = "",
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Grant."""
    answer = order(data, "user_grant", {"staff_no": staff_no, "roles": roles, "subtree": subtree})
    if as_json:
        say_json(answer)
    else:
        _say_granted(answer)


def sign_out(staff_no: StaffNo, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """End sessions."""
    answer = order(data, "user_sign_out", {"staff_no": staff_no})
    if as_json:
        say_json(answer)
    else:
        _say_ended(answer)


def _asked() -> str:
    words = say("密码", "Password"), say("再输入一次", "Once more")
    first, second = (typer.prompt(each, hide_input=True, err=True) for each in words)
    if first != second:
        fail("两次输入的密码不一样。", "The two passwords differ.")
    return str(first)


def _say_granted(answer: dict[str, Any]) -> None:
    roles = "、".join(role_label(each, LANGUAGE) for each in answer["roles"])
    below = answer["subtree"] or say("全部网格", "all grids")
    can = say("可以登录", "may sign in") if answer["has_password"] else say("还没有密码", "has no password yet")
    out.print(f"{answer['staff_no']} {answer['name']}: {roles} @ {below}, {can}", markup=False, highlight=False)
    _say_ended(answer)


def _say_ended(answer: dict[str, Any]) -> None:
    ended = answer["sessions_ended"]
    out.print(say(f"结束了 {ended} 个登录。", f"Sessions ended: {ended}."))
