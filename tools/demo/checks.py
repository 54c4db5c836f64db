"""Is everything there, and is it the same everywhere? Computed from the server's database and the handhelds' stores.

Nothing here trusts the code that it checks: the log is recomputed from the stored ops, and each handheld tells what
it holds in its own words.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from gridlog_protocol.canonical import Value, pack, unpack
from gridlog_protocol.clock import Stamp
from gridlog_protocol.ids import DeviceId, Epoch, Incarnation, OpId, Position, TenantId
from gridlog_protocol.kinds import shipped_kinds
from gridlog_protocol.log_chain import EntryType, log_next, log_start
from gridlog_protocol.op_codec import unpack_op
from gridlog_protocol.ops import op_hash
from gridlog_protocol.receipts import receipt_number
from gridlog_protocol.segment import chain_next, chain_start
from gridlog_protocol.state_codec import unpack_record
from gridlog_sync.view import conflicts_of, values_of
from tools.demo.actors import HandheldProcess
from tools.demo.handheld import items, number, raw_bytes


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must hold."""

    name: str
    is_held: bool
    detail: str


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the server's database says."""

    ops: dict[tuple[bytes, bytes, int], int | None]
    records: dict[bytes, bytes]
    scopes: dict[bytes, set[str]]
    conflicts: dict[tuple[str, str], int]
    held: int
    log_hashes: list[bytes]
    broken: list[str]


def server_facts(database: Path) -> ServerFacts:
    """Read the database, and recompute its log and every device's chain from the stored ops."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        ops = connection.execute(
            "SELECT device, incarnation, seq, hash, body, position, stamp FROM op ORDER BY device, incarnation, seq"
        ).fetchall()
        logged = connection.execute("SELECT position, hash FROM log ORDER BY position").fetchall()
        heads = connection.execute("SELECT device, incarnation, known_seq, chain_head FROM incarnation").fetchall()
        records = connection.execute("SELECT id, state FROM record").fetchall()
        scopes: dict[bytes, set[str]] = {}
        for scope, record in connection.execute("SELECT scope, record FROM record_scope"):
            scopes.setdefault(record, set()).add(scope)
    broken = _broken_chains(ops, heads) + _broken_log(meta, ops, logged)
    values, conflicts = _read_records(records)
    positions = {(device, incarnation, seq): position for device, incarnation, seq, _, _, position, _ in ops}
    held = sum(position is None for position in positions.values())
    return ServerFacts(positions, values, scopes, conflicts, held, [row[1] for row in logged], broken)


def run_checks(
    facts: ServerFacts, handhelds: Sequence[HandheldProcess], inventories: Sequence[dict[str, Value]]
) -> list[Check]:
    """Compare what was saved, what the server holds and what the handhelds hold."""
    saved = {op for handheld in handhelds for op in handheld.saved}
    lost = saved - set(facts.ops)
    pending = sum(len(items(inventory["pending"])) for inventory in inventories)
    differing = [
        handheld.worker.staff_no
        for handheld, inventory in zip(handhelds, inventories, strict=True)
        if _differs(facts, handheld, inventory)
    ]
    receipts = [note for inventory in inventories for note in items(inventory["receipts"])]
    wrong = [note for note in receipts if not _is_receipt_right(facts, items(note))]
    return [
        Check(
            "nothing lost", not lost and not pending, f"{len(saved)} ops saved, {len(lost)} lost, {pending} pending"
        ),
        Check("nothing held", facts.held == 0, f"{facts.held} ops held"),
        Check("all replicas equal", not differing, "differing: " + ", ".join(differing) if differing else "by value"),
        Check(
            "log and chains valid", not facts.broken, "; ".join(facts.broken) or f"{len(facts.log_hashes)} entries"
        ),
        Check("receipts valid", bool(receipts) and not wrong, f"{len(receipts)} receipts, {len(wrong)} wrong"),
    ]


def _differs(facts: ServerFacts, handheld: HandheldProcess, inventory: dict[str, Value]) -> bool:
    mine = {raw_bytes(items(row)[0]): raw_bytes(items(row)[1]) for row in items(inventory["records"])}
    scopes = {"tenant", *handheld.worker.grids}
    theirs = {record: digest for record, digest in facts.records.items() if facts.scopes[record] & scopes}
    return mine != theirs


def _is_receipt_right(facts: ServerFacts, note: list[Value]) -> bool:
    position = int(str(note[0]).split("-", 1)[0])
    is_in_log = 0 < position <= len(facts.log_hashes)
    return (
        is_in_log
        and receipt_number(Position(position), facts.log_hashes[position - 1]) == note[0]
        and number(note[1]) > 0
    )


def _read_records(rows: Sequence[tuple[bytes, bytes]]) -> tuple[dict[bytes, bytes], dict[tuple[str, str], int]]:
    values: dict[bytes, bytes] = {}
    conflicts: dict[tuple[str, str], int] = {}
    for record, state in rows:
        merged = unpack_record(state)
        kind = shipped_kinds().get(merged.kind)
        values[record] = hashlib.sha256(pack(values_of(merged, kind))).digest()
        for conflict in conflicts_of(merged, kind):
            key = (conflict.severity.value, f"{merged.kind}.{conflict.field}")
            conflicts[key] = conflicts.get(key, 0) + 1
    return values, conflicts


def _broken_chains(
    ops: Sequence[tuple[bytes, bytes, int, bytes, bytes, int, int]], heads: Sequence[tuple[bytes, bytes, int, bytes]]
) -> list[str]:
    chains: dict[tuple[bytes, bytes], tuple[int, bytes]] = {}
    broken = []
    for device, incarnation, seq, hashed, body, _, _ in ops:
        start = chain_start(DeviceId(device), Incarnation(incarnation))
        last, link = chains.get((device, incarnation), (0, start))
        if seq != last + 1 or op_hash(unpack_op(body)) != hashed:
            broken.append(f"op {seq} of {device.hex()[:8]}")
        chains[(device, incarnation)] = (seq, chain_next(link, hashed))
    for device, incarnation, known_seq, head in heads:
        if chains.get((device, incarnation)) != (known_seq, head):
            broken.append(f"chain of {device.hex()[:8]}")
    return broken


def _broken_log(
    meta: dict[str, bytes],
    ops: Sequence[tuple[bytes, bytes, int, bytes, bytes, int, int]],
    logged: Sequence[tuple[int, bytes]],
) -> list[str]:
    by_position = {row[5]: row for row in ops if row[5] is not None}
    link = log_start(TenantId(str(unpack(meta["tenant"]))), Epoch(raw_bytes(unpack(meta["epoch"]))))
    for expected, (position, hashed) in enumerate(logged, start=1):
        if position != expected or position not in by_position:
            return [f"log position {expected}"]
        device, incarnation, seq, op, _, _, stamp = by_position[position]
        link = log_next(
            link,
            position=Position(position),
            entry_type=EntryType.ACCEPTED,
            op=OpId(DeviceId(device), Incarnation(incarnation), seq),
            op_hash=op,
            stamp=Stamp(stamp),
        )
        if link != hashed:
            return [f"log hash at {position}"]
    return [] if len(by_position) == len(logged) else ["an accepted op is not in the log"]
