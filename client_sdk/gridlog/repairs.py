"""Take over what the server has otherwise, and log for each record what differed: a repair is a bug somewhere."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from gridlog_protocol.ids import RecordId, shown
from gridlog_protocol.repair import Bodies
from gridlog_protocol.state import RecordState
from gridlog_sync.discrepancies import discrepancies
from gridlog_sync.session import Absorbed

log = logging.getLogger(__name__)


def taken_over(
    absorbed: Absorbed, answer: Bodies, *, confirmed: Callable[[RecordId], RecordState | None], is_return: bool
) -> tuple[Absorbed, int]:
    """Return what an answer changes, the server's records included, and how many records were repaired.

    `is_return` says that the server was restored: then replicas differ, and no bug is behind it.
    """
    theirs = {record.id: record for record in answer.records}
    for record in [] if is_return else [*theirs, *answer.dropped]:
        mine = absorbed.records.get(record) or confirmed(record)
        # Names of fields, never what they say: a log is read by people who may not read the records.
        log.warning("repaired %s: %s", shown(record), "; ".join(discrepancies(mine, theirs.get(record))))
    dropped = (*absorbed.dropped, *answer.dropped)
    repaired = replace(absorbed, records={**absorbed.records, **theirs}, dropped=dropped, created={})
    return repaired, len(theirs) + len(answer.dropped)
