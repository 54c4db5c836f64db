"""Commands in a supervisor's name: what waits for him, reviews, and decisions about conflicts."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import typer

from . import listing
from .cli_base import DEFAULT_DATA, LANGUAGE, LIMIT, AsJson, Data, Limit, fail, look, order, out, say, say_json

review = typer.Typer(no_args_is_help=True, help=say("审核。", "Reviews."))
conflicts = typer.Typer(help=say("需要决定的冲突。", "Conflicts: who wrote what without knowing of whom."))

RecordName = Annotated[str, typer.Argument(help=say("记录标识。", "Record id."))]
By = Annotated[str, typer.Option(help=say("督导的工号。", "The supervisor's staff number."))]
At = Annotated[
    int | None,
    typer.Option(min=0, help=say("您看到的位置（at）；之后变了就不做。", "The `at` you saw; refused if it changed.")),
]
Comments = Annotated[
    list[str] | None,
    typer.Option("--comment", help=say("批注，写成 项目=内容，可多次。", "A remark, as FIELD=TEXT; repeatable.")),
]
_CELL = re.compile(r"([a-z][a-z0-9_]*)(?:\[([^\]]+)\])?=(.*)", re.DOTALL)


@review.command("inbox", help=say("有多少在等这位督导。", "How much waits for a supervisor."))
def review_inbox(by: By, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Count."""
    _say(order(data, "review_inbox", {"by": by}), as_json=as_json)


@review.command("list", help=say("待审核的记录，等得最久的在前。", "To review, those that wait longest first."))
def review_list(
    by: By,
    returned: Annotated[bool, typer.Option("--returned", help=say("已退回的。", "Those that went back."))] = False,
    after: Annotated[str, typer.Option(help=say("上一页的 next。", "The `next` of the page before."))] = "",
    limit: Limit = LIMIT,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """List."""
    facts = {"by": by, "returned": returned, "after": after, "limit": limit}
    answer = order(data, "review_list", facts)
    if as_json:
        say_json(answer)
        return
    table = listing.table_of(LANGUAGE, "记录|Record", "种类|Kind", "登记人|Author", "等待自|Since", "位置|At")
    for each in answer["records"]:
        since = listing.moment(each["since_ms"])
        table.add_row(each["record"], each["kind"], listing.shown_words(each["author"]), since, str(each["at"]))
    out.print(table)
    if answer["next"]:
        out.print(say(f"还有：--after {answer['next']}", f"More: --after {answer['next']}"), highlight=False)


@review.command("approve", help=say("审定一条记录。", "Approve a record."))
def review_approve(
    record: RecordName,
    by: By,
    note: Annotated[str, typer.Option(help=say("说明，可不写。", "A note; may be left out."))] = "",
    at: At = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Approve."""
    _say(order(data, "review_approve", {"record": record, "by": by, "note": note, "at": at}), as_json=as_json)


@review.command("return", help=say("退回一条记录，请登记人改正。", "Return a record to its author."))
def review_return(
    record: RecordName,
    by: By,
    reason: Annotated[str, typer.Option(help=say("理由，5 到 200 字。", "Why, 5 to 200 characters."))],
    comments: Comments = None,
    at: At = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Return."""
    facts = {"record": record, "by": by, "reason": reason, "comments": comments or [], "at": at}
    _say(order(data, "review_return", facts), as_json=as_json)


@review.command("comment", help=say("只批注，不改变审核状态。", "Remark on a record, and leave it where it stands."))
def review_comment(
    record: RecordName, by: By, comments: Comments = None, data: Data = DEFAULT_DATA, as_json: AsJson = False
) -> None:
    """Remark."""
    facts = {"record": record, "by": by, "comments": comments or []}
    _say(order(data, "review_remark", facts), as_json=as_json)


@conflicts.callback(invoke_without_command=True)
def conflicts_list(
    context: typer.Context,
    data: Data = DEFAULT_DATA,
    kind: Annotated[str | None, typer.Option(help=say("只看一种，如 patrol。", "One kind, e.g. patrol."))] = None,
    grid: Annotated[str | None, typer.Option(help=say("只看一个网格。", "Only one grid."))] = None,
    limit: Limit = LIMIT,
    as_json: AsJson = False,
) -> None:
    """List conflicts."""
    if context.invoked_subcommand is not None:
        return
    lines = look(data, lambda inspection: inspection.records(kind=kind, grid=grid, in_conflict=True, limit=limit))
    names = look(data, lambda inspection: inspection.names())
    if as_json:
        say_json([row for line in lines for row in listing.conflict_rows(line, names)])
    else:
        out.print(listing.conflicts_table(lines, names, LANGUAGE))


@conflicts.command(
    "show", help=say("一条记录的分歧：每个内容和它的编号。", "A record's conflicts: values and their ops.")
)
def conflicts_show(record: RecordName, by: By, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Show."""
    answer = order(data, "conflicts_show", {"record": record, "by": by})
    if as_json:
        say_json(answer)
        return
    table = listing.table_of(
        LANGUAGE, "项目|Field", "编号|Op", "内容|Value", "谁|Who", "发生|Happened", "收到|Received"
    )
    for each in answer["conflicts"]:
        cell = f"{each['field']}[{each['key']}]" if each["key"] else each["field"]
        for head in each["values"]:
            said = listing.shown_words(json.dumps(head["value"], ensure_ascii=False))
            times = (listing.moment(head[name]) for name in ("happened_ms", "received_ms"))
            table.add_row(listing.shown_words(cell), head["op"], said, listing.shown_words(head["author"]), *times)
    out.print(table)


@conflicts.command(
    "resolve", help=say("决定分歧：选一个，或另写。", "Decide conflicts: choose, or write another value.")
)
def conflicts_resolve(
    record: RecordName,
    by: By,
    choose: Annotated[
        list[str] | None, typer.Option(help=say("项目=编号，见 show；可多次。", "FIELD=OP, see `show`; repeatable."))
    ] = None,
    write: Annotated[
        list[str] | None,
        typer.Option("--set", help=say("项目=内容（文字或 JSON），可多次。", "FIELD=VALUE; repeatable.")),
    ] = None,
    at: At = None,
    data: Data = DEFAULT_DATA,
    as_json: AsJson = False,
) -> None:
    """Resolve."""
    choices = [_cell(each) | {"op": _said(each)} for each in choose or []]
    choices += [_cell(each) | {"value": _value(_said(each))} for each in write or []]
    facts = {"record": record, "by": by, "choices": choices, "at": at}
    _say(order(data, "conflicts_resolve", facts), as_json=as_json)


@conflicts.command("undo", help=say("撤回最近的决定，分歧重新列出。", "Undo the last decision."))
def conflicts_undo(record: RecordName, by: By, data: Data = DEFAULT_DATA, as_json: AsJson = False) -> None:
    """Undo."""
    _say(order(data, "conflicts_undo", {"record": record, "by": by}), as_json=as_json)


def _cell(word: str) -> dict[str, Any]:
    found = _CELL.fullmatch(word)
    if found is None:
        fail(
            f"“{word}”应写成 项目=内容，或 项目[键]=内容。", f"{word!r} should read FIELD=VALUE, or FIELD[KEY]=VALUE."
        )
    return {"field": found[1], "key": found[2] or ""}


def _said(word: str) -> str:
    found = _CELL.fullmatch(word)
    assert found is not None
    return found[3]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _say(answer: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say_json(answer)
    else:
        out.print("  ".join(f"{name}={each}" for name, each in answer.items()), markup=False, highlight=False)
