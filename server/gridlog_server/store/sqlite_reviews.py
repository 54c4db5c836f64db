"""Held ops and decisions in SQLite. See `contract.Reviews`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gridlog_protocol.canonical import pack, unpack
from gridlog_protocol.clock import Stamp
from gridlog_protocol.decisions import Decision, Verdict
from gridlog_protocol.ids import DeviceId, Incarnation, OpId, Position
from gridlog_protocol.log_chain import Ruling
from gridlog_protocol.segment_codec import read_segment, segment_row

from .contract import Outcome, Quarantined, StoredOp, WaitingSegment
from .sqlite_brief import Statements
from .sqlite_ledger import OP_COLUMNS, stored_op

_DECISIONS = (
    "SELECT device, incarnation, seq, op.hash, verdict, decision.position, decision.stamp, decided_by, decided_ms,"
    " reason, follows FROM decision JOIN op USING (device, incarnation, seq)"
    " WHERE verdict <> 'gap_closed' AND device = ?"
)

_APART = "SELECT id, device, received_ms, code, body, served, verdict, decided_by, decided_ms, reason FROM quarantine"
_WAITING = "SELECT device, body, served, received_ms FROM waiting"


class SqliteReviews:
    """Reads in the transaction that the connection is in. `SqliteLedger.write` writes."""

    def __init__(self, connection: Statements) -> None:
        self._connection = connection

    async def waiting(self, limit: int, *, device: DeviceId | None = None, code: str | None = None) -> list[StoredOp]:
        """Return held ops that nobody has decided about, newest first; only of a device, only for a reason."""
        rows = await self._all(
            f"SELECT {OP_COLUMNS} FROM op WHERE hold_status = 'waiting' AND (?1 IS NULL OR device = ?1)"
            " AND (?2 IS NULL OR hold = ?2) ORDER BY segment DESC, device, seq DESC LIMIT ?3",
            device,
            code,
            limit,
        )
        return [stored_op(row) for row in rows]

    async def held_by_device(self) -> dict[DeviceId, int]:
        """Return how many ops of each device are held, and nobody has decided about; only of those that have some."""
        rows = await self._all("SELECT device, count(*) FROM op WHERE hold_status = 'waiting' GROUP BY device")
        return {DeviceId(device): count for device, count in rows}

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

    async def behind_gap(
        self, device: DeviceId, incarnation: Incarnation, *, reach: int | None = None
    ) -> list[WaitingSegment]:
        """Return the segments of an incarnation that wait, by their first op.

        With `reach`: none of them, unless the first begins at that seq or below.
        """
        place = "FROM waiting WHERE device = ? AND incarnation = ?"
        [[first]] = await self._all(f"SELECT min(first_seq) {place}", device, incarnation)
        if first is None or (reach is not None and first > reach):
            return []
        rows = await self._all(
            f"SELECT device, body, served, received_ms {place} ORDER BY first_seq, signature", device, incarnation
        )
        return [_waiting(row) for row in rows]

    async def gaps(self, limit: int) -> list[WaitingSegment]:
        """Return segments that wait, of whatever device, by device, incarnation and first op."""
        rows = await self._all(f"{_WAITING} ORDER BY device, incarnation, first_seq, signature LIMIT ?", limit)
        return [_waiting(row) for row in rows]

    async def keep_waiting(self, waiting: WaitingSegment, *, bytes_max: int, count_max: int) -> bool:
        """Keep a segment until the gap before it closes: once, and unless more would wait than these bounds."""
        body, segment = pack(segment_row(waiting.segment)), waiting.segment
        [[so_far, count]] = await self._all(
            "SELECT coalesce(sum(length(body)), 0), count(*) FROM waiting WHERE device = ?", waiting.device
        )
        if so_far + len(body) > bytes_max or count >= count_max:
            return False
        await self._connection.execute(
            "INSERT OR IGNORE INTO waiting (device, incarnation, first_seq, signature, last_seq, body, served,"
            " received_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                waiting.device,
                segment.incarnation,
                segment.first_seq,
                segment.signature,
                segment.ops[-1].id.seq,
                body,
                waiting.served,
                waiting.received_ms,
            ),
        )
        return True

    async def wait_no_longer(self, waiting: WaitingSegment) -> None:
        """Forget a segment that waited."""
        segment = waiting.segment
        await self._connection.execute(
            "DELETE FROM waiting WHERE device = ? AND incarnation = ? AND first_seq = ? AND signature = ?",
            (waiting.device, segment.incarnation, segment.first_seq, segment.signature),
        )

    async def quarantined(
        self, limit: int, *, device: DeviceId | None = None, is_waiting: bool = False
    ) -> list[Quarantined]:
        """Return what could not be taken in, newest first; only of a device, only what nobody has decided about."""
        rows = await self._all(
            f"{_APART} WHERE (?1 IS NULL OR device = ?1) AND (NOT ?2 OR verdict IS NULL) ORDER BY id DESC LIMIT ?3",
            device,
            is_waiting,
            limit,
        )
        return [_quarantined(row) for row in rows]

    async def apart(self, number: int) -> Quarantined | None:
        """Return what is in quarantine under this number."""
        return next((_quarantined(row) for row in await self._all(f"{_APART} WHERE id = ?", number)), None)

    async def decide_apart(self, number: int, outcome: Outcome, ruling: Ruling) -> None:
        """Write down what was decided about something in quarantine. It stays there."""
        await self._connection.execute(
            "UPDATE quarantine SET verdict = ?, decided_by = ?, decided_ms = ?, reason = ? WHERE id = ?",
            (outcome.value, ruling.by, ruling.at_ms, ruling.reason, number),
        )

    async def _all(self, sql: str, *values: Any) -> Iterable[Any]:
        return await self._connection.execute_fetchall(sql, values)


def _waiting(row: Any) -> WaitingSegment:
    device, body, served, received_ms = row
    return WaitingSegment(
        DeviceId(device), read_segment(unpack(body), DeviceId(device)), Position(served), received_ms
    )


def _quarantined(row: Any) -> Quarantined:
    number, device, received_ms, code, body, served, verdict, by, at_ms, reason = row
    outcome = None if verdict is None else Outcome(verdict)
    ruling = None if verdict is None else Ruling(by, at_ms, reason, Position(0))
    return Quarantined(number, DeviceId(device), received_ms, code, body, Position(served), outcome, ruling)


def _decision(row: Any) -> Decision:
    device, incarnation, seq, hashed, verdict, position, stamp, by, at_ms, reason, follows = row
    op = OpId(DeviceId(device), Incarnation(incarnation), seq)
    ruling = Ruling(by, at_ms, reason, Position(follows))
    return Decision(op, hashed, Verdict(verdict), Position(position), Stamp(stamp), ruling)
