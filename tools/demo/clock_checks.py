"""Did the server see through the wrong clocks? What it stored, compared with when the director gave each command."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gridlog_protocol.clock import milliseconds_of
from gridlog_protocol.limits import CLOCK_AHEAD_MS
from gridlog_sync.clocks import Tier
from tools.demo.actors import HandheldProcess
from tools.demo.checks import Check
from tools.demo.clocks import MINUTE_MS

OpName = tuple[bytes, bytes, int]


@dataclass(frozen=True, slots=True)
class Dated:
    """What the server stored of one op's time: Unix ms."""

    happened_ms: int
    tier: Tier
    stamp_ms: int | None
    received_ms: int


@dataclass(frozen=True, slots=True)
class ClockFacts:
    """What the server's database says about time: of each op of a phone, and of each phone."""

    ops: dict[OpName, Dated]
    ahead_ms: dict[bytes, int | None]


def clock_facts(database: Path) -> ClockFacts:
    """Read the database."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute(
            "SELECT op.device, op.incarnation, seq, happened_ms, tier, stamp, received_ms"
            " FROM op JOIN segment ON segment.id = op.segment"
        ).fetchall()
        devices = connection.execute("SELECT id, clock_ahead_ms FROM device").fetchall()
    ops = {
        (device, incarnation, seq): Dated(
            at_ms, Tier(tier), None if stamp is None else milliseconds_of(stamp), came_ms
        )
        for device, incarnation, seq, at_ms, tier, stamp, came_ms in rows
    }
    return ClockFacts(ops, dict(devices))


def run_clock_checks(facts: ClockFacts, handhelds: Sequence[HandheldProcess]) -> list[Check]:
    """Compare stamps, tiers, estimates and warnings with what was really done when."""
    ops = facts.ops
    ahead_ms = max(each.stamp_ms - each.received_ms for each in ops.values() if each.stamp_ms is not None)
    wanted = {op: handheld.clock.tier for handheld in handhelds for op in handheld.saved}
    misjudged = [op for op, each in ops.items() if each.tier is not wanted.get(op, Tier.FINE)]
    flagged = sum(each.tier is not Tier.FINE for each in ops.values())
    errors = {op: abs(ops[op].happened_ms - at_ms) for handheld in handhelds for op, at_ms in handheld.acted.items()}
    away = [op for handheld in handhelds for op in handheld.away]
    is_away_right = all(ops[op].tier is Tier.FINE and errors[op] <= MINUTE_MS for op in away)
    warned = {handheld.worker.staff_no for handheld in handhelds if handheld.warning}
    wrong = {handheld.worker.staff_no for handheld in handhelds if handheld.clock.ahead_ms}
    worst_ms = max(errors.values())
    return [
        Check("no stamp far ahead", ahead_ms <= CLOCK_AHEAD_MS, f"{ahead_ms / 1000:.1f} s at most, 60 s allowed"),
        Check("clocks judged", not misjudged, f"{flagged} ops flagged, {len(misjudged)} wrongly judged"),
        Check("times estimated", worst_ms <= MINUTE_MS, f"{len(errors)} ops, {worst_ms / 1000:.1f} s off at most"),
        Check("days away dated", is_away_right, f"{len(away)} ops of three days ago, fine"),
        Check("workers warned", warned == wrong, f"{len(warned)} warned, {len(wrong)} clocks wrong"),
    ]
