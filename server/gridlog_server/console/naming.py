"""How addresses and forms name records and ops. What names nothing is as if it were not there."""

from __future__ import annotations

import binascii
import re
from typing import Final

from aiohttp import web

from gridlog_protocol.ids import DeviceId, Incarnation, OpId, RecordId, is_record_id, read, shown
from gridlog_server.service.deciding import op_name
from gridlog_server.service.refusing import RefusedError

_OP: Final = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})-([0-9]{1,15})")
_DIGITS_MAX: Final = 18


def record_path(record: RecordId) -> str:
    """Return the path of a record's page."""
    return f"/console/records/{shown(record)}"


def read_record(request: web.Request) -> RecordId:
    """Return the record that an address names. Raises HTTPNotFound."""
    try:
        found = read(request.match_info["record"])
    except (ValueError, binascii.Error):
        raise web.HTTPNotFound from None
    if not is_record_id(found):
        raise web.HTTPNotFound
    return RecordId(found)


def read_number(text: str) -> int | None:
    """Return the whole number that an address or a form says, of 18 digits at most; None if it says none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS_MAX else None


def held_path(op: OpId) -> str:
    """Return the path of the page of an op that waits for a decision."""
    return f"/console/held/{op_name(op)}"


def read_op(name: str) -> OpId:
    """Return the op that a form names. Raises RefusedError."""
    parts = _OP.fullmatch(name)
    if parts is None:
        raise RefusedError("选中的内容已经不在了。", "What was chosen does not stand any more.")
    device, incarnation, seq = parts.groups()
    return OpId(DeviceId(bytes.fromhex(device)), Incarnation(bytes.fromhex(incarnation)), int(seq))
