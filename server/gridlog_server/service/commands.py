"""What an administrator's command may ask of the server, in plain JSON values."""

from __future__ import annotations

import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId, is_record_id, read, shown
from gridlog_protocol.kinds import Identity, KindSet, Reference
from gridlog_server.store.contract import Person

from .accounts import Accounts, Granted, roles_of
from .backing_up import BackingUp
from .deciding import Decided, Deciding, name_of
from .enrolment import Enrolment
from .gaps import Gaps
from .grids import Grids
from .importing import Given, Importing
from .office_commands import OfficeCommands
from .people import People
from .quarantine import Quarantine
from .refusing import RefusedError
from .standing import Standing, Step


class LocalCommands:
    """What a command may ask, as plain JSON values: over the socket, or directly if no server runs."""

    def __init__(  # noqa: PLR0913 - a use case each.
        self,
        *,
        enrolment: Enrolment,
        importing: Importing,
        deciding: Deciding,
        gaps: Gaps,
        people: People,
        standing: Standing,
        grids: Grids,
        kinds: KindSet,
        backing_up: BackingUp,
        quarantine: Quarantine,
        accounts: Accounts,
        office: OfficeCommands,
    ) -> None:
        self._enrolment = enrolment
        self._importing = importing
        self._deciding = deciding
        self._gaps = gaps
        self._people = people
        self._standing = standing
        self._grids = grids
        self._backing_up = backing_up
        self._quarantine = quarantine
        self._accounts = accounts
        self._kinds = kinds
        self._known: Mapping[str, Callable[..., Awaitable[dict[str, Any]]]] = {
            "enroll": self._enroll,
            "import": self._import,
            "release": self._release,
            "reject": self._reject,
            "close_gap": self._close_gap,
            "user_add": self._user_add,
            "user_grids": self._user_grids,
            "user_disable": self._user_disable,
            "user_enable": self._user_enable,
            "user_password": self._user_password,
            "user_grant": self._user_grant,
            "user_sign_out": self._user_sign_out,
            "device": self._device,
            "take_in": self._take_in,
            "dismiss": self._dismiss,
            "import_grids": self._import_grids,
            "confirm": self._confirm,
            "backup": self._backup,
            **office.known,
        }

    async def run(self, name: str, facts: dict[str, Any], *, operator: str) -> dict[str, Any]:
        """Carry out one command for whoever the operating system says gives it.

        Raises RefusedError or InvalidRecordError with a sentence, ValueError or TypeError if the facts have not the
        form of this command; nothing was changed then.
        """
        command = self._known.get(name)
        if command is None:
            raise RefusedError(f"没有“{name}”这个命令。", f"There is no command {name!r}.")
        return await command(operator, **facts)

    async def _enroll(self, operator: str, staff_no: str, name: str, grids: list[str]) -> dict[str, Any]:
        invited = await self._enrolment.invite(staff_no, name, grids, by=operator)
        return {
            "code": invited.invitation.code(),
            "expires_ms": invited.expires_ms,
            "name": invited.person.name,
            "staff_no": staff_no,
            "grids": sorted(invited.person.scopes),
        }

    async def _import(self, operator: str, records: list[dict[str, Any]]) -> dict[str, Any]:
        given = [self._given(index, row) for index, row in enumerate(records, start=1)]
        return {"written": await self._importing.write(given, by=operator), "read": len(given)}

    async def _release(self, _operator: str, op: str, by: str, reason: str) -> dict[str, Any]:
        return _decided(await self._deciding.release(op, by=by, reason=reason))

    async def _reject(self, _operator: str, op: str, by: str, reason: str) -> dict[str, Any]:
        return _decided(await self._deciding.reject(op, by=by, reason=reason))

    async def _close_gap(self, _operator: str, device: str, incarnation: str, by: str, reason: str) -> dict[str, Any]:
        return asdict(await self._gaps.close(device, incarnation, by=by, reason=reason))

    async def _user_add(self, operator: str, staff_no: str, name: str, grids: list[str]) -> dict[str, Any]:
        return _person(await self._people.add(staff_no, name, grids, by=operator))

    async def _user_grids(self, operator: str, staff_no: str, grids: list[str]) -> dict[str, Any]:
        return _person(await self._people.assign(staff_no, grids, by=operator))

    async def _user_disable(self, operator: str, staff_no: str, reason: str) -> dict[str, Any]:
        return _person(await self._people.disable(staff_no, by=operator, reason=reason))

    async def _user_enable(self, operator: str, staff_no: str, reason: str) -> dict[str, Any]:
        return _person(await self._people.enable(staff_no, by=operator, reason=reason))

    async def _user_password(self, operator: str, staff_no: str, password: str) -> dict[str, Any]:
        return _granted(await self._accounts.set_password(staff_no, password, by=operator))

    async def _user_grant(self, operator: str, staff_no: str, roles: list[str], subtree: str) -> dict[str, Any]:
        return _granted(await self._accounts.grant(staff_no, roles, subtree, by=operator))

    async def _user_sign_out(self, operator: str, staff_no: str) -> dict[str, Any]:
        return {"staff_no": staff_no, "sessions_ended": await self._accounts.end_sessions(staff_no, by=operator)}

    async def _device(self, operator: str, device: str, step: str, reason: str) -> dict[str, Any]:
        changed = await self._standing.change(device, Step(step), by=operator, reason=reason)
        return {"device": shown(changed.id), "model": changed.model, "status": changed.status}

    async def _take_in(self, _operator: str, number: int, by: str, reason: str) -> dict[str, Any]:
        taken = await self._quarantine.take_in(number, by=by, reason=reason)
        held = [name_of(each) for each in taken.held]
        return {
            "numbers": [*taken.numbers],
            "held": held,
            "known": taken.known,
            "behind_gap": taken.behind_gap,
        }

    async def _dismiss(self, _operator: str, number: int, by: str, reason: str) -> dict[str, Any]:
        item = await self._quarantine.dismiss(number, by=by, reason=reason)
        return {"number": item.number, "device": shown(item.device)}

    async def _confirm(self, operator: str, devices: list[str]) -> dict[str, Any]:
        return {"devices": [shown(each.id) for each in await self._standing.confirm(devices, by=operator)]}

    async def _backup(self, _operator: str, name: str) -> dict[str, Any]:
        return await self._backing_up.take(name)

    async def _import_grids(self, operator: str, rows: list[dict[str, str]]) -> dict[str, Any]:
        return {"written": await self._grids.write(rows, by=operator), "read": len(rows)}

    def _given(self, number: int, row: dict[str, Any]) -> Given:
        try:
            record, kind, values = read(str(row["id"])), str(row["kind"]), dict(row["values"])
        except (KeyError, TypeError, ValueError, binascii.Error):
            raise RefusedError(
                f"第 {number} 条：应有 id、kind 和 values。", f"Record {number} wants id, kind and values."
            ) from None
        if not is_record_id(record):
            raise RefusedError(
                f"第 {number} 条：{row['id']} 不是 UUIDv7。", f"Record {number}: {row['id']} is not a UUIDv7."
            )
        return Given(RecordId(record), kind, {name: self._value(kind, name, each) for name, each in values.items()})

    def _value(self, kind_name: str, name: str, value: Value) -> Value:
        # JSON has no bytes: a file writes 16-byte identities as hex.
        kind = self._kinds.get(kind_name)
        field = kind.fields.get(name) if kind else None
        is_identity = field is not None and (
            isinstance(field.type, Identity) or (isinstance(field.type, Reference) and field.type.form == "identity")
        )
        return read(value) if is_identity and isinstance(value, str) else value


def _person(person: Person) -> dict[str, Any]:
    return {
        "staff_no": person.staff_no,
        "name": person.name,
        "status": person.status,
        "grids": sorted(person.scopes),
    }


def _granted(granted: Granted) -> dict[str, Any]:
    return {
        "staff_no": granted.person.staff_no,
        "name": granted.person.name,
        "roles": sorted(roles_of(granted.account)),
        "subtree": granted.account.subtree,
        "has_password": bool(granted.account.password),
        "sessions_ended": granted.ended,
    }


def _decided(decided: Decided) -> dict[str, Any]:
    return {
        "decided": [
            {"op": name_of(each.op), "verdict": each.verdict.value, "position": each.position}
            for each in decided.decisions
        ],
        "waiting": [{"op": name_of(each.op.id), "code": each.hold} for each in decided.waiting],
    }
