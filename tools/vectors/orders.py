"""Vectors of orders: what a device says of itself, which orders it takes, and how it acknowledges one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gridlog_protocol.about import ABOUT, read_about
from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.codec import packed
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceId, Incarnation
from gridlog_protocol.messages import Directive, SyncResponse
from gridlog_protocol.orders import (
    GENERATION_OF_NOBODY,
    WIPED,
    Acknowledged,
    Order,
    OrderKind,
    acknowledged_row,
    directive_of,
    orders_in,
    read_acknowledged,
    reason_to_refuse,
)
from tools.vectors import cast
from tools.vectors.bodies import every_message, idle
from tools.vectors.naming import Named, named, plain

_KNOWN = 4
"""The highest counter of an order that the device of the vectors has carried out."""


def orders(_: Mapping[str, bytes]) -> list[Named]:
    """Orders in answers, and what requests say of their device."""
    wipe = Order(_KNOWN + 1, OrderKind.WIPE, cast.DEVICE, cast.INCARNATION)
    directives = {
        "an order to wipe": [directive_of(wipe)],
        "an order withdrawn": [directive_of(replace(wipe, kind=OrderKind.KEEP))],
        "an order that is old": [directive_of(replace(wipe, counter=_KNOWN))],
        "an order for another device": [directive_of(replace(wipe, device=DeviceId(bytes(16))))],
        "an order for another store": [directive_of(replace(wipe, incarnation=Incarnation(bytes(8))))],
        "an order of a later version": [Directive(_KNOWN + 1, "sing", {})],
        "an order without a device": [Directive(_KNOWN + 1, "wipe", {"incarnation": cast.INCARNATION})],
        "an order for a device of five bytes": [
            Directive(_KNOWN + 1, "wipe", {"device": b"short", "incarnation": cast.INCARNATION})
        ],
    }
    said: dict[str, Mapping[str, Value]] = {
        "all that a device says of itself": {
            ABOUT: {
                "protocol": 1,
                "kinds": "00112233445566ff",
                "keys": ["passphrase", "pin"],
                "weak": False,
                "free_mb": 4096,
                "battery": 70,
                "scopes": ["tenant", "420106001001001"],
                "incarnation": cast.INCARNATION,
                "order": _KNOWN,
                "refused_order": "old",
                "unheard of": [1],
            }
        },
        "one thing that changed": {ABOUT: {"battery": 60}},
        "an acknowledgement": {WIPED: acknowledged_row(Acknowledged(5, cast.INCARNATION, cast.SERVER_MS))},
        "a battery of 101 percent": {ABOUT: {"battery": 101}},
        "scopes that are a text": {ABOUT: {"scopes": "tenant"}},
        "about that is no map": {ABOUT: []},
        "more about itself than there may be": {ABOUT: {"x": "a" * 8_192}},
        "an acknowledgement of order 0": {WIPED: [0, cast.INCARNATION, 1]},
        "an acknowledgement that goes on": {WIPED: [5, cast.INCARNATION, 1, 1]},
    }
    return [
        *(_order(name, each) for name, each in directives.items()),
        *(_request(name, each) for name, each in said.items()),
    ]


def _order(name: str, directives: list[Directive]) -> Named:
    quiet = every_message()["idle response"]
    assert isinstance(quiet, SyncResponse)
    answer = replace(quiet, generation=GENERATION_OF_NOBODY, digest=b"", directives=tuple(directives))
    given = named(device=cast.DEVICE, incarnation=cast.INCARNATION, order=_KNOWN)
    vector: Named = {"name": name, "given": given, "bytes": (b"\0" + packed(answer)).hex()}
    try:
        taken: list[Value] = [
            named(
                order=each.kind.value,
                counter=each.counter,
                refused=reason_to_refuse(each, device=cast.DEVICE, incarnation=cast.INCARNATION, above=_KNOWN),
            )
            for each in orders_in(directives)
        ]
    except ProtocolError as refused:
        return vector | {"refused": refused.code}
    return vector | {"meaning": {"orders": taken}}


def _request(name: str, extras: Mapping[str, Value]) -> Named:
    body = b"\0" + packed(replace(idle(), extras=extras))
    vector: Named = {"name": name, "given": named(device=cast.DEVICE), "bytes": body.hex()}
    try:
        about, wiped = read_about(extras), read_acknowledged(extras)
    except ProtocolError as refused:
        return vector | {"refused": refused.code}
    said = None
    if wiped is not None:
        said = named(counter=wiped.counter, incarnation=wiped.incarnation, wall_ms=wiped.wall_ms)
    assert pack(about)
    return vector | {"meaning": {"about": plain(about), "wiped": said}}
