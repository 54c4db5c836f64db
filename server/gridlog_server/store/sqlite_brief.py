"""A connection used on the caller's own thread: for the few rows that an exchange asks for.

A hop to a connection's thread and back costs ten times what SQLite needs for a row that it has in memory, an exchange
asks some thirty times, and a thread that must have the interpreter again after each row waits for it each time. What
may take long stays on the thread: commits, whose fsync waits for the disk, and whatever walks through tables.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Protocol

import aiosqlite


class Statements(Protocol):
    """What a transaction needs of a connection, on whichever thread it runs."""

    def execute(self, sql: str, parameters: Any = ..., /) -> Any:
        """Run one statement."""
        ...

    async def executemany(self, sql: str, parameters: Any, /) -> Any:
        """Run one statement for each row of values."""
        ...

    async def execute_fetchall(self, sql: str, parameters: Any = ..., /) -> Iterable[Any]:
        """Run a query and return its rows."""
        ...


class Opened(aiosqlite.Connection):
    """A connection with a thread of its own, whose statements can also be run without it."""

    @property
    def brief(self) -> BriefConnection:
        """The same connection on the caller's thread. Nobody else may be using it."""
        return BriefConnection(self._conn)


class BriefConnection:
    """See `Statements`. Its methods never suspend."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    async def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run one statement."""
        return self._connection.execute(sql, parameters)

    async def executemany(self, sql: str, parameters: Any, /) -> sqlite3.Cursor:
        """Run one statement for each row of values."""
        return self._connection.executemany(sql, parameters)

    async def execute_fetchall(self, sql: str, parameters: Any = (), /) -> list[Any]:
        """Run a query and return its rows."""
        return self._connection.execute(sql, parameters).fetchall()
