"""Held ops and decisions in SQLite. See `contract.Reviews`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import aiosqlite

from gridlog_protocol.clock import Stamp
from gridlog_protocol.decisions import Decision, Verdict
from gridlog_protocol.ids import DeviceId, Incarnation, OpId, Position
from gridlog_protocol.log_chain import Ruling

from .contract import StoredOp
from .sqlite_ledger import OP_COLUMNS, stored_op

_DECISIONS = (
    "SELECT device, incarnation, seq, op.hash, verdict, decision.position, decision.stamp, decided_by, decided_ms,"
    " reason, follows FROM decision JOIN op USING (device, incarnation, seq)"
    " WHERE verdict <> 'gap_closed' AND device = ?"
)


class SqliteReviews:
    """Reads in the transaction that the connection is in. `SqliteLedger.write` writes."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def waiting(self, limit: int) -> list[StoredOp]:
        """Return held ops that nobody has decided about."""
        rows = await self._all(f"SELECT {OP_COLUMNS} FROM op WHERE hold_status = 'waiting' LIMIT ?", limit)
        return [stored_op(row) for row in rows]

    async def numbered(self, seq: int) -> list[StoredOp]:
        """Return all ops with this seq that are held or once were, of whatever device."""
        rows = await self._all(f"SELECT {OP_COLUMNS} FROM op WHERE hold IS NOT NULL AND seq = ?", seq)
        return [stored_op(row) for row in rows]

    async def decision(self, op: OpId) -> Decision | None:
        """Return what was decided about an op."""
        rows = await self._all(
            f"{_DECISIONS} AND incarnation = ? AND seq = ?",
            *op,
        )
        return next((_decision(row) for row in rows), None)

    async def decisions(self, device: DeviceId, since: Position, to: Position, limit: int) -> list[Decision]:
        """Return the decisions about a device's ops after `since` up to `to`, by position."""
        rows = await self._all(
            f"{_DECISIONS} AND decision.position > ? AND decision.position <= ? ORDER BY decision.position LIMIT ?",
            device,
            since,
            to,
            limit,
        )
        return [_decision(row) for row in rows]

    async def _all(self, sql: str, *values: Any) -> Iterable[Any]:
        return await self._connection.execute_fetchall(sql, values)


def _decision(row: Any) -> Decision:
    device, incarnation, seq, hashed, verdict, position, stamp, by, at_ms, reason, follows = row
    op = OpId(DeviceId(device), Incarnation(incarnation), seq)
    ruling = Ruling(by, at_ms, reason, Position(follows))
    return Decision(op, hashed, Verdict(verdict), Position(position), Stamp(stamp), ruling)
