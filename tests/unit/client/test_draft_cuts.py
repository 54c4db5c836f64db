"""A draft survives the process: killed at each step of the database while it is saved, finished or discarded."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gridlog import FieldStore, Whereabouts
from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId
from tests.unit.client.stores import PASSPHRASE
from tests.unit.client.test_drafting import open_store, patrol

pytestmark = pytest.mark.long

CUTTING = """
import asyncio, os, shutil, signal, sys, traceback
from pathlib import Path
from gridlog import FieldStore

store, copies, draft, action = Path(sys.argv[1]), Path(sys.argv[2]), bytes.fromhex(sys.argv[3]), sys.argv[4]


async def run(directory, last):
    opened = await FieldStore.open(directory, "grid-worker-7")
    left = last

    def step():
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    await opened._run(lambda: opened._journal._connection.set_progress_handler(step, 1))
    await {
        "save": lambda: opened.save_draft(draft, {"summary": "later", "weather": "rain"}, without=["tags"]),
        "finalise": lambda: opened.finalise(draft),
        "discard": lambda: opened.discard_draft(draft),
    }[action]()
    os._exit(0)


for last in range(1, 200):
    directory = copies / str(last)
    shutil.copytree(store, directory)
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(run(directory, last))
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    if not os.WIFSIGNALED(status):
        sys.exit(os.waitstatus_to_exitcode(status))
"""

TYPING = """
import asyncio, sys
from gridlog import FieldStore

async def main():
    store = await FieldStore.open(sys.argv[1], "grid-worker-7")
    base = dict(patrol_type="daily", grid_code=sys.argv[2], occurred_at=sys.argv[3], started_at=sys.argv[3])
    for number in range(100_000):
        draft = await store.begin_draft("patrol", base)
        for typed in range(3):
            await store.save_draft(draft.id, {"leader": store.user, "summary": f"{typed}"})
            print("saved", draft.id.hex(), typed, flush=True)
        await store.finalise(draft.id)
        print("finished", draft.id.hex(), 0, flush=True)

asyncio.run(main())
"""


def cut_everywhere(store: Path, copies: Path, draft: RecordId, action: str) -> list[Path]:
    """Return copies of the store: one for each kill, in order, and one in which the action came to its end."""
    copies.mkdir()
    arguments = [str(store), str(copies), draft.hex(), action]
    done = subprocess.run([sys.executable, "-c", CUTTING, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(copies.iterdir(), key=lambda path: int(path.name))


@pytest.fixture
async def draft(enrolled: Path) -> RecordId:
    async with open_store(enrolled) as store:
        begun = await store.begin_draft("patrol", patrol(summary="earlier", tags=["lamp"]))
        # A proposal makes the record's end two ops and the draft's end: three entries of one append.
        await store.save_draft(begun.id, {"record_no": "420106-20261122-P0001"})
        return begun.id


async def left_of(directory: Path, draft: RecordId) -> tuple[list[Value], list[Value], int]:
    """Return what drafts say, what records say, and how many ops wait; the store goes on taking writes."""
    async with open_store(directory) as store:
        drafts = [(await store.draft(each.id)).values["summary"] for each in await store.drafts()]
        records = [each.values["summary"] for each in await store.query("patrol")]
        waiting = len(await store.pending())
        again = await store.begin_draft("patrol", {"summary": "next"})
        await store.discard_draft(again.id)
        assert again.id != draft
        return drafts, records, waiting


@pytest.mark.parametrize(
    ("action", "before", "after"),
    [
        ("save", (["earlier"], [], 0), (["later"], [], 0)),
        ("finalise", (["earlier"], [], 0), ([], ["earlier"], 2)),
        ("discard", (["earlier"], [], 0), ([], [], 0)),
    ],
)
async def test_a_kill_leaves_a_draft_as_it_was_before_or_as_it_is_after_and_nothing_between(
    enrolled: Path, draft: RecordId, tmp_path: Path, action: str, before: object, after: object
) -> None:
    copies = await asyncio.to_thread(cut_everywhere, enrolled, tmp_path / "copies", draft, action)

    found = [await left_of(each, draft) for each in copies]

    assert len(found) > 5
    assert found[0] == before
    assert found[-1] == after
    changed = found.index(after)
    assert found == [before] * changed + [after] * (len(found) - changed)


@pytest.mark.parametrize("delay_ms", [5, 40])
async def test_whatever_a_form_was_told_is_saved_is_there_after_a_kill(enrolled: Path, delay_ms: int) -> None:
    told = await killed_while_typing(enrolled, delay_ms)

    async with open_store(enrolled) as store:
        drafts = {each.id: each for each in await store.drafts()}
        records = {each.id: each for each in await store.query("patrol", limit=10_000)}
    assert not drafts.keys() & records.keys()
    finished = {RecordId(bytes.fromhex(record)) for what, record, _ in told if what == "finished"}
    assert finished <= records.keys()
    assert {records[each].whereabouts for each in finished} == {Whereabouts.ON_DEVICE}
    # At most one more was on the disk before anybody could be told.
    assert len(records) - len(finished) in (0, 1)
    what, last, typed = told[-1]
    if what == "saved":
        form = drafts.get(RecordId(bytes.fromhex(last))) or records[RecordId(bytes.fromhex(last))]
        assert int(str(form.values["summary"])) - int(typed) in (0, 1)


async def killed_while_typing(directory: Path, delay_ms: int) -> list[tuple[str, str, str]]:
    """Run a process that types and finishes drafts, kill it, and return what it had called saved or finished."""
    filled = patrol()
    typist = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        TYPING,
        str(directory),
        str(filled["grid_code"]),
        str(filled["occurred_at"]),
        stdout=asyncio.subprocess.PIPE,
    )
    assert typist.stdout is not None
    lines = [await typist.stdout.readline() for _ in range(5)]
    await asyncio.sleep(delay_ms / 1000)
    typist.send_signal(signal.SIGKILL)
    lines += (await typist.stdout.read()).splitlines(keepends=True)
    await typist.wait()
    words = [line.decode().split() for line in lines if line.endswith(b"\n")]
    return [(what, record, typed) for what, record, typed in words]


async def test_a_copy_of_a_store_has_the_drafts_of_its_time(enrolled: Path, draft: RecordId, tmp_path: Path) -> None:
    shutil.copytree(enrolled, tmp_path / "copy")
    async with open_store(enrolled) as store:
        await store.discard_draft(draft)
    async with await FieldStore.open(tmp_path / "copy", PASSPHRASE) as copy:
        assert [each.id for each in await copy.drafts()] == [draft]
