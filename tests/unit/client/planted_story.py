"""A process that writes planted sentences wherever a store takes words, and stops at each moment to be searched.

Run with a directory and the name of a part. It says each moment in a line, and goes on when it reads one. With a
third argument, and the shim of the power cuts preloaded, every byte that it writes to a file goes there as well.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from gridlog.entries import pack_enrolled
from gridlog.frames import FrameType
from gridlog.journal import Journal
from gridlog.records import Record
from gridlog.store import FieldStore
from gridlog.vault import KdfProfile, Vault
from gridlog_protocol.clock import ClockFacts, Stamp, reading
from gridlog_protocol.ids import DeviceId, Incarnation, OpId, Position, UserId, record_id
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.ops import Intent, Op, Seen
from gridlog_protocol.state import RecordState
from gridlog_sync.merge import Entry, apply
from gridlog_sync.writing import Change, edits_for
from tests.unit.client.filled import PASSPHRASE, PATROL, append_answers, enrolled
from tests.unit.client.planting import SENTENCES
from tools.bench.records import EPOCH, START_MS

CONFIRMED = SENTENCES[:40]
CONTRADICTING = list(zip(SENTENCES[40:60], SENTENCES[60:80], strict=True))
RESOLVED = SENTENCES[80:90]
CREATED = SENTENCES[90:130]
EDITED = SENTENCES[130:160]
DRAFTED = SENTENCES[160:180]
REASONS = SENTENCES[180:190]
OVERWRITTEN = SENTENCES[190:]
LONG = [" ".join(SENTENCES[at : at + 38]) for at in range(0, 160, 2)] * 14
"""So much to sort that a database without our settings would put some of it into a file."""


def make_planted(directory: Path) -> None:
    """Make a store into which answers brought sentences, some of them in conflict."""
    states = [_state(number, [text]) for number, text in enumerate(CONFIRMED)]
    states += [_state(len(CONFIRMED) + number, texts) for number, texts in enumerate(CONTRADICTING)]
    states += [_state(len(states) + number, [text]) for number, text in enumerate(LONG)]
    with (
        Vault.create(directory, PASSPHRASE, profile=KdfProfile.WEAK_FOR_TESTS) as vault,
        Journal.create(directory, vault) as journal,
    ):
        journal.append([(FrameType.ENROLMENT, pack_enrolled(enrolled()))])
        append_answers(journal, states, 20)


def _state(number: int, texts: Sequence[str]) -> RecordState:
    """Return a record as a server sends it: the texts were written by colleagues who did not know of each other."""
    kind = shipped_kinds().get("patrol")
    assert kind is not None
    record, state = record_id(START_MS + number, bytes(10)), None
    for position, text in enumerate(texts, 10 * number + 1):
        values = {**PATROL, "summary": text} if state is None else {"summary": text}
        is_creation = state is None
        edits = edits_for(kind, values, shown={}, rounds={}, undecided=set(), is_creation=is_creation)
        wall_ms = START_MS + position
        facts = ClockFacts(reading(wall_ms), wall_ms, bytes(8), position, START_MS)
        op_id = OpId(DeviceId(position.to_bytes(16, "big")), Incarnation(bytes(8)), 1)
        intent, seen = Intent.CREATE if is_creation else Intent.EDIT, Seen(EPOCH, Position(0), 0)
        author = UserId(position.to_bytes(16, "big"))
        op = Op(op_id, author, record, "patrol", kind.version, intent, seen, facts, tuple(edits), bytes(16))
        state = apply(state, Entry(op, Stamp(facts.hlc), Position(position)))
    assert state is not None
    return state


async def write_everywhere(store: FieldStore) -> None:
    """Plant sentences in records, edits, drafts, decisions and reasons."""
    records = [await store.create("patrol", _saying(text)) for text in (*CREATED, *OVERWRITTEN)]
    for record, text in zip(records, EDITED, strict=False):
        await store.edit(record, {"summary": text})
    for record in records[-len(OVERWRITTEN) :]:
        await store.edit(record, {"summary": None})
    drafts = [await store.begin_draft("patrol", PATROL) for _ in DRAFTED]
    for draft, text in zip(drafts, DRAFTED, strict=True):
        await store.save_draft(draft.id, {"summary": text})
    await store.finalise(drafts[0].id)
    await store.discard_draft(drafts[1].id)
    for record, text in zip(await _confirmed(store), REASONS, strict=False):
        await store.withdraw(record, text)
    for conflict, text in zip(await store.conflicts(), RESOLVED, strict=False):
        await store.resolve(await store.get(conflict.record), {"summary": text})


async def look_everywhere(store: FieldStore) -> None:
    """Show, sort and search everything: what a screen asks for."""
    sorted_ = await store.query("patrol", order="summary", limit=2000, with_withdrawn=True)
    assert len(sorted_) >= len(CONFIRMED) + len(CREATED) + len(LONG)
    for text in (CONFIRMED[0], EDITED[0]):
        assert text in {record.values["summary"] for record in await store.search(text[4:12])}
    assert len(await store.conflicts()) == len(CONTRADICTING) - len(RESOLVED)
    await store.pending()
    await store.drafts()
    await store.verify()


async def _confirmed(store: FieldStore) -> list[Record]:
    shown = await store.query("patrol", limit=2000)
    return [record for record in shown if record.values.get("summary") in CONFIRMED]


def _saying(text: str) -> dict[str, Change]:
    return {**PATROL, "summary": text}


def pause(moment: str) -> None:
    """Say which moment it is, and wait until somebody has looked."""
    print(moment, flush=True)  # noqa: T201
    sys.stdin.readline()


async def live(directory: Path) -> None:
    """Write, look, lock, unlock, compact, and go on writing until somebody kills this."""
    make_planted(directory)
    pause("made")
    store = await FieldStore.open(directory, PASSPHRASE)
    await write_everywhere(store)
    pause("written")
    await look_everywhere(store)
    pause("looked at")
    await store.lock()
    pause("locked, with a snapshot")
    await store.unlock(PASSPHRASE)
    await look_everywhere(store)
    pause("unlocked and looked at")
    await store.compact()
    pause("compacted")
    await write_everywhere_again(store)


async def write_everywhere_again(store: FieldStore) -> None:
    """Write for ever, telling so after each round."""
    record = await store.create("patrol", _saying(CREATED[0]))
    draft = await store.begin_draft("patrol")
    while True:
        for text in SENTENCES:
            record = await store.edit(record, {"summary": text})
            await store.save_draft(draft.id, {"summary": text})
            print("writing", flush=True)  # noqa: T201


async def end(directory: Path) -> None:
    """Open what was killed, close it, open it again, and wipe it."""
    store = await FieldStore.open(directory, PASSPHRASE)
    await look_everywhere(store)
    pause("opened after the kill")
    await store.close()
    pause("closed")
    store = await FieldStore.open(directory, PASSPHRASE)
    await store.wipe()
    pause("wiped")


def record(private: Path, log: Path) -> None:
    """Keep every byte that goes into a file below `private`, whatever becomes of the file."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    shim = ctypes.CDLL(os.environ["LD_PRELOAD"])
    shim.crash_arm(os.fsencode(private), descriptor, ctypes.c_long(0), 0)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        record(Path(sys.argv[1]).parent, Path(sys.argv[3]))
    asyncio.run({"live": live, "end": end}[sys.argv[2]](Path(sys.argv[1])))
