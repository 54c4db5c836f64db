"""The lives of a database: what a position of an older one is worth, and where two logs part."""

from __future__ import annotations

import pytest

from gridlog_protocol.epochs import (
    Epochs,
    EpochStart,
    common_start,
    epoch_rows,
    first_epoch,
    reach,
    read_again,
    read_epochs,
)
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import Epoch, Position, TenantId

FIRST = first_epoch(TenantId("420106"), Epoch(b"epoch--A"))


def began(name: bytes, position: int) -> EpochStart:
    return EpochStart(Epoch(b"epoch--" + name), Position(position), bytes([position]) * 32)


def chain(*later: EpochStart) -> Epochs:
    return (*FIRST, *later)


@pytest.mark.parametrize(
    ("epochs", "named", "most"),
    [
        (FIRST, b"A", None),
        (FIRST, b"Z", 0),
        (chain(began(b"B", 5)), b"A", 5),
        (chain(began(b"B", 5)), b"B", None),
        (chain(began(b"B", 5), began(b"C", 9)), b"A", 5),
        (chain(began(b"B", 5), began(b"C", 3)), b"A", 3),
        (chain(began(b"B", 5), began(b"C", 9)), b"B", 9),
    ],
)
def test_a_position_of_an_older_epoch_holds_up_to_the_least_fork_since(
    epochs: Epochs, named: bytes, most: int | None
) -> None:
    assert reach(epochs, Epoch(b"epoch--" + named)) == most


@pytest.mark.parametrize(
    ("mine", "theirs", "fork"),
    [
        (FIRST, chain(began(b"B", 5)), began(b"B", 5)),
        (FIRST, chain(began(b"B", 5), began(b"C", 3)), began(b"C", 3)),
        (chain(began(b"B", 5)), chain(began(b"C", 3)), began(b"C", 3)),
        (chain(began(b"B", 2)), chain(began(b"C", 3)), began(b"B", 2)),
        (chain(began(b"B", 5)), chain(began(b"B", 5), began(b"C", 7)), began(b"C", 7)),
    ],
)
def test_two_logs_part_at_the_least_fork_behind_what_they_share(
    mine: Epochs, theirs: Epochs, fork: EpochStart
) -> None:
    found = common_start(mine, theirs)

    assert found == EpochStart(theirs[-1].epoch, fork.position, fork.log_hash)


def test_nothing_is_shared_with_another_log_of_the_same_name() -> None:
    other = (EpochStart(FIRST[0].epoch, Position(0), b"x" * 32), began(b"B", 5))

    assert common_start(FIRST, other) is None
    assert common_start(FIRST, FIRST) is None


def test_epochs_survive_their_rows_and_none_is_refused() -> None:
    epochs = chain(began(b"B", 5))

    assert read_epochs(epoch_rows(epochs)) == epochs
    with pytest.raises(ProtocolError, match="malformed"):
        read_epochs([])
    with pytest.raises(ProtocolError, match="malformed"):
        read_epochs([[b"short", 0, bytes(32)]])
    with pytest.raises(ProtocolError, match="malformed"):
        read_again({"again": [[0, 1]]})
