"""Enrol, unlock, lock; who is there; the channel that tells a page to look again or to close its eyes."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from aiohttp import web

from gridlog import (
    GridlogError,
    InvitationError,
    PinWaitError,
    SlotKind,
    StoreWipedError,
    UnreachableError,
    WrongPinError,
)
from gridlog.agent.codes import read_code
from gridlog.agent.gate import sealed_headers
from gridlog.agent.keys import PHONE
from gridlog.agent.phone import Phase, Phone
from gridlog.agent.rendering import page, see
from gridlog.agent.speech import LANGUAGE_COOKIE
from gridlog_protocol.invitation import read_invitation
from gridlog_protocol.texts import LANGUAGES, Text

from .addresses import local_address
from .opening import notify

_LISTENS_S = 15.0
_YEAR_S = 365 * 24 * 3600
_DIFFERENT = Text("两次输入不一样，请重新输入。", "The two differ. Type them again.")
_PLAIN_PIN = Text(
    "这台手机没有本机密钥：请勾选“我知道”，或不设 PIN。",
    "This phone has no device secret: tick “I know”, or set no PIN.",
)


async def begin(request: web.Request) -> web.Response:
    """Show how to enrol; a store that is made and not enrolled only wants the code."""
    phone = request.app[PHONE]
    if phone.phase is Phase.LOCKED:
        return see("/unlock")
    if phone.phase is Phase.OPEN:
        return see("/")
    return _enrolment_page(request, {})


async def enrol(request: web.Request) -> web.Response:
    """Make the store, enrol, set the PIN. What goes wrong stands at the field, and what was done is kept."""
    phone, sent = request.app[PHONE], await request.post()
    code, passphrase, pin = (str(sent.get(name, "")).strip() for name in ("code", "passphrase", "pin"))
    faults = _enrolment_faults(phone, sent)
    if faults:
        return _enrolment_page(request, faults, status=422)
    try:
        if phone.phase is Phase.NO_STORE:
            await phone.make(passphrase)
            if pin:
                await phone.store.set_pin(
                    phone.pin(pin),
                    current=passphrase,
                    allows_plain=not phone.device_secret,
                    profile=phone.profile,
                )
        await phone.enrol(code)
    except UnreachableError:
        return _enrolment_page(request, {"code": _LATER}, status=503)
    except (GridlogError, InvitationError) as wrong:
        return _enrolment_page(request, {_blamed(wrong): wrong.text}, status=422)
    notify(request, "good", Text("登记完成。", "Enrolled."))
    return see("/")


_LATER = Text(
    "连不上服务器，还没有登记。登记码仍然有效：有信号时再按一次。",
    "The server cannot be reached; nothing is enrolled yet. The code is still good: press again with a signal.",
)


async def picture(request: web.Request) -> web.Response:
    """Read the code in a picture: grey pixels, row by row, as the page took them. Nothing is kept."""
    try:
        width, height = int(request.query["width"]), int(request.query["height"])
    except (KeyError, ValueError):
        raise web.HTTPBadRequest from None
    pixels = await request.read()
    found = await asyncio.to_thread(read_code, pixels, width, height)
    return web.json_response({"code": found})


async def locked(request: web.Request) -> web.Response:
    """Show how to unlock."""
    phone = request.app[PHONE]
    match phone.phase:
        case Phase.NO_STORE:
            return see("/begin")
        case Phase.OPEN | Phase.NOT_ENROLLED:
            return see("/")
        case _:
            return _unlock_page(request, None)


async def unlock(request: web.Request) -> web.Response:
    """Try a PIN or a passphrase. Wrong ones are counted by the store, which also says how long to wait."""
    phone, sent = request.app[PHONE], await request.post()
    pin, passphrase = str(sent.get("pin", "")), str(sent.get("passphrase", ""))
    try:
        await phone.unlock(phone.pin(pin) if pin else passphrase)
    except StoreWipedError:
        raise
    except GridlogError as wrong:
        return _unlock_page(request, wrong)
    return see(local_address(str(sent.get("next", ""))))


async def lock(request: web.Request) -> web.Response:
    """Lock at once."""
    await request.app[PHONE].lock()
    return see("/unlock")


async def touch(request: web.Request) -> web.Response:
    """Note that somebody is there: a page tells it while it is being read or written on."""
    phone = request.app[PHONE]
    return web.json_response({"phase": phone.phase.value})


async def speak(request: web.Request) -> web.Response:
    """Change the language."""
    sent = await request.post()
    wanted = str(sent.get("language", ""))
    answer = see(local_address(str(sent.get("next", ""))))
    if wanted in LANGUAGES:
        answer.set_cookie(LANGUAGE_COOKIE, wanted, max_age=_YEAR_S, samesite="Strict", httponly=True)
    return answer


async def live(request: web.Request) -> web.StreamResponse:
    """Tell a page that something changed, and whether the store is open: numbers and one word, never content."""
    phone = request.app[PHONE]
    answer = web.StreamResponse(headers={**sealed_headers(), "Content-Type": "text/event-stream"})
    await answer.prepare(request)
    known = -1
    with suppress(ConnectionResetError):
        while not phone.is_closing:
            known = await phone.news.after(known, within_s=_LISTENS_S)
            said = {"number": known, "phase": phone.phase.value}
            await answer.write(f"data: {json.dumps(said)}\n\n".encode())
    return answer


def _enrolment_page(request: web.Request, faults: dict[str, Text], *, status: int = 200) -> web.Response:
    phone = request.app[PHONE]
    return page(
        request,
        "begin.html",
        status=status,
        faults=faults,
        needs_store=phone.phase is Phase.NO_STORE,
        has_secret=bool(phone.device_secret),
    )


def _enrolment_faults(phone: Phone, sent: object) -> dict[str, Text]:
    assert hasattr(sent, "get")
    faults: dict[str, Text] = {}
    try:
        # Before anything is made: a mistyped code should leave nothing behind.
        read_invitation(str(sent.get("code", "")).strip())
    except InvitationError as wrong:
        faults["code"] = wrong.text
    if phone.phase is not Phase.NO_STORE:
        return faults
    if sent.get("passphrase", "") != sent.get("passphrase_again", ""):
        faults["passphrase_again"] = _DIFFERENT
    pin = sent.get("pin", "")
    if pin != sent.get("pin_again", ""):
        faults["pin_again"] = _DIFFERENT
    elif pin and not phone.device_secret and not sent.get("plain"):
        faults["plain"] = _PLAIN_PIN
    return faults


def _blamed(wrong: Exception) -> str:
    match type(wrong).__name__:
        case "WeakPassphraseError" | "StoreExistsError" | "StoreInUseError":
            return "passphrase"
        case "WeakPinError" | "PlainPinError":
            return "pin"
        case _:
            return "code"


def _unlock_page(request: web.Request, wrong: GridlogError | None) -> web.Response:
    phone = request.app[PHONE]
    wait_s = wrong.wait_s if isinstance(wrong, (WrongPinError, PinWaitError)) else 0
    slots = phone.slots
    return page(
        request,
        "unlock.html",
        status=200 if wrong is None else 422,
        wrong=wrong.text if wrong else None,
        wait_s=wait_s,
        has_pin=SlotKind.PIN in slots,
        has_recovery=SlotKind.RECOVERY in slots,
        next=local_address(request.query.get("next", "")),
    )
