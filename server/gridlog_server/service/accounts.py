"""Who may sign in to the console, with what, and what a session is worth.

The rule it keeps: a token is 256 random bits that only its bearer has; the database knows its SHA-256. Whoever
cannot sign in reads the same sentence after the same time, whatever the reason.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Final

from gridlog_protocol.ids import ScopeId
from gridlog_server.store.contract import Account, Act, Person, Session, Store, Transaction

from .grid_tree import GridTree
from .guessing import OF_ACCOUNT, OF_ADDRESS, Guesses
from .passwords import PasswordProfile, Passwords
from .people import ACTIVE, check_grids_exist, the_person
from .permitting import Caller, ForbiddenError, ProofWantedError, Role, ordered_by
from .refusing import RefusedError

__all__ = ["Accounts", "Caller", "ForbiddenError", "ProofWantedError", "Role", "SignInRefusedError"]

IDLE_MS: Final = 15 * 60_000
LIFETIME_MS: Final = 12 * 3_600_000
_USE_NOTED_EVERY_MS: Final = 60_000
_TOKEN_BYTES: Final = 32
_CSRF: Final = b"gridlog v1 csrf"


class SignInRefusedError(RefusedError):
    """Nobody signs in so. It does not say why: that would tell a stranger who works here."""

    def __init__(self) -> None:
        super().__init__(
            "工号或密码不对，或账号不能登录。连续失败后要等一会儿再试；忘记密码请找管理员。",
            "The staff number or the password is wrong, or this account cannot sign in. After several failures wait"
            " a little; if you forgot the password, ask an administrator.",
        )


@dataclass(frozen=True, slots=True)
class Granted:
    """An account after it was changed, and how many sessions that ended."""

    person: Person
    account: Account
    ended: int


class Accounts:
    """Accounts and sessions."""

    def __init__(
        self,
        store: Store,
        tree: GridTree,
        *,
        now_ms: Callable[[], int],
        entropy: Callable[[int], bytes],
        profile: PasswordProfile = PasswordProfile.STANDARD,
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._entropy = entropy
        self._passwords = Passwords(entropy, profile)
        self._of_account = Guesses(OF_ACCOUNT)
        self._of_address = Guesses(OF_ADDRESS)
        self._tree = tree

    async def sign_in(self, staff_no: str, password: str, *, address: str) -> tuple[str, Caller]:
        """Begin a session, and return its token with who has it. `address` is whatever limits go by.

        Raises SignInRefusedError, and RefusedError if too many try at once.
        """
        now_ms = self._now_ms()
        if not (self._of_address.may_try(address, now_ms) and self._of_account.may_try(staff_no, now_ms)):
            raise SignInRefusedError
        person, account = await self._known(staff_no)
        is_right = await self._passwords.is_right(password, account.password if account else "")
        if not is_right or person is None or account is None:
            raise SignInRefusedError
        self._of_account.forget(staff_no)
        self._of_address.forgive(address)
        dearer = await self._passwords.hashed(password) if self._passwords.is_cheap(account.password) else ""
        token = self._entropy(_TOKEN_BYTES).hex()

        async def work(transaction: Transaction) -> Caller:
            begun_ms = self._now_ms()
            # Somebody may have been disabled, or got another password, while this one was compared.
            standing = await transaction.registry.person(person.id)
            now = await transaction.accounts.account(person.id)
            if standing is None or standing.status != ACTIVE or now is None or now.password != account.password:
                raise SignInRefusedError
            if dearer:
                await transaction.accounts.put_account(replace(now, password=dearer))
            over = {"begun_ms": begun_ms - LIFETIME_MS + 1, "used_ms": begun_ms - IDLE_MS + 1}
            await transaction.accounts.end_sessions_before(**over)
            session = Session(_session_id(token), person.id, begun_ms, begun_ms, begun_ms)
            await transaction.accounts.put_session(session)
            await transaction.registry.note(Act(begun_ms, standing.staff_no, "sign_in", standing.staff_no, address))
            return await self._caller(transaction, standing, now, session, token)

        return token, await self._store.commit(work)

    async def caller(self, token: str, *, is_use: bool = True) -> Caller | None:
        """Return who has a token, or None if its session is over. Notes its use, at most once a minute.

        A page that asks by itself, again and again, says that this is no use: nobody may be sitting before it.
        """
        now_ms = self._now_ms()
        session_id = _session_id(token)
        async with self._store.reading() as snapshot:
            session = await snapshot.accounts.session(session_id)
            if session is None or not _is_open(session, now_ms):
                return None
            person = await snapshot.registry.person(session.person)
            account = await snapshot.accounts.account(session.person)
            if person is None or person.status != ACTIVE or account is None:
                return None
            caller = await self._caller(snapshot, person, account, session, token)
        if is_use and now_ms - session.used_ms >= _USE_NOTED_EVERY_MS:
            await self._store.commit(lambda transaction: _note_use(transaction, session_id, now_ms))
        return caller

    async def on_behalf_of(self, staff_no: str, *, operator: str) -> Caller:
        """Return somebody as a caller for whom a command is typed on the server's machine. Raises RefusedError."""
        async with self._store.reading() as snapshot:
            person = await the_person(snapshot, staff_no)
            account = await snapshot.accounts.account(person.id) or Account(person.id)
            if person.status != ACTIVE:
                raise RefusedError(f"{staff_no} 已经停用。", f"{staff_no} is disabled.")
            session = Session(b"", person.id, self._now_ms(), self._now_ms(), self._now_ms())
            caller = await self._caller(snapshot, person, account, session, "")
        return replace(caller, csrf="", typed_by=operator)

    async def sign_out(self, token: str) -> None:
        """End a session."""
        await self._store.commit(lambda transaction: transaction.accounts.end_session(_session_id(token)))

    async def prove(self, token: str, password: str) -> Caller:
        """Let the bearer of a session show that he knows the password, for acts that want it.

        Raises SignInRefusedError, also if the session is over.
        """
        person, _ = await self._proved(token, password)

        async def work(transaction: Transaction) -> Caller:
            session = await transaction.accounts.session(_session_id(token))
            account = await transaction.accounts.account(person.id)
            if session is None or account is None:
                raise SignInRefusedError
            now_ms = self._now_ms()
            proved = replace(session, used_ms=now_ms, proved_ms=now_ms)
            await transaction.accounts.put_session(proved)
            return await self._caller(transaction, person, account, proved, token)

        return await self._store.commit(work)

    async def change_password(self, token: str, old: str, new: str) -> tuple[str, Caller]:
        """Give oneself another password. All sessions end; return a new one, as `sign_in` does.

        Raises SignInRefusedError if the old one is wrong, RefusedError if the new one is not allowed.
        """
        person, account = await self._proved(token, old)
        if old == new:
            raise RefusedError("新密码和原来的一样。", "The new password is the old one.")
        hashed = await self._passwords.hashed(new)
        token = self._entropy(_TOKEN_BYTES).hex()

        async def work(transaction: Transaction) -> Caller:
            now = await transaction.accounts.account(person.id)
            if now is None or now.password != account.password:
                raise SignInRefusedError
            now_ms = self._now_ms()
            changed = replace(now, password=hashed, password_ms=now_ms)
            await self._put(transaction, person, changed, "user.password", "", person.staff_no)
            session = Session(_session_id(token), person.id, now_ms, now_ms, now_ms)
            await transaction.accounts.put_session(session)
            return await self._caller(transaction, person, changed, session, token)

        return token, await self._store.commit(work)

    async def set_password(self, staff_no: str, password: str, *, by: Caller | str) -> Granted:
        """Give somebody a password. Ends his sessions.

        Raises RefusedError; ForbiddenError and ProofWantedError unless an administrator asks.
        """
        operator = ordered_by(by, self._now_ms())
        hashed = await self._passwords.hashed(password)

        async def work(transaction: Transaction) -> Granted:
            person, account = await _account_of(transaction, staff_no)
            changed = replace(account, password=hashed, password_ms=self._now_ms())
            return await self._put(transaction, person, changed, "user.password", "", operator)

        return await self._store.commit(work)

    async def grant(self, staff_no: str, roles: Collection[str], subtree: str, *, by: Caller | str) -> Granted:
        """Let somebody have these roles and no others, below this grid (empty: everywhere). Ends his sessions.

        Raises RefusedError; ForbiddenError and ProofWantedError unless an administrator asks.
        """
        operator = ordered_by(by, self._now_ms())
        known = {each.value for each in Role}
        unknown = sorted(set(roles) - known)
        if unknown or not roles:
            raise RefusedError(
                f"角色应是：{'、'.join(sorted(known))}。", f"Roles are: {', '.join(sorted(known))}; at least one."
            )

        async def work(transaction: Transaction) -> Granted:
            person, account = await _account_of(transaction, staff_no)
            if subtree:
                await check_grids_exist(transaction, {ScopeId(subtree)}, self._tree)
            changed = replace(account, roles=frozenset(str(Role(each)) for each in roles), subtree=subtree)
            detail = f"{' '.join(sorted(changed.roles))} @ {subtree or '*'}"
            return await self._put(transaction, person, changed, "user.grant", detail, operator)

        return await self._store.commit(work)

    async def end_sessions(self, staff_no: str, *, by: Caller | str) -> int:
        """End all sessions of somebody, and return how many those were. Raises as `grant` does."""
        operator = ordered_by(by, self._now_ms())

        async def work(transaction: Transaction) -> int:
            person = await the_person(transaction, staff_no)
            ended = await transaction.accounts.end_sessions_of(person.id)
            await transaction.registry.note(Act(self._now_ms(), operator, "user.sign_out", staff_no, str(ended)))
            return ended

        return await self._store.commit(work)

    async def _known(self, staff_no: str) -> tuple[Person | None, Account | None]:
        async with self._store.reading() as snapshot:
            people = await snapshot.registry.people()
            person = next((each for each in people if each.staff_no == staff_no and each.status == ACTIVE), None)
            return person, await snapshot.accounts.account(person.id) if person else None

    async def _proved(self, token: str, password: str) -> tuple[Person, Account]:
        caller = await self.caller(token)
        if caller is None or not self._of_account.may_try(caller.staff_no, self._now_ms()):
            raise SignInRefusedError
        person, account = await self._known(caller.staff_no)
        is_right = await self._passwords.is_right(password, account.password if account else "")
        if not is_right or person is None or account is None:
            raise SignInRefusedError
        self._of_account.forget(caller.staff_no)
        return person, account

    async def _put(
        self, transaction: Transaction, person: Person, account: Account, what: str, detail: str, by: str
    ) -> Granted:
        await transaction.accounts.put_account(account)
        ended = await transaction.accounts.end_sessions_of(person.id)
        await transaction.registry.note(Act(self._now_ms(), by, what, person.staff_no, detail))
        return Granted(person, account, ended)

    async def _caller(
        self, snapshot: Transaction, person: Person, account: Account, session: Session, token: str
    ) -> Caller:
        roles = roles_of(account)
        is_supervisor = Role.SUPERVISOR in roles
        grids = await self._tree.below(snapshot, account.subtree) if is_supervisor else frozenset[ScopeId]()
        csrf = hmac.new(token.encode("utf-8", "replace"), _CSRF, hashlib.sha256).hexdigest()
        name = session.id.hex()[:16]
        return Caller(person.id, person.staff_no, person.name, roles, grids, name, csrf, session.proved_ms)


def roles_of(account: Account | None) -> frozenset[Role]:
    """Return what somebody may do; whoever was granted nothing is a worker."""
    granted = account.roles if account else frozenset[str]()
    # A role that a later version knows gives nothing here.
    return frozenset(each for each in Role if each.value in granted) or frozenset({Role.WORKER})


async def _account_of(transaction: Transaction, staff_no: str) -> tuple[Person, Account]:
    person = await the_person(transaction, staff_no)
    return person, await transaction.accounts.account(person.id) or Account(person.id)


async def _note_use(transaction: Transaction, session_id: bytes, now_ms: int) -> None:
    session = await transaction.accounts.session(session_id)
    if session is not None and session.used_ms < now_ms:
        await transaction.accounts.put_session(replace(session, used_ms=now_ms))


def _is_open(session: Session, now_ms: int) -> bool:
    # A clock that was set back does not make a session younger.
    idle_ms, age_ms = now_ms - session.used_ms, now_ms - session.begun_ms
    return idle_ms < IDLE_MS and 0 <= age_ms < LIFETIME_MS


def _session_id(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
