"""Answer a device whose digest differs from ours: which ranges differ, and then the records themselves.

A repair is never ordinary: somewhere a replica went wrong, and the log says so.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from gridlog_protocol.ids import RecordId, ScopeId, shown
from gridlog_protocol.limits import PAGE_BYTES
from gridlog_protocol.repair import Bodies, Overview, RepairAnswer, RepairQuestion
from gridlog_protocol.state import RecordState
from gridlog_server.store.contract import Device, Transaction
from gridlog_sync.digest import leaves
from gridlog_sync.reconcile import children, differences, fingerprint

log = logging.getLogger(__name__)
_RECORDS_PER_BREATH = 64


async def repair(
    snapshot: Transaction, *, device: Device, scopes: Sequence[ScopeId], question: RepairQuestion
) -> RepairAnswer:
    """Return the next step of a repair. What does not fit into one answer differs still, and is asked for again."""
    mine = await _fingerprints(snapshot, scopes)
    if isinstance(question, Overview):
        answer = children(question, mine)
        log.warning("device %s differs from us in %d ranges", shown(device.id), len(answer.ranges))
        return answer
    wanted, dropped = differences(question, mine)
    stored = await snapshot.ledger.records(wanted) if wanted else {}
    records: list[RecordState] = []
    room = PAGE_BYTES
    for record in wanted:
        room -= stored[record].size
        if records and room < 0:
            break
        records.append(stored[record].state)
    log.warning("device %s is sent %d records and drops %d", shown(device.id), len(records), len(dropped))
    return Bodies(tuple(records), tuple(dropped))


async def _fingerprints(snapshot: Transaction, scopes: Sequence[ScopeId]) -> dict[RecordId, int]:
    found: dict[RecordId, int] = {}
    for scope in scopes:
        after: RecordId | None = None
        while ids := await snapshot.ledger.page(scope, after, _RECORDS_PER_BREATH):
            after = ids[-1]
            new = [record for record in ids if record not in found]
            for record, stored in (await snapshot.ledger.records(new) if new else {}).items():
                found[record] = fingerprint(leaves(stored.state))
            await asyncio.sleep(0)
    return found
