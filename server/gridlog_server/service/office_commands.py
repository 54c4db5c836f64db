"""What a command may ask in a supervisor's name, as plain JSON values: reviews, and decisions about conflicts.

The rule it keeps: whoever types on the server's machine does it for somebody named, within that supervisor's grids;
the list of acts says who typed.
"""

from __future__ import annotations

import binascii
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from gridlog_protocol.ids import OpId, Position, RecordId, is_record_id, read, shown

from .accounts import Accounts
from .deciding import name_of
from .inbox import Inbox, RecordRow
from .refusing import RefusedError
from .resolving import Choice, Conflicted, Resolved, Resolving
from .reviewing import Remark, Reviewed, Reviewing


class OfficeCommands:
    """Commands in a supervisor's name. `known` has them by their names."""

    def __init__(self, accounts: Accounts, reviewing: Reviewing, resolving: Resolving, inbox: Inbox) -> None:
        self._accounts = accounts
        self._reviewing = reviewing
        self._resolving = resolving
        self._inbox = inbox
        self.known: Mapping[str, Callable[..., Awaitable[dict[str, Any]]]] = {
            "review_list": self._list,
            "review_inbox": self._waiting,
            "review_approve": self._approve,
            "review_return": self._return,
            "review_remark": self._remark,
            "conflicts_show": self._show,
            "conflicts_resolve": self._resolve,
            "conflicts_undo": self._undo,
        }

    async def _waiting(self, operator: str, by: str) -> dict[str, Any]:
        waiting = await self._inbox.waiting(by=await self._accounts.on_behalf_of(by, operator=operator))
        names = ("to_review", "conflicts", "returned", "held", "silent")
        return {name: str(getattr(waiting, name)) for name in names} | {"is_complete": waiting.is_complete}

    async def _list(self, operator: str, by: str, returned: bool, after: str, limit: int) -> dict[str, Any]:  # noqa: FBT001 - named in the command.
        caller = await self._accounts.on_behalf_of(by, operator=operator)
        listed = self._inbox.returned if returned else self._inbox.to_review
        page = await listed(by=caller, after=after, limit=limit)
        return {"records": [_row(each) for each in page.rows], "next": page.next}

    async def _approve(self, operator: str, record: str, by: str, note: str, at: int | None) -> dict[str, Any]:
        caller = await self._accounts.on_behalf_of(by, operator=operator)
        return _reviewed(await self._reviewing.approve(_record(record), _position(at), by=caller, note=note))

    async def _return(
        self, operator: str, record: str, by: str, reason: str, comments: list[str], at: int | None
    ) -> dict[str, Any]:
        caller = await self._accounts.on_behalf_of(by, operator=operator)
        remarks = [_remark(each) for each in comments]
        done = await self._reviewing.send_back(
            _record(record), _position(at), by=caller, reason=reason, remarks=remarks
        )
        return _reviewed(done)

    async def _remark(self, operator: str, record: str, by: str, comments: list[str]) -> dict[str, Any]:
        caller = await self._accounts.on_behalf_of(by, operator=operator)
        remarks = [_remark(each) for each in comments]
        return _reviewed(await self._reviewing.remark(_record(record), by=caller, remarks=remarks))

    async def _show(self, operator: str, record: str, by: str) -> dict[str, Any]:
        caller = await self._accounts.on_behalf_of(by, operator=operator)
        return _conflicted(await self._resolving.conflicts(_record(record), by=caller))

    async def _resolve(
        self, operator: str, record: str, by: str, choices: list[dict[str, Any]], at: int | None
    ) -> dict[str, Any]:
        caller = await self._accounts.on_behalf_of(by, operator=operator)
        standing = await self._resolving.conflicts(_record(record), by=caller)
        chosen = [_choice(standing, each) for each in choices]
        done = await self._resolving.resolve(_record(record), _position(at) or standing.changed, chosen, by=caller)
        return _resolved(done)

    async def _undo(self, operator: str, record: str, by: str) -> dict[str, Any]:
        caller = await self._accounts.on_behalf_of(by, operator=operator)
        return _resolved(await self._resolving.undo(_record(record), None, by=caller))


def _record(name: str) -> RecordId:
    try:
        found = read(name)
    except (ValueError, binascii.Error):
        found = b""
    if not is_record_id(found):
        raise RefusedError(
            "这不是记录标识，见 gridlog-server records。", "This is not a record id: see gridlog-server records."
        )
    return RecordId(found)


def _position(at: int | None) -> Position | None:
    return None if at is None else Position(at)


def _remark(said: str) -> Remark:
    """Read `field=text`; without a field name before the first sign it is about the whole record."""
    name, sign, text = said.partition("=")
    return Remark(text, name.strip()) if sign and name.strip().isidentifier() else Remark(said)


def _choice(standing: Conflicted, given: Mapping[str, Any]) -> Choice:
    field, key, wanted = str(given["field"]), str(given.get("key", "")), given.get("op")
    if wanted is None:
        return Choice(field, key, value=given.get("value"))
    heads = (head for each in standing.conflicts if (each.field, each.key) == (field, key) for head in each.heads)
    found: list[OpId] = [head.op for head in heads if name_of(head.op).startswith(str(wanted))]
    if len(found) != 1:
        raise RefusedError(
            f"“{field}”没有由 {wanted} 写下的内容，见 gridlog-server conflicts show。",
            f"No value of {field!r} was written by {wanted}: see gridlog-server conflicts show.",
        )
    return Choice(field, key, chosen=found[0])


def _row(row: RecordRow) -> dict[str, Any]:
    return {
        "record": shown(row.record),
        "kind": row.kind,
        "grids": [*row.grids],
        "author": row.author_name,
        "occurred_ms": row.occurred_ms,
        "review_state": row.review_state,
        "since_ms": row.stepped_ms,
        "conflicts": row.conflicts,
        "at": row.changed,
        "values": _plain(dict(row.values)),
    }


def _reviewed(done: Reviewed) -> dict[str, Any]:
    return {
        "record": shown(done.record),
        "state": done.state.value,
        "round": done.round,
        "position": done.position,
    }


def _resolved(done: Resolved) -> dict[str, Any]:
    return {"record": shown(done.record), "position": done.position, "conflicts": done.conflicts}


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {key: _plain(each) for key, each in value.items()}
        case _:
            return value


def _conflicted(standing: Conflicted) -> dict[str, Any]:
    return {
        "record": shown(standing.record),
        "kind": standing.kind,
        "at": standing.changed,
        "undoable": name_of(standing.undoable) if standing.undoable else None,
        "conflicts": [
            {
                "field": each.field,
                "key": each.key,
                "severity": each.severity.value,
                "shown": _plain(each.shown),
                "values": [
                    {
                        "op": name_of(head.op),
                        "value": _plain(head.value),
                        "author": head.author_name,
                        "device": head.device.hex(),
                        "happened_ms": head.happened_ms,
                        "received_ms": head.received_ms,
                        "position": head.position,
                    }
                    for head in each.heads
                ],
            }
            for each in standing.conflicts
        ],
    }
