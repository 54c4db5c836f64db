"""Where a device stands after its server was restored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gridlog_protocol.epochs import EPOCHS, Epochs, EpochStart, epoch_rows, first_epoch
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import Epoch, Position, TenantId
from gridlog_protocol.messages import Fetch, SyncResponse, cursor_token
from gridlog_sync.session import Fork, Standing, fall_back
from tests.unit.sync.building import EAST

FIRST = first_epoch(TenantId("420106"), Epoch(b"epoch--A"))
B = EpochStart(Epoch(b"epoch--B"), Position(5), b"5" * 32)
C = EpochStart(Epoch(b"epoch--C"), Position(3), b"3" * 32)


def standing(position: int, *later: EpochStart, fetches: tuple[Fetch, ...] = ()) -> Standing:
    epochs = (*FIRST, *later)
    return Standing(epochs[-1].epoch, Position(position), b"token---", 1, (EAST,), fetches, epochs)


def returned(mine: Standing, theirs: Epochs, *, verified: int = 0) -> Fork:
    """Return what becomes of a device whose cursor the server could verify at `verified`."""
    epoch, at = theirs[-1].epoch, Position(verified)
    extras = {EPOCHS: epoch_rows(theirs)}
    return fall_back(mine, SyncResponse(1, epoch, b"verified", at, at, 1, b"", True, 0, extras=extras))


def test_a_device_beyond_the_fork_falls_back_to_it() -> None:
    fork = returned(standing(9), (*FIRST, B))

    assert fork.position == 5
    assert (fork.standing.epoch, fork.standing.position) == (B.epoch, 5)
    assert fork.standing.token == cursor_token(B.epoch, B.log_hash)
    assert fork.standing.epochs == (*FIRST, B)


def test_a_device_before_the_fork_stays_where_it_is() -> None:
    fork = returned(standing(4), (*FIRST, B), verified=4)

    assert (fork.position, fork.standing.position, fork.standing.token) == (5, 4, b"verified")


def test_a_cursor_that_the_server_cannot_verify_falls_back_to_what_both_know() -> None:
    # It stands in B at 4, before the later fork of the server's own C; only A's beginning is known to both.
    fork = returned(standing(4, replace(B, position=Position(6))), (*FIRST, replace(C, position=Position(8))))

    assert (fork.position, fork.standing.position) == (6, 0)
    assert fork.standing.token == cursor_token(C.epoch, FIRST[0].log_hash)


def test_the_least_fork_counts_when_both_have_gone_on() -> None:
    assert returned(standing(9, B), (*FIRST, C)).position == 3


def test_a_device_that_knows_none_of_the_epochs_begins_anew() -> None:
    foreign = first_epoch(TenantId("420106"), Epoch(b"epoch--X"))

    fork = returned(standing(9), (*foreign, B))

    assert (fork.position, fork.standing.position) == (0, 0)
    assert fork.standing.fetches == (Fetch(EAST, Position(0), None),)


def test_a_first_fetch_begins_again() -> None:
    fetch = Fetch(EAST, Position(9), None)

    fork = returned(standing(9, fetches=(fetch,)), (*FIRST, B))

    assert fork.standing.fetches == (Fetch(EAST, Position(0), None),)


@pytest.mark.parametrize(("mine", "theirs"), [(standing(9), FIRST), (standing(9, B), FIRST)])
def test_a_life_that_the_device_has_left_is_refused(mine: Standing, theirs: Epochs) -> None:
    with pytest.raises(ProtocolError, match="unknown_cursor"):
        returned(mine, theirs)
