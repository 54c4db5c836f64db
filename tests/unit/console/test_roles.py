from __future__ import annotations

import pytest

from gridlog_protocol.ids import shown
from gridlog_server.console.rooms import ROOMS
from gridlog_server.service.accounts import Role
from gridlog_server.service.deciding import op_name
from tests.unit.console.browsing import Browser, Console, Page, filled
from tests.unit.console.planted import plant
from tests.unit.server.building import EAST, put

EVERYBODYS = {"/console/", "/console/sign-in", "/console/sign-out", "/console/language", "/console/password"}
OF_ADMINISTRATORS = (
    "/console/devices",
    "/console/people",
    "/console/grids",
    "/console/acts",
    "/console/health",
    "/console/codes",
)

STEPS = (("/people/", "step", "disable"), ("/held/", "step", "release"))


def roles_of(path: str) -> set[Role]:
    """Return who may come here, by the map of the console."""
    return {Role.ADMINISTRATOR} if path.startswith(OF_ADMINISTRATORS) else {Role.SUPERVISOR}


async def asked(browser: Browser, method: str, path: str) -> Page:
    fields = {
        "reason": "一个足够长的理由",
        "at": "1",
        "staff_no": "W1",
        "name": "张三",
        "role": "worker",
        "grid": EAST,
    }
    return await (browser.get(path) if method == "GET" else browser.post(path, fields))


async def test_every_route_is_for_somebody_and_every_room_has_one(console: Console) -> None:
    paths = {path for _, path in console.routes() if "/static/" not in path}
    assert {room.path for room in ROOMS} <= paths
    for room in ROOMS:
        assert roles_of(room.path) == {room.role}


@pytest.mark.parametrize("role", [None, *Role])
async def test_nobody_comes_where_his_role_does_not_lead(console: Console, role: Role | None) -> None:
    handset = await console.server.enrolled("W1", EAST)
    [op] = [handset.creates()]
    await console.server.exchanged(handset, op)
    facts = {
        "record": shown(op.record),
        "op": op_name(op.id),
        "device": shown(handset.device),
        "staff_no": "W1",
        "step": "lost",
    }
    before = await console.server.inspection.counts(), len(await console.server.inspection.people())

    for method, route in console.routes():
        if route in EVERYBODYS or "/static/" in route:
            continue
        browser = await console.browser() if role is None else await console.signed_in("B1", role)
        if role is None:
            await browser.get("/console/sign-in")
        named = facts | {step: value for part, step, value in STEPS if part in route}
        page = await asked(browser, method, filled(route, **named))
        if role is None:
            assert (page.status, page.location.partition("?")[0]) == (303, "/console/sign-in"), (method, route)
        elif role not in roles_of(route):
            # Of a code that somebody else ordered nobody hears that there is one.
            assert page.status == 403 or ("/codes/" in route and page.status == 404), (method, route)

    if role in (None, Role.WORKER):
        after = await console.server.inspection.counts()
        assert after["log_position"] == before[0]["log_position"]
        assert (await console.server.inspection.device(shown(handset.device))).device.status == "active"


async def test_no_page_of_an_administrator_says_anything_that_stands_in_a_record(console: Console) -> None:
    handset = await console.server.enrolled("W1", EAST)
    planted = await plant(console.server, handset)
    stranger = await console.server.enrolled("W2", EAST)
    await console.server.revoke(stranger)
    apart = stranger.creates(put("summary", "隔离区里的句子"))
    await console.server.answered(stranger, stranger.request([stranger.segment([apart])]))
    assert (await console.server.inspection.counts())["quarantine"] == 1
    sentences = ["隔离区里的句子", *(each for texts in planted.values() for each in texts)]
    browser = await console.signed_in("A1", Role.ADMINISTRATOR)
    facts = {"device": shown(handset.device), "staff_no": "W1", "step": "lost"}

    assert len(sentences) >= 30
    async with console.server.store.reading() as snapshot:
        held = await snapshot.reviews.waiting(100)
        stored = await snapshot.ledger.records(planted)
    assert len(stored) + len({each.op.record for each in held} - set(stored)) == len(planted)
    for method, route in console.routes():
        for record in ("0" * 32, *map(shown, list(planted)[:3])):
            page = await asked(browser, method, filled(route, **facts, record=record, op=op_name(held[0].op.id)))
            found = [each for each in sentences if each in page.text]
            assert found == [], route
