"""`python -m tools.simulate`: play seeds and judge them, replay one, or show that planted bugs are found.

What it prints of a failed seed ends with the command that plays it again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Annotated, TypeVar

import typer

from tools.simulate.mutants import MUTANTS, SEEDS_MAX, first_seed, play_mutant
from tools.simulate.play import Outcome, play

FINDINGS_SHOWN = 6

T = TypeVar("T")
K = TypeVar("K")


def main(
    *,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to play.")] = 1000,
    first: Annotated[int, typer.Option(help="The first of them.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Play this one alone.")] = None,
    trace: Annotated[bool, typer.Option("--trace", help="Show what happens, line by line.")] = False,
    mutant: Annotated[str | None, typer.Option(help="Plant this bug.")] = None,
    mutants: Annotated[bool, typer.Option("--mutants", help="Show that every planted bug is found.")] = False,
    jobs: Annotated[int, typer.Option(min=1, help="How many processes.")] = 2,
) -> None:
    """Exit with status 1 if a promise is broken, or a planted bug survives."""
    _quiet()
    if mutant is not None and mutant not in MUTANTS:
        raise typer.BadParameter(f"one of {', '.join(MUTANTS)}")
    if mutants:
        is_well = _hunt(jobs)
    elif seed is not None:
        is_well = _replay(seed, mutant, is_traced=trace)
    else:
        is_well = _play(range(first, first + seeds), mutant, jobs)
    raise typer.Exit(0 if is_well else 1)


def _play(seeds: range, mutant: str | None, jobs: int) -> bool:
    begun = time.monotonic()
    failed = 0
    entries = 0
    for outcome in _each(partial(play_mutant, mutant) if mutant else play, seeds, jobs):
        entries += outcome.entries
        if outcome.findings:
            failed += 1
            _tell(outcome, mutant)
    seconds = time.monotonic() - begun
    print(f"{len(seeds)} seeds, {entries} log entries, {seconds:.0f} s: {failed} failed")
    return not failed


def _replay(seed: int, mutant: str | None, *, is_traced: bool) -> bool:
    listener = print if is_traced else None
    outcome = play_mutant(mutant, seed, listener) if mutant else play(seed, listener)
    if outcome.findings:
        _tell(outcome, mutant)
    print(f"seed {seed}: {outcome.entries} log entries, {outcome.steps} steps, trace {outcome.trace_hash}")
    return not outcome.findings


def _hunt(jobs: int) -> bool:
    survivors = []
    for name, seed in zip(MUTANTS, _each(first_seed, MUTANTS, jobs), strict=True):
        print(f"{name:28} {f'seed {seed}' if seed else f'survives {SEEDS_MAX} seeds'}", flush=True)
        survivors += [] if seed else [name]
    print(f"{len(MUTANTS) - len(survivors)} of {len(MUTANTS)} planted bugs are found")
    return not survivors


def _tell(outcome: Outcome, mutant: str | None) -> None:
    print(f"seed {outcome.seed} failed:")
    for finding in outcome.findings[:FINDINGS_SHOWN]:
        print(f"    {finding}")
    if len(outcome.findings) > FINDINGS_SHOWN:
        print(f"    and {len(outcome.findings) - FINDINGS_SHOWN} more")
    planted = f" --mutant {mutant}" if mutant else ""
    print(f"    python -m tools.simulate --seed {outcome.seed} --trace{planted}", flush=True)


def _quiet() -> None:
    # Whatever the server would tell its administrator is in the findings, if it matters.
    logging.disable(logging.CRITICAL)


def _each(work: Callable[[K], T], items: Iterable[K], jobs: int) -> Iterator[T]:
    if jobs == 1:
        yield from map(work, items)
        return
    with ProcessPoolExecutor(jobs, initializer=_quiet) as pool:
        yield from pool.map(work, items)


if __name__ == "__main__":
    typer.run(main)
