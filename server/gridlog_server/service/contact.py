"""What the server keeps of a device at each contact: when it was, what it reports, and how wrong its clock is."""

from __future__ import annotations

import logging
from dataclasses import replace

from gridlog_protocol.ids import shown
from gridlog_protocol.messages import SyncRequest
from gridlog_server.store.contract import Device, Transaction

log = logging.getLogger(__name__)


def reported(device: Device, name: str) -> int | None:
    """Return a count that a device reported about itself; None if it never did, or said something else."""
    value = device.report.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


async def note_contact(transaction: Transaction, device: Device, request: SyncRequest, now_ms: int) -> None:
    """Note that a device was in contact at `now_ms` (Unix ms), and what it said."""
    # A request may come late or twice; what it says of the device counts only if it is the newest.
    is_newest = request.counter > device.counter
    report = request.status if request.status is not None and is_newest else device.report
    ahead_ms = request.clock.wall_ms - now_ms if request.clock is not None and is_newest else device.clock_ahead_ms
    noted = replace(
        device,
        contact_ms=now_ms,
        counter=max(request.counter, device.counter),
        report=report,
        clock_ahead_ms=ahead_ms,
    )
    new_repairs = (reported(noted, "repairs") or 0) - (reported(device, "repairs") or 0)
    if new_repairs > 0:
        log.warning("device %s repaired %d records, and names the causes in its log", shown(device.id), new_repairs)
    await transaction.registry.put_device(noted)
