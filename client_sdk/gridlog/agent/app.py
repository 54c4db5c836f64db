"""The web app of one phone: its pages, behind its gate, for one browser on this machine."""

from __future__ import annotations

import asyncio
import json
import logging
import traceback
from collections.abc import AsyncIterator
from contextlib import suppress

from aiohttp import web

from gridlog import GridlogError, InvalidRecordError, LockedError, NotEnrolledError, StoreWipedError
from gridlog_protocol.texts import Text

from .gate import TOKEN_HEADER, Gate, Handler, guarded
from .keys import GATE, LANGUAGE, PHONE
from .pages import door, forms, home, patrols, picking, records, visits
from .pages.addresses import local_address
from .phone import Phone
from .rendering import language_of_page, page, serve_static

BODY_BYTES_MAX = 4_500_000
"""A picture's pixels, or a GPX file; forms are far smaller."""
_OUR_BUG = Text(
    "程序出错了。已保存的都在；请换一页再试，并告诉管理员。",
    "The app made a mistake. What was saved is there. Try another page, and tell your administrator.",
)
_log = logging.getLogger("gridlog.agent")
_QUIET = ("/live", "/static/", "/standing", "/unfinished", "/track", "/fix")
"""These come by themselves: nobody is there because of them."""


def make_app(phone: Phone, gate: Gate, *, language: str | None = None) -> web.Application:
    """Return the app. `language` is what it speaks until the worker chooses."""
    app = web.Application(middlewares=[guarded(gate), _attentive, _with_trouble_said], client_max_size=BODY_BYTES_MAX)
    app[PHONE], app[GATE], app[LANGUAGE] = phone, gate, language or ""
    phone.on_open = home.ask_ahead
    app.add_routes(_routes(gate))
    app.cleanup_ctx.append(_watching)
    return app


def _routes(gate: Gate) -> list[web.RouteDef]:
    async def enter(request: web.Request) -> web.StreamResponse:
        return gate.enter(request)

    record, form, patrol = "/record/{record}", "/form/{kind}/{record}", "/patrol/{record}"
    return [
        web.get("/enter/{ticket}", enter),
        web.get("/static/{digest}/{name}", serve_static),
        web.get("/begin", door.begin),
        web.post("/begin", door.enrol),
        web.post("/begin/picture", door.picture),
        web.get("/unlock", door.locked),
        web.post("/unlock", door.unlock),
        web.post("/lock", door.lock),
        web.post("/touch", door.touch),
        web.post("/language", door.speak),
        web.get("/live", door.live),
        web.get("/", home.home),
        web.get("/standing", home.standing),
        web.get("/unfinished", home.unfinished),
        web.get("/waiting", home.waiting),
        web.post("/sync", home.synchronise),
        web.post("/new/{kind}", forms.begin),
        web.get(form, forms.show),
        web.post(form, forms.save),
        web.get(form + "/pick/{path}", picking.show),
        web.post(form + "/pick/{path}", picking.pick),
        web.get("/records/{kind}", records.listed),
        web.get("/search", records.search),
        web.post("/search", records.look_for),
        web.get(record, records.show),
        web.post(record + "/edit", forms.edit),
        web.post(record + "/submit", records.submit),
        web.post(record + "/comment", records.comment),
        web.post(record + "/decide", records.decide),
        web.post(record + "/put-back", records.put_back),
        web.get("/visits", visits.find),
        web.post("/visits", visits.look_for),
        web.get(r"/visits/of/{number:\d{1,4}}", visits.building),
        web.post("/visits/new", visits.visit),
        web.post("/patrol", patrols.begin),
        web.get(patrol, patrols.show),
        web.get(patrol + "/track", patrols.track),
        web.post(patrol + "/fix", patrols.measured),
        web.post(patrol + "/pause", patrols.pause),
        web.post(patrol + "/check-in", patrols.check_in),
        web.post(patrol + "/finding", patrols.find),
        web.post(patrol + "/gpx", patrols.upload),
        web.post(patrol + "/end", patrols.end),
    ]


@web.middleware
async def _attentive(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Note that somebody is there, unless the request came by itself."""
    is_quiet = request.path.startswith(_QUIET[:2]) or request.path.endswith(_QUIET[2:])
    if not is_quiet:
        request.app[PHONE].touch()
    return await handler(request)


@web.middleware
async def _with_trouble_said(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Say what went wrong in the worker's words; a locked store sends every page to the lock."""
    is_script = TOKEN_HEADER in request.headers
    try:
        return await handler(request)
    except (LockedError, NotEnrolledError):
        if is_script:
            return web.json_response({"phase": request.app[PHONE].phase.value}, status=423)
        return web.Response(status=303, headers={"Location": _to_the_lock(request)})
    except StoreWipedError as wiped:
        await request.app[PHONE].forget()
        return page(request, "trouble.html", status=410, text=wiped.text)
    except (GridlogError, InvalidRecordError) as wrong:
        if is_script:
            said = wrong.text.spoken(language_of_page(request))
            return web.json_response({"fault": said}, status=409)
        return page(request, "trouble.html", status=409, text=wrong.text)
    except json.JSONDecodeError:
        raise web.HTTPBadRequest from None
    except web.HTTPNotFound:
        gone = Text(
            "没有这一页，或这条记录已不在本机。", "There is no such page, or the record is not on this phone."
        )
        return page(request, "trouble.html", status=404, text=gone)
    except web.HTTPException:
        raise
    except Exception as bug:  # noqa: BLE001 - Our bug: the worker goes on with another page, and is told the truth.
        # Only where it happened: what the error says may be what somebody wrote.
        _log.error("%s at %s", type(bug).__name__, "".join(traceback.format_tb(bug.__traceback__)[-3:]))
        return page(request, "trouble.html", status=500, text=_OUR_BUG)


def _to_the_lock(request: web.Request) -> str:
    back = local_address(request.path) if request.method == "GET" else "/"
    return "/unlock" if back == "/" else f"/unlock?next={back}"


async def _watching(app: web.Application) -> AsyncIterator[None]:
    phone = app[PHONE]
    watching = asyncio.create_task(phone.watch_over())
    yield
    phone.is_closing = True
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    await phone.close()
    phone.news.tell()
