"""What a server orders a device, and how the device acknowledges it.

    wipe   destroy this store, and say that it is done
    keep   the order before this one is withdrawn

An order travels as a directive of an answer, which opens only for the device and only as the answer to its own
request. It names the store that it is for besides, and carries a counter that rises for each device: one that is not
above the last is old. So nothing that was ever said to a device, or is said to another one, can be said to it again.

The acknowledgement travels in the `extras` of a request, which the device signs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from .canonical import Value
from .ids import DeviceId, Incarnation
from .messages import Directive
from .rows import Row

WIPED = "wiped"
"""Request: the acknowledgement of an order to wipe. Sent when the keys are destroyed, and not before."""

GENERATION_OF_NOBODY = 0
"""The scope set of an answer that brings an order and nothing else: it is no device's, so nothing else applies."""


class OrderKind(StrEnum):
    """What is ordered."""

    WIPE = "wipe"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class Order:
    """One order to one store of one device. `counter` rises with each order to the device."""

    counter: int
    kind: OrderKind
    device: DeviceId
    incarnation: Incarnation


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A device's word that it carried out the order `counter` at `wall_ms`, by its own clock (Unix ms)."""

    counter: int
    incarnation: Incarnation
    wall_ms: int


def directive_of(order: Order) -> Directive:
    """Write an order."""
    return Directive(order.counter, order.kind.value, {"device": order.device, "incarnation": order.incarnation})


def orders_in(directives: Sequence[Directive]) -> list[Order]:
    """Read the orders among directives; what a later version may mean is left alone. Raises ProtocolError."""
    found = []
    for each in directives:
        if each.name in [*OrderKind]:
            device = Row([each.facts.get("device")], "order").blob(16)
            incarnation = Row([each.facts.get("incarnation")], "order").blob(8)
            found.append(Order(each.counter, OrderKind(each.name), DeviceId(device), Incarnation(incarnation)))
    return found


def acknowledged_row(acknowledged: Acknowledged) -> Value:
    """Write an acknowledgement."""
    return [acknowledged.counter, acknowledged.incarnation, acknowledged.wall_ms]


def read_acknowledged(extras: Mapping[str, Value]) -> Acknowledged | None:
    """Read an acknowledgement, None if there is none. Raises ProtocolError `malformed`."""
    if WIPED not in extras:
        return None
    row = Row(extras[WIPED], WIPED)
    found = Acknowledged(row.whole(low=1), Incarnation(row.blob(8)), row.whole(high=(1 << 47) - 1))
    row.end()
    return found


def reason_to_refuse(order: Order, *, device: DeviceId, incarnation: Incarnation, above: int) -> str | None:
    """Say why a store refuses an order: `foreign` if it is for another store, `old` if its counter is not `above`."""
    if (order.device, order.incarnation) != (device, incarnation):
        return "foreign"
    return "old" if order.counter <= above else None
