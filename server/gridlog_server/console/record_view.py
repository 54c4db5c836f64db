"""Make of a record with its history what its page shows: fields with remarks, and who did what when. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gridlog_protocol.canonical import Value
from gridlog_protocol.errors import HOLDS
from gridlog_protocol.ids import UserId
from gridlog_protocol.kinds import Kind
from gridlog_protocol.kinds.presenting import shown_value, visible
from gridlog_protocol.kinds.times import moment_ms
from gridlog_protocol.limits import CLOCK_FINE_MS
from gridlog_protocol.ops import Intent, Op
from gridlog_protocol.texts import Text
from gridlog_server.service.inbox import HistoryLine
from gridlog_sync.clocks import Tier
from gridlog_sync.review import Review, ReviewState, stepped_to
from gridlog_sync.view import values_said

from .fields import label_of
from .naming import held_path
from .speaking import Speech

REVIEW_STATES: Final = {
    ReviewState.DRAFT: (Text("草稿", "Draft"), "secondary"),
    ReviewState.RETURNED: (Text("已退回", "Returned"), "amber"),
    ReviewState.SUBMITTED: (Text("待审核", "To review"), "blue"),
    ReviewState.CHECKED: (Text("已初审", "Checked"), "blue"),
    ReviewState.APPROVED: (Text("已通过", "Approved"), "green"),
    ReviewState.ARCHIVED: (Text("已归档", "Archived"), "secondary"),
}
_INTENTS: Final = {
    Intent.CREATE: Text("登记", "recorded this"),
    Intent.EDIT: Text("修改", "edited"),
    Intent.RESOLVE: Text("裁定冲突", "decided a conflict"),
    Intent.UNDO: Text("撤销裁定", "took a decision back"),
    Intent.PROPOSE: Text("提议", "proposed"),
    Intent.WITHDRAW: Text("作废", "withdrew this"),
}
_STEPS: Final = {
    "submitted": Text("提交审核", "handed in"),
    "checked": Text("初审", "checked"),
    "approved": Text("通过", "approved"),
    "returned": Text("退回", "returned this"),
    "archived": Text("归档", "archived"),
}
_HIDDEN: Final = frozenset({"review_state", "transitions", "comments", "track_chunks"})
_EDITS_SHOWN_MAX: Final = 12


@dataclass(frozen=True, slots=True)
class Remarked:
    """A remark as it stands at a field."""

    text: str
    by: str
    when: str


def remarks_of(review: Review, names: Mapping[UserId, str], say: Speech) -> tuple[str, dict[str, list[Remarked]]]:
    """Return why a record was returned, and the remarks of this round by their field; empty for the whole record."""
    found: dict[str, list[Remarked]] = {}
    for each in review.comments:
        at_ms = moment_ms(each.at)
        when = say.short(at_ms) if at_ms is not None else visible(each.at)
        remark = Remarked(visible(each.text), visible(names.get(UserId(each.by), "—")), when)
        found.setdefault(each.field, []).append(remark)
    return visible(review.reason) if review.state is ReviewState.RETURNED else "", found


def timeline_of(
    history: Sequence[HistoryLine],
    kind: Kind | None,
    names: Mapping[UserId, str],
    say: Speech,
) -> list[dict[str, Any]]:
    """Return what was done with a record, newest first: who, what, when it happened and when it came."""
    ordered = sorted(
        history, key=lambda each: (each.stored.position is None, each.stored.position or 0), reverse=True
    )
    return [_event(each, kind, names, say) for each in ordered]


def said_of(op: Op, say: Speech) -> str:
    """Return what an op does, in a word or two."""
    step = next((stepped_to(edit.value) for edit in op.edits if edit.field == "review_state"), "")
    what = _STEPS.get(step) if op.intent is Intent.EDIT else None
    return say.text(what or _INTENTS.get(op.intent, _INTENTS[Intent.EDIT]))


def _event(line: HistoryLine, kind: Kind | None, names: Mapping[UserId, str], say: Speech) -> dict[str, Any]:
    stored, op = line.stored, line.stored.op
    said = values_said(op, kind)
    fields = kind.fields if kind else {}
    edits = [
        (label_of(kind, name, say.language), shown_value(fields.get(name), value, say.language, names=names))
        for name, value in said.items()
        if name not in _HIDDEN
    ]
    if len(edits) > _EDITS_SHOWN_MAX:
        more = len(edits) - _EDITS_SHOWN_MAX
        edits = [*edits[:_EDITS_SHOWN_MAX], ("…", say.t(f"另有 {more} 项", f"{more} more"))]
    notes = [str(row["note"]) for row in _rows(said.get("transitions")) if row.get("note")]
    notes += [str(row["text"]) for row in _rows(said.get("comments")) if row.get("text")]
    return {
        "who": visible(line.author_name) or "—",
        "what": said_of(op, say),
        "badge": _badge(line, say),
        "style": "is-rejected" if stored.verdict == "rejected" else "is-held" if stored.is_waiting else "",
        "happened_ms": stored.when.at_ms,
        "received_ms": line.received_ms,
        "clock": _clock(line, say),
        "edits": edits if op.intent is not Intent.CREATE else [],
        "notes": [visible(each) for each in notes],
        "held_path": held_path(op.id) if stored.is_waiting else "",
        "position": stored.position,
    }


def _badge(line: HistoryLine, say: Speech) -> tuple[str, str] | None:
    stored = line.stored
    if stored.is_waiting:
        hold = HOLDS.get(stored.hold or "")
        return (say.t("待核对：", "Held: ") + (say.text(hold.worker_reads) if hold else str(stored.hold)), "amber")
    if stored.verdict == "rejected":
        return say.t("未采纳", "Rejected"), "red"
    if stored.verdict == "released":
        return say.t("核对后放行", "Released"), "secondary"
    return None


def _clock(line: HistoryLine, say: Speech) -> str:
    """Say what the phone's clock said, and how far off it was; empty if it was right."""
    stored = line.stored
    if stored.when.tier is Tier.FINE:
        return ""
    off_ms = stored.op.clock.wall_ms - stored.when.at_ms
    shown, span = say.short(stored.op.clock.wall_ms), say.span(abs(off_ms))
    text = (
        say.t(f"手机显示 {shown}，快 {span}", f"the phone said {shown}, {span} ahead")
        if off_ms > 0
        else say.t(f"手机显示 {shown}，慢 {span}", f"the phone said {shown}, {span} behind")
    )
    if stored.when.within_ms <= CLOCK_FINE_MS:
        return text
    known = say.span(stored.when.within_ms)
    return text + say.t(f"，估计可差 {known}", f", give or take {known}")


def _rows(value: Value) -> list[dict[str, Value]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
