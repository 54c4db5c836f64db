"""Orders in any order, late, doubled or misdirected: a device obeys none that was withdrawn, and none for another."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from gridlog_protocol.ids import DeviceId, Incarnation
from gridlog_protocol.messages import Directive
from gridlog_protocol.orders import Order, OrderKind, directive_of, orders_in, reason_to_refuse

DEVICE, STORE = DeviceId(bytes(16)), Incarnation(bytes(8))

KINDS = st.lists(st.sampled_from(OrderKind), min_size=1, max_size=12)


def given_out(kinds: list[OrderKind]) -> list[Order]:
    """Return the orders that a server gave, each with the next counter."""
    return [Order(number, kind, DEVICE, STORE) for number, kind in enumerate(kinds, start=1)]


@given(KINDS, st.data())
def test_an_order_is_obeyed_unless_a_later_withdrawal_was_heard_of(
    kinds: list[OrderKind], data: st.DataObject
) -> None:
    given_orders = given_out(kinds)
    heard = data.draw(st.lists(st.sampled_from(given_orders), max_size=30))
    kept = 0
    for index, order in enumerate(heard):
        why = reason_to_refuse(order, device=DEVICE, incarnation=STORE, above=kept)
        withdrawals = [each.counter for each in heard[:index] if each.kind is OrderKind.KEEP]
        assert (why is None) == (order.counter > max(withdrawals, default=0))
        if why is None and order.kind is OrderKind.WIPE:
            return
        kept = order.counter if why is None else kept


@given(st.integers(1, 1 << 40), st.sampled_from(OrderKind), st.binary(min_size=16, max_size=16), st.data())
def test_no_order_for_another_store_is_obeyed_whatever_its_counter(
    counter: int, kind: OrderKind, device: bytes, data: st.DataObject
) -> None:
    mine = Order(counter, kind, DEVICE, STORE)
    assert reason_to_refuse(mine, device=DEVICE, incarnation=STORE, above=0) is None
    incarnation = Incarnation(data.draw(st.binary(min_size=8, max_size=8)))
    other = replace(mine, device=DeviceId(device), incarnation=incarnation)
    if other != mine:
        assert reason_to_refuse(other, device=DEVICE, incarnation=STORE, above=0) == "foreign"


@given(KINDS, st.text(max_size=9))
def test_orders_travel_as_directives_and_what_a_later_version_means_is_left_alone(
    kinds: list[OrderKind], name: str
) -> None:
    sent = given_out(kinds)
    foreign = [] if name in [*OrderKind] else [Directive(1, name, {"device": 7})]
    assert orders_in([*foreign, *map(directive_of, sent), *foreign]) == sent
