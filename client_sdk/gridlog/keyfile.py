"""The layout of `keys.gl`: what stands in it, and how its bytes are read without trusting them. Pure: no I/O.

    magic "GRIDLOGK" | version u16 | store id 16 | body | SHA-256 of all before

The body is canonical msgpack, read by position:

    body    [[slot, ...], sealed secrets]
    slot    [header, sealed master key]
    header  packed [slot kind, KDF, memory KiB, iterations, lanes, salt 16]
    secrets [device id 16, [[first seq, incarnation 8], ...], Ed25519 seed 32, X25519 key 32, [[epoch, key 32], ...]]

"Sealed" is nonce 12 | AES-256-GCM. The digest at the end is no defence against a person; it tells a damaged file from
a wrong passphrase, and it stays the last 32 bytes in every version, so that a damaged version number is not taken for
a newer program's. A version, slot kind or KDF that this program does not know is refused, never guessed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
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
_VERSION = 1
_CLEAR_BYTES = len(_MAGIC) + 2 + ID_BYTES
_DIGEST_BYTES = 32
_SLOTS_MAX = 8
_EPOCH_MAX = (1 << 32) - 1
_ARGON2ID = 1


class SlotKind(IntEnum):
    """What opens a slot."""

    PASSPHRASE = 1


@dataclass(frozen=True, slots=True)
class SlotHeader:
    """How the key that wraps the master key is derived."""

    kind: SlotKind
    cost: KdfCost
    salt: bytes


@dataclass(frozen=True, slots=True)
class Slot:
    """One way to the master key. `header` is kept as bytes, because the wrapping is bound to exactly them."""

    header: bytes
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class KeyFile:
    """All that stands in the file; nothing in it is readable without a slot's secret."""

    store_id: StoreId
    slots: tuple[Slot, ...]
    sealed_secrets: bytes


@dataclass(frozen=True, slots=True)
class Tenure:
    """An incarnation, in force for the journal's frames from `first_seq` on."""

    first_seq: int
    incarnation: Incarnation


@dataclass(frozen=True, slots=True, repr=False)
class Secrets:
    """What the master key protects. It has no repr, so that no traceback or log prints a key."""

    device_id: DeviceId
    tenures: tuple[Tenure, ...]
    signing_seed: bytes
    exchange_private: bytes
    journal_keys: tuple[tuple[int, bytes], ...]


def encode_file(file: KeyFile) -> bytes:
    """Write the whole file."""
    body = pack([[[slot.header, slot.wrapped] for slot in file.slots], file.sealed_secrets])
    content = _MAGIC + _VERSION.to_bytes(2, "big") + file.store_id + body
    return content + hashlib.sha256(content).digest()


def decode_file(raw: bytes) -> KeyFile:
    """Read the whole file. Raises StoreDamagedError or StoreTooNewError."""
    content, digest = raw[:-_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
    if hashlib.sha256(content).digest() != digest or not content.startswith(_MAGIC):
        raise _damaged()
    version = int.from_bytes(content[len(_MAGIC) : len(_MAGIC) + 2], "big")
    if version > _VERSION:
        raise StoreTooNewError(StorePart.KEYS)
    if version != _VERSION or len(content) <= _CLEAR_BYTES:
        raise _damaged()
    match _unpacked(content[_CLEAR_BYTES:]):
        case [list(slots), bytes(sealed)] if 1 <= len(slots) <= _SLOTS_MAX:
            store_id = StoreId(content[_CLEAR_BYTES - ID_BYTES : _CLEAR_BYTES])
            return KeyFile(store_id, tuple(_slot(slot) for slot in slots), sealed)
    raise _damaged()


def encode_header(header: SlotHeader) -> bytes:
    """Write what stands in clear in a slot."""
    cost = header.cost
    return pack([int(header.kind), _ARGON2ID, cost.memory_kib, cost.iterations, cost.lanes, header.salt])


def decode_header(raw: bytes) -> SlotHeader:
    """Read what stands in clear in a slot, with a cost that is safe to run.

    Raises StoreDamagedError or StoreTooNewError.
    """
    match _unpacked(raw):
        case [int(kind), int(kdf), *_] if kind not in set(SlotKind) or kdf != _ARGON2ID:
            raise StoreTooNewError(StorePart.KEYS)
        case [int(kind), int(), int(memory_kib), int(iterations), int(lanes), bytes(salt)]:
            try:
                cost = KdfCost(memory_kib, iterations, lanes)
            except CostOutOfBoundsError:
                raise _damaged() from None
            if len(salt) == SALT_BYTES:
                return SlotHeader(SlotKind(kind), cost, salt)
    raise _damaged()


def encode_secrets(secrets: Secrets) -> bytes:
    """Write the secrets, ready to be sealed."""
    return pack(
        [
            secrets.device_id,
            [[tenure.first_seq, tenure.incarnation] for tenure in secrets.tenures],
            secrets.signing_seed,
            secrets.exchange_private,
            [[epoch, key] for epoch, key in secrets.journal_keys],
        ]
    )


def decode_secrets(raw: bytes) -> Secrets:
    """Read the secrets after they were opened. Raises StoreDamagedError."""
    match _unpacked(raw):
        case [bytes(device), [_, *_] as tenures, bytes(seed), bytes(exchange), [_, *_] as keys]:
            pass
        case _:
            raise _damaged()
    is_sized = len(device) == ID_BYTES and len(seed) == KEY_BYTES and len(exchange) == KEY_BYTES
    secrets = Secrets(
        device_id=DeviceId(device),
        tenures=tuple(_tenure(tenure) for tenure in tenures),
        signing_seed=seed,
        exchange_private=exchange,
        journal_keys=tuple(_journal_key(key) for key in keys),
    )
    starts = [tenure.first_seq for tenure in secrets.tenures]
    epochs = [epoch for epoch, _ in secrets.journal_keys]
    if not is_sized or starts[0] != 1 or not _is_rising(starts) or not _is_rising(epochs):
        raise _damaged()
    return secrets


def _slot(value: Value) -> Slot:
    match value:
        case [bytes(header), bytes(wrapped)]:
            decode_header(header)
            return Slot(header, wrapped)
    raise _damaged()


def _tenure(value: Value) -> Tenure:
    match value:
        case [int(first_seq), bytes(incarnation)] if len(incarnation) == SHORT_ID_BYTES:
            return Tenure(first_seq, Incarnation(incarnation))
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
