"""One handheld of the demo: a process with a store of its own, told what its worker does.

Commands come as lines on standard input and events go out as lines on standard output, both base64 of canonical
msgpack. An event `saved` leaves only after `FieldStore` has returned: from then on a kill must not lose the op.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gridlog import Add, Count, FieldStore, GridlogError, InvalidRecordError, Record
from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Kind, Merge
from gridlog_sync.writing import Change
from tools.demo.clocks import DemoClock

RECORDS_MAX = 100_000


@dataclass(slots=True)
class Handheld:
    """The process's state: its store, and the records whose forms are open since before the radio went away."""

    store: FieldStore
    clock: DemoClock
    opened: dict[bytes, Record] = field(default_factory=dict)

    async def obey(self, command: Mapping[str, Value]) -> dict[str, Value]:
        """Carry out one command and return what to tell."""
        match command["do"]:
            case "enrol":
                status = await self.store.enrol(str(command["code"]))
                return {"event": "enrolled", "name": status.user_name, "user": self.store.user}
            case "write":
                record = await self.store.create(str(command["kind"]), _values(command["values"]))
                return await self._saved(record)
            case "change":
                return await self._change(raw_bytes(command["record"]), _values(command["values"]))
            case "submit":
                return await self._submit(await self.store.get(RecordId(raw_bytes(command["record"]))))
            case "open":
                record = await self.store.get(RecordId(raw_bytes(command["record"])))
                self.opened[record.id] = record
                return {"event": "opened"}
            case "sync":
                return await self._sync()
            case "go back":
                self.clock.back_ms = number(command["ms"])
                return {"event": "went back"}
            case "inventory":
                return await self._inventory()
            case other:
                raise AssertionError(f"no command {other!r}")

    async def _change(self, record: bytes, values: Mapping[str, Value]) -> dict[str, Value]:
        # A form that was opened earlier shows what was there then, and is closed by saving it.
        form = self.opened.pop(record, None) or await self.store.get(RecordId(record))
        kind = self.store.kinds.get(form.kind)
        assert kind is not None
        return await self._saved(
            await self.store.edit(form, {name: _change(kind, name, values[name]) for name in values})
        )

    async def _submit(self, record: Record) -> dict[str, Value]:
        try:
            return await self._saved(await self.store.submit(record))
        except InvalidRecordError as lacking:
            return {"event": "refused", "text": lacking.text.en}

    async def _saved(self, record: Record) -> dict[str, Value]:
        newest = (await self.store.pending())[-1].id
        return {"event": "saved", "record": record.id, "op": [newest.device, newest.incarnation, newest.seq]}

    async def _sync(self) -> dict[str, Value]:
        try:
            report = await self.store.sync()
        except GridlogError as reason:
            return {"event": "failed", "why": type(reason).__name__, "text": reason.text.en}
        return {
            "event": "synced",
            "sent": report.sent,
            "received": report.received,
            "held": report.held,
            "round_trips": report.round_trips,
            "up": report.bytes_up,
            "down": report.bytes_down,
            "is_equal": report.is_equal,
            "warning": report.clock_warning.en if report.clock_warning else None,
        }

    async def _inventory(self) -> dict[str, Value]:
        """Tell everything that is here, so that somebody else can compare."""
        store = self.store
        status, pending = await store.status(), await store.pending()
        records: list[Value] = []
        for kind in store.kinds:
            found = await store.query(kind.name, limit=RECORDS_MAX)
            records += [[each.id, hashlib.sha256(pack(dict(each.values))).digest(), each.receipt] for each in found]
        return {
            "event": "inventory",
            "pending": [[each.id.device, each.id.incarnation, each.id.seq, each.record] for each in pending],
            "records": records,
            "held": status.held,
            "conflicts": [[each.record, each.field, each.severity.value] for each in await store.conflicts()],
            "receipts": [[number, up_to] for number, up_to in (await store.receipts()).items()],
        }


def line(value: Mapping[str, Value]) -> bytes:
    """Write one command or event."""
    return base64.b64encode(pack(dict(value))) + b"\n"


def read_line(raw: bytes) -> dict[str, Value]:
    """Read one command or event."""
    value = unpack(base64.b64decode(raw))
    assert isinstance(value, dict)
    return value


def _values(value: Value) -> dict[str, Value]:
    assert isinstance(value, dict)
    return value


def raw_bytes(value: Value) -> bytes:
    """Return a part of a message that is bytes."""
    assert isinstance(value, bytes)
    return value


def number(value: Value) -> int:
    """Return a part of a message that is a number."""
    assert isinstance(value, int)
    return value


def words(value: Value) -> str:
    """Return a part of a message that is text."""
    assert isinstance(value, str)
    return value


def items(value: Value) -> list[Value]:
    """Return a part of a message that is a list."""
    assert isinstance(value, list)
    return value


def _change(kind: Kind, name: str, value: Value) -> Change:
    """Read a planned change: it names what is added to a set or list, and how much a counter grows."""
    merge = kind.fields[name].merge
    if merge in (Merge.AWSET, Merge.APPEND) and isinstance(value, list):
        return Add(tuple(value))
    if merge is Merge.COUNTER and isinstance(value, int):
        return Count(value)
    return value


async def main(directory: Path, passphrase: str, clock: DemoClock) -> None:
    """Make or open the store, then obey until standard input ends."""
    is_there = (directory / "keys.gl").exists()
    begin = FieldStore.open if is_there else FieldStore.make
    loop = asyncio.get_running_loop()
    async with await begin(directory, passphrase, clock=clock) as store:
        handheld = Handheld(store, clock)
        sys.stdout.buffer.write(line({"event": "ready"}))
        sys.stdout.buffer.flush()
        while raw := await loop.run_in_executor(None, sys.stdin.buffer.readline):
            sys.stdout.buffer.write(line(await handheld.obey(read_line(raw))))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], DemoClock(int(sys.argv[3]))))
