"""Pages from templates, and the style and scripts beside them, served under names that change with their content."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from gridlog_protocol.texts import Language, Text

from .keys import GATE, LANGUAGE, PHONE
from .phone import Phase
from .speech import language_for, short_ms, spelled_ms

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_FOR_EVER = "private, max-age=31536000, immutable"


def page(request: web.Request, template: str, *, status: int = 200, **facts: Any) -> web.Response:
    """Return a page in the language of whoever asks."""
    text = _templates().get_template(template).render({**_context(request), **facts})
    return web.Response(status=status, text=text, content_type="text/html")


def see(path: str) -> web.Response:
    """Send the browser on after a change, so that a reload changes nothing again."""
    return web.Response(status=303, headers={"Location": path})


def static_address(name: str) -> str:
    """Return where a style or script is served."""
    return f"/static/{_digest(name)}/{name}"


async def serve_static(request: web.Request) -> web.Response:
    """Serve a style or script. Its address changes with it, so a browser may keep it for ever."""
    name = request.match_info["name"]
    if name not in _names() or request.match_info["digest"] != _digest(name):
        raise web.HTTPNotFound
    kind = _TYPES[name.rpartition(".")[2]]
    return web.Response(body=_content(name), content_type=kind, charset="utf-8", headers={"Cache-Control": _FOR_EVER})


def language_of_page(request: web.Request) -> Language:
    """Return the language of whoever asks."""
    return language_for(request, request.app[LANGUAGE])


def _context(request: web.Request) -> dict[str, Any]:
    language, phone = language_of_page(request), request.app[PHONE]
    return {
        "t": lambda zh, en: Text(zh, en).spoken(language),
        "say": lambda text: text.spoken(language),
        "language": language,
        "csrf": request.app[GATE].token,
        "is_open": phone.phase is Phase.OPEN,
        "notices": phone.recalled.take_notices,
        "number": phone.news.number,
        "short_ms": lambda at_ms: short_ms(at_ms, language),
        "spelled_ms": lambda at_ms: spelled_ms(at_ms, language),
    }


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("gridlog.agent"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.globals["static"] = static_address
    return environment


@cache
def _names() -> frozenset[str]:
    return frozenset(each.name for each in files(__package__).joinpath("static").iterdir())


@cache
def _content(name: str) -> bytes:
    return files(__package__).joinpath("static", name).read_bytes()


@cache
def _digest(name: str) -> str:
    return hashlib.sha256(_content(name)).hexdigest()[:16]
