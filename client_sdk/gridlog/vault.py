"""Hold the store's keys, and keep them in `keys.gl` in a form that only a credential opens.

A random master key seals everything; each slot of the file wraps the master key under a key derived from a secret
(passphrase, PIN, badge; the organisation's recovery key), so that a new passphrase rewrites one slot and no record.
The file stands apart from the journal because a secret deleted from a database lives on in its log.

A vault is open from `create` or `unlock` until `close`, and holds the store's lock all that time, so that nobody
else changes keys or journal under it. Python cannot wipe memory: `close` forgets the keys.

Calls block, and must not overlap: give a store one thread.
"""

from __future__ import annotations

import hmac
import os
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gridlog.credentials import Badge, Credential, Pin, refuse_weak_passphrase, refuse_weak_pin
from gridlog.device_clock import DeviceClock
from gridlog.disk import StoreLock, make_private_directory, write_durably
from gridlog.errors import StoreDamagedError, StoreExistsError, StoreMissingError, StorePart
from gridlog.frames import first_hash
from gridlog.kdf import KEY_BYTES, KdfProfile
from gridlog.keydisk import KEYS_FILE, KeysOnDisk, destroy, has_keys, is_wiped
from gridlog.keyfile import (
    Base,
    KeyFile,
    RecoveryHeader,
    Secrets,
    SlotHeader,
    SlotKind,
    StoreId,
    Tenure,
    decode_header,
    encode_file,
)
from gridlog.keyslots import Entropy, draw_keys, open_secrets, seal_secrets, wrap_for_recovery, wrap_master_key
from gridlog.parting import finish_if_doomed, is_doomed
from gridlog.unlocking import open_master_key
from gridlog_protocol.ids import SHORT_ID_BYTES, DeviceId, Incarnation

__all__ = ["KEYS_FILE", "Credential", "Entropy", "KdfProfile", "SlotKind", "Vault", "has_keys", "slots_at", "wipe"]

_SNAPSHOT_PURPOSE = b"gridlog snapshot key v1"
_INBOX_PURPOSE = b"gridlog inbox key v1"


def slots_at(directory: Path) -> frozenset[SlotKind]:
    """Return what would open the store here, without opening it. Raises as `KeysOnDisk.read`."""
    if is_doomed(directory):
        wipe(directory)
    return _kinds_in(KeysOnDisk.read(directory).file)


def wipe(directory: Path) -> None:
    """Destroy the keys of a store that is not open, then its files. It needs no credential: `rm` needs none either.

    An interrupted one is finished by the next. Raises StoreMissingError, StoreInUseError, DiskFailedError.
    """
    if not has_keys(directory) and not is_wiped(directory):
        raise StoreMissingError(directory)
    lock = StoreLock(directory)
    try:
        destroy(directory)
    finally:
        lock.release()


class Vault:
    """The keys of one store, unlocked. Made by `create` or `unlock`; use it in a `with` or close it."""

    def __init__(
        self, directory: Path, lock: StoreLock, disk: KeysOnDisk, keys: _Keys, entropy: Entropy, clock: DeviceClock
    ) -> None:
        self.directory = directory
        self.entropy = entropy
        self._lock = lock
        self._disk = disk
        self._keys: _Keys | None = keys
        self._clock = clock

    @classmethod
    def create(
        cls,
        directory: Path,
        passphrase: str,
        *,
        profile: KdfProfile = KdfProfile.STANDARD,
        entropy: Entropy = os.urandom,
    ) -> Self:
        """Make the keys of a new store, and its directory when that is missing.

        Raises WeakPassphraseError, StoreExistsError, StoreInUseError, DiskFullError, DiskFailedError.
        """
        refuse_weak_passphrase(passphrase)
        make_private_directory(directory)
        lock = StoreLock(directory)
        try:
            file, master_key, secrets = draw_keys(passphrase, cost=profile.value, entropy=entropy)
            _write_first(directory, file)
        except BaseException:
            lock.release()
            raise
        return cls(directory, lock, KeysOnDisk(directory, file), _Keys(master_key, secrets), entropy, DeviceClock())

    @classmethod
    def unlock(
        cls,
        directory: Path,
        credential: Credential,
        *,
        entropy: Entropy = os.urandom,
        clock: DeviceClock | None = None,
        lock: StoreLock | None = None,
    ) -> Self:
        """Open the keys of a store that is there. A `str` is a passphrase; `clock` times the pauses between PINs.

        `lock` is the store's lock if the caller has it; it stays the caller's if this fails. Raises as `slots_at`,
        StoreInUseError, and as `open_master_key` does when the credential does not open.
        """
        # Before the lock: looking for a store must not make one's lock file.
        KeysOnDisk.read(directory)
        own = lock or StoreLock(directory)
        try:
            finish_if_doomed(directory)
            disk = KeysOnDisk.read(directory)
            clock = clock or DeviceClock()
            master_key = open_master_key(disk, credential, now_ms=clock.wall_ms())
            keys = _Keys(master=master_key, secrets=open_secrets(disk.file, master_key))
        except BaseException:
            if lock is None:
                own.release()
            raise
        return cls(directory, own, disk, keys, entropy, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Forget the keys and let go of the store. Close the journal first. Closing twice is harmless."""
        self._keys = None
        self._lock.release()

    def leave_lock(self) -> StoreLock:
        """Forget the keys, but keep the store: its lock is the caller's from now on. Close the journal first."""
        self._keys = None
        return self._lock

    @property
    def store_id(self) -> StoreId:
        """What everything sealed in this store is bound to."""
        return self._disk.file.store_id

    @property
    def device_id(self) -> DeviceId:
        """Who signs: drawn once, when the store was made."""
        return self._known().device_id

    @property
    def incarnation(self) -> Incarnation:
        """The incarnation in force for what is written now."""
        return self._known().tenures[-1].incarnation

    @property
    def incarnation_first_seq(self) -> int:
        """The journal's first frame of this incarnation: it may not be written yet, but those before it are."""
        return self._known().tenures[-1].first_seq

    @property
    def signing_key(self) -> Ed25519PrivateKey:
        """Signs the device's segments."""
        return Ed25519PrivateKey.from_private_bytes(self._known().signing_seed)

    @property
    def exchange_key(self) -> X25519PrivateKey:
        """Opens the answers that the server sealed to this device."""
        return X25519PrivateKey.from_private_bytes(self._known().exchange_private)

    @property
    def journal_epoch(self) -> int:
        """The epoch that new frames belong to."""
        return self._known().journal_keys[-1][0]

    @property
    def is_weak(self) -> bool:
        """Whether a slot was made cheaper to guess than the standard profile: a store for tests."""
        return any(header.cost.is_weak for header in self._derived_headers())

    @property
    def has_plain_pin(self) -> bool:
        """Whether there is a PIN that a copy of the files gives away: one without a secret of the device."""
        return any(one.kind is SlotKind.PIN and not one.is_device_bound for one in self._derived_headers())

    @property
    def slots(self) -> frozenset[SlotKind]:
        """What opens this store."""
        return _kinds_in(self._disk.file)

    def journal_key(self, epoch: int) -> bytes:
        """Return the key of an epoch's frames. Raises KeyError for an epoch whose key is not here."""
        return dict(self._known().journal_keys)[epoch]

    @property
    def bases(self) -> tuple[Base, ...]:
        """Where the journal may begin, oldest first: more than one only while it is being compacted."""
        return self._known().bases or (Base(1, first_hash(self.store_id)),)

    @property
    def inbox_key(self) -> X25519PrivateKey:
        """Opens what was written while the store was locked."""
        return X25519PrivateKey.from_private_bytes(self._derived(_INBOX_PURPOSE))

    def snapshot_wrapping(self) -> AESGCM:
        """Return what wraps the keys of snapshots."""
        return AESGCM(self._derived(_SNAPSHOT_PURPOSE))

    def begin_epoch(self, base: Base) -> None:
        """Let the journal begin at `base` too, and draw the key of a new epoch for all that is written from now on.

        Durable. Raises DiskFullError, DiskFailedError: the vault refuses to be used further then.
        """
        secrets = self._known()
        key = (secrets.journal_keys[-1][0] + 1, self.entropy(KEY_BYTES))
        self._rewrite(replace(secrets, bases=(*self.bases, base), journal_keys=(*secrets.journal_keys, key)))

    def settle_base(self, base: Base) -> None:
        """Let the journal begin at `base` alone; if it is the newest, destroy the keys of the epochs before it.

        Durable. Raises DiskFullError, DiskFailedError.
        """
        secrets = self._known()
        is_newest = base == self.bases[-1]
        keys = secrets.journal_keys[-1:] if is_newest else secrets.journal_keys
        self._rewrite(replace(secrets, bases=(base,), journal_keys=keys), retires=is_newest)

    @property
    def expects_end(self) -> bool:
        """Whether the journal is known to have an end: one without it was cut off."""
        return self._known().has_end

    def expect_end(self) -> None:
        """Note, durably, that the journal has an end. Raises DiskFullError, DiskFailedError."""
        self._rewrite(replace(self._known(), has_end=True))

    def incarnation_at(self, seq: int) -> Incarnation:
        """Return the incarnation in force when the journal's frame `seq` was, or will be, written."""
        tenures = self._known().tenures
        return next(one.incarnation for one in reversed(tenures) if one.first_seq <= seq)

    def redraw_incarnation(self, *, first_seq: int) -> Incarnation:
        """Draw a new incarnation, durably, for the journal's frames from `first_seq` on.

        Call `Journal.redraw_incarnation`, which knows the number. After an error nobody knows which incarnation the
        file has, and a frame written under the wrong one could never be read, so the vault refuses to be used
        further: close it and unlock it again.
        """
        secrets = self._known()
        if first_seq < secrets.tenures[-1].first_seq:
            raise ValueError("an incarnation cannot begin before the one it follows")
        tenure = Tenure(first_seq, Incarnation(self.entropy(SHORT_ID_BYTES)))
        # An incarnation that never wrote a frame gives way to its successor.
        kept = tuple(one for one in secrets.tenures if one.first_seq < first_seq)
        self._rewrite(replace(secrets, tenures=(*kept, tenure)))
        return tenure.incarnation

    def change_passphrase(
        self, passphrase: str, *, current: Credential, profile: KdfProfile = KdfProfile.STANDARD
    ) -> None:
        """Let another passphrase open the store, durably; the old one does not open it any more.

        `current` is what whoever holds the device can open the store with now. Raises WeakPassphraseError, and what
        `unlock` raises for it; after an error of the disk close the vault: the old one opens, or the new one.
        """
        refuse_weak_passphrase(passphrase)
        self._authenticate(current)
        self._put(passphrase, profile)

    def set_pin(
        self,
        pin: Pin | None,
        *,
        current: Credential,
        allows_plain: bool = False,
        profile: KdfProfile = KdfProfile.STANDARD,
    ) -> None:
        """Let this PIN open the store and no earlier one, durably; None takes the PIN away.

        `allows_plain` says that somebody answers for a PIN without a secret of the device. Raises WeakPinError,
        PlainPinError, and otherwise as `change_passphrase`.
        """
        if pin is not None:
            refuse_weak_pin(pin, allows_plain=allows_plain)
        self._authenticate(current)
        self._put_or_remove(pin, SlotKind.PIN, profile)

    def set_badge(
        self, badge: Badge | None, *, current: Credential, profile: KdfProfile = KdfProfile.STANDARD
    ) -> None:
        """Let this badge open the store and no earlier one, durably; None takes it away. Raises as `set_pin`."""
        self._authenticate(current)
        self._put_or_remove(badge, SlotKind.BADGE, profile)

    def set_recovery(self, public_key: bytes) -> None:
        """Let the organisation open the store: its X25519 key, 32 bytes, as the pinned server told it.

        Raises ValueError if it is no usable key, DiskFullError, DiskFailedError.
        """
        slot = self._disk.file.slot(SlotKind.RECOVERY)
        if slot is None or decode_header(slot.header) != RecoveryHeader(public_key):
            new = wrap_for_recovery(self._opened().master, public_key, store_id=self.store_id)
            self._disk.replace(self._disk.file.with_slot(new), retires=slot is not None)

    def wipe(self) -> None:
        """Destroy the keys, then the store's files, and close. Close the journal first. Raises as `wipe`."""
        self._keys = None
        try:
            destroy(self.directory)
        finally:
            self.close()

    def _authenticate(self, current: Credential) -> None:
        master_key = self._opened().master
        if not hmac.compare_digest(open_master_key(self._disk, current, now_ms=self._clock.wall_ms()), master_key):
            # A slot of this very store holds another key: somebody put it there.
            raise StoreDamagedError(StorePart.KEYS)

    def _put_or_remove(self, credential: Pin | Badge | None, kind: SlotKind, profile: KdfProfile) -> None:
        if credential is not None:
            self._put(credential, profile)
        elif kind in self.slots:
            self._disk.replace(self._disk.file.without(kind), retires=True)

    def _put(self, credential: str | Pin | Badge, profile: KdfProfile) -> None:
        slot = wrap_master_key(
            self._opened().master, credential, store_id=self.store_id, cost=profile.value, entropy=self.entropy
        )
        self._disk.replace(self._disk.file.with_slot(slot), retires=True)

    def _derived(self, purpose: bytes) -> bytes:
        """Derive a key from the master key: HKDF-SHA-256 (RFC 5869)."""
        return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=purpose + self.store_id).derive(self._opened().master)

    def _derived_headers(self) -> list[SlotHeader]:
        headers = [decode_header(slot.header) for slot in self._disk.file.slots]
        return [header for header in headers if isinstance(header, SlotHeader)]

    def _rewrite(self, secrets: Secrets, *, retires: bool = False) -> None:
        master_key = self._opened().master
        sealed = seal_secrets(secrets, master_key, store_id=self.store_id, entropy=self.entropy)
        file = replace(self._disk.file, sealed_secrets=sealed, secrets_version=secrets.version)
        self._disk.replace(file, retires=retires)
        self._keys = _Keys(master_key, secrets)

    def _known(self) -> Secrets:
        return self._opened().secrets

    def _opened(self) -> _Keys:
        if self._keys is None:
            raise RuntimeError("the vault is closed")
        assert self._disk.file, "it raises if the file is in doubt"
        return self._keys


@dataclass(frozen=True, slots=True, repr=False)
class _Keys:
    """What is in memory only while the vault is open. No repr, so that no log prints a key."""

    master: bytes
    secrets: Secrets


def _kinds_in(file: KeyFile) -> frozenset[SlotKind]:
    return frozenset(slot.kind for slot in file.slots)


def _write_first(directory: Path, file: KeyFile) -> None:
    if has_keys(directory):
        raise StoreExistsError(directory)
    # Of a store that was being wiped there may be files that nobody can read, and some of its keys.
    if is_wiped(directory):
        destroy(directory)
    write_durably(directory / KEYS_FILE, encode_file(file))
