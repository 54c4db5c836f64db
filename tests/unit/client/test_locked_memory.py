"""A core dump of a process whose store is locked: the keys are not in it, nor the passphrase, nor what was read."""

from __future__ import annotations

import asyncio
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gridlog.store import FieldStore
from gridlog.vault import Vault
from tests.unit.client.filled import PASSPHRASE
from tests.unit.client.planted_story import make_planted, write_everywhere
from tests.unit.client.planting import SENTENCES, Searcher, forms_of_key, forms_of_sentence, memory_of

TYPED = "seven wet lamps in a stone alley 4711"
SENTENCES_LEFT_MAX = 10

# It must not import the sentences, and forgets the passphrase, as an app should.
USING = """
import asyncio, os, sys
from gridlog import FieldStore

def pause(moment):
    os.write(1, moment + b"\\n")
    os.read(0, 1)

async def used(directory, passphrase):
    store = await FieldStore.open(directory, passphrase)
    records = await store.query("patrol", order="summary", limit=2000, with_withdrawn=True)
    await store.search(records[-1].values["summary"][:5])
    await store.edit(records[-1], {"summary": records[-1].values["summary"] + "，已处理"})
    draft = (await store.drafts())[0]
    await store.save_draft(draft.id, {"summary": draft.values["summary"] + "，待核实"})
    await store.conflicts()
    await store.pending()
    await store.verify()
    return store

async def main():
    store = await used(sys.argv[1], os.read(0, 100).decode())
    pause(b"open")
    await store.lock()
    pause(b"locked")

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store that holds the sentences, and was written by a process that is not looked into."""
    directory = tmp_path_factory.mktemp("planted") / "store"

    async def plant() -> None:
        make_planted(directory)
        async with await FieldStore.open(directory, PASSPHRASE) as store:
            await write_everywhere(store)
            await store.change_passphrase(TYPED, current=PASSPHRASE)

    asyncio.run(plant())
    return directory


@contextmanager
def using(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", USING, str(directory)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        try:
            yield child
        finally:
            child.kill()


def say(child: subprocess.Popen[bytes], what: bytes) -> None:
    assert child.stdin is not None
    child.stdin.write(what)
    child.stdin.flush()


def heard(child: subprocess.Popen[bytes]) -> bytes:
    assert child.stdout is not None
    return child.stdout.readline().strip()


def keys_of(directory: Path) -> dict[str, bytes]:
    with Vault.unlock(directory, TYPED) as vault:
        keys = vault._opened()
        journal_keys = {f"journal {epoch}": key for epoch, key in keys.secrets.journal_keys}
        long_lived = {"signing": keys.secrets.signing_seed, "exchange": keys.secrets.exchange_private}
        return {"master": keys.master, **long_lived, **journal_keys}


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's free memory can be overwritten")
@pytest.mark.long
def test_a_core_dump_of_a_locked_store_has_no_key_no_passphrase_and_hardly_any_sentence(planted: Path) -> None:
    keys = keys_of(planted)
    forms = [form for name, key in keys.items() for form in forms_of_key(name, key)]
    secrets = Searcher([*forms_of_sentence(TYPED), *forms])
    sentences = Searcher(form for sentence in SENTENCES for form in forms_of_sentence(sentence))

    def dumped(child: subprocess.Popen[bytes]) -> tuple[set[str], set[str]]:
        """Return which secrets and which sentences a core dump would have."""
        found: tuple[set[str], set[str]] = set(), set()
        for part in memory_of(child.pid):
            for into, searcher in zip(found, (secrets, sentences), strict=True):
                into |= {each.of for each in searcher.found_in(part)}
        return found

    with using(planted) as child:
        say(child, TYPED.encode())
        assert heard(child) == b"open"
        while_open = dumped(child)
        say(child, b"\n")
        assert heard(child) == b"locked"
        while_locked = dumped(child)

    assert while_open[0] >= keys.keys()
    assert while_open[1] == {*SENTENCES}
    assert while_locked[0] == set()
    assert len(while_locked[1]) <= SENTENCES_LEFT_MAX
