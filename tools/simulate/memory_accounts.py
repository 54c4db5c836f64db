"""Accounts and sessions of the server's store in memory. See `memory_store`."""

from __future__ import annotations

from gridlog_protocol.ids import UserId
from gridlog_server.store.contract import Account, Session
from tools.simulate.memory_tables import Tables


class MemoryAccounts:
    """Accounts and sessions. See `contract.AccountBook`."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    async def account(self, person: UserId) -> Account | None:
        """Return somebody's account, if he has one."""
        return self._tables.accounts.get(person)

    async def accounts(self) -> list[Account]:
        """Return all accounts, in no order."""
        return [*self._tables.accounts.values()]

    async def put_account(self, account: Account) -> None:
        """Write an account, new or changed."""
        self._tables.accounts[account.person] = account

    async def session(self, session_id: bytes) -> Session | None:
        """Return an open session, however old it is."""
        return self._tables.sessions.get(session_id)

    async def put_session(self, session: Session) -> None:
        """Write a session, new or used."""
        self._tables.sessions[session.id] = session

    async def end_session(self, session_id: bytes) -> None:
        """Forget one session."""
        self._tables.sessions.pop(session_id, None)

    async def end_sessions_of(self, person: UserId) -> int:
        """Forget all sessions of somebody, and return how many those were."""
        ended = [each.id for each in self._tables.sessions.values() if each.person == person]
        for each in ended:
            del self._tables.sessions[each]
        return len(ended)

    async def end_sessions_before(self, *, begun_ms: int, used_ms: int) -> None:
        """Forget sessions that began, or were last used, before these moments."""
        for each in [*self._tables.sessions.values()]:
            if each.begun_ms < begun_ms or each.used_ms < used_ms:
                del self._tables.sessions[each.id]
