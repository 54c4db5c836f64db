"""The page that reassures: what is unfinished, what waits, what came back, what arrived; and where to begin."""

from __future__ import annotations

import time
from typing import Any

from aiohttp import web

from gridlog import Draft, FieldStore, Record, UnknownRecordError
from gridlog.agent.keys import PHONE
from gridlog.agent.look import Look
from gridlog.agent.phone import Phase
from gridlog.agent.rendering import page, see
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds.times import DAY_MS, moment_ms

from .opening import opened

SILENT_DAYS_MAX = 3
"""After so many days without contact the page is red: people then ask themselves whether their work is safe."""
SHOWN_MAX = 5
REVIEWED_KINDS = ("patrol", "household_visit", "mediation", "incident")
_ENDED = frozenset({"done", "verified", "closed", "cancelled", "evaluated", "void", "archived"})
_TASKS_READ_MAX = 50


async def home(request: web.Request) -> web.Response:
    """Show the whole page, or whatever must come before it."""
    phase = request.app[PHONE].phase
    if phase is not Phase.OPEN:
        return see("/unlock" if phase is Phase.LOCKED else "/begin")
    return page(request, "home.html", **await _facts(request))


async def standing(request: web.Request) -> web.Response:
    """Show the part that changes by itself."""
    return page(request, "standing.html", **await _facts(request))


async def unfinished(request: web.Request) -> web.Response:
    """Show the lists below it, which change by themselves as well."""
    return page(request, "unfinished.html", **await _facts(request))


async def synchronise(request: web.Request) -> web.Response:
    """Synchronise now, behind the page."""
    phone = request.app[PHONE]
    phone.synchronising.begin(phone.store)
    return see("/")


async def waiting(request: web.Request) -> web.Response:
    """List what is on this phone only, and what is held for review."""
    store, look = await opened(request)
    pending = await _records(store, [each.record for each in await store.pending()])
    held = await store.held()
    kept = await _records(store, [each.record for each in held])
    decided = await store.decided()
    return page(request, "waiting.html", look=look, pending=pending, kept=kept, held=held, decided=decided[:50])


async def _facts(request: web.Request) -> dict[str, Any]:
    store, look = await opened(request)
    phone, status, drafts = request.app[PHONE], await store.status(), await store.drafts()
    now_ms = time.time_ns() // 1_000_000
    running = [each for each in drafts if is_running(each)]
    unfinished = [each for each in drafts if each not in running]
    waits = {each.record for each in await store.pending()}
    return {
        "look": look,
        "stands": status,
        "running": running,
        "drafts": unfinished[:SHOWN_MAX],
        "drafts_count": len(unfinished),
        "waiting_count": len(waits),
        "returned": await returned(store),
        "tasks": await _tasks(store, look, now_ms),
        "overruled": await _overruled(store),
        "is_silent": now_ms - status.last_contact_ms > SILENT_DAYS_MAX * DAY_MS,
        "synchronising": phone.synchronising,
        "now_ms": now_ms,
    }


async def ask_ahead(store: FieldStore) -> None:
    """Ask what the home page asks, so that the store has its indexes before anybody waits for them."""
    await returned(store)
    await store.query("task", order="deadline_at", limit=1)
    await store.query("household_visit", where={"household_id": bytes(16)}, limit=1)


def is_running(draft: Draft) -> bool:
    """Tell whether a draft is the patrol that is being walked."""
    return draft.kind == "patrol" and draft.values.get("state") == "in_progress" and not draft.is_new


async def returned(store: FieldStore) -> list[Record]:
    """Return what a reviewer sent back to this worker."""
    found = []
    for kind in REVIEWED_KINDS:
        records = await store.query(kind, where={"review_state": "returned"}, limit=SHOWN_MAX * 4)
        found += [each for each in records if each.author == store.user]
    return found


async def _tasks(store: FieldStore, look: Look, now_ms: int) -> list[tuple[Record, str, bool]]:
    """Return open work orders by deadline, with the time in words, and whether it has passed."""
    listed = []
    for each in await store.query("task", order="deadline_at", limit=_TASKS_READ_MAX):
        if each.values.get("state") in _ENDED:
            continue
        due = each.values.get("deadline_at")
        due_ms = moment_ms(due)
        words = look.value("task", "deadline_at", due) if due_ms is not None else ""
        listed.append((each, words, due_ms is not None and due_ms < now_ms))
    return listed[:SHOWN_MAX]


async def _overruled(store: FieldStore) -> list[Record]:
    return await _records(store, [each.record for each in await store.overruled()])


async def _records(store: FieldStore, ids: list[RecordId]) -> list[Record]:
    found = []
    for each in dict.fromkeys(ids):
        try:
            found.append(await store.get(each))
        except UnknownRecordError:
            continue
    return found
