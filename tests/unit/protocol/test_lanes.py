"""What a device says in `extras` about the answer it wants."""

from __future__ import annotations

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.lanes import ROOM, URGENT, room_of, urgent_of
from gridlog_protocol.limits import PAGE_BYTES


def test_who_says_nothing_gets_a_whole_page_and_has_nothing_ahead() -> None:
    assert (room_of({}), urgent_of({})) == (PAGE_BYTES, 0)


@pytest.mark.parametrize(("said", "room"), [(1, 1), (8192, 8192), (1 << 62, PAGE_BYTES)])
def test_a_room_is_what_was_said_up_to_a_page(said: int, room: int) -> None:
    assert room_of({ROOM: said}) == room


@pytest.mark.parametrize("wrong", [0, -1, True, None, "8192", b"8", [8192], {}])
def test_a_wrong_room_is_malformed(wrong: Value) -> None:
    with pytest.raises(ProtocolError) as refused:
        room_of({ROOM: wrong})
    assert refused.value.code == "malformed"


@pytest.mark.parametrize("wrong", [-1, False, None, "5", [5]])
def test_a_wrong_place_of_the_urgent_lane_is_malformed(wrong: Value) -> None:
    with pytest.raises(ProtocolError) as refused:
        urgent_of({URGENT: wrong})
    assert refused.value.code == "malformed"
