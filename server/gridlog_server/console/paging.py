"""Show long lists of people and devices a page at a time: a district has 1,700 of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import urlencode

from aiohttp import web

ROWS_A_PAGE = 50
_PAGE_MAX = 1_000_000
T = TypeVar("T")


def page_of(request: web.Request, lines: Sequence[T]) -> tuple[Sequence[T], dict[str, str]]:
    """Return the rows that an address asks for with `page`, and the addresses of the first and the next page.

    What is no page is the first one: lists get shorter, and bookmarks stay.
    """
    wanted = request.query.get("page", "")
    number = int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < len(str(_PAGE_MAX)) else 0
    at = number * ROWS_A_PAGE
    if at >= len(lines):
        number = at = 0
    others = {name: value for name, value in request.query.items() if name != "page" and value}
    links = {
        "first": _link(request, others) if number else "",
        "older": _link(request, others | {"page": f"{number + 1}"}) if at + ROWS_A_PAGE < len(lines) else "",
    }
    return lines[at : at + ROWS_A_PAGE], links


def _link(request: web.Request, query: dict[str, str]) -> str:
    return f"{request.path}?{urlencode(query)}" if query else request.path
