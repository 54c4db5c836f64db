"""Lists, search, and the page of one record: what it says, where it is, what contradicts it, what can be done."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from typing import Any

from aiohttp import web

from gridlog import Add, Conflict, FieldStore, InvalidRecordError, Overruled, Record
from gridlog.agent.keys import PHONE
from gridlog.agent.look import Look
from gridlog.agent.rendering import page, see
from gridlog.agent.speech import now_text, spelled_ms
from gridlog.agent.tracks import drawing, fixes_of, metres
from gridlog_protocol.canonical import Value
from gridlog_protocol.clock import milliseconds_of
from gridlog_protocol.kinds import Kind, MapOf
from gridlog_protocol.texts import Text
from gridlog_sync.view import said_by
from gridlog_sync.writing import Change

from .forms import form_address
from .opening import kind_named, notify, opened, record_named

PAGE_RECORDS = 30
FOUND_MAX = 60
WRITTEN_KINDS = ("patrol", "household_visit", "mediation", "incident")


async def listed(request: web.Request) -> web.Response:
    """List records of a kind, newest first."""
    kind = kind_named(request)
    store, look = await opened(request)
    number = request.query.get("page", "1")
    at = max(1, min(int(number), 10_000)) if number.isdecimal() and len(number) <= 6 else 1
    records = await store.query(kind.name, limit=PAGE_RECORDS + 1, offset=(at - 1) * PAGE_RECORDS)
    return page(
        request,
        "list.html",
        look=look,
        kind=kind,
        records=records[:PAGE_RECORDS],
        at=at,
        has_more=len(records) > PAGE_RECORDS,
        kinds=_kinds(store),
    )


async def search(request: web.Request) -> web.Response:
    """Show what the last words found. They are kept in memory, so that no address has them."""
    store, look = await opened(request)
    words = request.app[PHONE].recalled.words
    records = await store.search(words, limit=FOUND_MAX) if words.strip() else []
    drafts = [each for each in await store.drafts() if _contains(each.values, words)]
    return page(request, "search.html", look=look, words=words, records=records, drafts=drafts, kinds=_kinds(store))


async def look_for(request: web.Request) -> web.Response:
    """Look for words."""
    sent = await request.post()
    request.app[PHONE].recalled.words = str(sent.get("words", ""))[:100]
    return see("/search")


async def show(request: web.Request) -> web.Response:
    """Show one record."""
    store, look = await opened(request)
    record = await store.get(record_named(request))
    held = [each for each in await store.held() if each.record == record.id]
    decided = [each for each in await store.decided() if each.record == record.id]
    conflicts = [each for each in await store.conflicts() if each.record == record.id]
    overruled = [each for each in await store.overruled() if each.record == record.id]
    pending = [each for each in await store.pending() if each.record == record.id]
    has_draft = any(each.id == record.id for each in await store.drafts())
    return page(
        request,
        "record.html",
        look=look,
        record=record,
        standing=look.standing(record, held, decided),
        facts=look.facts(record),
        held=held,
        decided=decided,
        conflicts=[_told(look, record, each, store.user) for each in conflicts],
        overruled=[_lost(look, record, number, each) for number, each in enumerate(overruled)],
        pending=pending,
        has_draft=has_draft,
        comments=look.comments(record),
        may_edit=_may_edit(record),
        may_submit=_may_submit(record, store),
        **_way(record),
    )


async def decide(request: web.Request) -> web.Response:
    """Decide a conflict for one of its values."""
    store, _ = await opened(request)
    record, sent = await store.get(record_named(request)), await request.post()
    name, key, at = str(sent.get("field", "")), str(sent.get("key", "")), str(sent.get("head", ""))
    for each in await store.conflicts():
        is_asked = (each.record, each.field, each.key) == (record.id, name, key)
        if is_asked and at.isdecimal() and int(at) < len(each.heads):
            kind = store.kinds.get(record.kind)
            value = said_by(kind.fields.get(name) if kind else None, each.heads[int(at)])
            await store.resolve(record, {name: _change(kind, name, key, value)})
            notify(request, "good", Text("已决定，可以撤销。", "Decided. You can undo it."))
            break
    return see(f"/record/{record.id.hex()}")


async def put_back(request: web.Request) -> web.Response:
    """Write what this worker had written once more: it stands again, and the others are told."""
    store, _ = await opened(request)
    record, sent = await store.get(record_named(request)), await request.post()
    lost = [each for each in await store.overruled() if each.record == record.id]
    at = str(sent.get("number", ""))
    if at.isdecimal() and int(at) < len(lost):
        each = lost[int(at)]
        await store.edit(record, {each.field: _change(store.kinds.get(record.kind), each.field, each.key, each.mine)})
        notify(request, "good", Text("已恢复您写的内容。", "What you wrote stands again."))
    return see(f"/record/{record.id.hex()}")


async def submit(request: web.Request) -> web.Response:
    """Hand a record in for review as it stands; or open its form at what it still needs."""
    store, _ = await opened(request)
    record = await store.get(record_named(request))
    try:
        await store.submit(record)
    except InvalidRecordError as wrong:
        draft = await store.begin_draft(record)
        request.app[PHONE].recalled.faults[draft.id] = wrong.violations
        return see(form_address(draft))
    notify(request, "good", Text("已提交审核。", "Submitted for review."))
    return see(f"/record/{record.id.hex()}")


async def comment(request: web.Request) -> web.Response:
    """Add a remark to a record. Nobody's remark is ever lost or changed."""
    store, _ = await opened(request)
    record, sent = await store.get(record_named(request)), await request.post()
    text = str(sent.get("text", "")).strip().replace("\r\n", "\n")
    if text:
        row: dict[str, Value] = {"id": secrets.token_hex(8), "by": store.user, "at": now_text(), "text": text}
        try:
            await store.edit(record, {"comments": Add((row,))})
        except InvalidRecordError as wrong:
            notify(request, "bad", wrong.text)
    return see(f"/record/{record.id.hex()}#comments")


def _way(record: Record) -> dict[str, Any]:
    pieces = fixes_of(record.values.get("track_chunks"))
    return {"map": drawing(pieces), "metres": metres(pieces), "has_way": bool(pieces)}


def _kinds(store: FieldStore) -> list[tuple[str, Text]]:
    return [(each, kind.label) for each in WRITTEN_KINDS if (kind := store.kinds.get(each))]


def _contains(values: object, words: str) -> bool:
    said = "\n".join(_texts(values)).lower()
    return bool(words.strip()) and all(word in said for word in words.lower().split())


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for each in value.values():
                yield from _texts(each)
        case list():
            for each in value:
                yield from _texts(each)


def _may_edit(record: Record) -> bool:
    return not record.is_withdrawn and record.values.get("review_state") not in ("approved", "archived")


def _may_submit(record: Record, store: FieldStore) -> bool:
    is_ready = record.kind in WRITTEN_KINDS and record.author == store.user and not record.is_withdrawn
    return is_ready and record.values.get("review_state", "draft") in ("draft", "returned")


def _change(kind: Kind | None, name: str, key: str, value: Value) -> Change:
    """Return the change that says `value` of one cell: of the field, of a key of a map, of an element of a set."""
    field = kind.fields.get(name) if kind else None
    if not key or field is None:
        return value
    return {key: value} if isinstance(field.type, MapOf) else Add((value,))


def _told(look: Look, record: Record, conflict: Conflict, me: bytes) -> dict[str, object]:
    """Return a conflict as a page shows it: each value with who wrote it and when."""
    field = look.field(record.kind, conflict.field)
    heads = [
        {
            "number": number,
            "who": look.who(head.author),
            "is_mine": head.author == me,
            "when": spelled_ms(milliseconds_of(head.stamp), look.language),
            "text": look.element(record.kind, conflict.field, said_by(field, head)),
        }
        for number, head in enumerate(conflict.heads)
    ]
    return {
        "field": conflict.field,
        "key": conflict.key,
        "label": look.field_label(record.kind, conflict.field),
        "severity": conflict.severity.value,
        "shown": look.element(record.kind, conflict.field, conflict.shown),
        "heads": heads,
    }


def _lost(look: Look, record: Record, number: int, lost: Overruled) -> dict[str, object]:
    """Return what was not kept of this worker's words, beside what stands now."""
    return {
        "number": number,
        "field": lost.field,
        "label": look.field_label(record.kind, lost.field),
        "mine": look.element(record.kind, lost.field, lost.mine),
        "shown": look.element(record.kind, lost.field, lost.shown),
        "who": look.who(lost.by) if lost.by else "",
        "when": spelled_ms(lost.at_ms, look.language) if lost.at_ms else "",
    }
