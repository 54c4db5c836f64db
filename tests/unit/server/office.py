"""Builders for the office: a street of grids, supervisors with accounts, and records to decide about."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import Position, RecordId
from gridlog_protocol.ops import Edit
from gridlog_protocol.state import RecordState
from gridlog_server.service.accounts import Caller
from gridlog_server.service.filling import Filling
from gridlog_server.service.grid_tree import GridTree
from gridlog_server.service.inbox import Inbox
from gridlog_server.service.resolving import Resolving
from gridlog_server.store.sqlite import SqliteStore
from gridlog_sync.view import values_of
from tests.unit.server.building import EAST, KINDS, WEST, Handset, Server, put

QUARTER = "420106001001"
PASSWORD = "晚饭后在楼下散步 7 圈"
SUBMITTED: Value = [0, "submitted"]


@dataclass(frozen=True, slots=True)
class Office:
    """A server with supervisors: S1 of EAST, S2 of WEST, S0 of both; A1 administers; W1 works in EAST."""

    server: Server
    resolving: Resolving
    inbox: Inbox
    filling: Filling
    callers: Mapping[str, Caller]
    worker: Handset

    def __getitem__(self, staff_no: str) -> Caller:
        return self.callers[staff_no]

    async def submitted(self, *edits: Edit, kind: str = "patrol") -> RecordId:
        """Return a record of W1 that he has handed in."""
        op = self.worker.creates(put("review_state", SUBMITTED), *edits, kind=kind)
        await self.server.exchanged(self.worker, op)
        return op.record

    async def state(self, record: RecordId) -> RecordState:
        """Return a record as the server has it."""
        async with self.server.store.reading() as snapshot:
            return (await snapshot.ledger.records({record}))[record].state

    async def values(self, record: RecordId) -> dict[str, Value]:
        """Return what a record says."""
        state = await self.state(record)
        return values_of(state, KINDS.get(state.kind))

    async def changed(self, record: RecordId) -> Position:
        """Return the position that a page of the record would show."""
        async with self.server.store.reading() as snapshot:
            return (await snapshot.ledger.records({record}))[record].changed


async def opened(server: Server) -> Office:
    """Make the office."""
    rows = [
        {"grid_code": QUARTER, "name": "社区", "parent_code": "420106001", "level": "1"},
        {"grid_code": EAST, "name": "东", "parent_code": QUARTER, "level": "3"},
        {"grid_code": WEST, "name": "西", "parent_code": QUARTER, "level": "3"},
    ]
    await server.grids.write(rows, by="root")
    posts = {
        "S1": (["supervisor"], EAST),
        "S2": (["supervisor"], WEST),
        "S0": (["supervisor", "worker"], ""),
        "A1": (["administrator"], ""),
    }
    worker = await server.enrolled("W1", EAST)
    callers = {staff_no: await hired(server, staff_no, *post) for staff_no, post in posts.items()}
    callers["W1"] = await hired(server, "W1", ["worker"], EAST)
    store = server.store
    assert isinstance(store, SqliteStore)
    resolving = Resolving(store, KINDS, now_ms=server.clock, entropy=os.urandom)
    inbox, filling = Inbox(store, KINDS, GridTree(KINDS), now_ms=server.clock), Filling(store, KINDS)
    return Office(server, resolving, inbox, filling, callers, worker)


async def hired(server: Server, staff_no: str, roles: Collection[str], subtree: str) -> Caller:
    """Give somebody an account, and return him signed in."""
    if staff_no not in {line.person.staff_no for line in await server.inspection.people()}:
        await server.people.add(staff_no, f"督导{staff_no}", [], by="root")
    await server.accounts.set_password(staff_no, PASSWORD, by="root")
    await server.accounts.grant(staff_no, roles, subtree, by="root")
    return (await server.accounts.sign_in(staff_no, PASSWORD, address="192.0.2.1"))[1]
