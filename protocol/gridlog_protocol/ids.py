"""Names of things that never change: devices, people, records, ops.

Every id is made from entropy and time that the caller hands in, so that a simulated world can repeat itself.
"""

from __future__ import annotations

from typing import NamedTuple, NewType

TenantId = NewType("TenantId", str)
"""A district or county, by its division code, e.g. `420106`. Nothing joins across tenants."""

DeviceId = NewType("DeviceId", bytes)
"""16 bytes, random, drawn once when a device first makes its store."""

DeviceHandle = NewType("DeviceHandle", bytes)
"""8 bytes, random, given by the server at enrolment: all that a relay can read of who is speaking."""

Incarnation = NewType("Incarnation", bytes)
"""8 bytes, random, drawn whenever a store is created or restored: a copy is another author."""

Epoch = NewType("Epoch", bytes)
"""8 bytes, random, drawn whenever a server database is created or restored."""

UserId = NewType("UserId", bytes)
"""16 bytes: the person who wrote, whichever device carried it."""

RecordId = NewType("RecordId", bytes)
"""16 bytes: a UUIDv7 (RFC 9562, section 5.7), made on the device that creates the record."""

ScopeId = NewType("ScopeId", str)
"""What a device may hold: a grid code, or `tenant` for reference data."""

Position = NewType("Position", int)
"""Place in the tenant's log, from 1, gapless. 0 means "nothing was seen"."""

TENANT_SCOPE = ScopeId("tenant")
SERVER_DEVICE = DeviceId(bytes(16))
"""The author of ops that the server itself writes; their incarnation is the epoch."""

ID_BYTES = 16
SHORT_ID_BYTES = 8
TIME_BYTES, REST_BYTES = 6, 10
"""The two parts of a record's id: the milliseconds that it was made from, and what tells it from all others."""
TIME_END = 1 << 8 * TIME_BYTES


class OpId(NamedTuple):
    """The name of one op, everywhere: `seq` runs from 1 without gaps in each incarnation."""

    device: DeviceId
    incarnation: Incarnation
    seq: int


def record_id(unix_ms: int, entropy: bytes) -> RecordId:
    """Make a UUIDv7 from a time in milliseconds and 10 bytes of entropy (RFC 9562, section 5.7)."""
    if len(entropy) != REST_BYTES:
        raise ValueError("a record id takes 10 bytes of entropy")
    if not 0 <= unix_ms < TIME_END:
        raise ValueError("a record id takes a 48-bit time in milliseconds")
    raw = bytearray(unix_ms.to_bytes(TIME_BYTES, "big") + entropy)
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return RecordId(bytes(raw))


def is_record_id(raw: bytes) -> bool:
    """Tell whether 16 bytes have the version and variant of a UUIDv7."""
    return len(raw) == ID_BYTES and raw[6] >> 4 == 7 and raw[8] >> 6 == 0b10


def milliseconds_of_record(record: RecordId) -> int:
    """Return the Unix milliseconds that a record's id was made from."""
    return int.from_bytes(record[:TIME_BYTES], "big")


def shown(identity: bytes) -> str:
    """Write an id for people: UUID form for 16 bytes, plain hex for shorter ones."""
    text = identity.hex()
    if len(identity) != ID_BYTES:
        return text
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def read(text: str) -> bytes:
    """Read what `shown` wrote. Raises ValueError for anything but hex digits and hyphens."""
    return bytes.fromhex(text.replace("-", ""))
