"""A process that writes to a store until it is killed: `python -m tests.contracts.dying MODULE:OPENER ARGUMENT HOW`.

`in mid-work` commits person 1, then stands still in the middle of a large work; `in many commits` commits one person
after the other, each together with an act. It prints a line for whatever was called committed.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Awaitable, Callable
from functools import partial

from gridlog_server.store.contract import Act, Store, Transaction
from tests.contracts.facts import START_MS, a_commit, a_person, accepted, an_op, answering

WRITING = "writing"
_OPS = 3000


async def main(opener: str, argument: str, how: str) -> None:
    """Open the store and write."""
    module, name = opener.split(":")
    opening: Callable[[str], Awaitable[Store]] = getattr(importlib.import_module(module), name)
    store = await opening(argument)
    if how == "in mid-work":
        await store.commit(answering(a_person(1), None))
        await store.commit(_never_ends)
    for number in range(1, 255):
        await store.commit(partial(_both, number=number))
        _say(str(number))


async def _both(transaction: Transaction, *, number: int) -> None:
    await transaction.registry.put_person(a_person(number))
    await transaction.registry.note(Act(START_MS, "root", "user.add", a_person(number).staff_no))


async def _never_ends(transaction: Transaction) -> None:
    # Large enough that a database has to write some of it before the commit.
    await transaction.registry.put_person(a_person(2))
    await transaction.ledger.write(a_commit(ops=[accepted(an_op(seq), seq) for seq in range(1, _OPS)]))
    _say(WRITING)
    await asyncio.Event().wait()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
