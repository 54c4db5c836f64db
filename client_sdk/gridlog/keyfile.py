"""The layout of `keys.gl`: what stands in it, and how its bytes are read without trusting them. Pure: no I/O.

    magic "GRIDLOGK" | version u16 | store id 16 | body | SHA-256 of all before

The body is canonical msgpack, read by position:

    body    [[slot, ...], sealed secrets]
    slot    [header, sealed master key], and in a PIN's slot also: attempts, Unix milliseconds of the last one
    header  packed [slot kind, 1 or 2, memory KiB, iterations, lanes, salt 16]: 1 Argon2id, 2 with a device's secret
            packed [4, 3, X25519 public key 32] of the recovery slot: sealed with HPKE, in the envelopes' suite
    secrets [device id 16, [[first seq, incarnation 8], ...], Ed25519 seed 32, X25519 key 32, [[epoch, key 32], ...]]
            and since the journal was compacted also: [[first seq, hash before 32], ...]
            and since it has an end also: 2; the list before it is empty then if it was never compacted

"Sealed" is nonce 12 | AES-256-GCM. The digest at the end is no defence against a person; it tells a damaged file from
a wrong passphrase, and it stays the last 32 bytes in every version, so that a damaged version number is not taken for
a newer program's. A version, slot kind or KDF that this program does not know is refused, never guessed.

Version 1 has the passphrase's slot alone; version 2 others too; version 3 belongs to a journal that was compacted,
version 4 to one that has an end. A file has the lowest version that will do, so that an older program says that it is
newer, and not that it is damaged.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import pairwise
from typing import NewType

from gridlog.errors import StoreDamagedError, StorePart, StoreTooNewError
from gridlog.kdf import KEY_BYTES, SALT_BYTES, CostOutOfBoundsError, KdfCost
from gridlog_protocol.canonical import NotCanonicalError, Value, pack, unpack
from gridlog_protocol.ids import ID_BYTES, SHORT_ID_BYTES, DeviceId, Incarnation

StoreId = NewType("StoreId", bytes)
"""16 bytes, random, drawn when a store is made: what every sealed thing in the store is bound to."""

FILE_BYTES_MAX = 1 << 20
"""Far more than a lifetime of incarnations and epochs takes."""

_MAGIC = b"GRIDLOGK"
_VERSION_OF_PASSPHRASES = 1
_VERSION_OF_SLOTS = 2
_VERSION_OF_BASES = 3
_VERSION = 4
_WITH_END = 2
_CLEAR_BYTES = len(_MAGIC) + 2 + ID_BYTES
_DIGEST_BYTES = 32
HASH_BYTES = 32
"""SHA-256, which chains the journal's frames."""
_EPOCH_MAX = (1 << 32) - 1
_ARGON2ID = 1
_ARGON2ID_KEYED = 2
_HPKE = 3
_ATTEMPTS_MAX = 1000
"""More than are ever counted; a bound for the reader."""

WIPED = b"GRIDLOGW"
"""What a wiped store has in the place of its keys."""


class SlotKind(IntEnum):
    """What opens a slot. A file has at most one of each."""

    PASSPHRASE = 1
    PIN = 2
    BADGE = 3
    RECOVERY = 4


@dataclass(frozen=True, slots=True)
class SlotHeader:
    """How the key that wraps the master key is derived."""

    kind: SlotKind
    cost: KdfCost
    salt: bytes
    is_device_bound: bool = False


@dataclass(frozen=True, slots=True)
class RecoveryHeader:
    """Whose private key opens the slot."""

    public_key: bytes


@dataclass(frozen=True, slots=True)
class Slot:
    """One way to the master key. `header` is kept as bytes, because the wrapping is bound to exactly them.

    `attempts` and `last_attempt_ms` (Unix milliseconds) are counted for a PIN alone.
    """

    kind: SlotKind
    header: bytes
    wrapped: bytes
    attempts: int = 0
    last_attempt_ms: int = 0


@dataclass(frozen=True, slots=True)
class KeyFile:
    """All that stands in the file; nothing in it is readable without a slot's secret."""

    store_id: StoreId
    slots: tuple[Slot, ...]
    sealed_secrets: bytes
    secrets_version: int = 1

    def slot(self, kind: SlotKind) -> Slot | None:
        """Return the slot of a kind, if there is one."""
        return next((slot for slot in self.slots if slot.kind is kind), None)

    def with_slot(self, slot: Slot) -> KeyFile:
        """Return the file with this slot in the place of the one of its kind."""
        return replace(self, slots=(*self.without(slot.kind).slots, slot))

    def without(self, kind: SlotKind) -> KeyFile:
        """Return the file without the slot of a kind."""
        return replace(self, slots=tuple(slot for slot in self.slots if slot.kind is not kind))


@dataclass(frozen=True, slots=True)
class Tenure:
    """An incarnation, in force for the journal's frames from `first_seq` on."""

    first_seq: int
    incarnation: Incarnation


@dataclass(frozen=True, slots=True)
class Base:
    """Where a journal may begin: at its first frame ever, or at the first frame of what it was compacted to."""

    first_seq: int
    hash_before: bytes


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What the master key protects. It has no repr, so that no traceback or log prints a key."""

    device_id: DeviceId
    tenures: tuple[Tenure, ...]
    signing_seed: bytes
    exchange_private: bytes
    journal_keys: tuple[tuple[int, bytes], ...]
    bases: tuple[Base, ...] = ()
    has_end: bool = False

    @property
    def version(self) -> int:
        """The lowest version of the file that can say all this."""
        return _VERSION if self.has_end else _VERSION_OF_BASES if self.bases else _VERSION_OF_PASSPHRASES


def encode_file(file: KeyFile) -> bytes:
    """Write the whole file."""
    body = pack([[_slot_row(slot) for slot in file.slots], file.sealed_secrets])
    is_plain = all(slot.kind is SlotKind.PASSPHRASE for slot in file.slots)
    version = max(file.secrets_version, _VERSION_OF_PASSPHRASES if is_plain else _VERSION_OF_SLOTS)
    content = _MAGIC + version.to_bytes(2, "big") + file.store_id + body
    return content + hashlib.sha256(content).digest()


def decode_file(raw: bytes) -> KeyFile:
    """Read the whole file. Raises StoreDamagedError or StoreTooNewError."""
    content, digest = raw[:-_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest or not content.startswith(_MAGIC):
        raise _damaged()
    version = int.from_bytes(content[len(_MAGIC) : len(_MAGIC) + 2], "big")
    if version > _VERSION:
        raise StoreTooNewError(StorePart.KEYS)
    if version < _VERSION_OF_PASSPHRASES or len(content) <= _CLEAR_BYTES:
        raise _damaged()
    match _unpacked(content[_CLEAR_BYTES:]):
        case [[_, *_] as rows, bytes(sealed)]:
            slots = tuple(_slot(row) for row in rows)
            if len({slot.kind for slot in slots}) == len(slots):
                store_id = StoreId(content[_CLEAR_BYTES - ID_BYTES : _CLEAR_BYTES])
                secrets_version = _VERSION_OF_PASSPHRASES if version == _VERSION_OF_SLOTS else version
                return KeyFile(store_id, slots, sealed, secrets_version)
    raise _damaged()


def encode_header(header: SlotHeader | RecoveryHeader) -> bytes:
    """Write what stands in clear in a slot."""
    if isinstance(header, RecoveryHeader):
        return pack([int(SlotKind.RECOVERY), _HPKE, header.public_key])
    cost, kdf = header.cost, _ARGON2ID_KEYED if header.is_device_bound else _ARGON2ID
    return pack([int(header.kind), kdf, cost.memory_kib, cost.iterations, cost.lanes, header.salt])


def decode_header(raw: bytes) -> SlotHeader | RecoveryHeader:
    """Read what stands in clear in a slot, with a cost that is safe to run.

    Raises StoreDamagedError or StoreTooNewError.
    """
    match _unpacked(raw):
        case [int(kind), int(kdf), *rest] if kind in set(SlotKind) and kdf in (_ARGON2ID, _ARGON2ID_KEYED, _HPKE):
            pass
        case [int(), int(), *_]:
            raise StoreTooNewError(StorePart.KEYS)
        case _:
            raise _damaged()
    match rest:
        case [bytes(key)] if kind == SlotKind.RECOVERY and kdf == _HPKE and len(key) == KEY_BYTES:
            return RecoveryHeader(key)
        case [int(memory_kib), int(iterations), int(lanes), bytes(salt)] if len(salt) == SALT_BYTES:
            return _derived_header(SlotKind(kind), kdf, (memory_kib, iterations, lanes), salt)
    raise _damaged()


def _derived_header(kind: SlotKind, kdf: int, cost: tuple[int, int, int], salt: bytes) -> SlotHeader:
    is_bound = kdf == _ARGON2ID_KEYED
    if kdf == _HPKE or kind is SlotKind.RECOVERY or (is_bound and kind is not SlotKind.PIN):
        raise _damaged()
    try:
        return SlotHeader(kind, KdfCost(*cost), salt, is_bound)
    except CostOutOfBoundsError:
        raise _damaged() from None


def encode_secrets(secrets: Secrets) -> bytes:
    """Write the secrets, ready to be sealed."""
    row: list[Value] = [
        secrets.device_id,
        [[tenure.first_seq, tenure.incarnation] for tenure in secrets.tenures],
        secrets.signing_seed,
        secrets.exchange_private,
        [[epoch, key] for epoch, key in secrets.journal_keys],
    ]
    if secrets.bases or secrets.has_end:
        row.append([[base.first_seq, base.hash_before] for base in secrets.bases])
    if secrets.has_end:
        row.append(_WITH_END)
    return pack(row)


def decode_secrets(raw: bytes) -> Secrets:
    """Read the secrets after they were opened. Raises StoreDamagedError."""
    match _unpacked(raw):
        case [
            bytes(device),
            [_, *_] as tenures,
            bytes(seed),
            bytes(exchange),
            [_, *_] as keys,
            *rest,
        ]:
            bases, has_end = _about_journal(rest)
        case _:
            raise _damaged()
    is_sized = len(device) == ID_BYTES and all(len(key) == KEY_BYTES for key in (seed, exchange))
    secrets = Secrets(
        device_id=DeviceId(device),
        tenures=tuple(_tenure(tenure) for tenure in tenures),
        signing_seed=seed,
        exchange_private=exchange,
        journal_keys=tuple(_journal_key(key) for key in keys),
        bases=bases,
        has_end=has_end,
    )
    starts = [tenure.first_seq for tenure in secrets.tenures]
    epochs = [epoch for epoch, _ in secrets.journal_keys]
    begins = [base.first_seq for base in secrets.bases]
    if not is_sized or starts[0] != 1 or not all(map(_is_rising, (starts, epochs, begins))):
        raise _damaged()
    return secrets


def _slot_row(slot: Slot) -> list[Value]:
    counted: list[Value] = [slot.attempts, slot.last_attempt_ms] if slot.kind is SlotKind.PIN else []
    return [slot.header, slot.wrapped, *counted]


def _slot(row: Value) -> Slot:
    match row:
        case [bytes(header), bytes(wrapped), *counted]:
            kind = _kind(decode_header(header))
        case _:
            raise _damaged()
    match counted:
        case [] if kind is not SlotKind.PIN:
            return Slot(kind, header, wrapped)
        case [int(attempts), int(last_ms)] if (
            kind is SlotKind.PIN and 0 <= attempts <= _ATTEMPTS_MAX and last_ms >= 0
        ):
            return Slot(kind, header, wrapped, attempts, last_ms)
    raise _damaged()


def _kind(header: SlotHeader | RecoveryHeader) -> SlotKind:
    return header.kind if isinstance(header, SlotHeader) else SlotKind.RECOVERY


def _tenure(value: Value) -> Tenure:
    match value:
        case [int(first_seq), bytes(incarnation)] if len(incarnation) == SHORT_ID_BYTES:
            return Tenure(first_seq, Incarnation(incarnation))
    raise _damaged()


def _about_journal(rest: list[Value]) -> tuple[tuple[Base, ...], bool]:
    match rest:
        case []:
            return (), False
        case [[_, *_] as bases]:
            return tuple(_base(base) for base in bases), False
        case [[*bases], int(end)] if end == _WITH_END:
            return tuple(_base(base) for base in bases), True
    raise _damaged()


def _base(value: Value) -> Base:
    match value:
        case [int(first_seq), bytes(before)] if first_seq >= 1 and len(before) == HASH_BYTES:
            return Base(first_seq, before)
    raise _damaged()


def _journal_key(value: Value) -> tuple[int, bytes]:
    match value:
        case [int(epoch), bytes(key)] if 1 <= epoch <= _EPOCH_MAX and len(key) == KEY_BYTES:
            return epoch, key
    raise _damaged()


def _is_rising(numbers: list[int]) -> bool:
    return all(one < next_one for one, next_one in pairwise(numbers))


def _unpacked(raw: bytes) -> Value:
    try:
        return unpack(raw)
    except NotCanonicalError:
        raise _damaged() from None


def _damaged() -> StoreDamagedError:
    return StoreDamagedError(StorePart.KEYS)
