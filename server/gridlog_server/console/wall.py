"""What every request of the console passes, before any handler and after it.

The rule it keeps: a page runs no code but ours, shows nothing in a stranger's frame, and stays in no cache. Whoever
is not signed in reaches the door alone; whoever changes something has sent a form of ours, from a page of ours.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from datetime import tzinfo
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gridlog_protocol.texts import Text, language_of
from gridlog_server.door.intake import CrowdedError, Intake
from gridlog_server.service import Unavailable
from gridlog_server.service.accounts import Accounts, Caller, ForbiddenError
from gridlog_server.service.in_reach import NotThereError
from gridlog_server.service.refusing import RefusedError

from .channels import Channel, Surroundings
from .cookies import DOOR, LANGUAGE, SESSION, drop_secret, form_token, name_of, new_anchor, read_secret, set_secret
from .forms import Form, read_form
from .pages import TOKEN_FIELD, TOKEN_HEADER, Visitor, receive, see_other, trouble, visitor_of
from .speaking import Speech

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_NO_STORE = "no-store"
_STATIC = "/console/static/"
_DOOR_PATHS = ("/console/sign-in", "/console/language")
_SAFE = ("GET", "HEAD")
QUIET_HEADER = "X-Quiet"

_NO_HTTPS = Text("这里没有加密，不能登录", "Not encrypted: nobody can sign in here")
_NO_HTTPS_HINT = Text(
    "管理台只能通过 HTTPS 打开，或在服务器本机上打开。代理须设置 X-Forwarded-Proto，并列入 trusted_proxies。",
    "It opens over HTTPS, or on the server itself. A proxy has to set X-Forwarded-Proto and be in trusted_proxies.",
)
_FOREIGN = Text("这个请求不是从管理台的页面发出的", "This was not sent from a page of the console")
_FOREIGN_HINT = Text(
    "什么都没有改变。页面可能已过期：请返回，刷新后再试。",
    "Nothing was changed. The page may be too old: go back, reload and try again.",
)
_BUSY = Text("服务器暂时不能保存", "The server cannot store anything at the moment")
_BUSY_HINT = Text("什么都没有改变，请稍后再试。", "Nothing was changed. Try again in a while.")
_NOT_THERE = Text("没有这个页面，或您无权查看", "There is no such page, or it is not for you")
_NOTHING_CHANGED = Text("什么都没有改变。", "Nothing was changed.")


class Wall:
    """The middleware of the console, and all that it must know."""

    def __init__(
        self,
        accounts: Accounts,
        surroundings: Surroundings,
        intake: Intake,
        *,
        zone: tzinfo,
        now_ms: Callable[[], int],
    ) -> None:
        self._accounts = accounts
        self._surroundings = surroundings
        self._intake = intake
        self._zone = zone
        self._now_ms = now_ms

    def middleware(self) -> Middleware:
        """Return what stands before every handler."""

        @web.middleware
        async def pass_through(request: web.Request, handler: Handler) -> web.StreamResponse:
            if not self._surroundings.is_our_host(request):
                answer: web.StreamResponse = web.Response(status=421, text="421: this server has another name")
            elif request.path.startswith(_STATIC):
                answer = await handler(request)
            else:
                answer = await self._received(request, handler)
                answer.headers["Cache-Control"] = _NO_STORE
            for name, value in HEADERS.items():
                answer.headers[name] = value
            if self._surroundings.channel(request) is Channel.HTTPS:
                answer.headers["Strict-Transport-Security"] = "max-age=31536000"
            return answer

        return pass_through

    async def _received(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        channel = self._surroundings.channel(request)
        speech = Speech(language_of(request.cookies.get(LANGUAGE)), self._zone, self._now_ms())
        session, door = read_secret(request, SESSION, channel), read_secret(request, DOOR, channel)
        receive(request, Visitor(speech, channel, ""))
        if channel is Channel.OPEN:
            return trouble(request, 403, _NO_HTTPS, _NO_HTTPS_HINT)
        try:
            caller = await self._caller(request, session)
            anchor = door or new_anchor()
            token = caller.csrf if caller else form_token(anchor)
            receive(request, Visitor(speech, channel, token, caller, session or ""))
            answer = await self._let_in(request, handler)
        except (Unavailable, CrowdedError):
            return trouble(request, 503, _BUSY, _BUSY_HINT)
        if caller is None and not _has_begun(answer, channel):
            if session is not None:
                drop_secret(answer, SESSION, channel)
            if door is None:
                set_secret(answer, DOOR, anchor, channel)
        return answer

    async def _caller(self, request: web.Request, session: str | None) -> Caller | None:
        if session is None:
            return None
        # What a page asks by itself is no sign of life of whoever opened it.
        return await self._accounts.caller(session, is_use=QUIET_HEADER not in request.headers)

    async def _let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        visitor = visitor_of(request)
        if request.method not in _SAFE:
            form = await self._form(request, visitor)
            if form is None:
                return trouble(request, 403, _FOREIGN, _FOREIGN_HINT)
            receive(request, visitor, form)
        if visitor.caller is None and request.path not in _DOOR_PATHS:
            return _to_the_door(request)
        try:
            return await handler(request)
        except web.HTTPNotFound:
            return trouble(request, 404, _NOT_THERE)
        except web.HTTPMethodNotAllowed as refused:
            answer = trouble(request, 405, _NOT_THERE)
            answer.headers["Allow"] = ", ".join(sorted(refused.allowed_methods))
            return answer
        except ForbiddenError as refused:
            return trouble(request, 403, refused.text)
        except NotThereError as refused:
            return trouble(request, 404, refused.text)
        except RefusedError as refused:
            return trouble(request, 422, refused.text, _NOTHING_CHANGED)

    async def _form(self, request: web.Request, visitor: Visitor) -> Form | None:
        """Return what was sent, if it is a form of ours from a page of ours."""
        if not self._surroundings.is_our_page(request):
            return None
        form = await read_form(request, self._intake)
        if form is None:
            return None
        token = request.headers.get(TOKEN_HEADER) or form.raw(TOKEN_FIELD)
        return form if hmac.compare_digest(token.encode(), visitor.form_token.encode()) else None


def _has_begun(answer: web.StreamResponse, channel: Channel) -> bool:
    """Tell whether an answer begins a session."""
    return name_of(SESSION, channel) in answer.cookies


def _to_the_door(request: web.Request) -> web.Response:
    if request.headers.get("HX-Request"):
        return web.Response(status=401)
    path = request.rel_url.raw_path_qs if request.method in _SAFE else ""
    asked = f"?next={quote(path, safe='')}" if path not in ("", "/console/") else ""
    return see_other(request, f"/console/sign-in{asked}")
