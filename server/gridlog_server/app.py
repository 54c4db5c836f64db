"""Composition root: put store and services together, and let go of them in order. `serving` adds the doors."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from gridlog_protocol.ids import Epoch, TenantId
from gridlog_protocol.kinds import KindSet, shipped_kinds

from .control import ControlJournal
from .keyfile import read_keys, read_recovery_key, write_keys
from .service.accounts import Accounts
from .service.administering import Administering
from .service.backing_up import BackingUp
from .service.checking import Checked, check
from .service.commands import LocalCommands
from .service.deciding import Deciding
from .service.enrolment import Enrolment
from .service.exchange import Exchange, Told
from .service.filling import Filling
from .service.gaps import Gaps
from .service.grid_tree import GridTree
from .service.grids import Grids
from .service.held import HeldOps
from .service.holdings import Holdings
from .service.importing import Importing
from .service.inbox import Inbox
from .service.inspection import Inspection
from .service.keys import ServerKeys
from .service.live import Live
from .service.news import News
from .service.office_commands import OfficeCommands
from .service.people import People
from .service.quarantine import Quarantine
from .service.readiness import Readiness
from .service.resolving import Resolving
from .service.reviewing import Reviewing
from .service.standing import Standing
from .settings import FILE, Settings
from .squaring import square
from .store.contract import Store
from .store.sqlite import SqliteStore
from .store.sqlite_files import head_of
from .store.tenancy import Tenancy


class InUseError(Exception):
    """Another process holds the data directory."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a door may call."""

    store: Store
    keys: ServerKeys
    kinds: KindSet
    exchange: Exchange
    enrolment: Enrolment
    inspection: Inspection
    commands: LocalCommands
    readiness: Readiness
    live: Live
    accounts: Accounts
    reviewing: Reviewing
    resolving: Resolving
    held: HeldOps
    inbox: Inbox
    filling: Filling
    administering: Administering
    holdings: Holdings
    news: News


def now_ms() -> int:
    """Return Unix milliseconds: the only clock of the server."""
    return time.time_ns() // 1_000_000


def create(settings: Settings, tenant: TenantId, name: str) -> None:
    """Make a data directory: keys, database, settings. Raises FileExistsError if there is one already."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (settings.data / FILE).exists():
        raise FileExistsError(settings.data)
    write_keys(settings.keys, ServerKeys.generate())
    SqliteStore.create(settings.database, Tenancy.new(tenant, name, Epoch(os.urandom(8))))
    (settings.data / FILE).write_text(settings.written(), encoding="utf-8")


@contextmanager
def sole_writer(settings: Settings, *, patience_s: float = 0.0) -> Iterator[None]:
    """Hold the data directory's lock. A killed process lets go of it by itself.

    Raises InUseError if another process still has it after `patience_s`: a command holds it only for a moment.
    """
    until = time.monotonic() + patience_s
    with settings.lock.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise InUseError(settings.data) from None
                time.sleep(0.05)
        yield


@asynccontextmanager
async def services(
    settings: Settings, told: Callable[[Told], None] = lambda _: None, *, is_to_serve: bool = False
) -> AsyncIterator[Services]:
    """Open the store and the services on it. `told` hears of every exchange.

    Before it serves devices, the database is compared with the control journal. Raises as `square` then.
    """
    keys = read_keys(settings.keys)
    kinds = shipped_kinds()
    if is_to_serve:
        async with SqliteStore.read_only(settings.database) as readable:
            await square(readable, settings, keys)
    store = await SqliteStore.open(settings.database, ControlJournal(settings.control, keys.signing))
    try:
        tree = GridTree(kinds)
        enrolment = Enrolment(
            store,
            keys,
            tree,
            address=settings.address,
            recovery_key=read_recovery_key(settings.recovery_key),
            now_ms=now_ms,
            entropy=os.urandom,
        )
        backing_up = BackingUp(store, settings.written(), now_ms=now_ms, head_of=head_of)
        importing = Importing(store, kinds, now_ms=now_ms, entropy=os.urandom)
        people, standing = People(store, tree, now_ms=now_ms, entropy=os.urandom), Standing(store, now_ms=now_ms)
        grids = Grids(store, importing, kinds, tree, now_ms=now_ms, entropy=os.urandom)
        deciding, gaps = Deciding(store, kinds, now_ms=now_ms), Gaps(store, kinds, now_ms=now_ms)
        accounts = Accounts(store, tree, now_ms=now_ms, entropy=os.urandom)
        reviewing = Reviewing(store, kinds, now_ms=now_ms, entropy=os.urandom)
        resolving = Resolving(store, kinds, now_ms=now_ms, entropy=os.urandom)
        inbox = Inbox(store, kinds, tree, now_ms=now_ms)
        inspection, readiness = Inspection(store, kinds), Readiness(store)
        yield Services(
            store,
            keys,
            kinds,
            Exchange(store, keys, kinds, now_ms, told),
            enrolment,
            inspection,
            LocalCommands(
                enrolment=enrolment,
                importing=importing,
                deciding=deciding,
                gaps=gaps,
                people=people,
                standing=standing,
                grids=grids,
                kinds=kinds,
                backing_up=backing_up,
                quarantine=Quarantine(store, kinds, now_ms=now_ms),
                accounts=accounts,
                office=OfficeCommands(accounts, reviewing, resolving, inbox),
            ),
            readiness,
            Live(store, keys),
            accounts,
            reviewing,
            resolving,
            HeldOps(store, deciding, kinds),
            inbox,
            Filling(store, kinds),
            Administering(
                people=people,
                standing=standing,
                enrolment=enrolment,
                inspection=inspection,
                readiness=readiness,
                now_ms=now_ms,
            ),
            Holdings(store),
            News(store),
        )
    finally:
        await store.close()


async def checked(settings: Settings) -> Checked:
    """Check the database: allowed beside a running server. What is written meanwhile is not looked at."""
    async with SqliteStore.read_only(settings.database) as store, store.reading() as snapshot:
        return await check(snapshot, store.tenancy, shipped_kinds())


@asynccontextmanager
async def inspecting(settings: Settings) -> AsyncIterator[Inspection]:
    """Open the database for reading only: that is allowed beside a running server."""
    async with SqliteStore.read_only(settings.database) as store:
        yield Inspection(store, shipped_kinds())
