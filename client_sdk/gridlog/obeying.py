"""Orders of the server: which are taken, what is said about them, and what a store leaves behind when it obeys.

The rule it keeps: an order counts if it came in the signed answer to this store's own request, names this store in
its present incarnation, and has a counter above all before it. Anything else is refused, and the server hears of it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import count

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from gridlog_protocol.about import ABOUT, INCARNATION, ORDER, REFUSED_ORDER, SCOPES, changed_since
from gridlog_protocol.canonical import Value
from gridlog_protocol.codec import encode
from gridlog_protocol.envelope import Purpose, seal
from gridlog_protocol.limits import BATCH_BYTES
from gridlog_protocol.messages import Directive, SyncRequest
from gridlog_protocol.ops import Op
from gridlog_protocol.orders import (
    WIPED,
    Acknowledged,
    Order,
    OrderKind,
    acknowledged_row,
    orders_in,
    reason_to_refuse,
)
from gridlog_protocol.segment import Segment
from gridlog_sync.session import batch_of

from .asking import Asked
from .device_clock import DeviceClock
from .entries import Enrolled
from .errors import NotEnrolledError, OrderRefusedError
from .memory import Memory
from .parting import UNSENT_BYTES_MAX, Parting
from .vault import Vault

_log = logging.getLogger("gridlog.store")


class WipeOrderedError(Exception):
    """An answer brought an order to wipe that counts: whoever carries out exchanges obeys it."""

    def __init__(self, order: Order) -> None:
        super().__init__("the server orders this store to be wiped")
        self.order = order


class Orders:
    """What one open store and its server say to each other about the device itself."""

    def __init__(self, memory: Memory, facts: Callable[[], Mapping[str, Value]]) -> None:
        self._memory = memory
        self._facts = facts
        self._told: Mapping[str, Value] = {}
        self._refused: str | None = None

    def about(self) -> dict[str, Value]:
        """Return all that this device says of itself now."""
        memory = self._memory
        about: dict[str, Value] = {**self._facts(), INCARNATION: memory.incarnation}
        if memory.standing is not None:
            about[SCOPES] = [*memory.standing.scopes]
        if memory.order:
            about[ORDER] = memory.order
        if self._refused is not None:
            about[REFUSED_ORDER] = self._refused
        return about

    def news(self, about: Mapping[str, Value]) -> dict[str, Value]:
        """Return the part of a request that says what is new of it, empty if nothing is."""
        changed = changed_since(self._told, about)
        return {ABOUT: changed} if changed else {}

    def heard(self, about: Mapping[str, Value]) -> None:
        """Take note that the server has heard this."""
        self._told = about

    def forget(self) -> None:
        """Say everything anew: the server may not know it any more."""
        self._told = {}

    def taken(self, directives: Sequence[Directive]) -> int:
        """Take the orders of an answer, and return the highest counter to be kept, 0 if it brought none.

        Raises WipeOrderedError if one is to be obeyed, and OrderRefusedError if one must not be.
        """
        memory, highest = self._memory, 0
        for order in orders_in(directives):
            above = max(memory.order, highest)
            why = reason_to_refuse(order, device=memory.device, incarnation=memory.incarnation, above=above)
            if order.kind is OrderKind.WIPE:
                if why is None:
                    raise WipeOrderedError(order)
                _log.warning("an order to wipe was refused: %s, counter %d", why, order.counter)
                self._refused = why
                self.forget()
                raise OrderRefusedError(why)
            if why is None:
                highest = order.counter
        return highest


def parting_of(
    memory: Memory,
    vault: Vault,
    clock: DeviceClock,
    *,
    asked: Asked,
    order: Order,
    segment: Callable[[Sequence[Op], Enrolled], Segment],
) -> Parting:
    """Seal what a store leaves behind that obeys an order: its acknowledgement, and the ops that nobody else has.

    Those of the request that fetched the order are at the server already: it kept them before it answered.
    """
    enrolled, standing = memory.enrolled, memory.standing
    if enrolled is None or standing is None:
        raise NotEnrolledError
    server = X25519PublicKey.from_public_bytes(enrolled.server_exchange_key)
    counters = count(max(asked.counter, memory.counter) + 1)

    def sealed(extras: Mapping[str, Value], runs: Sequence[Sequence[Op]]) -> bytes:
        request = SyncRequest(
            next(counters),
            standing.token,
            standing.position,
            standing.generation,
            segments=tuple(segment(run, enrolled) for run in runs),
            clock=clock.facts(memory.hlc, server_ms=memory.server_ms) if runs else None,
            extras=extras,
        )
        return seal(
            encode(request),
            purpose=Purpose.SYNC_REQUEST,
            address=enrolled.handle,
            reader=server,
            sender=vault.signing_key,
        )

    said = Acknowledged(order.counter, order.incarnation, max(clock.wall_ms(), 0))
    messages = [sealed({WIPED: acknowledged_row(said)}, ())]
    messages += [sealed({}, runs) for runs in _batches(memory, asked)]
    return Parting(vault.store_id, enrolled.address, tuple(messages))


def _batches(memory: Memory, asked: Asked) -> list[list[list[Op]]]:
    """Cut what has not been sent into requests, oldest first, as far as the bound goes."""
    at_server = {op.id for op in asked.sent}
    rest = [written.op for written in memory.pending.values() if written.op.id not in at_server]
    sizes = {op: written.size for op, written in memory.pending.items()}
    room, batches = UNSENT_BYTES_MAX, []
    while rest:
        runs = batch_of(rest, lambda op: sizes[op.id], bytes_max=BATCH_BYTES)
        number = sum(map(len, runs))
        room -= sum(sizes[op.id] for op in rest[:number])
        if room < 0:
            _log.warning("%d changes were not kept for the server: they are too many", len(rest))
            break
        batches.append(runs)
        rest = rest[number:]
    return batches
