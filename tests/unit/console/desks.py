"""The services of a test's server, laid out as the console wants them."""

from __future__ import annotations

import os

from gridlog_server.console.entrance import Desk
from gridlog_server.service.administering import Administering
from gridlog_server.service.grid_tree import GridTree
from gridlog_server.service.held import HeldOps
from gridlog_server.service.holdings import Holdings
from gridlog_server.service.inbox import Inbox
from gridlog_server.service.news import News
from gridlog_server.service.readiness import Readiness
from gridlog_server.service.resolving import Resolving
from gridlog_server.service.reviewing import Reviewing
from gridlog_server.store.sqlite import SqliteStore
from tests.unit.server.building import KINDS, Server


def desk_of(server: Server) -> Desk:
    store = server.store
    assert isinstance(store, SqliteStore)
    return Desk(
        tenant="武昌区",
        kinds=KINDS,
        accounts=server.accounts,
        held=HeldOps(store, server.deciding, KINDS),
        holdings=Holdings(store),
        reviewing=Reviewing(store, KINDS, now_ms=server.clock, entropy=os.urandom),
        inbox=Inbox(store, KINDS, GridTree(KINDS), now_ms=server.clock),
        news=News(store),
        inspection=server.inspection,
        resolving=Resolving(store, KINDS, now_ms=server.clock, entropy=os.urandom),
        administering=Administering(
            people=server.people,
            standing=server.standing,
            enrolment=server.enrolment,
            inspection=server.inspection,
            readiness=Readiness(server.store),
            now_ms=server.clock,
        ),
    )
