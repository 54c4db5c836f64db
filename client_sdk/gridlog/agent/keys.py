"""What every page finds in the app."""

from __future__ import annotations

from aiohttp import web

from .gate import Gate
from .phone import Phone

PHONE: web.AppKey[Phone] = web.AppKey("phone", Phone)
GATE: web.AppKey[Gate] = web.AppKey("gate", Gate)
LANGUAGE: web.AppKey[str] = web.AppKey("language", str)
