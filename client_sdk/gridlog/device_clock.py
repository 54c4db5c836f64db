"""What this device can say about time. The only place of the SDK that reads a clock."""

from __future__ import annotations

import os
import time
from pathlib import Path

from gridlog_protocol.clock import BOOT_ID_BYTES, ClockFacts, Hlc

_BOOT_ID_FILE = Path("/proc/sys/kernel/random/boot_id")


class DeviceClock:
    """Wall time, time since boot, and which boot. A boot id that cannot be read is drawn anew for this process."""

    def __init__(self) -> None:
        self._boot = _boot_id()

    def wall_ms(self) -> int:
        """Return what the device's clock says, in Unix milliseconds."""
        return time.time_ns() // 1_000_000

    def facts(self, hlc: Hlc, *, server_ms: int) -> ClockFacts:
        """Return everything an op claims about time. `server_ms` is the last server time known, or 0."""
        since_boot_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
        return ClockFacts(hlc, self.wall_ms(), self._boot, since_boot_ms, server_ms)


def _boot_id() -> bytes:
    try:
        return bytes.fromhex(_BOOT_ID_FILE.read_text(encoding="ascii").strip().replace("-", ""))[:BOOT_ID_BYTES]
    except (OSError, ValueError):
        return os.urandom(BOOT_ID_BYTES)
