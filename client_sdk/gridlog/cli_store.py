"""Open the store for one command: what opens it, the record an abbreviated id means, what to say on failure."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import typer
from rich.console import Console

from gridlog_protocol.ids import RecordId, read, shown
from gridlog_protocol.invitation import InvitationError
from gridlog_protocol.kinds import Kind, Required, Violation
from gridlog_protocol.kinds.presenting import visible
from gridlog_protocol.texts import Text, language_of
from gridlog_sync.writing import Change, InvalidRecordError

from .cli_tables import Reader
from .credentials import SECRET_BYTES_MAX, SECRET_BYTES_MIN, Credential, Pin
from .drafts import Draft
from .errors import GridlogError, StoreWipedError, UnknownDraftError, UnknownRecordError
from .records import Record, SyncStatus
from .store import FieldStore
from .typed_plain import WrongValueError
from .vault import SlotKind

LANGUAGE = language_of(os.environ.get("GRIDLOG_LANG"), os.environ.get("LANG"))
PREFIX_DIGITS_MIN = 4
RECORDS_MAX = 1_000_000
_CODE_FILE_MAX = 1 << 16
T = TypeVar("T")
out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(zh: str, en: str) -> str:
    """Return a sentence in the language of whoever runs the command."""
    return Text(zh, en).spoken(LANGUAGE)


def say_json(value: Any) -> None:
    """Print for a script: never coloured, whatever the terminal or its environment wants."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def in_store(directory: Path, work: Callable[[FieldStore], Awaitable[T]]) -> T:
    """Open the store, do the work, close it. What goes wrong is said, and ends the command."""
    return in_store_of(directory, lambda: lambda opened, _: work(opened))


def in_store_of(directory: Path, ask: Callable[[], Callable[[FieldStore, Credential], Awaitable[T]]]) -> T:
    """Do as `in_store`, and hand on what opened it. `ask` asks whatever else is to be asked, and returns the work."""
    with failures_said():
        try:
            slots = FieldStore.slots_at(directory)
        except StoreWipedError:
            # Whoever ordered the wipe waits for its word, and for what had not been sent.
            asyncio.run(FieldStore.send_parting(directory))
            raise
    # Asked before the event loop runs: inside it, Ctrl-C would not end the question.
    typed = credential(slots)
    work = ask()

    async def opened() -> T:
        async with await FieldStore.open(directory, typed) as store:
            return await work(store, typed)

    return carried_out(opened())


def carried_out(work: Coroutine[Any, Any, T]) -> T:
    """Await the work; say what goes wrong, and end the command."""
    with failures_said():
        return asyncio.run(work)


@contextmanager
def failures_said() -> Iterator[None]:
    """Say what goes wrong inside, and end the command: a worker never sees a traceback of something foreseen."""
    try:
        yield
    except InvalidRecordError as wrong:
        fail(*(_with_name(each) for each in wrong.violations))
    except (GridlogError, InvitationError, WrongValueError) as wrong:
        fail(wrong.text)


def code_given(code: str, file: Path | None) -> str:
    """Return the enrolment code as typed, or from a file: its last line with text. `-` is standard input."""
    if bool(code) == (file is not None):
        fail(
            Text(
                "请输入登记码，或用 --file 指定文件，二者取一。", "Give the code, or a file with --file: one of them."
            )
        )
    if file is None:
        return code
    try:
        text = sys.stdin.read(_CODE_FILE_MAX) if str(file) == "-" else _beginning_of(file)
    except (OSError, UnicodeDecodeError) as reason:
        fail(Text(f"读不了 {file}：{reason}", f"Cannot read {file}: {reason}"))
    return (text.strip().splitlines() or [""])[-1]


def _beginning_of(file: Path) -> str:
    with file.open(encoding="utf-8") as opened:
        return opened.read(_CODE_FILE_MAX)


def credential(slots: Collection[SlotKind]) -> Credential:
    """Return what opens a store that exists: from the environment, or typed."""
    given, pin = os.environ.get("GRIDLOG_PASSPHRASE"), os.environ.get("GRIDLOG_PIN")
    if given is not None:
        return given
    if pin is None and SlotKind.PIN in slots:
        pin = asked(say("PIN（直接回车改用口令）", "PIN (Enter alone for the passphrase)"), default="")
    return Pin(pin, device_secret()) if pin else asked(say("口令", "Passphrase"))


def device_secret() -> bytes:
    """Return what makes a PIN more than its digits: the content of the file that GRIDLOG_DEVICE_SECRET names."""
    path = os.environ.get("GRIDLOG_DEVICE_SECRET")
    if not path:
        return b""
    secret = b""
    with suppress(OSError), Path(path).open("rb") as file:
        secret = file.read(SECRET_BYTES_MAX + 1)
    if not SECRET_BYTES_MIN <= len(secret) <= SECRET_BYTES_MAX:
        fail(
            Text(
                f"本机密钥须是 {SECRET_BYTES_MIN} 到 {SECRET_BYTES_MAX} 字节的文件：{path}。",
                f"The device secret must be a file of {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes: {path}.",
            )
        )
    return secret


def new_passphrase() -> str:
    """Return the passphrase for a store to be made; one that is typed is typed twice."""
    question = say("新口令（忘了谁也打不开，请记牢）", "New passphrase (nobody can recover it)")
    return new_secret("GRIDLOG_PASSPHRASE", question)


def new_secret(variable: str, question: str) -> str:
    """Return what shall open a store from now on, from a variable of the environment, or typed twice."""
    given = os.environ.get(variable)
    if given is not None:
        return given
    first = asked(question)
    if first != asked(say("再输入一次", "Once more")):
        fail(Text("两次输入不一样，什么也没有做。", "The two differ; nothing was done."))
    return first


def asked(question: str, *, default: str | None = None) -> str:
    """Ask for what nobody may see on the screen."""
    answer: str = typer.prompt(question, hide_input=True, err=True, default=default, show_default=False)
    return answer


async def reader_of(store: FieldStore) -> Reader:
    """Return who looks at what this store shows."""
    return Reader(LANGUAGE, store.kinds, store.user, (await store.status()).user_name)


async def records_of(store: FieldStore, ids: set[RecordId]) -> dict[RecordId, Record]:
    """Return those of the records that are here, newest first."""
    found = {}
    for each in sorted(ids, reverse=True):
        try:
            found[each] = await store.get(each)
        except UnknownRecordError:
            continue
    return found


async def found_record(store: FieldStore, prefix: str) -> RecordId:
    """Return the one record whose id begins so. Raises UnknownRecordError or WrongValueError."""
    digits = _id_digits(prefix)
    if len(digits) == 32:
        return RecordId(read(digits))
    everything = [await store.query(kind.name, limit=RECORDS_MAX) for kind in store.kinds]
    found = _only_one([record.id for records in everything for record in records], digits)
    if found is None:
        raise UnknownRecordError
    return found


async def found_draft(store: FieldStore, prefix: str) -> Draft:
    """Return the one draft whose id begins so. Raises UnknownDraftError or WrongValueError."""
    drafts = {each.id: each for each in await store.drafts()}
    found = _only_one([*drafts], _id_digits(prefix))
    if found is None:
        raise UnknownDraftError
    return drafts[found]


def _id_digits(prefix: str) -> str:
    digits = prefix.strip().lower().replace("-", "")
    if len(digits) < PREFIX_DIGITS_MIN or set(digits) - set("0123456789abcdef"):
        raise WrongValueError(
            Text(
                f"记录标识至少写 {PREFIX_DIGITS_MIN} 位。",
                f"Give at least {PREFIX_DIGITS_MIN} digits of the record's id.",
            )
        )
    return digits


def _only_one(ids: Sequence[RecordId], digits: str) -> RecordId | None:
    """Return the id that begins so, None if there is none. Raises WrongValueError if there are several."""
    matching = [each for each in ids if each.hex().startswith(digits)]
    if len(matching) > 1:
        some = ", ".join(shown(each) for each in sorted(matching)[:3])
        raise WrongValueError(
            Text(
                f"有 {len(matching)} 条记录以此开头，请多写几位：{some}",
                f"{len(matching)} records begin so; give more digits: {some}",
            )
        )
    return matching[0] if matching else None


def filled_in(kind: Kind, standing: SyncStatus) -> dict[str, Change]:
    """Return what the device knows better than the worker cares to type: now, and the grid if there is only one."""
    filled: dict[str, Change] = {}
    occurred, grids = kind.fields.get("occurred_at"), [each for each in standing.scopes if each != "tenant"]
    if occurred and occurred.required is Required.YES:
        filled["occurred_at"] = now()
    if kind.scope_field and len(grids) == 1:
        filled[kind.scope_field] = grids[0]
    return filled


def now() -> str:
    """Return this moment, with the local offset."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def now_ms() -> int:
    """Return Unix milliseconds."""
    return time.time_ns() // 1_000_000


def fail(*texts: Text) -> NoReturn:
    """Say what is wrong, and end the command."""
    for text in texts:
        # The terminal wraps, not we: a sentence in a log or a pipe stays whole.
        err.print(text.spoken(LANGUAGE), style="red", markup=False, soft_wrap=True)
    raise typer.Exit(1)


def warn(text: Text) -> None:
    """Say beside the output what the worker should know."""
    err.print(f"⚠ {text.spoken(LANGUAGE)}", style="yellow", markup=False, soft_wrap=True)


def _with_name(violation: Violation) -> Text:
    """Add the name to type to a sentence that calls the field by its label."""
    text, name = violation.text, visible(violation.field)
    return Text(f"{text.zh}（{name}）", f"{text.en} ({name})")
