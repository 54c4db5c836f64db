"""The planted bugs, by name. A simulator that finds no planted bug proves nothing: each must fall.

Each name stands for one rule of the protocol, and what is entered replaces functions of the production code.

Not planted, because nothing can show them: a page over a newer field (the delta behind it heals that; it is half of
`stale_answer`), and a new stamp for an op that comes again to the same server (the same answer brings its field with
the true one). Nor what the code does not have yet: roles, and the console.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from tools.simulate import weak_device, weak_server
from tools.simulate.play import Outcome, play
from tools.simulate.weak_server import Weakening

SEEDS_MAX = 2000

_ALL: tuple[Weakening, ...] = (
    weak_server.acknowledged_before_commit,
    weak_server.cursor_of_last_page,
    weak_server.cut_page_skips,
    weak_server.digest_of_another_state,
    weak_server.early_moves_cursor,
    weak_server.end_not_echoed,
    weak_server.estimate_believes_the_wall_clock,
    weak_server.estimate_ignores_the_boot,
    weak_server.future_positions,
    weak_server.latest_grid_only,
    weak_server.never_echo_by_heads,
    weak_server.new_grid_gets_the_field,
    weak_server.no_dedupe,
    weak_server.not_raised,
    weak_server.old_grid_untold,
    weak_server.page_by_change,
    weak_server.pulls_by_heads,
    weak_server.release_untold,
    weak_server.released_at_arrival,
    weak_server.unclamped,
    weak_device.claimed_stamp_kept,
    weak_device.counts_superseded,
    weak_device.cursor_before_data,
    weak_device.contexts_forgotten,
    weak_device.dropped_records_stay,
    weak_device.incarnation_kept,
    weak_device.lost_fields_stay,
    weak_device.lost_ops_kept,
    weak_device.no_tie_break,
    weak_device.offset_ignores_the_way,
    weak_device.outbox_emptied_early,
    weak_device.own_edits_unseen,
    weak_device.positions_without_epoch,
    weak_device.removal_wins,
    weak_device.repeated_ack_applied,
    weak_device.rounds_forgotten,
    weak_device.saved_before_durable,
    weak_device.seen_when_saved,
    weak_device.stamped_again,
    weak_device.stale_answer,
    weak_device.text_merged_by_itself,
    weak_device.undone_in_turn,
    weak_device.unfetched_names_the_cursor,
    weak_device.unseen_work_goes,
    weak_device.wall_clock,
)
MUTANTS: Mapping[str, Weakening] = MappingProxyType({each.__name__: each for each in _ALL})


def play_mutant(name: str, seed: int, listener: Callable[[str], None] | None = None) -> Outcome:
    """Play one seed with a planted bug."""
    with MUTANTS[name]():
        return play(seed, listener)


def is_found(name: str, seed: int) -> bool:
    """Tell whether a seed finds a planted bug, and not one that is there without it."""
    return bool(play_mutant(name, seed).findings) and not play(seed).findings


def first_seed(name: str) -> int | None:
    """Return the first seed that finds a planted bug, or None."""
    return next((seed for seed in range(1, SEEDS_MAX + 1) if is_found(name, seed)), None)
