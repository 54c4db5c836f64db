"""A patrol book for one grid worker, in a terminal: write a patrol, list today's, see where each of them is.

`python patrol_book.py my-phone`. What is written is saved before the next prompt, and goes to the server behind it
whenever there is a signal. Leaving it takes keys and records out of memory.
"""

import argparse
import asyncio
import os
import sys
from contextlib import suppress
from datetime import UTC, datetime
from getpass import getpass

from gridlog import FieldStore, GridlogError, InvalidRecordError, InvitationError, NotEnrolledError, Record, SyncTurn

IS_ENGLISH = (os.environ.get("GRIDLOG_LANG") or os.environ.get("LANG", "")).startswith("en")


def say(zh: str, en: str) -> str:
    return en if IS_ENGLISH else zh


TYPES = {"daily": say("日常巡查", "Daily"), "night": say("夜间巡查", "Night"), "special": say("专项巡查", "Special")}


class Keyboard:
    """Lines as they are typed. `input` would hold up synchronising, and could not be cancelled."""

    def __init__(self) -> None:
        self._typed = asyncio.StreamReader()
        asyncio.get_running_loop().add_reader(0, self._take)

    def _take(self) -> None:
        if piece := os.read(0, 4096):
            self._typed.feed_data(piece)
        else:
            self._typed.feed_eof()
            asyncio.get_running_loop().remove_reader(0)

    async def ask(self, prompt: str) -> str:
        print(prompt, end="", flush=True)
        if line := await self._typed.readline():
            return line.decode(errors="replace").strip()
        raise EOFError

    async def choose(self, labels: dict[str, str]) -> str:
        numbered = {str(number): value for number, value in enumerate(labels, start=1)}
        prompt = "  ".join(f"{number} {labels[value]}" for number, value in numbered.items())
        while (typed := await self.ask(f"{prompt} > ")) not in numbered:
            pass
        return numbered[typed]


def line_of(patrol: Record) -> str:
    where, kind = patrol.whereabouts.value, TYPES.get(str(patrol.values["patrol_type"]), "")
    seen = f"{start_of(patrol):%H:%M} {kind} {patrol.values.get('summary', '')}"
    return f"  {seen} [{say(where.zh, where.en)} {patrol.receipt or ''}{' ⚠' * patrol.is_in_conflict}]"


def start_of(patrol: Record) -> datetime:
    return datetime.fromisoformat(str(patrol.values["started_at"])).astimezone()


async def list_today(store: FieldStore) -> None:
    today = datetime.now(UTC).astimezone().date()
    found = [each for each in await store.query("patrol", order="-started_at") if start_of(each).date() == today]
    print(*map(line_of, found), say("  今天共", "  Today:") + f" {len(found)}", sep="\n")


async def write(store: FieldStore, keyboard: Keyboard) -> None:
    now = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    grid = await keyboard.choose({each: each for each in (await store.status()).scopes})
    facts = {"grid_code": grid, "patrol_type": await keyboard.choose(TYPES), "leader": store.user}
    while summary := await keyboard.ask(say("情况（空行放弃）：", "What you saw (empty: leave): ")):
        try:
            times = {"occurred_at": now, "started_at": now}
            return print(line_of(await store.create("patrol", {**facts, **times, "summary": summary})))
        except InvalidRecordError as wrong:
            print(say(wrong.text.zh, wrong.text.en))


def tell(turn: SyncTurn) -> None:
    if turn.report.sent:
        print(say("\n已上传", "\nSent:"), turn.report.sent, flush=True)


async def work(directory: str, passphrase: str, every_s: float) -> None:
    keyboard = Keyboard()
    begin = FieldStore.open if FieldStore.is_made(directory) else FieldStore.make
    async with await begin(directory, passphrase) as store:
        try:
            await store.status()
        except NotEnrolledError:
            await store.enrol(await keyboard.ask(say("登记码：", "Enrolment code: ")))
        # What a person must act on ends the group, and with it the program; a missing signal does not.
        async with asyncio.TaskGroup() as tasks:
            syncing = tasks.create_task(store.sync_forever(every_s=every_s, on_report=tell))
            with suppress(EOFError):
                await menu(store, keyboard)
            syncing.cancel()


async def menu(store: FieldStore, keyboard: Keyboard) -> None:
    entries = {"write": say("记巡查", "write"), "today": say("看今天", "today"), "leave": say("退出", "leave")}
    while (chosen := await keyboard.choose(entries)) != "leave":
        await (write(store, keyboard) if chosen == "write" else list_today(store))


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("directory", help="where the store is, or shall be")
    options.add_argument("--every", type=float, default=30.0, help="seconds between two synchronisations")
    given = options.parse_args()
    passphrase = os.environ.get("GRIDLOG_PASSPHRASE") or getpass(say("口令：", "Passphrase: "))
    try:
        asyncio.run(work(given.directory, passphrase, given.every))
    except* (GridlogError, InvitationError) as group:
        for wrong in group.exceptions:
            print(wrong.text)


if __name__ == "__main__":
    main()
