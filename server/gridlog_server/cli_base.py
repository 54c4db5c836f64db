"""What all commands share: options, sentences in two languages, and the ways to ask and to order.

A question opens the database for reading, beside a running server or without one. An order goes to the running
server through its local socket; if none runs, it is carried out here, under the lock of the data directory.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console

from gridlog_protocol.texts import Text, language_of

from . import app, listing, operators
from .cli_socket import ask_running
from .control import ControlJournalError
from .keyfile import KeyFileError, RecoveryKeyError
from .service.inspection import Inspection
from .service.refusing import RefusedError
from .settings import Settings, SettingsError, load
from .store.contract import StoreUnavailableError
from .store.sqlite_files import StoreFormatError

LANGUAGE = language_of(os.environ.get("GRIDLOG_LANG"), os.environ.get("LANG"))
DEFAULT_DATA = Path("gridlog-server-data")
LIMIT = 30
_LIMIT_MAX = 100_000

T = TypeVar("T")
out = Console()
err = Console(stderr=True)


def say(zh: str, en: str) -> str:
    """Return the sentence in the operator's language."""
    return Text(zh, en).spoken(LANGUAGE)


# Whether it may be read is found out in opening it, and said in both languages.
Data = Annotated[
    Path,
    typer.Option("--data", envvar="GRIDLOG_SERVER_DATA", readable=False, help=say("数据目录。", "Data directory.")),
]
StaffNo = Annotated[str, typer.Argument(help=say("工号。", "Staff number."))]
AsJson = Annotated[bool, typer.Option("--json", help=say("输出 JSON。", "Print JSON."))]
Limit = Annotated[int, typer.Option(min=1, max=_LIMIT_MAX, help=say("最多几条。", "At most so many."))]
Reason = Annotated[str, typer.Option(help=say("理由，可不写。", "Why; may be left out."))]
DecidedBy = Annotated[str, typer.Option(help=say("由谁决定。", "Who decides."))]


def say_json(value: Any) -> None:
    """Print for a script: never coloured, whatever the terminal or its environment wants."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def fail(zh: str, en: str) -> NoReturn:
    """Say why the command ends here, and end it with exit status 1."""
    err.print(say(zh, en), style="red", highlight=False, markup=False)
    raise typer.Exit(1)


def settings_at(data: Path) -> Settings:
    """Return the settings of a data directory, or end the command."""
    try:
        return load(data, os.environ)
    except SettingsError as wrong:
        fail(wrong.text.zh, wrong.text.en)
    except PermissionError as reason:
        _fail_forbidden(reason)


def look(data: Path, question: Callable[[Inspection], Awaitable[T]]) -> T:
    """Ask the database, and return the answer."""
    settings = settings_at(data)

    async def ask() -> T:
        async with app.inspecting(settings) as inspection:
            return await question(inspection)

    return guarded(ask())


def order(data: Path, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    """Have a command carried out, and return its answer; end with a sentence if it cannot be."""
    settings = settings_at(data)
    try:
        return guarded(_carry_out(settings, name, facts))
    except listing.CommandError as wrong:
        fail(wrong.text.zh, wrong.text.en)


def guarded(work: Coroutine[Any, Any, T]) -> T:
    """Run what opens keys or database; end with a sentence if they cannot be used."""
    try:
        return asyncio.run(work)
    except RefusedError as wrong:
        fail(wrong.text.zh, wrong.text.en)
    except KeyFileError as reason:
        fail(f"密钥文件有问题：{reason}", f"Key file: {reason}")
    except RecoveryKeyError as reason:
        fail(
            f"恢复公钥应为 PEM 格式的 X25519 公钥：{reason}。",
            f"The recovery key must be an X25519 public key in PEM: {reason}.",
        )
    except ControlJournalError as reason:
        fail(f"管控日志有问题：{reason}", f"Control journal: {reason}")
    except (StoreFormatError, FileNotFoundError) as reason:
        fail(f"数据库打不开：{reason}", f"Cannot open the database: {reason}")
    except StoreUnavailableError as reason:
        fail(
            f"数据库不能写入，什么都没有改动：{reason}",
            f"The database cannot be written, nothing was changed: {reason}",
        )
    except PermissionError as reason:
        _fail_forbidden(reason)


def _fail_forbidden(reason: PermissionError) -> NoReturn:
    fail(
        f"没有权限使用 {reason.filename}：请以运行服务器的用户执行。",
        f"{reason.filename} may not be used: run this as the user that the server runs as.",
    )


async def _carry_out(settings: Settings, name: str, facts: dict[str, Any]) -> dict[str, Any]:
    try:
        with app.sole_writer(settings):
            async with app.services(settings) as opened:
                return await listing.spoken(opened.commands.run(name, facts, operator=operators.of_this_process()))
    except app.InUseError:
        return ask_running(settings.socket, name, facts)
