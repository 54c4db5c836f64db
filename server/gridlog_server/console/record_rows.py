"""Make of a record the line of a list, and the badges that say where it stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gridlog_protocol.ids import UserId
from gridlog_protocol.kinds import Kind, KindSet
from gridlog_protocol.kinds import value_types as types
from gridlog_protocol.kinds.presenting import shown_value, title_of, visible
from gridlog_server.service.inbox import RecordRow
from gridlog_sync.review import state_of

from .naming import record_path
from .record_view import REVIEW_STATES
from .speaking import Speech

_SNIPPET_CHARACTERS: Final = 90
_TELLING_CHARACTERS_MIN: Final = 100
"""A field that may hold so much is where somebody tells something."""


def row_of(
    row: RecordRow, kinds: KindSet, names: Mapping[UserId, str], say: Speech, *, tail: str = ""
) -> dict[str, Any]:
    """Return what a line shows. `tail` is added to the path of the record's page."""
    kind = kinds.get(row.kind)
    # When it was has a column of its own, and where it stands has badges.
    values = {
        name: value
        for name, value in row.values.items()
        if name != "state" and not (kind and name in kind.fields and isinstance(kind.fields[name].type, types.Moment))
    }
    return {
        "path": record_path(row.record) + tail,
        "kind": say.text(kind.label) if kind else visible(row.kind),
        "title": title_of(kind, values, say.language, names=names),
        "snippet": snippet_of(kind, row, say),
        "author": visible(row.author_name) or "—",
        "grid": say.t("、", ", ").join(visible(each) for each in row.grid_names),
        "when": row.occurred_ms or None,
        "since": row.stepped_ms or None,
        "badges": badges_of(row, say),
    }


def badges_of(row: RecordRow, say: Speech) -> list[tuple[str, str]]:
    """Return where a record stands, in words with their tones."""
    state = state_of(row.values)
    label, tone = REVIEW_STATES[state] if state else (None, "secondary")
    badges = [(say.text(label), tone)] if label else []
    if row.conflicts:
        badges.append((say.t("冲突", "Conflict"), "amber"))
    if "deleted" in row.values:
        badges.append((say.t("已作废", "Withdrawn"), "red"))
    return badges


def snippet_of(kind: Kind | None, row: RecordRow, say: Speech) -> str:
    """Return the beginning of what somebody tells in a record, if there is any telling."""
    for field in kind.fields.values() if kind else ():
        value = row.values.get(field.name)
        is_telling = isinstance(field.type, types.Words) and field.type.characters_max >= _TELLING_CHARACTERS_MIN
        if is_telling and isinstance(value, str) and not field.is_masked:
            text = shown_value(field, value, say.language)
            return text if len(text) <= _SNIPPET_CHARACTERS else text[: _SNIPPET_CHARACTERS - 1] + "…"
    return ""
