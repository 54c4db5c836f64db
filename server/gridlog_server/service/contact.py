"""What the server keeps of a device at each contact: when it was, what it says of itself, how wrong its clock is."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace

from gridlog_protocol.about import INCARNATION, ORDER, REFUSED_ORDER, read_about
from gridlog_protocol.canonical import Value, pack
from gridlog_protocol.ids import shown
from gridlog_protocol.limits import ABOUT_BYTES_MAX
from gridlog_protocol.messages import SyncRequest
from gridlog_server.store.contract import Act, Device, Transaction

from .standing import by_itself

log = logging.getLogger(__name__)
_ORDER_REFUSED = "device.order_refused"


def reported(device: Device, name: str) -> int | None:
    """Return a count that a device reported about itself; None if it never did, or said something else."""
    value = device.report.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def reported_text(device: Device, name: str) -> str | None:
    """Return a text that a device reported about itself; None if it never did, or said something else."""
    value = device.report.get(name)
    return value if isinstance(value, str) else None


async def note_contact(transaction: Transaction, device: Device, request: SyncRequest, now_ms: int) -> None:
    """Note that a device was in contact at `now_ms` (Unix ms), and what it said."""
    noted = await _heard(transaction, device, request, now_ms)
    new_repairs = (reported(noted, "repairs") or 0) - (reported(device, "repairs") or 0)
    if new_repairs > 0:
        log.warning("device %s repaired %d records, and names the causes in its log", shown(device.id), new_repairs)
    await transaction.registry.put_device(noted)


async def note_turned_away(transaction: Transaction, device: Device, request: SyncRequest, now_ms: int) -> Device:
    """Note the contact of a device that may not synchronise, and return it as it is now: somebody has it in hand.

    What it pushes is not taken in, and stays with it: it counts as unsent.
    """
    noted = await _heard(transaction, device, request, now_ms)
    ops = [op for segment in request.segments for op in segment.ops]
    if ops and request.counter > device.counter:
        behind = request.status.get("unsent", 0) if request.status is not None else 0
        unsent = len(ops) + (behind if isinstance(behind, int) else 0)
        report = {**noted.report, "unsent": unsent, "oldest_ms": min(op.clock.wall_ms for op in ops)}
        noted = replace(noted, report=report)
    if noted.wipe_ordered_ms is not None and INCARNATION in noted.about:
        noted = replace(noted, order_fetched_ms=now_ms)
    await transaction.registry.put_device(noted)
    return noted


async def _heard(transaction: Transaction, device: Device, request: SyncRequest, now_ms: int) -> Device:
    """Return a device with what a request says of it."""
    about = read_about(request.extras)
    if request.counter <= device.counter:
        # A request may come late or twice; what it says of the device counts only if it is the newest.
        return replace(device, contact_ms=now_ms)
    refused = about.get(REFUSED_ORDER)
    if (
        isinstance(refused, str)
        and refused != device.about.get(REFUSED_ORDER)
        and await _is_news(transaction, device)
    ):
        log.warning("device %s refused an order: %s", shown(device.id), refused)
        act = Act(now_ms, by_itself(device), _ORDER_REFUSED, device.id.hex(), str(refused))
        await transaction.registry.note(act)
    known = about.get(ORDER, device.about.get(ORDER, 0))
    order = max(device.order, known) if isinstance(known, int) else device.order
    if device.wipe_ordered_ms is not None and order == known:
        # It has heard of as high a counter, from a life of this server that a restore lost: this order is old to it.
        order += 1
    return replace(
        device,
        contact_ms=now_ms,
        counter=request.counter,
        report=request.status if request.status is not None else device.report,
        clock_ahead_ms=device.clock_ahead_ms if request.clock is None else request.clock.wall_ms - now_ms,
        about=_merged(device.about, about),
        order=order,
    )


async def _is_news(transaction: Transaction, device: Device) -> bool:
    """Tell whether anything was done to a device since it last refused an order: it must not fill the acts."""
    newest = await transaction.registry.acts(1, subject=device.id.hex())
    return not newest or newest[0].what != _ORDER_REFUSED


def _merged(before: Mapping[str, Value], said: Mapping[str, Value]) -> Mapping[str, Value]:
    """Return the newest of each name. What is too much together, by names that nobody knows, is only what is new."""
    merged = {**before, **said}
    return merged if len(pack(merged)) <= ABOUT_BYTES_MAX else said
