"""Choose what a field refers to: a home by its door, a person or a record by any word in it."""

from __future__ import annotations

from aiohttp import web

from gridlog import FieldStore
from gridlog.agent.forms.filling import Changes, Filling
from gridlog.agent.forms.inputs import Control
from gridlog.agent.forms.posted import Sent, change_of
from gridlog.agent.keys import PHONE
from gridlog.agent.look import Look
from gridlog.agent.rendering import page, see
from gridlog_protocol.kinds import Reference, SetOf, Struct, ValueType
from gridlog_protocol.kinds.model import Field

from .forms import form_address, known_of, typist_of
from .opening import homes_of, kind_named, opened, record_named

_SHOWN_MAX = 60


async def show(request: web.Request) -> web.Response:
    """Show what may be chosen: the newest, or what was looked for."""
    store, look = await opened(request)
    path, to = _asked(request)
    words = request.app[PHONE].recalled.picking.get(path, "")
    found = await _found(request, store, look, to, words)
    back = f"/form/{request.match_info['kind']}/{request.match_info['record']}"
    return page(request, "pick.html", look=look, to=to, words=words, found=found, back=back)


async def pick(request: web.Request) -> web.Response:
    """Look for words, or put what was chosen into the draft."""
    store, look = await opened(request)
    path, _ = _asked(request)
    sent = await request.post()
    chosen = str(sent.get("chosen", ""))
    if not chosen:
        request.app[PHONE].recalled.picking[path] = str(sent.get("words", ""))[:100]
        return see(request.path)
    request.app[PHONE].recalled.picking.pop(path, None)
    draft, of = await store.draft(record_named(request)), _field(request)
    filling = Filling(kind_named(request), draft, await known_of(request, store, look, draft))
    shown = filling.input_of(of)
    is_set = shown.control is Control.CHOSEN
    pairs = [(name, text) for name, text in shown.pairs() if is_set or name != path]
    changes = Changes()
    filling.note(changes, of, change_of(of, Sent([*pairs, (path, chosen)]), typist_of(store)))
    await store.save_draft(draft.id, changes.new, without=changes.without)
    return see(f"{form_address(draft)}#field-{of.name}")


def _field(request: web.Request) -> Field:
    of = kind_named(request).fields.get(request.match_info["path"].partition(".")[0])
    if of is None:
        raise web.HTTPNotFound
    return of


def _asked(request: web.Request) -> tuple[str, str]:
    """Return the path of the control, and what kind of thing it refers to."""
    path = request.match_info["path"]
    type_: ValueType = _field(request).type
    for name in path.split(".")[1:]:
        element = type_.element if isinstance(type_, SetOf) or hasattr(type_, "element") else type_
        if isinstance(element, Struct) and name in element.members:
            type_ = element.members[name].type
    if isinstance(type_, SetOf):
        type_ = type_.element
    if not isinstance(type_, Reference):
        raise web.HTTPNotFound
    return path, type_.to


async def _found(
    request: web.Request, store: FieldStore, look: Look, to: str, words: str
) -> list[tuple[str, str, str]]:
    """Return id, line and a second line of each that may be chosen."""
    if to == "household":
        homes = (await homes_of(request.app[PHONE])).found(words, limit=_SHOWN_MAX)
        return [(each.household_id.hex(), each.label, each.building) for each in homes]
    kind = None if to == "record" else to
    if words.strip():
        records = await store.search(words, kind=kind, limit=_SHOWN_MAX)
    else:
        records = await store.query(kind or "incident", limit=_SHOWN_MAX)
    return [(each.id.hex(), look.title(each), look.when(each)) for each in records]
