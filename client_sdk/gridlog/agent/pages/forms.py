"""Begin, fill in, finish and discard a form. Each field that is left is saved as it stands, right or wrong.

The rule it keeps: what was typed is in the store before anything is said about it, also while the store is locked.
"""

from __future__ import annotations

import secrets
import time

from aiohttp import web

from gridlog import Draft, FieldStore, InvalidRecordError, LockedError, Record, UnknownRecordError
from gridlog.agent.forms.filling import Changes, Filling, beginning, is_struct_rows
from gridlog.agent.forms.inputs import PICKED_KINDS, Answer, Known
from gridlog.agent.forms.layouts import is_asked
from gridlog.agent.forms.posted import Sent, change_of
from gridlog.agent.keys import PHONE
from gridlog.agent.look import Look
from gridlog.agent.rendering import language_of_page, page, see
from gridlog.agent.speech import now_text
from gridlog.typed_plain import Typist
from gridlog_protocol.ids import RecordId
from gridlog_protocol.kinds import Kind, Reference, SetOf, Violation, check_record, check_value
from gridlog_protocol.texts import Text
from gridlog_sync.writing import Change

from .opening import homes_of, kind_named, notify, opened, record_named

SUBMIT = "submit"
_ASKED_MAX = 200


async def begin(request: web.Request) -> web.Response:
    """Begin a new record."""
    kind = kind_named(request)
    store, _ = await opened(request)
    for each in await store.drafts():
        if each.is_new and each.kind == kind.name and each.saved_ms == each.begun_ms:
            # Opened by a slip of the thumb, and nothing was written: not one more thing to finish.
            await store.discard_draft(each.id)
    values = beginning(kind, status=await store.status(), typist=typist_of(store))
    draft = await store.begin_draft(kind.name, values)
    return see(form_address(draft))


async def edit(request: web.Request) -> web.Response:
    """Begin to edit a record, or go on with that."""
    store, _ = await opened(request)
    draft = await store.begin_draft(await store.get(record_named(request)))
    return see(form_address(draft))


async def show(request: web.Request) -> web.Response:
    """Show the form of a draft."""
    store, look = await opened(request)
    draft = await store.draft(record_named(request))
    filling = Filling(_kind(store, draft), draft, await known_of(request, store, look, draft))
    faults = request.app[PHONE].recalled.faults.get(draft.id, ())
    return page(
        request,
        "form.html",
        look=look,
        draft=draft,
        kind=filling.kind,
        sections=filling.sections(),
        faults=_by_field(faults, look),
        comments=look.comments(draft.opened) if draft.opened else {},
        saved_ms=draft.saved_ms,
    )


async def save(request: web.Request) -> web.Response:
    """Save what came, then do what was asked: nothing more, finish, submit, add or drop a row, choose something."""
    phone, sent = request.app[PHONE], Sent.of(await request.post())
    action, _, what = (sent.first("action") or "save").partition(":")
    if action == "save":
        return await _saved(request, sent)
    store, _ = await opened(request)
    draft, kind = await store.draft(record_named(request)), kind_named(request)
    if action != "discard":
        draft = await _take(request, store, draft, sent)
    match action:
        case "discard":
            await store.discard_draft(draft.id)
            phone.recalled.faults.pop(draft.id, None)
            notify(request, "plain", Text("草稿已放弃。", "The draft was discarded."))
            return see("/")
        case "finish" | "submit":
            return await _finished(request, store, draft, is_submitted=action == SUBMIT)
        case "add" | "drop":
            await _change_rows(store, draft, kind, action=action, what=what)
            return see(f"{form_address(draft)}#field-{what.partition(':')[0]}")
        case "pick":
            return see(f"{form_address(draft)}/pick/{what}")
        case _:
            return see(form_address(draft))


async def known_of(request: web.Request, store: FieldStore, look: Look, draft: Draft) -> Known:
    """Return what references may be: people, grids, categories; of homes and records those that are named."""
    people = [Answer(user.hex(), Text(name, name)) for user, name in request.app[PHONE].recalled.names.items()]
    me = Answer(store.user.hex(), Text("我", "Me"))
    named = {
        str(each.values.get("grid_code")): look.title(each) for each in await store.query("grid", limit=_ASKED_MAX)
    }
    codes = [each for each in (await store.status()).scopes if each != "tenant"]
    grids = [Answer(each, Text(name, name)) for each in codes if (name := named.get(each, each))]
    homes = await homes_of(request.app[PHONE])
    doors = [Answer(key.hex(), Text(label, label)) for key, label in homes.labels().items()]
    return {
        "user": [me, *(each for each in people if each.value != me.value)][:_ASKED_MAX],
        "grid": grids,
        "household": doors,
        **await _named(store, look, draft),
        "incident_category": await _listed(store, look, "incident_category", "code"),
        "duty_item": await _listed(store, look, "duty_item", "code"),
    }


def typist_of(store: FieldStore) -> Typist:
    """Return who types, and when."""
    return Typist(bytes(store.user), now_text())


def form_address(draft: Draft) -> str:
    """Return where a draft is filled in."""
    return f"/form/{draft.kind}/{draft.id.hex()}"


async def finish(store: FieldStore, draft: Draft, *, is_submitted: bool) -> tuple[RecordId | None, list[Violation]]:
    """Make the record of a draft; or say what a step that it takes still needs. A refused one stays a draft."""
    kind, values = _kind(store, draft), dict(draft.values)
    steps = [SUBMIT] if is_submitted else []
    state = draft.changes.get("state")
    steps += [state] if isinstance(state, str) else []
    now_ms = time.time_ns() // 1_000_000
    wanted = [
        each
        for step in steps
        for each in check_record(kind, values, now_ms=now_ms, is_creation=True, step=step)
        if each.rule in ("required", "too_few_items")
    ]
    if wanted:
        return None, list(dict.fromkeys(wanted))
    if is_submitted:
        await store.save_draft(draft.id, {"review_state": "submitted"})
    try:
        return (await store.finalise(draft.id)).id, []
    except InvalidRecordError as wrong:
        if is_submitted:
            await store.save_draft(draft.id, {}, without=["review_state"])
        return None, list(wrong.violations)


async def _saved(request: web.Request, sent: Sent) -> web.Response:
    """Save, and say when; for a script, which shows it beside the field."""
    phone, draft_id, kind = request.app[PHONE], record_named(request), kind_named(request)
    is_locked = False
    try:
        store = phone.store
        draft = await _take(request, store, await store.draft(draft_id), sent)
        faults = _typed_faults(kind, draft, sent.every("field"))
    except LockedError:
        is_locked, faults = True, {}
        await _take_locked(phone.sealed, phone.me, kind, draft_id, sent)
    if "X-Gridlog-Csrf" not in request.headers:
        return see(f"/form/{kind.name}/{draft_id.hex()}")
    language = language_of_page(request)
    said = {name: text.spoken(language) for name, text in faults.items()}
    return web.json_response({"is_locked": is_locked, "faults": said})


async def _take(
    request: web.Request,
    store: FieldStore,
    draft: Draft,
    sent: Sent,
) -> Draft:
    _, look = await opened(request)
    filling = Filling(_kind(store, draft), draft, await known_of(request, store, look, draft))
    changes = filling.changes(sent.every("field"), sent, typist_of(store))
    if changes:
        draft = await store.save_draft(draft.id, changes.new, without=changes.without)
        _forget_faults(request, draft, changes)
    return draft


async def _take_locked(
    store: FieldStore,
    me: bytes,
    kind: Kind,
    draft: RecordId,
    sent: Sent,
) -> None:
    typist = Typist(me, now_text())
    asked = [kind.fields[name] for name in sent.every("field") if name in kind.fields and is_asked(kind.fields[name])]
    changes: dict[str, Change] = {each.name: change_of(each, sent, typist) for each in asked}
    if changes:
        await store.save_draft(draft, changes)


async def _finished(request: web.Request, store: FieldStore, draft: Draft, *, is_submitted: bool) -> web.Response:
    phone = request.app[PHONE]
    record, wrong = await finish(store, draft, is_submitted=is_submitted)
    if record is None:
        phone.recalled.faults[draft.id] = tuple(wrong)
        return see(form_address(draft))
    phone.recalled.faults.pop(draft.id, None)
    notify(request, "good", Text("已存到本机，有信号时自动发送。", "Saved. It goes out when there is a signal."))
    return see(f"/record/{record.hex()}")


async def _change_rows(store: FieldStore, draft: Draft, kind: Kind, *, action: str, what: str) -> None:
    name, _, key = what.partition(":")
    of = kind.fields.get(name)
    if of is None or not is_asked(of):
        raise web.HTTPBadRequest
    filling, changes = Filling(kind, draft, {}), Changes()
    if is_struct_rows(of) and action == "add":
        change = filling.with_row(of, secrets.token_hex(8), typist_of(store))
    elif is_struct_rows(of):
        change = filling.without_row(of, key)
    else:
        raise web.HTTPBadRequest
    filling.note(changes, of, change)
    await store.save_draft(draft.id, changes.new, without=changes.without)


def _typed_faults(kind: Kind, draft: Draft, names: list[str]) -> dict[str, Text]:
    """Return what is wrong with values that were typed. What is missing is said when the form is finished."""
    faults = {}
    for name in names:
        of, value = kind.fields.get(name), draft.values.get(name)
        wrong = check_value(of, value) if of is not None and value is not None else None
        if wrong is not None and wrong.rule not in ("required", "wrong_type"):
            faults[name] = wrong.text
    return faults


def _forget_faults(request: web.Request, draft: Draft, changes: Changes) -> None:
    faults = request.app[PHONE].recalled.faults
    if draft.id in faults:
        touched = {*changes.new, *changes.without}
        faults[draft.id] = tuple(each for each in faults[draft.id] if each.field not in touched)


def _by_field(faults: tuple[Violation, ...], look: Look) -> dict[str, str]:
    said: dict[str, str] = {}
    for each in faults:
        sentence = look.say(each.text)
        said[each.field] = f"{said[each.field]} {sentence}" if each.field in said else sentence
    return said


def _kind(store: FieldStore, draft: Draft) -> Kind:
    kind = store.kinds.get(draft.kind)
    assert kind is not None, draft.kind
    return kind


async def _named(store: FieldStore, look: Look, draft: Draft) -> dict[str, list[Answer]]:
    """Return the titles of the records, and of the drafts, that this draft refers to."""
    drafts = {each.id: each for each in await store.drafts()}
    found: dict[str, list[Answer]] = {}
    for field in _kind(store, draft).fields.values():
        type_, value = field.type, draft.values.get(field.name)
        to = type_.element if isinstance(type_, SetOf) else type_
        for each in value if isinstance(value, list) else [value]:
            if isinstance(to, Reference) and to.to in PICKED_KINDS and isinstance(each, bytes):
                about = drafts.get(RecordId(each)) or await _record(store, RecordId(each))
                title = look.title(about) if about else each.hex()[:8]
                found.setdefault(to.to, []).append(Answer(each.hex(), Text(title, title)))
    return {to: answers for to, answers in found.items() if to != "household"}


async def _record(store: FieldStore, record: RecordId) -> Record | None:
    try:
        return await store.get(record)
    except UnknownRecordError:
        return None


async def _listed(store: FieldStore, look: Look, kind: str, field: str) -> list[Answer]:
    if store.kinds.get(kind) is None:
        return []
    found = []
    for each in await store.query(kind, limit=_ASKED_MAX):
        code = each.values.get(field)
        if isinstance(code, str):
            title = look.title(each)
            found.append(Answer(code, Text(title, title)))
    return found
