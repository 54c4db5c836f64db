"""A patrol book for one grid worker, in a terminal: write a patrol, list today's, see where each of them is.

`python patrol_book.py [DIRECTORY [SECONDS]]`. What is written is saved before the next prompt, and sent behind it
whenever there is a signal. Leaving, by `q` or Ctrl-C, takes keys and records out of memory.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from getpass import getpass

from gridlog import FieldStore, GridlogError, InvalidRecordError, InvitationError, NotEnrolledError, Record, SyncTurn


def say(zh: str, en: str) -> str:
    return en if (os.environ.get("GRIDLOG_LANG") or os.environ.get("LANG", "")).startswith("en") else zh


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


def line_of(patrol: Record) -> str:
    started = str(patrol.values["started_at"])[11:16]  # Of 2026-11-20T09:10:00+08:00.
    where = say(patrol.whereabouts.value.zh, patrol.whereabouts.value.en)
    return f"  {started} {patrol.values.get('summary')!s} [{where}] {patrol.receipt or ''}".rstrip()


async def list_today(store: FieldStore) -> None:
    today, newest = f"{datetime.now(UTC).astimezone():%Y-%m-%d}", await store.query("patrol", order="-started_at")
    found = [each for each in newest if str(each.values["started_at"]).startswith(today)]
    print(say(f"今天 {len(found)} 次", f"Today: {len(found)}"), *map(line_of, found), sep="\n")


async def write(store: FieldStore, keyboard: Keyboard) -> None:
    now = datetime.now(UTC).astimezone().isoformat(timespec="seconds")
    grids = [each for each in (await store.status()).scopes if each != "tenant"]
    grid = grids[0] if len(grids) == 1 else await keyboard.ask(f"{' / '.join(grids)}? ")
    while summary := await keyboard.ask(say("情况（空行放弃）：", "What did you see? (nothing: leave) ")):
        facts = {"patrol_type": "daily", "grid_code": grid, "occurred_at": now, "started_at": now, "summary": summary}
        try:
            print(line_of(await store.create("patrol", {**facts, "leader": store.user})))
            break
        except InvalidRecordError as wrong:
            print(say(wrong.text.zh, wrong.text.en))


async def serve(store: FieldStore, keyboard: Keyboard) -> None:
    while (chosen := await keyboard.ask(say("w 记巡查  t 看今天  q 退出 > ", "w write  t today  q quit > "))) != "q":
        if chosen in ("w", "t"):
            await (write(store, keyboard) if chosen == "w" else list_today(store))


def tell(turn: SyncTurn) -> None:
    if turn.report.sent:
        print(say(f"\n已上传 {turn.report.sent} 项", f"\nSent: {turn.report.sent}"), flush=True)


async def work(directory: str, passphrase: str, every_s: float) -> None:
    keyboard = Keyboard()
    begin = FieldStore.open if FieldStore.is_made(directory) else FieldStore.make
    async with await begin(directory, passphrase) as store:
        try:
            await store.status()
        except NotEnrolledError:
            await store.enrol(await keyboard.ask(say("登记码：", "Enrolment code: ")))
        # Without a signal it tries again by itself. What a person must act on ends the group, and the program.
        async with asyncio.TaskGroup() as tasks:
            syncing = tasks.create_task(store.sync_forever(every_s=every_s, on_report=tell))
            await serve(store, keyboard)
            syncing.cancel()


if __name__ == "__main__":
    directory = sys.argv[1] if len(sys.argv) > 1 else "my-phone"
    every_s = float(sys.argv[2]) if len(sys.argv) > 2 else 30.0
    try:
        asyncio.run(work(directory, os.environ.get("GRIDLOG_PASSPHRASE") or getpass(), every_s))
    except* (EOFError, KeyboardInterrupt):
        print()
    except* (GridlogError, InvitationError) as wrong:
        print(*(say(each.text.zh, each.text.en) for each in wrong.exceptions if hasattr(each, "text")), sep="\n")
