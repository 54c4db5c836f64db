"""Accounts and sessions in SQLite. See `accounts.AccountBook`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gridlog_protocol.ids import UserId

from .accounts import Account, Session
from .acts import act_of_account
from .sqlite_brief import Statements

_ACCOUNT_COLUMNS = "person, password, password_ms, roles, subtree"
_SESSION_COLUMNS = "id, person, begun_ms, used_ms, proved_ms"


class SqliteAccounts:
    """Reads and writes in the transaction that the connection is in.

    `for_control` takes what the control journal must know: who may do what, and that a password changed.
    """

    def __init__(self, connection: Statements, for_control: list[Mapping[str, Any]]) -> None:
        self._connection = connection
        self._for_control = for_control

    async def account(self, person: UserId) -> Account | None:
        """Return somebody's account, if he has one."""
        rows = await self._all(f"SELECT {_ACCOUNT_COLUMNS} FROM account WHERE person = ?", person)
        return next((_account(row) for row in rows), None)

    async def accounts(self) -> list[Account]:
        """Return all accounts, in no order."""
        return [_account(row) for row in await self._all(f"SELECT {_ACCOUNT_COLUMNS} FROM account")]

    async def put_account(self, account: Account) -> None:
        """Write an account, new or changed."""
        self._for_control.append(act_of_account(account))
        await self._connection.execute(
            f"INSERT INTO account ({_ACCOUNT_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " password = excluded.password, password_ms = excluded.password_ms, roles = excluded.roles,"
            " subtree = excluded.subtree",
            (
                account.person,
                account.password,
                account.password_ms,
                " ".join(sorted(account.roles)),
                account.subtree,
            ),
        )

    async def session(self, session_id: bytes) -> Session | None:
        """Return an open session, however old it is."""
        rows = await self._all(f"SELECT {_SESSION_COLUMNS} FROM session WHERE id = ?", session_id)
        return next((Session(each, UserId(person), *times) for each, person, *times in rows), None)

    async def put_session(self, session: Session) -> None:
        """Write a session, new or used."""
        await self._connection.execute(
            f"INSERT INTO session ({_SESSION_COLUMNS}) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
            " used_ms = excluded.used_ms, proved_ms = excluded.proved_ms",
            (session.id, session.person, session.begun_ms, session.used_ms, session.proved_ms),
        )

    async def end_session(self, session_id: bytes) -> None:
        """Forget one session."""
        await self._connection.execute("DELETE FROM session WHERE id = ?", (session_id,))

    async def end_sessions_of(self, person: UserId) -> int:
        """Forget all sessions of somebody, and return how many those were."""
        cursor = await self._connection.execute("DELETE FROM session WHERE person = ?", (person,))
        return int(cursor.rowcount)

    async def end_sessions_before(self, *, begun_ms: int, used_ms: int) -> None:
        """Forget sessions that began, or were last used, before these moments."""
        await self._connection.execute("DELETE FROM session WHERE begun_ms < ? OR used_ms < ?", (begun_ms, used_ms))

    async def _all(self, sql: str, *values: Any) -> Any:
        return await self._connection.execute_fetchall(sql, values)


def _account(row: Any) -> Account:
    person, password, password_ms, roles, subtree = row
    return Account(UserId(person), password, password_ms, frozenset(roles.split()), subtree)
