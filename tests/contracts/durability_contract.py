"""What of a store outlives a kill, and what readers see beside the writer: part of the store contract."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from gridlog_protocol.ids import Position
from gridlog_server.store.contract import Act, Store
from tests.contracts.dying import WRITING
from tests.contracts.facts import (
    START_MS,
    a_commit,
    a_person,
    accepted,
    an_op,
    answering,
    counts,
    entry,
    noting,
    people,
    write,
)

ROOT = Path(__file__).parents[2]


class Elsewhere(Protocol):
    """A database that another process can open too, while this one has it closed."""

    async def open(self) -> Store:
        """Open it here."""
        ...

    def elsewhere(self) -> tuple[str, str]:
        """Return `module:function` and the argument with which any process opens this database."""
        ...


@asynccontextmanager
async def dying(database: Elsewhere, how: str) -> AsyncIterator[asyncio.StreamReader]:
    """Start a process that writes; at the end it is killed, and gone."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.contracts.dying", *database.elsewhere(), how),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield process.stdout
    finally:
        process.send_signal(signal.SIGKILL)
        await process.wait()


class DurabilityContract:
    """Tests of what is left after a kill, and of readers beside the writer."""

    async def test_a_kill_in_the_middle_of_a_work_leaves_nothing_of_it(self, database: Elsewhere) -> None:
        async with dying(database, "in mid-work") as said:
            assert (await said.readline()).decode().strip() == WRITING
        again = await database.open()
        assert (await people(again), (await counts(again))["ops"]) == ([a_person(1)], 0)
        await write(again, a_commit(ops=[accepted(an_op(1), 1)], entries=[entry(1)]))
        assert (await counts(again))["ops"] == 1
        await again.close()

    async def test_a_kill_between_commits_leaves_all_that_was_called_committed_and_each_whole(
        self, database: Elsewhere
    ) -> None:
        async with dying(database, "in many commits") as said:
            for _ in range(40):
                heard = int(await said.readline())
        again = await database.open()
        async with again.reading() as snapshot:
            there = [each.staff_no for each in await snapshot.registry.people()]
            noted = [each.subject for each in await snapshot.registry.acts(1000)][::-1]
        assert there == noted == [a_person(number).staff_no for number in range(1, len(there) + 1)]
        assert len(there) >= heard
        await again.close()

    async def test_readers_beside_the_writer_never_see_half_a_commit(self, store: Store) -> None:
        is_done = asyncio.Event()

        async def reads() -> list[int]:
            seen: list[int] = []
            while not is_done.is_set() or not seen:
                async with store.reading() as snapshot:
                    head = (await snapshot.ledger.log_head()).position
                    ops = (await snapshot.counts())["ops"]
                    assert len(await snapshot.logged(Position(0), 100)) == head == ops
                seen.append(head)
            return seen

        reading = [asyncio.create_task(reads()) for _ in range(4)]
        for position in range(1, 61):
            await write(
                store, a_commit(ops=[accepted(an_op(position), position)], entries=[entry(position, position)])
            )
        is_done.set()
        for seen in await asyncio.gather(*reading):
            assert seen == sorted(seen)
        assert (await counts(store))["ops"] == 60

    async def test_a_reader_who_stays_keeps_his_view_through_many_commits(self, store: Store) -> None:
        await store.commit(answering(a_person(1), None))
        async with store.reading() as snapshot:
            assert len(await snapshot.registry.people()) == 1
            for number in range(2, 30):
                await store.commit(noting(_act(number)))
            assert await snapshot.registry.acts(99) == []
        async with store.reading() as snapshot:
            assert len(await snapshot.registry.acts(99)) == 28


def _act(number: int) -> Act:
    return Act(START_MS + number, "root", "user.add", f"W{number}")
