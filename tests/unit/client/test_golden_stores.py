"""Stores that earlier versions wrote open with everything in them. A version whose format differs adds one here.

`python -m tests.unit.client.test_golden_stores NAME` makes one, in `tests/data/stores/NAME`; it is never made again.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from gridlog import FieldStore
from gridlog.errors import StoreDamagedError
from gridlog.keydisk import SNAPSHOT_FILE
from gridlog_protocol.canonical import Value
from tests.unit.client.dying import cut_everywhere
from tests.unit.client.filled import PASSPHRASE, PATROL, make_filled, opened
from tests.unit.client.stores import change_log

STORES = Path(__file__).parents[2] / "data" / "stores"
OPEN = """
import asyncio
from gridlog import FieldStore
async def main():
    await (await FieldStore.open(directory, "grid-worker-7")).close()
asyncio.run(main())
"""
NAMES = sorted(path.name for path in STORES.iterdir()) if STORES.exists() else []


async def told(store: FieldStore) -> dict[str, Any]:
    """Return what a worker sees, as JSON can carry it."""
    kinds = ("patrol", "household_visit", "mediation")
    records = [each for kind in kinds for each in await store.query(kind, limit=100, with_withdrawn=True)]
    said = {
        "records": {each.id.hex(): {"values": each.values, "whereabouts": each.whereabouts.name} for each in records},
        "pending": [[each.id.seq, each.record, list(each.fields)] for each in await store.pending()],
        "drafts": [[each.id, each.kind, each.values] for each in await store.drafts()],
        "conflicts": len(await store.conflicts()),
        "user": store.user,
    }
    plain: dict[str, Any] = json.loads(json.dumps(said, default=bytes.hex, ensure_ascii=False))
    return plain


@pytest.mark.parametrize("name", NAMES)
async def test_a_store_of_an_earlier_version_opens_with_everything_in_it(name: str, tmp_path: Path) -> None:
    directory = shutil.copytree(STORES / name, tmp_path / name)
    expected = json.loads((directory / "expected.json").read_text(encoding="utf-8"))
    store = await opened(directory)

    assert await told(store) == expected
    assert (await store.verify()).is_sound
    record = await store.create("patrol", PATROL)
    await store.lock()
    await store.unlock(PASSPHRASE)
    assert (await store.get(record.id)).values == record.values
    await store.close()


async def test_the_first_opening_that_was_cut_off_leaves_a_store_that_opens(tmp_path: Path) -> None:
    directory = shutil.copytree(STORES / "0.1", tmp_path / "store")
    expected = json.loads((directory / "expected.json").read_text(encoding="utf-8"))

    copies = cut_everywhere(directory, OPEN, tmp_path / "copies")

    assert len(copies) > 4
    for copy in copies:
        store = await opened(copy)
        assert await told(store) == expected
        await store.close()


async def test_once_it_was_opened_its_journal_has_an_end(tmp_path: Path) -> None:
    directory = shutil.copytree(STORES / "0.1", tmp_path / "store")
    await (await opened(directory)).close()
    (directory / SNAPSHOT_FILE).unlink()

    change_log(directory, "DELETE FROM log WHERE seq >= (SELECT max(seq) FROM log) - 1")

    with pytest.raises(StoreDamagedError):
        await opened(directory)


def test_there_are_such_stores() -> None:
    assert NAMES


async def make(directory: Path) -> None:
    """Make a store with all that a journal can have: a base if its name says so, a snapshot, entries behind it."""
    make_filled(directory, 8, per_answer=3)
    store = await opened(directory)
    record = await store.create("patrol", PATROL | {"summary": "巡查发现路灯不亮，已报修。"})
    comment: Value = {"id": "c1", "by": store.user, "at": "2026-11-20T09:30:00+08:00", "text": "已告知物业。"}
    await store.edit(record, {"comments": [comment]})
    if "compacted" in directory.name:
        await store.compact()
    await store.begin_draft("patrol", {"summary": "没写完的一条"})
    await store.lock()
    await store.create("patrol", PATROL | {"summary": "锁屏时记下的。"})
    await store.unlock(PASSPHRASE)
    withdrawn = await store.create("patrol", PATROL)
    await store.withdraw(withdrawn, "与前一条重复")
    expected = json.dumps(await told(store), ensure_ascii=False, indent=1, sort_keys=True)
    await store.close()
    (directory / "lock").unlink()
    (directory / "expected.json").write_text(expected + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(make(STORES / sys.argv[1]))
