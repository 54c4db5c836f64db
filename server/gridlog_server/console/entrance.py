"""Put the pages together into one application, which the public door serves under /console/."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo

from aiohttp import web

from gridlog_protocol.kinds import KindSet
from gridlog_server.door.intake import Intake
from gridlog_server.service.accounts import Accounts
from gridlog_server.service.administering import Administering
from gridlog_server.service.held import HeldOps
from gridlog_server.service.holdings import Holdings
from gridlog_server.service.inbox import Inbox
from gridlog_server.service.inspection import Inspection
from gridlog_server.service.news import News
from gridlog_server.service.resolving import Resolving
from gridlog_server.service.reviewing import Reviewing

from .assets import shelf
from .channels import Surroundings
from .conflicts import ConflictPages
from .devices import DevicePages
from .door import Door
from .enrolling import EnrollingPages
from .forms import FORM_BYTES_MAX
from .held_pages import HeldPages
from .holding import HoldingPages
from .inbox import InboxPages
from .pages import prepare
from .people import PeoplePages
from .record_lists import RecordListPages
from .records import RecordPages
from .registers import RegisterPages
from .wall import Wall

PREFIX = "/console/"


@dataclass(frozen=True, slots=True)
class Desk:
    """The services that pages call, and whose office it is."""

    tenant: str
    kinds: KindSet
    accounts: Accounts
    administering: Administering
    holdings: Holdings
    reviewing: Reviewing
    resolving: Resolving
    held: HeldOps
    inbox: Inbox
    news: News
    inspection: Inspection
    """For people's names."""


def console_app(
    desk: Desk, surroundings: Surroundings, *, zone: tzinfo, now_ms: Callable[[], int], stall_s: float
) -> web.Application:
    """Return the application. It has to be added under `PREFIX`."""
    intake = Intake(message_bytes_max=FORM_BYTES_MAX, stall_s=stall_s)
    wall = Wall(desk.accounts, surroundings, intake, zone=zone, now_ms=now_ms)
    app = web.Application(middlewares=[wall.middleware()])
    prepare(app, desk.tenant)
    app.add_routes([web.get("/static/{version}/{name:.+}", _static)])
    for pages in (
        Door(desk.accounts, surroundings.proxies),
        EnrollingPages(desk.administering, desk.accounts),
        PeoplePages(desk.administering, desk.accounts),
        DevicePages(desk.administering, desk.accounts),
        RegisterPages(desk.administering),
        HoldingPages(desk.holdings),
        InboxPages(desk.inbox, desk.news, desk.inspection, desk.kinds),
        RecordListPages(desk.inbox, desk.news, desk.inspection, desk.kinds),
        HeldPages(desk.held, desk.inspection, desk.accounts, desk.kinds),
        ConflictPages(desk.inbox, desk.resolving, desk.accounts, desk.kinds),
        RecordPages(
            desk.inbox, desk.reviewing, desk.resolving, desk.news, desk.inspection, desk.accounts, desk.kinds
        ),
    ):
        app.add_routes(pages.routes())
    return app


async def _static(request: web.Request) -> web.Response:
    return shelf().answer(request)
