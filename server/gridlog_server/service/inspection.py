"""Look at what the server holds: for every command that lists or shows something. Reads only."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass

from gridlog_protocol.canonical import Value, unpack
from gridlog_protocol.codec import decode
from gridlog_protocol.errors import ProtocolError
from gridlog_protocol.ids import DeviceId, Position, RecordId, ScopeId, UserId, shown
from gridlog_protocol.kinds import KindSet
from gridlog_protocol.messages import SyncRequest
from gridlog_protocol.ops import Op
from gridlog_protocol.segment_codec import read_segment
from gridlog_server.store.contract import (
    Account,
    Act,
    Device,
    Logged,
    Person,
    Quarantined,
    Readable,
    StoredOp,
    StoredRecord,
    Transaction,
    WaitingSegment,
)
from gridlog_sync.clocks import Tier
from gridlog_sync.view import Conflict, conflicts_of, values_of

from .device_filter import DeviceFilter
from .grid_tree import GRID, GRIDS_MAX
from .people import ACTIVE, the_person
from .standing import AT_AN_END, the_device


@dataclass(frozen=True, slots=True)
class RecordLine:
    """One record as a list shows it: as the database has it, its values, its conflicts, its author's name.

    `tier` is the worst among its ops.
    """

    stored: StoredRecord
    values: dict[str, Value]
    conflicts: list[Conflict]
    author: str
    tier: Tier


@dataclass(frozen=True, slots=True)
class DeviceLine:
    """One device as a list shows it: as the database has it, its holder's name, how many of its ops are held."""

    device: Device
    holder: str
    held: int
    staff_no: str = ""


@dataclass(frozen=True, slots=True)
class PersonLine:
    """One person as a list shows him; `devices` counts those that he may still work with.

    `account` is None for whoever was given neither a password nor a role.
    """

    person: Person
    devices: int
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class GridLine:
    """One grid as a list shows it: its values, and the staff numbers of those who work in it."""

    values: dict[str, Value]
    staff_nos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QuarantineLine:
    """Something in quarantine, and the ops in it."""

    kept: Quarantined
    ops: tuple[Op, ...]


class Inspection:
    """Reads for people at a terminal."""

    def __init__(self, store: Readable, kinds: KindSet) -> None:
        self._store = store
        self._kinds = kinds

    async def counts(self) -> dict[str, int]:
        """Return how much there is of everything, and the log's head position."""
        async with self._store.reading() as snapshot:
            head = await snapshot.ledger.log_head()
            return {"log_position": head.position, **await snapshot.counts()}

    async def records(
        self, *, kind: str | None = None, grid: str | None = None, in_conflict: bool = False, limit: int = 50
    ) -> list[RecordLine]:
        """Return the records changed last."""
        scope = None if grid is None else ScopeId(grid)
        async with self._store.reading() as snapshot:
            found = await snapshot.listed(kind=kind, in_conflict=in_conflict, limit=limit, scope=scope)
            names = await _names(snapshot)
            flagged = await snapshot.flagged([each.state.id for each in found])
        return [self._line(each, names, flagged.get(each.state.id, Tier.FINE)) for each in found]

    async def record(self, record: RecordId) -> tuple[RecordLine, list[StoredOp]] | None:
        """Return one record with every op that touched it."""
        async with self._store.reading() as snapshot:
            found = (await snapshot.ledger.records({record})).get(record)
            history = await snapshot.ledger.ops_of_record(record)
            names = await _names(snapshot)
        worst = max((each.when.tier for each in history), default=Tier.FINE)
        return (self._line(found, names, worst), history) if found else None

    async def held(self, limit: int = 50, *, device: str | None = None, code: str | None = None) -> list[StoredOp]:
        """Return ops that wait for a person, newest first; `device` is the beginning of an id in hex.

        Raises RefusedError if no device is named so, or several.
        """
        async with self._store.reading() as snapshot:
            named = None if device is None else the_device(device, await snapshot.registry.devices()).id
            return await snapshot.reviews.waiting(limit, device=named, code=code)

    async def waiting(self, limit: int = 50) -> list[WaitingSegment]:
        """Return segments that wait for what is missing before them."""
        async with self._store.reading() as snapshot:
            return await snapshot.reviews.gaps(limit)

    async def devices(self, wanted: DeviceFilter | None = None, *, status: str | None = None) -> list[DeviceLine]:
        """Return all devices, or those of a status, or those that are wanted, in the order of enrolment."""
        async with self._store.reading() as snapshot:
            devices = await snapshot.registry.devices()
            people = {each.id: each for each in await snapshot.registry.people()}
            held = await snapshot.reviews.held_by_device()
        return [
            DeviceLine(each, people[each.person].name, held.get(each.id, 0), people[each.person].staff_no)
            for each in devices
            if status in (None, each.status) and (wanted is None or wanted.takes(each))
        ]

    async def device(self, name: str) -> DeviceLine:
        """Return the device whose id begins so. Raises RefusedError."""
        lines = await self.devices()
        wanted = the_device(name, [each.device for each in lines])
        return next(each for each in lines if each.device.id == wanted.id)

    async def acts_on_device(self, device: DeviceId, limit: int = 50) -> list[Act]:
        """Return what was done to a device, or by itself, newest first."""
        async with self._store.reading() as snapshot:
            return await snapshot.registry.acts(limit, subject=device.hex())

    async def people(self, *, status: str | None = None) -> list[PersonLine]:
        """Return everybody, or those of a status, by staff number."""
        async with self._store.reading() as snapshot:
            people = await snapshot.registry.people()
            holders = Counter(
                each.person for each in await snapshot.registry.devices() if each.status not in AT_AN_END
            )
            accounts = {each.person: each for each in await snapshot.accounts.accounts()}
        return [
            PersonLine(each, holders[each.id], accounts.get(each.id))
            for each in people
            if status in (None, each.status)
        ]

    async def person(self, staff_no: str) -> tuple[PersonLine, list[DeviceLine]]:
        """Return whoever has a staff number, with all his devices. Raises RefusedError."""
        async with self._store.reading() as snapshot:
            wanted = await the_person(snapshot, staff_no)
            account = await snapshot.accounts.account(wanted.id)
        own = [each for each in await self.devices() if each.device.person == wanted.id]
        return PersonLine(wanted, sum(each.device.status not in AT_AN_END for each in own), account), own

    async def grids(self, *, limit: int = GRIDS_MAX) -> list[GridLine]:
        """Return the grids that were imported, by code, with the staff numbers of those who work in them."""
        async with self._store.reading() as snapshot:
            found = await snapshot.listed(kind=GRID, in_conflict=False, limit=limit)
            people = [each for each in await snapshot.registry.people() if each.status == ACTIVE]
        values = [values_of(each.state, self._kinds.get(GRID)) for each in found]
        working: dict[str, list[str]] = defaultdict(list)
        for person in people:
            for scope in person.scopes:
                working[scope].append(person.staff_no)
        lines = [GridLine(each, tuple(working.get(str(each.get("grid_code")), ()))) for each in values]
        return sorted(lines, key=lambda line: str(line.values.get("grid_code")))

    async def log(self, *, after: Position | None = None, limit: int = 50) -> list[Logged]:
        """Return log entries: those after a position, in order; else the last ones, newest first."""
        async with self._store.reading() as snapshot:
            if after is not None:
                return await snapshot.logged(after, limit)
            head = (await snapshot.ledger.log_head()).position
            return (await snapshot.logged(Position(max(head - limit, 0)), limit))[::-1]

    async def acts(self, limit: int = 50) -> list[Act]:
        """Return what administrators did, newest first."""
        async with self._store.reading() as snapshot:
            return await snapshot.registry.acts(limit)

    async def quarantined(
        self, limit: int = 50, *, device: str | None = None, is_waiting: bool = False
    ) -> list[QuarantineLine]:
        """Return what could not be taken in, newest first, with the ops in it as far as they can be read.

        Only of a device, named by the beginning of its id in hex; only what nobody has decided about. Raises
        RefusedError if no device is named so, or several.
        """
        async with self._store.reading() as snapshot:
            named = None if device is None else the_device(device, await snapshot.registry.devices()).id
            found = await snapshot.quarantined(limit, device=named, is_waiting=is_waiting)
        return [QuarantineLine(each, ops_in(each)) for each in found]

    async def names(self) -> dict[UserId, str]:
        """Return everybody's name."""
        async with self._store.reading() as snapshot:
            return await _names(snapshot)

    def _line(self, stored: StoredRecord, names: dict[UserId, str], tier: Tier) -> RecordLine:
        kind = self._kinds.get(stored.state.kind)
        origin = stored.state.origin
        author = names.get(origin.author, shown(origin.author)[:8]) if origin else ""
        return RecordLine(stored, values_of(stored.state, kind), conflicts_of(stored.state, kind), author, tier)


def ops_in(kept: Quarantined) -> tuple[Op, ...]:
    """Return the ops of something in quarantine: a segment as a row, or a whole request. Empty if it is neither."""
    try:
        return read_segment(unpack(kept.body), kept.device).ops
    except (ProtocolError, ValueError):
        pass
    try:
        request = decode(kept.body, device=kept.device)
    except ProtocolError:
        return ()
    return tuple(op for each in request.segments for op in each.ops) if isinstance(request, SyncRequest) else ()


async def _names(snapshot: Transaction) -> dict[UserId, str]:
    return {each.id: each.name for each in await snapshot.registry.people()}
