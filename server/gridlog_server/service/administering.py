"""What an administrator does in the console: people, devices, grids, and what was done. Never what a record says.

The rule it keeps: each of these asks first who orders it, and notes who did. What hands somebody a device, or takes
one away for good, wants the password once more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from gridlog_server.store.contract import Act, Device, Person

from .enrolment import Enrolment, Invited
from .inspection import DeviceLine, GridLine, Inspection, PersonLine
from .people import People
from .permitting import Caller, Role, ordered_by, require
from .readiness import Readiness, Ready
from .standing import Standing, Step

_ACTS_MAX = 200
_FOR_GOOD = frozenset({Step.LOST, Step.WIPE, Step.REVOKE})
"""What is on the device may be gone after these."""
_COUNTED = ("people", "devices", "held", "waiting", "quarantine", "log_position", "records", "ops")


@dataclass(frozen=True, slots=True)
class Health:
    """What the server can do now, and how much of each there is."""

    ready: Ready
    counts: dict[str, int]


class Administering:
    """The use cases behind the administrator's pages."""

    def __init__(
        self,
        *,
        people: People,
        standing: Standing,
        enrolment: Enrolment,
        inspection: Inspection,
        readiness: Readiness,
        now_ms: Callable[[], int],
    ) -> None:
        self._people = people
        self._standing = standing
        self._enrolment = enrolment
        self._inspection = inspection
        self._readiness = readiness
        self._now_ms = now_ms

    async def devices(self, caller: Caller) -> list[DeviceLine]:
        """Return all devices, in the order of enrolment. Raises ForbiddenError, as all of these do."""
        require(caller, Role.ADMINISTRATOR)
        return await self._inspection.devices()

    async def device(self, caller: Caller, name: str) -> tuple[DeviceLine, list[Act]]:
        """Return a device, and what was done with it, newest first. Raises RefusedError."""
        require(caller, Role.ADMINISTRATOR)
        line = await self._inspection.device(name)
        return line, await self._inspection.acts_on_device(line.device.id, _ACTS_MAX)

    async def change(self, caller: Caller, name: str, step: Step, *, reason: str) -> Device:
        """Take one step with a device; for good only with the password. Raises RefusedError, ProofWantedError."""
        require(caller, Role.ADMINISTRATOR)
        by = ordered_by(caller, self._now_ms()) if step in _FOR_GOOD else caller.named
        return await self._standing.change(name, step, by=by, reason=reason)

    async def invite(self, caller: Caller, staff_no: str) -> Invited:
        """Make a code for a device of somebody known. Raises RefusedError, ProofWantedError."""
        by = ordered_by(caller, self._now_ms())
        return await self._enrolment.invite(staff_no, "", [], by=by)

    async def people(self, caller: Caller) -> list[PersonLine]:
        """Return everybody, by staff number."""
        require(caller, Role.ADMINISTRATOR)
        return await self._inspection.people()

    async def person(self, caller: Caller, staff_no: str) -> tuple[PersonLine, list[DeviceLine]]:
        """Return somebody with all his devices. Raises RefusedError."""
        require(caller, Role.ADMINISTRATOR)
        return await self._inspection.person(staff_no)

    async def add(self, caller: Caller, staff_no: str, name: str, grids: Collection[str]) -> Person:
        """Make somebody known. Raises RefusedError."""
        require(caller, Role.ADMINISTRATOR)
        return await self._people.add(staff_no, name, grids, by=caller.named)

    async def assign(self, caller: Caller, staff_no: str, grids: Collection[str]) -> Person:
        """Let somebody work in these grids and no others. Raises RefusedError."""
        require(caller, Role.ADMINISTRATOR)
        return await self._people.assign(staff_no, grids, by=caller.named)

    async def disable(self, caller: Caller, staff_no: str, *, reason: str) -> Person:
        """Turn away all devices of somebody, and let him sign in no more. Raises RefusedError."""
        require(caller, Role.ADMINISTRATOR)
        return await self._people.disable(staff_no, by=caller.named, reason=reason)

    async def enable(self, caller: Caller, staff_no: str, *, reason: str) -> Person:
        """Let somebody work again. Raises RefusedError."""
        require(caller, Role.ADMINISTRATOR)
        return await self._people.enable(staff_no, by=caller.named, reason=reason)

    async def grids(self, caller: Caller) -> list[GridLine]:
        """Return the grids that were imported, with those who work in them."""
        require(caller, Role.ADMINISTRATOR)
        return await self._inspection.grids()

    async def grid_names(self, caller: Caller) -> list[tuple[str, str]]:
        """Return code and name of each grid that was imported, by code."""
        require(caller, Role.ADMINISTRATOR)
        return await self._people.grids()

    async def acts(self, caller: Caller, limit: int) -> list[Act]:
        """Return what was done, newest first."""
        require(caller, Role.ADMINISTRATOR)
        return await self._inspection.acts(limit)

    async def health(self, caller: Caller) -> Health:
        """Return what the server can do, and how much there is of everything."""
        require(caller, Role.ADMINISTRATOR)
        counts = await self._inspection.counts()
        return Health(await self._readiness.ask(), {name: counts[name] for name in _COUNTED if name in counts})
