"""Hold the store's keys, and keep them in `keys.gl` in a form that only the passphrase opens.

A random master key seals everything; each slot of the file wraps the master key under a key derived from a secret
(now a passphrase; other secrets get slots of their own), so that a new passphrase rewrites one slot and no record.
The file stands apart from the journal because a secret deleted from a database lives on in its log.

A vault is open from `create` or `unlock` until `close`, and holds the store's lock all that time, so that nobody
else, in this process or another, changes keys or journal under it. Python cannot wipe memory: `close` forgets the
keys and leaves the rest to the end of the process.

Calls block, and must not overlap: give a store one thread.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from gridlog.disk import (
    StoreLock,
    disk_errors,
    make_private_directory,
    read_bounded,
    write_durably,
)
from gridlog.errors import (
    DiskFailedError,
    StoreDamagedError,
    StoreExistsError,
    StoreMissingError,
    StorePart,
    WeakPassphraseError,
)
from gridlog.kdf import KEY_BYTES, KdfProfile, normalised
from gridlog.keyfile import (
    FILE_BYTES_MAX,
    KeyFile,
    Secrets,
    StoreId,
    Tenure,
    decode_file,
    decode_header,
    encode_file,
)
from gridlog.keyslots import (
    Entropy,
    open_secrets,
    seal_secrets,
    unwrap_master_key,
    wrap_master_key,
)
from gridlog_protocol.ids import ID_BYTES, SHORT_ID_BYTES, DeviceId, Incarnation

__all__ = ["KEYS_FILE", "PASSPHRASE_CHARACTERS_MIN", "Entropy", "KdfProfile", "Vault", "exists"]

KEYS_FILE = "keys.gl"
PASSPHRASE_CHARACTERS_MIN = 8


def exists(directory: Path) -> bool:
    """Tell whether the directory has a store's keys."""
    with disk_errors():
        return (directory / KEYS_FILE).exists()


class Vault:
    """The keys of one store, unlocked. Made by `create` or `unlock`; use it in a `with` or close it."""

    def __init__(self, directory: Path, lock: StoreLock, file: KeyFile, keys: _Keys, entropy: Entropy) -> None:
        self.directory = directory
        self.entropy = entropy
        self._lock = lock
        self._file = file
        self._keys: _Keys | None = keys
        self._is_in_doubt = False

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
        if len(normalised(passphrase)) < PASSPHRASE_CHARACTERS_MIN:
            raise WeakPassphraseError(PASSPHRASE_CHARACTERS_MIN)
        make_private_directory(directory)
        lock = StoreLock(directory)
        try:
            file, keys = _drawn(passphrase, profile, entropy)
            _write_first(directory, file)
        except BaseException:
            lock.release()
            raise
        return cls(directory, lock, file, keys, entropy)

    @classmethod
    def unlock(cls, directory: Path, passphrase: str, *, entropy: Entropy = os.urandom) -> Self:
        """Open the keys of a store that is there.

        Raises StoreMissingError, StoreInUseError, WrongPassphraseError, StoreDamagedError, StoreTooNewError,
        DiskFailedError.
        """
        if not exists(directory):
            raise StoreMissingError(directory)
        lock = StoreLock(directory)
        try:
            file = _read(directory)
            master_key = unwrap_master_key(file, passphrase)
            keys = _Keys(master=master_key, secrets=open_secrets(file, master_key))
        except BaseException:
            lock.release()
            raise
        return cls(directory, lock, file, keys, entropy)

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

    @property
    def store_id(self) -> StoreId:
        """What everything sealed in this store is bound to."""
        return self._file.store_id

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
        return any(decode_header(slot.header).cost.is_weak for slot in self._file.slots)

    def journal_key(self, epoch: int) -> bytes:
        """Return the key of an epoch's frames. Raises KeyError for an epoch whose key is not here."""
        return dict(self._known().journal_keys)[epoch]

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

    def _rewrite(self, secrets: Secrets) -> None:
        master_key = self._opened().master
        sealed = seal_secrets(secrets, master_key, store_id=self.store_id, entropy=self.entropy)
        file = replace(self._file, sealed_secrets=sealed)
        self._is_in_doubt = True
        write_durably(self.directory / KEYS_FILE, encode_file(file))
        self._is_in_doubt = False
        self._file, self._keys = file, _Keys(master_key, secrets)

    def _known(self) -> Secrets:
        return self._opened().secrets

    def _opened(self) -> _Keys:
        if self._is_in_doubt:
            raise DiskFailedError
        if self._keys is None:
            raise RuntimeError("the vault is closed")
        return self._keys


@dataclass(frozen=True, slots=True, repr=False)
class _Keys:
    """What is in memory only while the vault is open. No repr, so that no log prints a key."""

    master: bytes
    secrets: Secrets


def _drawn(passphrase: str, profile: KdfProfile, entropy: Entropy) -> tuple[KeyFile, _Keys]:
    store_id = StoreId(entropy(ID_BYTES))
    master_key = entropy(KEY_BYTES)
    secrets = Secrets(
        device_id=DeviceId(entropy(ID_BYTES)),
        tenures=(Tenure(1, Incarnation(entropy(SHORT_ID_BYTES))),),
        signing_seed=entropy(KEY_BYTES),
        exchange_private=entropy(KEY_BYTES),
        journal_keys=((1, entropy(KEY_BYTES)),),
    )
    slot = wrap_master_key(master_key, passphrase, store_id=store_id, cost=profile.value, entropy=entropy)
    sealed = seal_secrets(secrets, master_key, store_id=store_id, entropy=entropy)
    return KeyFile(store_id, (slot,), sealed), _Keys(master_key, secrets)


def _write_first(directory: Path, file: KeyFile) -> None:
    if exists(directory):
        raise StoreExistsError(directory)
    write_durably(directory / KEYS_FILE, encode_file(file))


def _read(directory: Path) -> KeyFile:
    raw = read_bounded(directory / KEYS_FILE, bytes_max=FILE_BYTES_MAX)
    if raw is None:
        raise StoreDamagedError(StorePart.KEYS)
    return decode_file(raw)
