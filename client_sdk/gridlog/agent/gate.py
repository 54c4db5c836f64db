"""Who may speak to the app: the browser that was let in by the printed address, and no other page or program.

The rule it keeps: every request is refused unless it names this host, carries the cookie, and, if it changes
anything, comes from a page of ours with our token. What is answered may not be framed, cached, guessed at or sent on.

        printed address            cookie             cookie and token
    ───────────────────► [let in] ────────► [reads] ───────────────────► [changes]
      (good for one use)
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware
from multidict import CIMultiDictProxy

from gridlog_protocol.texts import Text

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TOKEN_FIELD = "csrf"  # noqa: S105 - the name of the field, not a token.
TOKEN_HEADER = "X-Gridlog-Csrf"  # noqa: S105 - likewise.
ENTRY_PATH = "/enter/"

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_OWN_SITES = frozenset({"same-origin", "none"})
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(self), camera=(), microphone=(), browsing-topics=()",
}
_NOT_LET_IN = Text(
    "这个浏览器没有获准。请打开“gridlog handheld”在终端里显示的网址；每个网址只能用一次，用过后终端会显示新的。",
    "This browser was not let in. Open the address that “gridlog handheld” shows in its terminal; each works once,"
    " and a new one is shown when it has been used.",
)
_FOREIGN = Text(
    "请求不是从本应用的页面发出的，已拒绝。", "The request did not come from a page of this app; it was refused."
)


class Gate:
    """The secrets of one run of the app on one port. Nothing of it outlives the process."""

    def __init__(self, port: int, *, on_ticket: Callable[[str], None] | None = None) -> None:
        self._hosts = frozenset({f"127.0.0.1:{port}", f"localhost:{port}"})
        self._cookie = f"gridlog-{port}"
        self._session = secrets.token_urlsafe(32)
        self._ticket = secrets.token_urlsafe(32)
        self._on_ticket = on_ticket
        self.token = secrets.token_urlsafe(32)
        self.origin = f"http://127.0.0.1:{port}"

    @property
    def address(self) -> str:
        """The address that lets one browser in, once."""
        return f"{self.origin}{ENTRY_PATH}{self._ticket}"

    def enter(self, request: web.Request) -> web.StreamResponse:
        """Let a browser in that brings the printed address, and print another for the next one."""
        if not hmac.compare_digest(request.match_info["ticket"].encode(), self._ticket.encode()):
            return refusal(_NOT_LET_IN)
        self._ticket = secrets.token_urlsafe(32)
        if self._on_ticket is not None:
            self._on_ticket(self.address)
        answer = web.Response(status=303, headers={"Location": "/"})
        answer.set_cookie(self._cookie, self._session, path="/", httponly=True, samesite="Strict")
        return answer

    def trouble(self, request: web.Request) -> Text | None:
        """Say why a request is refused, or return None. Its body was not read."""
        if request.headers.get("Host") not in self._hosts:
            return _FOREIGN
        if not _comes_from_us(request, self._hosts):
            return _FOREIGN
        if request.path.startswith(ENTRY_PATH):
            return None
        brought = request.cookies.get(self._cookie, "")
        return None if hmac.compare_digest(brought.encode(), self._session.encode()) else _NOT_LET_IN

    def has_token(self, brought: str) -> bool:
        """Tell whether a page of ours sent this: nobody else knows the token."""
        return hmac.compare_digest(brought.encode(), self.token.encode())


def guarded(gate: Gate) -> Middleware:
    """Return the middleware that keeps the gate, and says to the browser what it may do with every answer."""

    @web.middleware
    async def keep(request: web.Request, handler: Handler) -> web.StreamResponse:
        trouble = gate.trouble(request)
        if trouble is None and request.method not in _SAFE_METHODS:
            trouble = None if gate.has_token(await _token(request)) else _FOREIGN
        try:
            answer = await handler(request) if trouble is None else refusal(trouble)
        except web.HTTPException as raised:
            _seal(raised.headers)
            raise
        if not answer.prepared:
            _seal(answer.headers)
        return answer

    return keep


def refusal(text: Text, *, status: int = 403) -> web.Response:
    """Return a bare page for somebody who is not let in: nothing of the store is in it."""
    body = f"<!doctype html><meta charset=utf-8><title>Gridlog</title><p>{text.zh}</p><p lang=en>{text.en}</p>"
    return web.Response(status=status, text=body, content_type="text/html")


def sealed_headers() -> dict[str, str]:
    """Return the headers of an answer that is sent piece by piece."""
    return {**_HEADERS, "Cache-Control": "no-store"}


def _seal(headers: object) -> None:
    assert hasattr(headers, "setdefault")
    for name, value in sealed_headers().items():
        headers.setdefault(name, value)


def _comes_from_us(request: web.Request, hosts: frozenset[str]) -> bool:
    """Look at what the browser says of the page that asks.

    Without a referrer a browser sends `Origin: null` with a form, so its `Sec-Fetch-Site` decides; whoever sends
    neither must at least bring an origin of ours to change anything.
    """
    headers: CIMultiDictProxy[str] = request.headers
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    is_ours = origin is not None and origin.removeprefix("http://") in hosts
    if origin not in (None, "null") and not is_ours:
        return False
    if request.method in _SAFE_METHODS:
        return site is None or site in _OWN_SITES or request.path.startswith(ENTRY_PATH)
    return site == "same-origin" or (site is None and is_ours)


async def _token(request: web.Request) -> str:
    brought = request.headers.get(TOKEN_HEADER)
    if brought is not None:
        return brought
    # Only this form: aiohttp would put the files of a multipart form into temporary files.
    if request.content_type != "application/x-www-form-urlencoded":
        return ""
    return str((await request.post()).get(TOKEN_FIELD, ""))
