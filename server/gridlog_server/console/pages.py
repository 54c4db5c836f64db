"""Make pages from templates: who reads, in which language, with which token in the forms.

The rule it keeps: templates escape everything, and a name that is not there is an error. What a page needs to know of
its reader comes from here, and of its subject from the handler.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp_jinja2
from aiohttp import web
from jinja2 import PackageLoader, StrictUndefined
from markupsafe import Markup

from gridlog_protocol.texts import Text
from gridlog_server.service.accounts import Caller
from gridlog_server.service.permitting import is_proved

from .assets import shelf
from .channels import Channel
from .forms import Form
from .notices import NOTICES, Notice
from .rooms import rooms_of
from .speaking import Speech

TOKEN_FIELD, TOKEN_HEADER = "form_token", "X-Form-Token"
_TENANT = web.AppKey("tenant", str)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks, and how he is spoken to. `form_token` is what his forms carry."""

    speech: Speech
    channel: Channel
    form_token: str
    caller: Caller | None = None
    session: str = ""
    """The token of the session, for the service of accounts alone."""


_VISITOR = web.RequestKey("visitor", Visitor)
_FORM = web.RequestKey("form", Form)


def prepare(app: web.Application, tenant: str) -> None:
    """Let an application make pages."""
    app[_TENANT] = tenant
    aiohttp_jinja2.setup(
        app,
        loader=PackageLoader(__package__),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def receive(request: web.Request, visitor: Visitor, form: Form | None = None) -> None:
    """Note who asks, and what his form says."""
    request[_VISITOR] = visitor
    if form is not None:
        request[_FORM] = form


def visitor_of(request: web.Request) -> Visitor:
    """Return who asks."""
    return request[_VISITOR]


def caller_of(request: web.Request) -> Caller:
    """Return who is signed in; the wall lets nobody else come to a handler that asks."""
    caller = visitor_of(request).caller
    assert caller is not None
    return caller


def form_of(request: web.Request) -> Form:
    """Return what was sent."""
    return request[_FORM]


def page(
    request: web.Request,
    template: str,
    facts: Mapping[str, Any] | None = None,
    *,
    here: str = "",
    status: int = 200,
    said: Notice | None = None,
) -> web.Response:
    """Return a page. `here` is the room that the bar marks; `said` is what is told above everything."""
    visitor = visitor_of(request)
    speech = visitor.speech
    token = visitor.form_token
    context = {
        "say": speech,
        "t": speech.t,
        "asset": shelf().path,
        "tenant": request.app[_TENANT],
        "me": visitor.caller,
        "wants_proof": visitor.caller is not None and not is_proved(visitor.caller, speech.now_ms),
        "rooms": rooms_of(visitor.caller),
        "here": here,
        "here_path": request.rel_url.raw_path_qs if request.method == "GET" else request.rel_url.raw_path,
        "said": said or NOTICES.get(request.query.get("said", "")),
        "token": token,
        "token_field": Markup('<input type="hidden" name="{}" value="{}">').format(TOKEN_FIELD, token),
    }
    return aiohttp_jinja2.render_template(template, request, context | dict(facts or {}), status=status)


def trouble(request: web.Request, status: int, title: Text, hint: Text | None = None) -> web.Response:
    """Return a page that says what is wrong, and what to do."""
    say = visitor_of(request).speech.text
    return page(request, "trouble.html", {"title": say(title), "hint": say(hint) if hint else ""}, status=status)


def see_other(request: web.Request, path: str, said: str = "") -> web.Response:
    """Send the browser on after a form, so that going back and reloading do nothing again. `path` is ours."""
    assert path.startswith("/console/")
    target = f"{path}{'&' if '?' in path else '?'}said={said}" if said else path
    if request.headers.get("HX-Request"):
        return web.Response(status=204, headers={"HX-Redirect": target})
    return web.Response(status=303, headers={"Location": target})
