"""What most pages begin with: the open store, who looks, and the record that the address names."""

from __future__ import annotations

from aiohttp import web

from gridlog import FieldStore
from gridlog.agent.homes import Homes
from gridlog.agent.keys import PHONE
from gridlog.agent.look import Look
from gridlog.agent.phone import Phone
from gridlog.agent.rendering import language_of_page
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Kind, shipped_kinds
from gridlog_protocol.texts import Text

_PEOPLE_MAX = 500


async def opened(request: web.Request) -> tuple[FieldStore, Look]:
    """Return the store and how its worker looks at it. Raises LockedError."""
    phone = request.app[PHONE]
    store, homes = phone.store, await homes_of(phone)
    if not phone.recalled.names:
        phone.recalled.names = await _people(store)
    return store, await Look.of(store, language_of_page(request), phone.recalled.names | homes.labels())


async def homes_of(phone: Phone) -> Homes:
    """Return the homes that the phone knows, read again only when something changed. Raises LockedError."""
    if phone.recalled.homes is None:
        phone.recalled.homes = await Homes.of(phone.store)
    return phone.recalled.homes


def record_named(request: web.Request) -> RecordId:
    """Return the record or draft that the address names."""
    try:
        named = bytes.fromhex(request.match_info["record"])
    except ValueError:
        raise web.HTTPNotFound from None
    if len(named) != 16:
        raise web.HTTPNotFound
    return RecordId(named)


def kind_named(request: web.Request) -> Kind:
    """Return the kind that the address names."""
    kind = shipped_kinds().get(request.match_info["kind"])
    if kind is None:
        raise web.HTTPNotFound
    return kind


def notify(request: web.Request, tone: str, text: Text) -> None:
    """Say something once, on the next page."""
    request.app[PHONE].recalled.notices.append((tone, text.spoken(language_of_page(request))))


async def _people(store: FieldStore) -> dict[bytes, str]:
    names = {}
    for each in await store.query("user", limit=_PEOPLE_MAX):
        user, name = each.values.get("user_id", each.id), each.values.get("name")
        if isinstance(user, bytes) and isinstance(name, str):
            names[user] = name
    return names
