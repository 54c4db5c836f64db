"""Show long lists of people and devices a page at a time: a district has 1,700 of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlencode

from aiohttp import web

from gridlog_server.service.inbox import PAGE_ROWS

from .naming import read_number

T = TypeVar("T")


def page_of(request: web.Request, lines: Sequence[T]) -> tuple[Sequence[T], dict[str, str]]:
    """Return the rows that an address asks for with `page`, and the addresses of the first and the next page.

    What is no page is the first one: lists get shorter, and bookmarks stay.
    """
    number = read_number(request.query.get("page", "")) or 0
    at = number * PAGE_ROWS
    if at >= len(lines):
        number = at = 0
    others = {name: value for name, value in request.query.items() if name != "page" and value}
    links = {
        "first": _link(request, others) if number else "",
        "older": _link(request, others | {"page": f"{number + 1}"}) if at + PAGE_ROWS < len(lines) else "",
    }
    return lines[at : at + PAGE_ROWS], links


def _link(request: web.Request, query: dict[str, str]) -> str:
    return f"{request.path}?{urlencode(query)}" if query else request.path
