"""Which devices a list is about: those that were silent, never called, have something unsent, or are lost."""

from __future__ import annotations

from dataclasses import dataclass

from gridlog_server.store.contract import Device

from .contact import reported
from .standing import LOST


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """What a device must fulfil, all of it. `silent_since_ms`: no contact since then (Unix ms)."""

    silent_since_ms: int | None = None
    never: bool = False
    with_unsent: bool = False
    lost: bool = False

    def takes(self, device: Device) -> bool:
        """Tell whether a device is one of those."""
        return not (
            (self.silent_since_ms is not None and device.contact_ms > self.silent_since_ms)
            or (self.never and has_called(device))
            or (self.with_unsent and not reported(device, "unsent"))
            or (self.lost and device.status != LOST)
        )


def has_called(device: Device) -> bool:
    """Tell whether a device ever synchronised, or tried to, since it was enrolled."""
    return device.counter > 0 or device.contact_ms > device.enrolled_ms
