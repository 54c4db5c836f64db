"""The lives of a server's database: where each epoch began, and how far the positions of an older one still hold.

A database that is restored from a backup goes on under a new epoch: up to the fork its log is the old one, and behind
it positions are given anew. The chain of epochs tells both ends what a position of an older epoch is worth now.

    epoch A   1 2 3 4 5 6 7 8        8 positions were given, the backup had 5
    epoch B   . . . . . 6 7          begins at 5: A's positions hold up to 5, A's 6 is not B's 6

They travel in `extras`: `epochs` in an answer to whoever does not know them, `again` in a request with ops that had
been accepted in an epoch before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .canonical import Value
from .clock import Stamp
from .ids import Epoch, Position, TenantId
from .limits import EPOCHS_MAX, SEGMENT_OPS_MAX, SEGMENTS_MAX, SEQ_MAX
from .log_chain import log_start
from .rows import Row

EPOCHS = "epochs"
"""Answer: all epochs of the server, oldest first."""

AGAIN = "again"
"""Request: ops that are offered again, by seq, each with the stamp that it was given before."""


@dataclass(frozen=True, slots=True)
class EpochStart:
    """One life of a database: it goes on behind `position` of the life before, where the log hash is `log_hash`."""

    epoch: Epoch
    position: Position
    log_hash: bytes


Epochs = tuple[EpochStart, ...]
"""All lives of a database, oldest first; the last is the present one."""


def first_epoch(tenant: TenantId, epoch: Epoch) -> Epochs:
    """Return the epochs of a database that was never restored."""
    return (EpochStart(epoch, Position(0), log_start(tenant, epoch)),)


def reach(epochs: Epochs, epoch: Epoch) -> Position | None:
    """Return up to where positions of `epoch` mean the same now: None for the present one, 0 for an unknown one."""
    for index, each in enumerate(epochs):
        if each.epoch == epoch:
            behind = [later.position for later in epochs[index + 1 :]]
            return min(behind) if behind else None
    return Position(0)


def common_start(mine: Epochs, theirs: Epochs) -> EpochStart | None:
    """Return the place up to which two databases have the same log, under the present epoch of `theirs`.

    None if nothing is common: other lives, or the same names with other logs.
    """
    shared = [each for each in mine if each in theirs]
    if not shared:
        return None
    last = shared[-1].epoch
    after = [chain[index + 1 :] for chain in (mine, theirs) for index, each in enumerate(chain) if each.epoch == last]
    forks = [each for rest in after for each in rest]
    if not forks:
        return None
    least = min(forks, key=lambda each: each.position)
    return EpochStart(theirs[-1].epoch, least.position, least.log_hash)


def epoch_rows(epochs: Epochs) -> Value:
    """Write the epochs of a database."""
    return [[each.epoch, each.position, each.log_hash] for each in epochs]


def read_epochs(value: Value) -> Epochs:
    """Read the epochs of a database. Raises ProtocolError `malformed`."""
    found: list[EpochStart] = []
    for row in Row([value], EPOCHS).rows("epoch", EPOCHS_MAX):
        found.append(EpochStart(Epoch(row.blob(8)), Position(row.whole()), row.blob(32)))
        row.end()
    if not found:
        raise Row([], EPOCHS).malformed("none")
    return tuple(found)


def again_rows(stamps: Sequence[tuple[int, Stamp]]) -> Value:
    """Write which ops of a request come again, by seq, with the stamps that they had."""
    return [[seq, stamp] for seq, stamp in stamps]


def read_again(extras: Mapping[str, Value]) -> dict[int, Stamp]:
    """Read which ops of a request come again. Raises ProtocolError `malformed`."""
    found: dict[int, Stamp] = {}
    for row in Row([extras.get(AGAIN, [])], AGAIN).rows("op", SEGMENT_OPS_MAX * SEGMENTS_MAX):
        seq = row.whole(low=1, high=SEQ_MAX)
        found[seq] = Stamp(row.whole())
        row.end()
    return found
