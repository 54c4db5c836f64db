"""What an administrator's command may ask of the server, in plain JSON values."""

from __future__ import annotations

import binascii
from dataclasses import asdict
from typing import Any

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId, is_record_id, read
from gridlog_protocol.kinds import Identity, KindSet, Reference

from .backing_up import BackingUp
from .deciding import Decided, Deciding, name_of
from .enrolment import Enrolment
from .gaps import Gaps
from .importing import Given, Importing


class LocalCommands:
    """What a command may ask, as plain JSON values: over the socket, or directly if no server runs."""

    def __init__(
        self,
        enrolment: Enrolment,
        importing: Importing,
        deciding: Deciding,
        gaps: Gaps,
        kinds: KindSet,
        backing_up: BackingUp,
    ) -> None:
        self._enrolment = enrolment
        self._importing = importing
        self._deciding = deciding
        self._gaps = gaps
        self._kinds = kinds
        self._backing_up = backing_up

    async def run(self, name: str, facts: dict[str, Any]) -> dict[str, Any]:
        """Carry out one command. Raises ValueError with a sentence if it cannot be done."""
        match name:
            case "enroll":
                return await self._enroll(**facts)
            case "import":
                return await self._import(**facts)
            case "release":
                return await self._release(**facts)
            case "reject":
                return await self._reject(**facts)
            case "close_gap":
                return await self._close_gap(**facts)
            case "confirm":
                return {"devices": [each.hex() for each in await self._enrolment.confirm(**facts)]}
            case "backup":
                return await self._backing_up.take(**facts)
            case _:
                raise ValueError(f"no command {name!r}")

    async def _enroll(self, staff_no: str, name: str, grids: list[str]) -> dict[str, Any]:
        person, invitation = await self._enrolment.invite(staff_no, name, grids)
        return {"code": invitation.code(), "name": person.name, "staff_no": staff_no, "grids": sorted(person.scopes)}

    async def _import(self, records: list[dict[str, Any]]) -> dict[str, Any]:
        given = [self._given(index, row) for index, row in enumerate(records, start=1)]
        return {"written": await self._importing.write(given), "read": len(given)}

    async def _release(self, op: str, by: str, reason: str) -> dict[str, Any]:
        return _decided(await self._deciding.release(op, by=by, reason=reason))

    async def _reject(self, op: str, by: str, reason: str) -> dict[str, Any]:
        return _decided(await self._deciding.reject(op, by=by, reason=reason))

    async def _close_gap(self, device: str, incarnation: str, by: str, reason: str) -> dict[str, Any]:
        return asdict(await self._gaps.close(device, incarnation, by=by, reason=reason))

    def _given(self, number: int, row: dict[str, Any]) -> Given:
        try:
            record, kind, values = read(str(row["id"])), str(row["kind"]), dict(row["values"])
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise ValueError(f"record {number}: wants id, kind and values") from None
        if not is_record_id(record):
            raise ValueError(f"record {number}: {row['id']!r} is not a UUIDv7")
        return Given(RecordId(record), kind, {name: self._value(kind, name, each) for name, each in values.items()})

    def _value(self, kind_name: str, name: str, value: Value) -> Value:
        # JSON has no bytes: a file writes 16-byte identities as hex.
        kind = self._kinds.get(kind_name)
        field = kind.fields.get(name) if kind else None
        is_identity = field is not None and (
            isinstance(field.type, Identity) or (isinstance(field.type, Reference) and field.type.form == "identity")
        )
        return read(value) if is_identity and isinstance(value, str) else value


def _decided(decided: Decided) -> dict[str, Any]:
    return {
        "decided": [
            {"op": name_of(each.op), "verdict": each.verdict.value, "position": each.position}
            for each in decided.decisions
        ],
        "waiting": [{"op": name_of(each.op.id), "code": each.hold} for each in decided.waiting],
    }
