"""In which order a form asks. A kind that is not named here asks what it needs first, and the rest behind a fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gridlog_protocol.kinds import Field, Kind, Merge, Required
from gridlog_protocol.kinds.value_types import Reference, SetOf, Struct, ValueType
from gridlog_protocol.texts import Text

MORE = Text("其他项目", "More")

_NEVER_ASKED = frozenset(
    {"epoch", "transitions", "review_state", "deleted", "legal_hold", "retention_class", "track_chunks"}
)


@dataclass(frozen=True, slots=True)
class Section:
    """Some fields under a heading. One that is folded opens when somebody wants it."""

    title: Text
    fields: tuple[Field, ...]
    is_folded: bool = False


_LAYOUTS: Mapping[str, tuple[tuple[Text, tuple[str, ...]], ...]] = MappingProxyType(
    {
        "household_visit": (
            (Text("走访户", "Household"), ("household_id",)),
            (Text("先告知，再记录", "Consent first"), ("consent",)),
            (Text("情况", "The visit"), ("result", "purpose", "content", "persons_met")),
            (Text("诉求与需求", "Demands and needs"), ("demands", "demand_state", "suggestions", "care_needs")),
            (Text("时间", "When"), ("started_at", "ended_at", "next_visit_due", "occurred_at")),
            (Text("谁去的", "Who went"), ("visitors", "grid_code")),
        ),
        "mediation": (
            (Text("纠纷", "The dispute"), ("facts", "dispute_category", "source", "risk_level", "confidentiality")),
            (Text("当事人", "Parties"), ("parties", "party_claims", "invited")),
            (Text("告知与调解", "Notice and sessions"), ("rights_notice", "sessions", "mediators")),
            (Text("结果与协议", "Outcome and agreement"), ("outcome", "agreement_text", "amount", "perform_due")),
            (Text("进度", "Progress"), ("state", "occurred_at", "grid_code")),
        ),
        "incident": (
            (Text("发现了什么", "What was found"), ("title", "category", "description", "severity", "event_level")),
            (Text("在哪里", "Where"), ("place_text", "point")),
            (Text("来源", "Source"), ("source", "discovered_at", "is_emergency", "first_receiver", "reporter")),
            (Text("进度", "Progress"), ("state", "occurred_at", "grid_code")),
        ),
        "patrol": (
            (Text("巡查", "Patrol"), ("patrol_type", "shift", "weather", "summary", "tags")),
            (Text("点位", "Checkpoints"), ("checkpoints", "missed")),
            (Text("处置", "Handled"), ("handled_on_spot", "findings", "measurements")),
            (Text("时间与人员", "When and who"), ("started_at", "ended_at", "leader", "companions")),
            (Text("进度", "Progress"), ("state", "occurred_at", "grid_code")),
        ),
    }
)
KEYS_OF: Mapping[str, str] = MappingProxyType({"party_claims": "parties", "demand_state": "demands"})
"""Maps whose keys are the ids of what another field lists."""


def is_asked(field: Field) -> bool:
    """Tell whether a form has the field: not what others decide, nor what needs photos."""
    if field.from_op or field.merge in (Merge.DERIVED, Merge.SERVER) or field.name in _NEVER_ASKED:
        return False
    return field.required is not Required.SERVER and not _is_photo(field.type)


def sections_of(kind: Kind) -> tuple[Section, ...]:
    """Return what the form of a kind asks, in its order."""
    asked = {name: field for name, field in kind.fields.items() if is_asked(field)}
    laid_out = _LAYOUTS.get(kind.name)
    if laid_out is None:
        needed = tuple(each for each in asked.values() if each.required is not Required.NO)
        laid_out = ((kind.label, tuple(each.name for each in needed)),)
    sections = []
    for title, names in laid_out:
        fields = tuple(asked.pop(name) for name in names if name in asked)
        if fields:
            sections.append(Section(title, fields))
    if asked:
        sections.append(Section(MORE, tuple(asked.values()), is_folded=True))
    return tuple(sections)


def _is_photo(type_: ValueType) -> bool:
    match type_:
        case Reference(to="attachment"):
            return True
        case SetOf(element=Reference(to="attachment")):
            return True
        case Struct():
            return any(_is_photo(each.type) and each.is_required for each in type_.members.values())
        case _:
            return False
