"""What the server's store in memory holds: tables, held ops, people. See `memory_store`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from gridlog_protocol.canonical import pack
from gridlog_protocol.decisions import Decision
from gridlog_protocol.ids import DeviceHandle, DeviceId, Incarnation, OpId, Position, RecordId, ScopeId, UserId
from gridlog_protocol.log_chain import Ruling
from gridlog_protocol.segment import Segment
from gridlog_protocol.segment_codec import segment_row
from gridlog_server.store.contract import (
    Account,
    Act,
    ClosedGap,
    Code,
    Device,
    LoggedEntry,
    LogHead,
    Outcome,
    Person,
    Quarantined,
    Session,
    StoredOp,
    StoredRecord,
    WaitingSegment,
)
from gridlog_sync.admission import Chain
from gridlog_sync.changes import Touch
from gridlog_sync.digest import SetDigest


@dataclass(slots=True)
class Tables:
    """Everything that is committed. Copied for each transaction: worlds are small."""

    log: list[LogHead] = field(default_factory=list)
    entries: list[LoggedEntry] = field(default_factory=list)
    ops: dict[OpId, StoredOp] = field(default_factory=dict)
    records: dict[RecordId, StoredRecord] = field(default_factory=dict)
    touches: list[Touch] = field(default_factory=list)
    digests: dict[tuple[ScopeId, int], SetDigest] = field(default_factory=dict)
    chains: dict[tuple[DeviceId, Incarnation], Chain] = field(default_factory=dict)
    devices: dict[DeviceHandle, Device] = field(default_factory=dict)
    people: dict[UserId, Person] = field(default_factory=dict)
    codes: dict[bytes, Code] = field(default_factory=dict)
    segments: list[tuple[DeviceId, Segment]] = field(default_factory=list)
    quarantine: list[Quarantined] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    closed: list[ClosedGap] = field(default_factory=list)
    waiting: list[WaitingSegment] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    accounts: dict[UserId, Account] = field(default_factory=dict)
    sessions: dict[bytes, Session] = field(default_factory=dict)

    def copied(self) -> Tables:
        """Return a copy whose tables can be changed."""
        return Tables(
            [*self.log],
            [*self.entries],
            {**self.ops},
            {**self.records},
            [*self.touches],
            {**self.digests},
            {**self.chains},
            {**self.devices},
            {**self.people},
            {**self.codes},
            [*self.segments],
            [*self.quarantine],
            [*self.decisions],
            [*self.closed],
            [*self.waiting],
            [*self.acts],
            {**self.accounts},
            {**self.sessions},
        )


class MemoryReviews:
    """Held ops and decisions. See `contract.Reviews`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def waiting(self, limit: int, *, device: DeviceId | None = None, code: str | None = None) -> list[StoredOp]:
        """Return held ops that nobody has decided about, newest first; only of a device, only for a reason."""
        found = [
            each
            for each in self._tables.ops.values()
            if each.is_waiting and device in (None, each.op.id.device) and code in (None, each.hold)
        ]
        return sorted(found, key=lambda each: (-(each.segment or 0), each.op.id.device, -each.op.id.seq))[:limit]

    async def held_by_device(self) -> dict[DeviceId, int]:
        """Return how many ops of each device are held, and nobody has decided about; only of those that have some."""
        return dict(Counter(each.op.id.device for each in self._tables.ops.values() if each.is_waiting))

    async def numbered(self, seq: int) -> list[StoredOp]:
        """Return all ops with this seq that are held or once were, of whatever device."""
        return [each for each in self._tables.ops.values() if each.hold is not None and each.op.id.seq == seq]

    async def decision(self, op: OpId) -> Decision | None:
        """Return what was decided about an op."""
        return next((each for each in self._tables.decisions if each.op == op), None)

    async def decisions(self, device: DeviceId, since: Position, to: Position, limit: int) -> list[Decision]:
        """Return the decisions about a device's ops after `since` up to `to`, by position."""
        own = (each for each in self._tables.decisions if each.op.device == device and since < each.position <= to)
        return sorted(own, key=lambda each: each.position)[:limit]

    async def behind_gap(
        self, device: DeviceId, incarnation: Incarnation, *, reach: int | None = None
    ) -> list[WaitingSegment]:
        """Return the segments of an incarnation that wait, by their first op.

        With `reach`: none of them, unless the first begins at that seq or below.
        """
        own = [each for each in self._tables.waiting if each.device == device]
        found = _in_order(each for each in own if each.segment.incarnation == incarnation)
        return found if found and (reach is None or found[0].segment.first_seq <= reach) else []

    async def gaps(self, limit: int) -> list[WaitingSegment]:
        """Return segments that wait, of whatever device, by device, incarnation and first op."""
        return _in_order(self._tables.waiting)[:limit]

    async def keep_waiting(self, waiting: WaitingSegment, *, bytes_max: int, count_max: int) -> bool:
        """Keep a segment until the gap before it closes: once, and unless more would wait than these bounds."""
        kept = [each for each in self._tables.waiting if each.device == waiting.device]
        size = sum(len(pack(segment_row(each.segment))) for each in (*kept, waiting))
        if size > bytes_max or len(kept) >= count_max:
            return False
        place = (waiting.segment.incarnation, waiting.segment.first_seq, waiting.segment.signature)
        if place not in {(each.segment.incarnation, each.segment.first_seq, each.segment.signature) for each in kept}:
            self._tables.waiting.append(waiting)
        return True

    async def wait_no_longer(self, waiting: WaitingSegment) -> None:
        """Forget a segment that waited."""
        self._tables.waiting.remove(waiting)

    async def apart(self, number: int) -> Quarantined | None:
        """Return what is in quarantine under this number."""
        return next((each for each in self._tables.quarantine if each.number == number), None)

    async def decide_apart(self, number: int, outcome: Outcome, ruling: Ruling) -> None:
        """Write down what was decided about something in quarantine. It stays there."""
        self._tables.quarantine[:] = [
            replace(each, outcome=outcome, ruling=ruling) if each.number == number else each
            for each in self._tables.quarantine
        ]


def _in_order(waiting: Iterable[WaitingSegment]) -> list[WaitingSegment]:
    def place(each: WaitingSegment) -> tuple[DeviceId, Incarnation, int, bytes]:
        return each.device, each.segment.incarnation, each.segment.first_seq, each.segment.signature

    return sorted(waiting, key=place)


class MemoryRegistry:
    """People and devices. See `contract.Registry`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def device(self, handle: DeviceHandle) -> Device | None:
        """Return the device of a handle."""
        return self._tables.devices.get(handle)

    async def devices(self) -> list[Device]:
        """Return all devices, in the order of enrolment."""
        return sorted(self._tables.devices.values(), key=lambda each: (each.enrolled_ms, each.id))

    async def put_device(self, device: Device) -> None:
        """Write a device, new or changed."""
        self._tables.devices[device.handle] = device

    async def person(self, person: UserId) -> Person | None:
        """Return a person with the grids assigned."""
        return self._tables.people.get(person)

    async def assigned(self) -> set[ScopeId]:
        """Return every grid that is assigned to somebody."""
        return {scope for each in await self.people() for scope in each.scopes}

    async def people(self) -> list[Person]:
        """Return everybody, by staff number."""
        return sorted(self._tables.people.values(), key=lambda each: each.staff_no)

    async def put_person(self, person: Person) -> None:
        """Write a person, new or changed, and the grids assigned."""
        self._tables.people[person.id] = person
        if person.status != "active":
            for each in [*self._tables.sessions.values()]:
                if each.person == person.id:
                    del self._tables.sessions[each.id]

    async def code(self, code_id: bytes) -> Code | None:
        """Return an enrolment code."""
        return self._tables.codes.get(code_id)

    async def put_code(self, code: Code) -> None:
        """Write an enrolment code, new or used."""
        self._tables.codes[code.id] = code

    async def note(self, act: Act) -> None:
        """Write down what an administrator did. It stays for ever."""
        self._tables.acts.append(act)

    async def acts(self, limit: int, *, subject: str | None = None) -> list[Act]:
        """Return what administrators did, newest first; only to a subject."""
        return [each for each in self._tables.acts[::-1] if subject in (None, each.subject)][:limit]
