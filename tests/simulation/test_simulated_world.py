"""Worlds in which everything goes wrong, and what must hold when it is over. See `tools/simulate`."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

from tools.simulate.mutants import MUTANTS, play_mutant
from tools.simulate.play import Outcome, play

pytestmark = pytest.mark.long

SEEDS = range(1, 25)
"""`make simulate SEEDS=300` plays more before a change is taken."""
PROCESSES = 2
FAILING_SEEDS = Path(__file__).with_name("failing_seeds.txt")

SEEDS_OF_MUTANTS: dict[str, int] = {
    "acknowledged_before_commit": 3,
    "cursor_of_last_page": 1,
    "cut_page_skips": 1,
    "digest_of_another_state": 1,
    "early_moves_cursor": 1,
    "end_not_echoed": 144,
    "estimate_believes_the_wall_clock": 1,
    "estimate_ignores_the_boot": 1,
    "future_positions": 5,
    "latest_grid_only": 48,
    "never_echo_by_heads": 14,
    "new_grid_gets_the_field": 1,
    "no_dedupe": 1,
    "not_raised": 1,
    "old_grid_untold": 3,
    "page_by_change": 2,
    "pulls_by_heads": 11,
    "release_untold": 3,
    "released_at_arrival": 3,
    "unclamped": 1,
    "claimed_stamp_kept": 1,
    "counts_superseded": 3,
    "cursor_before_data": 2,
    "contexts_forgotten": 3,
    "dropped_records_stay": 3,
    "incarnation_kept": 14,
    "lost_fields_stay": 16,
    "lost_ops_kept": 16,
    "no_tie_break": 215,
    "offset_ignores_the_way": 1,
    "outbox_emptied_early": 1,
    "own_edits_unseen": 2,
    "positions_without_epoch": 138,
    "removal_wins": 7,
    "repeated_ack_applied": 28,
    "rounds_forgotten": 28,
    "saved_before_durable": 11,
    "seen_when_saved": 6,
    "stamped_again": 16,
    "stale_answer": 1,
    "text_merged_by_itself": 5,
    "undone_in_turn": 14,
    "unfetched_names_the_cursor": 1,
    "unseen_work_goes": 3,
    "wall_clock": 6,
}
"""A seed that finds each planted bug. `make mutants` searches for them anew after a change of the world."""


def played(seeds: Iterable[int]) -> list[Outcome]:
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("spawn")) as pool:
        return [*pool.map(play, seeds, chunksize=8)]


def broken(seeds: Iterable[int]) -> dict[str, str]:
    return {
        f"python -m tools.simulate --seed {outcome.seed} --trace": outcome.findings[0]
        for outcome in played(seeds)
        if outcome.findings
    }


def seeds_that_failed_once() -> list[int]:
    lines = FAILING_SEEDS.read_text(encoding="utf-8").splitlines()
    return [int(line.split("#")[0]) for line in lines if line.split("#")[0].strip()]


def test_no_seed_breaks_a_promise() -> None:
    assert broken(SEEDS) == {}


def test_no_seed_that_once_found_a_bug_finds_it_again() -> None:
    assert broken(seeds_that_failed_once()) == {}


def test_the_same_seed_plays_the_same_world() -> None:
    first, again = play(7), play(7)

    assert first.trace_hash == again.trace_hash
    assert first.trace_hash != play(8).trace_hash


def test_the_trace_can_be_watched_without_changing_the_world() -> None:
    lines: list[str] = []

    assert play(7, lines.append).trace_hash == play(7).trace_hash
    assert len(lines) > 50


def test_every_planted_bug_has_a_seed_that_finds_it() -> None:
    assert SEEDS_OF_MUTANTS.keys() == MUTANTS.keys()


@pytest.mark.parametrize(("name", "seed"), SEEDS_OF_MUTANTS.items())
def test_a_planted_bug_is_found(name: str, seed: int) -> None:
    assert play_mutant(name, seed).findings, (
        f"python -m tools.simulate --mutants, and put its table into {Path(__file__).name}"
    )
