"""The cookies of the console: who is signed in, what a form's token hangs on, and how somebody likes to read.

The rule it keeps: over HTTPS the names begin with `__Host-`, so that no other site and no plain connection can set
them. Only inside this machine, where there is no HTTPS, have they another name.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets

from aiohttp import web

from .channels import Channel

SESSION, DOOR = "gridlog-session", "gridlog-door"
LANGUAGE = "gridlog-language"
_PLAIN_SUFFIX = "-on-loopback-without-https"
_SECRET_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,200}")
_YEAR_S = 365 * 86_400
PATH = "/console"
"""Where choices of reading count. Secrets count everywhere, as `__Host-` demands."""


def name_of(cookie: str, channel: Channel) -> str:
    """Return the name of a secret cookie on a channel."""
    return f"__Host-{cookie}" if channel is Channel.HTTPS else cookie + _PLAIN_SUFFIX


def read_secret(request: web.Request, cookie: str, channel: Channel) -> str | None:
    """Return what a secret cookie says, unless it cannot be one of ours."""
    said = request.cookies.get(name_of(cookie, channel), "")
    return said if _TOKEN.fullmatch(said) else None


def set_secret(answer: web.StreamResponse, cookie: str, value: str, channel: Channel) -> None:
    """Let the browser keep a secret until it is closed: no script reads it, no other site sends it."""
    answer.set_cookie(
        name_of(cookie, channel),
        value,
        path="/",
        secure=channel is Channel.HTTPS,
        httponly=True,
        samesite="Strict",
    )


def drop_secret(answer: web.StreamResponse, cookie: str, channel: Channel) -> None:
    """Let the browser forget a secret."""
    answer.del_cookie(
        name_of(cookie, channel), path="/", secure=channel is Channel.HTTPS, httponly=True, samesite="Strict"
    )


def set_choice(answer: web.StreamResponse, cookie: str, value: str, channel: Channel) -> None:
    """Let the browser remember how somebody likes to read."""
    answer.set_cookie(
        cookie, value, path=PATH, max_age=_YEAR_S, secure=channel is Channel.HTTPS, httponly=True, samesite="Strict"
    )


def new_anchor() -> str:
    """Return a secret for somebody who is not signed in, which the tokens of his forms hang on."""
    return secrets.token_urlsafe(_SECRET_BYTES)


def form_token(anchor: str) -> str:
    """Return the token that every form carries: it proves that its sender has read a page of this very browser."""
    return hmac.new(anchor.encode(), b"gridlog console form", hashlib.sha256).hexdigest()
