"""Who may sign in, and the sessions that are open: part of `contract`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from gridlog_protocol.ids import UserId


@dataclass(frozen=True, slots=True)
class Account:
    """What somebody signs in with, and what he may do.

    `password` is a PHC string, empty if he has none; `password_ms` is when it was set (Unix ms, 0: never). `subtree`
    is the code of the grid at the top of what he supervises; empty for the whole tenant.
    """

    person: UserId
    password: str = ""
    password_ms: int = 0
    roles: frozenset[str] = frozenset()
    subtree: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """An open session. `id` is the SHA-256 of its token; times are Unix ms, `used_ms` is exact to a minute."""

    id: bytes
    person: UserId
    begun_ms: int
    used_ms: int
    proved_ms: int


class AccountBook(Protocol):
    """Accounts and sessions."""

    async def account(self, person: UserId) -> Account | None:
        """Return somebody's account, if he has one."""
        ...

    async def accounts(self) -> list[Account]:
        """Return all accounts, in no order."""
        ...

    async def put_account(self, account: Account) -> None:
        """Write an account, new or changed."""
        ...

    async def session(self, session_id: bytes) -> Session | None:
        """Return an open session, however old it is."""
        ...

    async def put_session(self, session: Session) -> None:
        """Write a session, new or used."""
        ...

    async def end_session(self, session_id: bytes) -> None:
        """Forget one session."""
        ...

    async def end_sessions_of(self, person: UserId) -> int:
        """Forget all sessions of somebody, and return how many those were."""
        ...

    async def end_sessions_before(self, *, begun_ms: int, used_ms: int) -> None:
        """Forget sessions that began, or were last used, before these moments."""
        ...
