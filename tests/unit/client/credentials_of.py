"""A store that everything opens, and a clock that a test sets."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog.credentials import Badge, Credential, Pin, Recovery
from gridlog.device_clock import DeviceClock
from gridlog.kdf import KdfProfile
from gridlog.vault import Vault

WEAK = KdfProfile.WEAK_FOR_TESTS
PASSPHRASE = "桂花树下的第三块砖"
PIN = Pin("280417", b"of this handheld")
PLAIN_PIN = Pin("280417")
WRONG_PIN = Pin("280418", b"of this handheld")
BADGE = Badge(bytes(range(16)))
RECOVERY = Recovery(X25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
ALL: tuple[Credential, ...] = (PASSPHRASE, PIN, BADGE, RECOVERY)
NOW_MS = 1_795_000_000_000


class SetClock(DeviceClock):
    """A clock that says what it is set to."""

    def __init__(self, now_ms: int = NOW_MS) -> None:
        super().__init__()
        self.now_ms = now_ms

    def wall_ms(self) -> int:
        """Return what it was set to."""
        return self.now_ms


def make_with_all(directory: Path) -> None:
    """Make a store with a slot of each kind."""
    with Vault.create(directory, PASSPHRASE, profile=WEAK) as vault:
        vault.set_pin(PIN, current=PASSPHRASE, profile=WEAK)
        vault.set_badge(BADGE, current=PASSPHRASE, profile=WEAK)
        vault.set_recovery(RECOVERY.private_key.public_key().public_bytes_raw())


def identity(directory: Path, credential: Credential, now_ms: int = NOW_MS) -> tuple[bytes, ...]:
    """Open the store, and return what only the right master key gives."""
    with Vault.unlock(directory, credential, clock=SetClock(now_ms)) as vault:
        return vault.store_id, vault.device_id, vault.incarnation, vault.journal_key(1)
