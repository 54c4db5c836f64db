"""A record's conflicts: every version beside the others, choose one or write one's own, take a decision back."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import Position, shown
from gridlog_protocol.kinds import Field, Kind, KindSet
from gridlog_protocol.kinds import value_types as types
from gridlog_protocol.kinds.presenting import shown_element, visible
from gridlog_server.service.accounts import Accounts, Caller
from gridlog_server.service.deciding import op_name
from gridlog_server.service.inbox import Inbox
from gridlog_server.service.refusing import RefusedError
from gridlog_server.service.resolving import Choice, Conflicted, ConflictLine, HeadLine, Resolving
from gridlog_sync.rules import Severity

from .acting import acted
from .bases import base_of
from .differences import marked
from .fields import label_of, paragraphs
from .naming import read_number, read_op, read_record, record_path
from .notices import Notice
from .pages import caller_of, form_of, page, see_other, visitor_of
from .speaking import Speech

_HERE: Final = "conflicts"
_OWN: Final = "own"
_WRITABLE: Final = (
    types.Words,
    types.Code,
    types.Choice,
    types.Flag,
    types.Whole,
    types.Amount,
    types.Moment,
    types.Day,
)
"""Types whose value a field of a form can hold. Of others one chooses among what is there."""


class ConflictPages:
    """The pages on which conflicts are decided."""

    def __init__(self, inbox: Inbox, resolving: Resolving, accounts: Accounts, kinds: KindSet) -> None:
        self._inbox = inbox
        self._resolving = resolving
        self._accounts = accounts
        self._kinds = kinds

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/records/{record}/conflicts", self._show),
            web.post("/records/{record}/conflicts", self._decide),
            web.post("/records/{record}/undo", self._undo),
        ]

    async def _show(self, request: web.Request, said: Notice | None = None) -> web.Response:
        record = read_record(request)
        conflicted = await self._resolving.conflicts(record, by=caller_of(request))
        view = await self._inbox.record(record, by=caller_of(request))
        say = visitor_of(request).speech
        kind = self._kinds.get(conflicted.kind)
        facts = {
            "path": record_path(record),
            "kind": say.text(kind.label) if kind else conflicted.kind,
            "name": shown(record)[-8:],
            "at": conflicted.changed,
            "undoable": op_name(conflicted.undoable) if conflicted.undoable else "",
            "conflicts": [
                self._conflict(each, kind, say, base_of(each, view.history, kind)) for each in conflicted.conflicts
            ],
        }
        return page(request, "conflict.html", facts, here=_HERE, said=said)

    def _conflict(self, conflict: ConflictLine, kind: Kind | None, say: Speech, base: Value) -> dict[str, Any]:
        field = kind.fields.get(conflict.field) if kind else None
        texts = [_text(field, each.value, say) for each in conflict.heads]
        is_masked = field is not None and field.is_masked
        own = field is not None and isinstance(field.type, _WRITABLE) and not conflict.key and not is_masked
        return {
            "id": f"{conflict.field}:{conflict.key}",
            "label": label_of(kind, conflict.field, say.language),
            "key": visible(conflict.key),
            "base": None if base is None else _text(field, base, say),
            "is_hard": conflict.severity is Severity.HARD,
            "versions": [
                _version(each, text, next((other for other in texts if other != text), text))
                for each, text in zip(conflict.heads, texts, strict=True)
            ],
            "unseen": [
                {
                    "label": label_of(kind, each.field, say.language),
                    "text": _text(kind.fields.get(each.field) if kind else None, each.line.value, say),
                    "who": visible(each.line.author_name),
                    "happened_ms": each.line.happened_ms,
                }
                for each in conflict.unseen
            ],
            "own": _own_input(field, conflict.shown, say) if own and field else None,
        }

    async def _decide(self, request: web.Request) -> web.StreamResponse:
        record, form = read_record(request), form_of(request)

        async def decide(caller: Caller) -> web.StreamResponse:
            conflicted = await self._resolving.conflicts(record, by=caller)
            choices = [choice for each in conflicted.conflicts if (choice := self._choice(conflicted, each, request))]
            done = await self._resolving.resolve(record, read_position(form.one("at")), choices, by=caller)
            path = record_path(record)
            return see_other(request, f"{path}/conflicts" if done.conflicts else path, "resolved")

        return await acted(request, self._accounts, decide, lambda said: self._show(request, said))

    def _choice(self, conflicted: Conflicted, conflict: ConflictLine, request: web.Request) -> Choice | None:
        """Return what was chosen for one cell. Raises RefusedError for what cannot be read."""
        form = form_of(request)
        name = f"{conflict.field}:{conflict.key}"
        chosen = form.one(f"choice:{name}")
        if not chosen:
            return None
        if chosen != _OWN:
            return Choice(conflict.field, conflict.key, chosen=read_op(chosen))
        kind = self._kinds.get(conflicted.kind)
        field = kind.fields.get(conflict.field) if kind else None
        return Choice(conflict.field, conflict.key, value=_typed(field, form.raw(f"own:{name}")))

    async def _undo(self, request: web.Request) -> web.StreamResponse:
        record = read_record(request)

        async def undo(caller: Caller) -> web.StreamResponse:
            named = form_of(request).one("decision")
            await self._resolving.undo(record, read_op(named) if named else None, by=caller)
            return see_other(request, f"{record_path(record)}/conflicts", "undone")

        return await acted(request, self._accounts, undo, lambda said: self._show(request, said))


def _version(head: HeadLine, text: str, other: str) -> dict[str, Any]:
    return {
        "op": op_name(head.op),
        "pieces": marked(text, other),
        "who": visible(head.author_name),
        "device": head.device.hex()[:8],
        "happened_ms": head.happened_ms,
        "received_ms": head.received_ms,
        "is_shown": head.is_shown,
    }


def _text(field: Field | None, value: Value, say: Speech) -> str:
    if isinstance(value, str) and "\n" in value and not (field and field.is_masked):
        return paragraphs(value)
    return shown_element(field, value, say.language)


def _own_input(field: Field, value: Value, say: Speech) -> dict[str, Any]:
    """Return how a value of one's own is typed: in which kind of input, with which options, beginning with what."""
    shape, options = "line", []
    match field.type:
        case types.Words() as words if words.characters_max > 60:
            shape = "lines"
        case types.Choice() as choice:
            shape, options = "choice", [(each.value, say.text(each.label)) for each in choice.options]
        case types.Flag():
            shape, options = "choice", [("yes", say.t("是", "yes")), ("no", say.t("否", "no"))]
    text = ("yes" if value else "no") if isinstance(value, bool) else "" if value is None else value
    return {"shape": shape, "options": options, "value": text if isinstance(text, (str, int)) else ""}


def _typed(field: Field | None, text: str) -> Value:
    """Return what was typed as a value of the field's type. Raises RefusedError."""
    plain = text.strip()
    match field.type if field else None:
        case types.Flag():
            return plain == "yes"
        case types.Whole():
            if not plain.lstrip("-").isascii() or not plain.lstrip("-").isdecimal() or len(plain) > 18:
                raise RefusedError("这一项应填整数。", "This is a whole number.")
            return int(plain)
        case types.Words():
            return text.replace("\r\n", "\n")
        case _:
            return plain


def read_position(text: str) -> Position:
    """Return the position that a page showed, as its form says."""
    # A page always says what it showed: whoever leaves it out has seen nothing.
    return Position(read_number(text) or 0)
