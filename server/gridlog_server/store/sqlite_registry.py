"""People, devices and enrolment codes in SQLite. See `contract.Registry`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gridlog_protocol.canonical import pack, unpack
from gridlog_protocol.ids import DeviceHandle, DeviceId, ScopeId, UserId

from .acts import act_of_code, act_of_device, act_of_person
from .registry import Act, Code, Device, Person
from .sqlite_brief import Statements

_DEVICE_FACTS = ("signing_key", "exchange_key", "model", "app", "status", "counter", "enrolled_ms", "contact_ms")
_LIFE = ("clock_ahead_ms", "order_counter", "wipe_ordered_ms", "order_fetched_ms", "wiped_ms")
_ALL_DEVICE_COLUMNS = ("id", "handle", "person", *_DEVICE_FACTS, "report", "about", *_LIFE)
_DEVICE_COLUMNS = ", ".join(_ALL_DEVICE_COLUMNS)
_PUT_DEVICE = (
    f"INSERT INTO device ({_DEVICE_COLUMNS}) VALUES ({', '.join('?' * len(_ALL_DEVICE_COLUMNS))})"
    " ON CONFLICT DO UPDATE SET " + ", ".join(f"{each} = excluded.{each}" for each in _ALL_DEVICE_COLUMNS[1:])
)
_PERSON_COLUMNS = (
    "id, staff_no, name, status, (SELECT json_group_array(scope) FROM assignment WHERE assignment.person = person.id)"
)


class SqliteRegistry:
    """Reads and writes in the transaction that the connection is in.

    `for_control` gathers what the control journal must know of it: changes of who may speak, not what devices report.
    """

    def __init__(self, connection: Statements, noted: Mapping[DeviceId, Mapping[str, Any]]) -> None:
        self._connection = connection
        self._noted = noted
        self.for_control: list[Mapping[str, Any]] = []

    async def device(self, handle: DeviceHandle) -> Device | None:
        """Return the device of a handle."""
        rows = await self._all(f"SELECT {_DEVICE_COLUMNS} FROM device WHERE handle = ?", handle)
        return next((_device(row) for row in rows), None)

    async def devices(self) -> list[Device]:
        """Return all devices, in the order of enrolment."""
        rows = await self._all(f"SELECT {_DEVICE_COLUMNS} FROM device ORDER BY enrolled_ms, id")
        return [_device(row) for row in rows]

    async def put_device(self, device: Device) -> None:
        """Write a device, new or changed."""
        act = act_of_device(device)
        if self._noted.get(device.id) != act:
            self.for_control.append(act)
        await self._connection.execute(
            _PUT_DEVICE,
            (
                device.id,
                device.handle,
                device.person,
                *(getattr(device, each) for each in _DEVICE_FACTS),
                pack(dict(device.report)),
                pack(dict(device.about)),
                device.clock_ahead_ms,
                device.order,
                device.wipe_ordered_ms,
                device.order_fetched_ms,
                device.wiped_ms,
            ),
        )

    async def person(self, person: UserId) -> Person | None:
        """Return a person with the grids assigned."""
        rows = await self._all(f"SELECT {_PERSON_COLUMNS} FROM person WHERE id = ?", person)
        return next((_person(row) for row in rows), None)

    async def people(self) -> list[Person]:
        """Return everybody, by staff number."""
        return [_person(row) for row in await self._all(f"SELECT {_PERSON_COLUMNS} FROM person ORDER BY staff_no")]

    async def assigned(self) -> set[ScopeId]:
        """Return every grid that is assigned to somebody."""
        return {ScopeId(row[0]) for row in await self._all("SELECT DISTINCT scope FROM assignment")}

    async def put_person(self, person: Person) -> None:
        """Write a person, new or changed, and the grids assigned."""
        self.for_control.append(act_of_person(person))
        await self._connection.execute(
            "INSERT INTO person (id, staff_no, name, status) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " staff_no = excluded.staff_no, name = excluded.name, status = excluded.status",
            (person.id, person.staff_no, person.name, person.status),
        )
        await self._connection.execute("DELETE FROM assignment WHERE person = ?", (person.id,))
        await self._connection.executemany(
            "INSERT INTO assignment (person, scope) VALUES (?, ?)",
            [(person.id, scope) for scope in sorted(person.scopes)],
        )
        if person.status != "active":
            # Whoever lets him work again some day must not find his old sessions open.
            await self._connection.execute("DELETE FROM session WHERE person = ?", (person.id,))

    async def code(self, code_id: bytes) -> Code | None:
        """Return an enrolment code."""
        rows = await self._all("SELECT id, secret, person, expires_ms, device FROM code WHERE id = ?", code_id)
        return next((Code(*row) for row in rows), None)

    async def put_code(self, code: Code) -> None:
        """Write an enrolment code, new or used."""
        self.for_control.append(act_of_code(code))
        await self._connection.execute(
            "INSERT INTO code (id, secret, person, expires_ms, device) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET device = excluded.device",
            (code.id, code.secret, code.person, code.expires_ms, code.device),
        )

    async def note(self, act: Act) -> None:
        """Write down what an administrator did. It stays for ever."""
        await self._connection.execute(
            "INSERT INTO act (at_ms, by, what, subject, detail) VALUES (?, ?, ?, ?, ?)",
            (act.at_ms, act.by, act.what, act.subject, act.detail),
        )

    async def acts(self, limit: int, *, subject: str | None = None) -> list[Act]:
        """Return what administrators did, newest first; only to a subject."""
        rows = await self._all(
            "SELECT at_ms, by, what, subject, detail FROM act WHERE ?1 IS NULL OR subject = ?1"
            " ORDER BY id DESC LIMIT ?2",
            subject,
            limit,
        )
        return [Act(*row) for row in rows]

    async def _all(self, sql: str, *values: Any) -> Any:
        return await self._connection.execute_fetchall(sql, values)


def _device(row: Any) -> Device:
    report, about = unpack(row[11]), unpack(row[12])
    facts: dict[str, Any] = dict(zip(_DEVICE_FACTS, row[3:11], strict=True))
    ahead_ms, order, ordered_ms, fetched_ms, wiped_ms = row[13:]
    return Device(
        DeviceId(row[0]),
        DeviceHandle(row[1]),
        UserId(row[2]),
        **facts,
        report=report if isinstance(report, dict) else {},
        clock_ahead_ms=ahead_ms,
        about=about if isinstance(about, dict) else {},
        order=order,
        wipe_ordered_ms=ordered_ms,
        order_fetched_ms=fetched_ms,
        wiped_ms=wiped_ms,
    )


def _person(row: Any) -> Person:
    scopes = frozenset(ScopeId(scope) for scope in json.loads(row[4]))
    return Person(UserId(row[0]), row[1], row[2], row[3], scopes)
