"""People, devices and codes, and what a database must do with them: part of `contract`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import DeviceHandle, DeviceId, ScopeId, UserId


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes, and the grids he works in."""

    id: UserId
    staff_no: str
    name: str
    status: str
    scopes: frozenset[ScopeId]


@dataclass(frozen=True, slots=True)
class Device:
    """An enrolled device and its holder.

    `clock_ahead_ms` is how far its clock was ahead of ours when it last said so (negative: behind); None if never.
    `report` and `about` are its own words, the newest of each. `order` is the highest counter of an order to it; one
    stands, to wipe its store, while `wipe_ordered_ms` is not None. All times are Unix ms by our clock.
    """

    id: DeviceId
    handle: DeviceHandle
    person: UserId
    signing_key: bytes
    exchange_key: bytes
    model: str
    app: str
    status: str
    counter: int
    enrolled_ms: int
    contact_ms: int
    report: Mapping[str, Value] = field(default_factory=dict)
    clock_ahead_ms: int | None = None
    about: Mapping[str, Value] = field(default_factory=dict)
    order: int = 0
    wipe_ordered_ms: int | None = None
    order_fetched_ms: int | None = None
    wiped_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Code:
    """An enrolment code. `secret` is the SHA-256 of the secret; `device` is None while it is unused."""

    id: bytes
    secret: bytes
    person: UserId
    expires_ms: int
    device: DeviceId | None


@dataclass(frozen=True, slots=True)
class Act:
    """Something that an administrator did: when (Unix ms), who by the operating system's word, and to what."""

    at_ms: int
    by: str
    what: str
    subject: str
    detail: str = ""


class Registry(Protocol):
    """People, their devices, the codes that make devices known, and what administrators did."""

    async def device(self, handle: DeviceHandle) -> Device | None:
        """Return the device of a handle."""
        ...

    async def devices(self) -> list[Device]:
        """Return all devices, in the order of enrolment."""
        ...

    async def put_device(self, device: Device) -> None:
        """Write a device, new or changed."""
        ...

    async def person(self, person: UserId) -> Person | None:
        """Return a person with the grids assigned."""
        ...

    async def people(self) -> list[Person]:
        """Return everybody, by staff number."""
        ...

    async def assigned(self) -> set[ScopeId]:
        """Return every grid that is assigned to somebody."""
        ...

    async def put_person(self, person: Person) -> None:
        """Write a person, new or changed, and the grids assigned. Sessions of whoever is not active end."""
        ...

    async def code(self, code_id: bytes) -> Code | None:
        """Return an enrolment code."""
        ...

    async def put_code(self, code: Code) -> None:
        """Write an enrolment code, new or used."""
        ...

    async def note(self, act: Act) -> None:
        """Write down what an administrator did. It stays for ever."""
        ...

    async def acts(self, limit: int, *, subject: str | None = None) -> list[Act]:
        """Return what administrators did, newest first; only to a subject."""
        ...
