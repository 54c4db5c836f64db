"""Find the master key with a credential, and count a PIN's attempts durably before each of them.

The rule it keeps: a process that is killed at any moment has not won a free attempt. An attempt is on the disk before
anything is derived from the PIN, and is taken back only after the PIN proved right.
"""

from __future__ import annotations

from dataclasses import replace

from gridlog.attempts import ATTEMPTS_MAX, delay_s, is_clock_behind, wait_s
from gridlog.credentials import Credential, Pin
from gridlog.errors import GridlogError, WrongPassphraseError
from gridlog.keydisk import KeysOnDisk
from gridlog.keyfile import Slot, SlotHeader, SlotKind, decode_header
from gridlog.keyslots import kind_of, unwrap_master_key
from gridlog.vault_errors import (
    DeviceSecretMissingError,
    NoPinError,
    PinDestroyedError,
    PinWaitError,
    WrongBadgeError,
    WrongPinError,
    WrongRecoveryKeyError,
)


def open_master_key(keys: KeysOnDisk, credential: Credential, *, now_ms: int) -> bytes:
    """Return the master key, if the credential opens its slot. `now_ms` is the device's clock, Unix milliseconds.

    Raises WrongPassphraseError, WrongBadgeError, WrongRecoveryKeyError; for a PIN WrongPinError, PinWaitError,
    PinDestroyedError, NoPinError, DeviceSecretMissingError, DiskFullError, DiskFailedError. Raises StoreDamagedError
    if what it opens is no key.
    """
    if isinstance(credential, Pin):
        return _opened_by_pin(keys, credential, max(now_ms, 0))
    slot = keys.file.slot(kind_of(credential))
    master_key = slot and unwrap_master_key(slot, credential, store_id=keys.file.store_id)
    if not master_key:
        raise _refusal(kind_of(credential))
    return master_key


def _opened_by_pin(keys: KeysOnDisk, pin: Pin, now_ms: int) -> bytes:
    slot = keys.file.slot(SlotKind.PIN)
    if slot is None:
        raise NoPinError
    header = decode_header(slot.header)
    if isinstance(header, SlotHeader) and header.is_device_bound and not pin.device_secret:
        raise DeviceSecretMissingError
    slot = _counted(keys, slot, now_ms)
    master_key = unwrap_master_key(slot, pin, store_id=keys.file.store_id)
    if master_key is None:
        if slot.attempts >= ATTEMPTS_MAX:
            raise _destroyed(keys)
        raise WrongPinError(ATTEMPTS_MAX - slot.attempts, delay_s(slot.attempts))
    keys.replace(keys.file.with_slot(replace(slot, attempts=0, last_attempt_ms=0)))
    return master_key


def _counted(keys: KeysOnDisk, slot: Slot, now_ms: int) -> Slot:
    """Count one more attempt, durably, or refuse it."""
    attempts, last_ms = slot.attempts, slot.last_attempt_ms
    if attempts >= ATTEMPTS_MAX:
        # The tenth was cut off before anybody could know whether it was right.
        raise _destroyed(keys)
    if is_clock_behind(attempts, last_ms=last_ms, now_ms=now_ms):
        keys.replace(keys.file.with_slot(replace(slot, last_attempt_ms=now_ms)))
        raise PinWaitError(delay_s(attempts))
    if left_s := wait_s(attempts, last_ms=last_ms, now_ms=now_ms):
        raise PinWaitError(left_s)
    counted = replace(slot, attempts=attempts + 1, last_attempt_ms=now_ms)
    keys.replace(keys.file.with_slot(counted))
    return counted


def _destroyed(keys: KeysOnDisk) -> PinDestroyedError:
    keys.replace(keys.file.without(SlotKind.PIN), retires=True)
    return PinDestroyedError()


def _refusal(kind: SlotKind) -> GridlogError:
    match kind:
        case SlotKind.BADGE:
            return WrongBadgeError()
        case SlotKind.RECOVERY:
            return WrongRecoveryKeyError()
        case _:
            return WrongPassphraseError()
