"""Options and arguments that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_store import say

Store = Annotated[
    Path, typer.Option("--store", envvar="GRIDLOG_STORE", help=say("数据目录。", "The store's directory."))
]
AsJson = Annotated[bool, typer.Option("--json", help=say("输出 JSON。", "Print JSON."))]
KindName = Annotated[str, typer.Argument(metavar="KIND", help=say("种类，如 patrol 或 巡查。", "Kind, e.g. patrol."))]
IdPrefix = Annotated[
    str, typer.Argument(metavar="ID", help=say("记录标识，写开头几位即可。", "Record id; its beginning will do."))
]
Assignments = Annotated[
    list[str],
    typer.Argument(
        metavar="FIELD=VALUE...", help=say("项目=内容；+= 增加，-= 去掉。", "field=value; += adds, -= takes away.")
    ),
]
Weak = Annotated[bool, typer.Option("--weak-kdf-for-tests", envvar="GRIDLOG_WEAK_KDF_FOR_TESTS", hidden=True)]
DEFAULT_STORE = Path("gridlog-store")
