"""Visits: find the home, then one tap for “nobody there” or “nothing has changed”, or the form, consent first."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from gridlog import FieldStore, Record
from gridlog.agent.forms.filling import beginning
from gridlog.agent.homes import Home
from gridlog.agent.keys import PHONE
from gridlog.agent.look import Look
from gridlog.agent.rendering import page, see
from gridlog.agent.speech import now_text
from gridlog_protocol.canonical import Value
from gridlog_protocol.texts import Text
from gridlog_sync.writing import Change

from .forms import form_address, typist_of
from .opening import homes_of, notify, opened

_NOT_TOLD: dict[str, Value] = {"informed": False, "scope": []}
_UNCHANGED = Text("情况没有变化。", "Nothing has changed.")
_LINES_MAX = 60
_VISITS_READ_MAX = 20
_SPOKEN = frozenset({"met", "phone"})


@dataclass(frozen=True, slots=True)
class Door:
    """One home in a list: when it was visited last and how that ended, and when the next visit is due."""

    home: Home
    last: str
    result: str
    due: str
    is_today: bool


async def find(request: web.Request) -> web.Response:
    """Show the buildings, or what the last words found."""
    _, look = await opened(request)
    phone, homes = request.app[PHONE], await homes_of(request.app[PHONE])
    words = phone.recalled.picking.get("visits", "")
    found = homes.found(words, limit=_LINES_MAX) if words.strip() else []
    buildings = [(number, name, count) for number, (name, count) in enumerate(homes.buildings().items())]
    return page(request, "visits.html", look=look, words=words, found=found, buildings=buildings, count=len(homes))


async def look_for(request: web.Request) -> web.Response:
    """Look for a door or a name."""
    sent = await request.post()
    request.app[PHONE].recalled.picking["visits"] = str(sent.get("words", ""))[:100]
    return see("/visits")


async def building(request: web.Request) -> web.Response:
    """List the doors of a building, each with one tap for who is not home."""
    store, look = await opened(request)
    homes = await homes_of(request.app[PHONE])
    names = list(homes.buildings())
    number = int(request.match_info["number"])
    if number >= len(names):
        raise web.HTTPNotFound
    doors = [await _door(store, look, each) for each in homes.in_building(names[number])[:_LINES_MAX]]
    return page(request, "building.html", look=look, name=names[number], doors=doors)


async def visit(request: web.Request) -> web.Response:
    """Begin a visit, or write the whole of it where one tap says everything."""
    store, look = await opened(request)
    sent = await request.post()
    home = (await homes_of(request.app[PHONE])).get(_id(str(sent.get("home", ""))))
    if home is None:
        raise web.HTTPNotFound
    kind = store.kinds.get("household_visit")
    assert kind is not None
    values = beginning(kind, status=await store.status(), typist=typist_of(store))
    values |= {"household_id": home.household_id, "grid_code": home.grid_code, "purpose": ["routine"]}
    match sent.get("as"):
        case "not_home":
            return await _saved(request, store, values | {"result": "not_home", "consent": _NOT_TOLD})
        case "unchanged":
            return await _unchanged(request, store, look, home, values)
        case _:
            draft = await store.begin_draft("household_visit", values)
            return see(form_address(draft))


async def _unchanged(
    request: web.Request, store: FieldStore, look: Look, home: Home, values: dict[str, Change]
) -> web.Response:
    """Write a visit at which all was as before, if consent was given before; else ask for it first.

    Consent is never made up: it is the one that was given at an earlier visit, with when and how.
    """
    values |= {"result": "met", "content": look.say(_UNCHANGED)}
    given = await _consent(store, home)
    if given is None:
        draft = await store.begin_draft("household_visit", values)
        notify(
            request, "plain", Text("这户还没有同意记录，请先告知。", "This home has not consented yet: inform first.")
        )
        return see(form_address(draft))
    return await _saved(request, store, values | {"consent": given})


async def _saved(request: web.Request, store: FieldStore, values: dict[str, Change]) -> web.Response:
    record = await store.create("household_visit", {**values, "ended_at": now_text()})
    notify(request, "good", Text("已记下，存在本机。", "Noted, and saved on this phone."))
    return see(f"/record/{record.id.hex()}")


async def _consent(store: FieldStore, home: Home) -> Value:
    """Return the consent of the last time that somebody was spoken to, if it covers a diary; None otherwise."""
    for each in await _visits(store, home, limit=_VISITS_READ_MAX):
        consent = each.values.get("consent")
        if each.values.get("result") not in _SPOKEN or not isinstance(consent, dict):
            continue
        scope = consent.get("scope")
        is_given = consent.get("informed") is True and isinstance(scope, list) and "diary" in scope
        return consent if is_given else None
    return None


async def _visits(store: FieldStore, home: Home, *, limit: int) -> list[Record]:
    return await store.query("household_visit", where={"household_id": home.household_id}, limit=limit)


async def _door(store: FieldStore, look: Look, home: Home) -> Door:
    visits = await _visits(store, home, limit=1)
    if not visits:
        return Door(home, "", "", "", is_today=False)
    values = visits[0].values
    due, started = values.get("next_visit_due"), str(values.get("started_at", ""))
    return Door(
        home,
        look.when(visits[0]),
        look.value("household_visit", "result", values.get("result")),
        look.value("household_visit", "next_visit_due", due) if due else "",
        is_today=started[:10] == now_text()[:10],
    )


def _id(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""
