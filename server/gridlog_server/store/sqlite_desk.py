"""What the console asks of SQLite. See `desk.Desk`."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import aiosqlite


class SqliteDesk:
    """Reads in the transaction that the connection is in."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def received(self, segments: Collection[int]) -> dict[int, int]:
        """Return when segments came in, by their number (Unix ms)."""
        # One bound value for any number of them.
        rows = await self._all(
            "SELECT id, received_ms FROM segment WHERE id IN (SELECT value FROM json_each(?))",
            json.dumps(sorted(set(segments))),
        )
        return dict(rows)

    async def _all(self, sql: str, *values: Any) -> Any:
        return await self._connection.execute_fetchall(sql, values)
