"""Walk a patrol: begin, pause, go on, check in, write what was found, end."""

from __future__ import annotations

import secrets
import time
from typing import Any

from aiohttp import web

from gridlog import Add, Draft, FieldStore, GridlogError, InvalidRecordError, UnknownDraftError
from gridlog.agent.forms.filling import beginning
from gridlog.agent.gpx import GpxError, read_gpx
from gridlog.agent.keys import PHONE
from gridlog.agent.look import Look
from gridlog.agent.rendering import language_of_page, page, see
from gridlog.agent.speech import now_text
from gridlog.agent.tracks import ACCURACY_M_MAX, Fix, drawing, metres
from gridlog.agent.walking import TRACK, Walk
from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import check_value
from gridlog_protocol.texts import Text
from gridlog_sync.writing import Change

from .forms import form_address, typist_of
from .home import is_running
from .opening import notify, opened, record_named

_UNITS = 100_000
_CHECKPOINTS = "checkpoints"


async def begin(request: web.Request) -> web.Response:
    """Begin a patrol, or go on with the one that runs. It is a record at once, so that colleagues see it."""
    store, _ = await opened(request)
    for each in await store.drafts():
        if is_running(each):
            return see(f"/patrol/{each.id.hex()}")
    kind = store.kinds.get("patrol")
    assert kind is not None
    values = beginning(kind, status=await store.status(), typist=typist_of(store))
    record = await store.create("patrol", {**values, "patrol_type": "daily"})
    draft = await store.begin_draft(record)
    await walk_of(request, store, draft)
    return see(f"/patrol/{draft.id.hex()}")


async def show(request: web.Request) -> web.Response:
    """Show the patrol that is being walked."""
    store, look = await opened(request)
    draft = await _draft(request, store)
    if draft is None:
        return see(f"/record/{record_named(request).hex()}")
    return page(request, "patrol.html", draft=draft, **await _facts(request, store, look, draft))


async def track(request: web.Request) -> web.Response:
    """Show the part that grows: the map, how long and how far."""
    store, look = await opened(request)
    draft = await _draft(request, store)
    if draft is None:
        raise web.HTTPNotFound
    return page(request, "track.html", draft=draft, **await _facts(request, store, look, draft))


async def measured(request: web.Request) -> web.Response:
    """Take a fix of the phone in. A locked store seals it, and nobody counts it as somebody being there."""
    phone = request.app[PHONE]
    walk = phone.walk
    if walk is None or walk.record != record_named(request):
        return web.json_response({"taken": False}, status=409)
    fix = _fix(await request.json())
    is_taken = fix is not None and await walk.add(fix, phone.sealed)
    if is_taken:
        phone.news.tell()
    return web.json_response({"taken": is_taken})


async def pause(request: web.Request) -> web.Response:
    """Pause, or go on."""
    store, _ = await opened(request)
    draft = await _draft(request, store)
    if draft is not None:
        walk = await walk_of(request, store, draft)
        if walk.is_paused:
            walk.resume()
        else:
            walk.pause()
        request.app[PHONE].news.tell()
    return see(f"/patrol/{record_named(request).hex()}")


async def check_in(request: web.Request) -> web.Response:
    """Note a checkpoint: where, how it was, and, by hand, why by hand."""
    store, _ = await opened(request)
    draft, sent = await _draft(request, store), await request.post()
    if draft is None:
        return see("/")
    text = {name: str(sent.get(name, "")).strip() for name in ("checkpoint", "result", "note")}
    row: dict[str, Value] = {
        "id": secrets.token_hex(8),
        "checkpoint_id": text["checkpoint"],
        "at": now_text(),
        "method": "manual",
        "result": text["result"],
        "note": text["note"],
    }
    kind = store.kinds.get("patrol")
    assert kind is not None
    wrong = check_value(kind.fields[_CHECKPOINTS], [{name: each for name, each in row.items() if each}])
    if wrong is not None:
        notify(request, "bad", wrong.text)
    else:
        before = draft.changes.get(_CHECKPOINTS)
        rows = [*(before.elements if isinstance(before, Add) else ()), row]
        await store.save_draft(draft.id, {_CHECKPOINTS: Add(tuple(rows))})
        notify(request, "good", Text("已打点。", "Checked in."))
    return see(f"/patrol/{draft.id.hex()}#check-in")


async def find(request: web.Request) -> web.Response:
    """Write down what was found, as an incident of its own that the patrol names."""
    store, _ = await opened(request)
    patrol, kind = await _draft(request, store), store.kinds.get("incident")
    assert kind is not None
    values = beginning(kind, status=await store.status(), typist=typist_of(store))
    incident = await store.begin_draft("incident", {**values, "source": ["patrol"], "severity": "general"})
    if patrol is not None:
        await store.save_draft(patrol.id, {"findings": [*_named(patrol), bytes(incident.id)]})
    return see(form_address(incident))


async def upload(request: web.Request) -> web.Response:
    """Take a track from a GPX file, sent as it is: it never touches the disk but sealed."""
    store, _ = await opened(request)
    draft = await _draft(request, store)
    if draft is None:
        raise web.HTTPNotFound
    try:
        fixes = read_gpx(await request.read())
        pieces = await (await walk_of(request, store, draft)).take_in(fixes, store)
    except (GpxError, InvalidRecordError) as wrong:
        return web.json_response({"fault": wrong.text.spoken(language_of_page(request))}, status=422)
    request.app[PHONE].news.tell()
    return web.json_response({"fixes": len(fixes), "pieces": pieces})


async def end(request: web.Request) -> web.Response:
    """End the patrol: the last of the track goes in, and the form asks for what it still needs."""
    phone = request.app[PHONE]
    store, _ = await opened(request)
    draft = await _draft(request, store)
    if draft is None:
        return see("/")
    walk = await walk_of(request, store, draft)
    changes: dict[str, Change] = {**walk.changes(), "ended_at": now_text(), "state": "finished"}
    findings = _named(draft)
    if findings:
        # One that is not finished yet keeps its id; one that was thrown away is no finding.
        drafts = {bytes(each.id) for each in await store.drafts()}
        changes["findings"] = [each for each in findings if each in drafts or await _is_known(store, each)]
    draft = await store.save_draft(draft.id, changes)
    phone.walk = None
    return see(form_address(draft))


async def walk_of(request: web.Request, store: FieldStore, draft: Draft) -> Walk:
    """Return the walk of a draft; after a start or a crash it goes on where the draft ends."""
    phone = request.app[PHONE]
    if phone.walk is None or phone.walk.record != draft.id:
        phone.walk = Walk.of(draft, bytes(store.device))
    return phone.walk


async def _draft(request: web.Request, store: FieldStore) -> Draft | None:
    try:
        draft = await store.draft(record_named(request))
    except UnknownDraftError:
        return None
    return draft if draft.kind == "patrol" and not draft.is_new else None


async def _facts(request: web.Request, store: FieldStore, look: Look, draft: Draft) -> dict[str, Any]:
    walk = await walk_of(request, store, draft)
    record = await store.get(draft.id)
    pieces = walk.pieces(record.values.get(TRACK))
    checkpoints = draft.values.get(_CHECKPOINTS)
    return {
        "look": look,
        "walk": walk,
        "map": drawing(pieces),
        "metres": metres(pieces),
        "started": draft.values.get("started_at"),
        "now_ms": time.time_ns() // 1_000_000,
        "checkpoints": look.rows("patrol", _CHECKPOINTS, checkpoints),
        "findings": await _findings(store, look, _named(draft)),
    }


def _named(draft: Draft) -> list[Value]:
    findings = draft.values.get("findings")
    return list(findings) if isinstance(findings, list) else []


async def _findings(store: FieldStore, look: Look, named: list[Value]) -> list[tuple[str, str, bool]]:
    """Return address and title of what was found, and whether it is still a draft."""
    drafts = {bytes(each.id): each for each in await store.drafts()}
    found = []
    for each in named:
        if not isinstance(each, bytes):
            continue
        if each in drafts:
            found.append((form_address(drafts[each]), look.title(drafts[each]), True))
        elif await _is_known(store, each):
            record = await store.get(RecordId(each))
            found.append((f"/record/{each.hex()}", look.title(record), False))
    return found


async def _is_known(store: FieldStore, named: Value) -> bool:
    if not isinstance(named, bytes):
        return False
    try:
        await store.get(RecordId(named))
    except GridlogError:
        return False
    return True


def _fix(sent: object) -> Fix | None:
    """Read a fix as the page sends it: degrees, metres, Unix milliseconds."""
    match sent:
        case {
            "latitude": int() | float() as latitude,
            "longitude": int() | float() as longitude,
            "accuracy_m": int() | float() as accuracy_m,
            "at_ms": int() as at_ms,
        } if abs(latitude) <= 90 and abs(longitude) <= 180 and accuracy_m <= ACCURACY_M_MAX and at_ms > 0:
            return Fix(round(latitude * _UNITS), round(longitude * _UNITS), at_ms)
        case _:
            return None
