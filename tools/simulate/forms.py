"""What workers write: valid records of the shipped kinds, and edits of every merge rule that is offered.

Few values and few elements, so that workers meet in the same ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import ScopeId, UserId
from gridlog_sync.writing import Add, Change, Count, Remove

KINDS = ("patrol", "patrol", "household_visit", "mediation")
"""What workers create; households come from the server."""

Edit = Callable[[Random], dict[str, Change]]
_DAY = "2026-10-12"
_WORDS = ("积水", "路灯不亮", "楼道堆物", "水管漏水", "邻里口角", "已劝离")


def moment(minute: int) -> str:
    """Return a moment of the day on which everything happened."""
    return f"{_DAY}T{8 + minute // 60:02d}:{minute % 60:02d}:00+08:00"


def created(kind: str, grid: ScopeId, author: UserId, dice: Random) -> dict[str, Change]:
    """Return the first values of a record."""
    begun = moment(dice.randint(0, 30))
    common: dict[str, Change] = {"grid_code": grid, "occurred_at": begun}
    match kind:
        case "patrol":
            return common | {"patrol_type": "daily", "started_at": begun, "leader": author, "tags": ["water"]}
        case "household_visit":
            return common | {
                "household_id": bytes([1]) * 16,
                "purpose": ["routine"],
                "visitors": [author],
                "started_at": begun,
                "result": "not_home",
                "consent": {"informed": False, "scope": []},
            }
        case "mediation":
            return common | {
                "source": "application",
                "dispute_category": "neighbours",
                "mediators": [author],
                "facts": dice.choice(_WORDS),
                "risk_level": "low",
                "confidentiality": "normal",
            }
        case _:
            raise AssertionError(f"nobody creates a {kind}")


def household(number: int, grid: ScopeId) -> Mapping[str, Value]:
    """Return a household as an administrator brings it in."""
    return {
        "grid_code": grid,
        "household_id": bytes([number + 1]) * 16,
        "label": f"3-2-{500 + number}",
        "occupancy": "owner",
        "resident_count": 2,
    }


def edited(kind: str, dice: Random) -> dict[str, Change]:
    """Return what somebody changes in one save: one field or two."""
    edits = _EDITS[kind]
    return {name: change for _ in range(dice.choice((1, 1, 2))) for name, change in dice.choice(edits)(dice).items()}


def proposed(kind: str, dice: Random) -> dict[str, Change]:
    """Return what somebody proposes to the office, for a field that it decides."""
    match kind:
        case "mediation":
            return {"deadline_at": dice.choice(("2026-12-10", "2026-12-20", "2026-12-30"))}
        case "household":
            return {"visit_class": dice.choice(("general", "attention", "key"))}
        case _:
            return {"record_no": f"420106001001-20261122-X{dice.randint(1, 3):04d}"}


def _text(dice: Random) -> str:
    return dice.choice(_WORDS) + str(dice.randint(1, 9))


def _ends(dice: Random) -> dict[str, Change]:
    return {"ended_at": moment(dice.randint(60, 120))}


def _starts(dice: Random) -> dict[str, Change]:
    return {"started_at": moment(dice.randint(0, 30))}


def _set(name: str, *elements: str) -> Edit:
    def edit(dice: Random) -> dict[str, Change]:
        named = (dice.choice(elements),)
        return {name: dice.choice((Add(named), Add(named), Remove(named)))}

    return edit


def _one_of(name: str, *values: Value) -> Edit:
    return lambda dice: {name: dice.choice(values)}


def _comment(dice: Random) -> dict[str, Change]:
    number = dice.choice(("c1", "c2", f"c{dice.randint(3, 99)}"))
    row: Value = {"id": number, "by": bytes([2]) * 16, "at": moment(40), "text": _text(dice)}
    return {"comments": Add((row,))}


def _demand(dice: Random) -> dict[str, Change]:
    return {"demand_state": {dice.choice(("d1", "d2")): dice.choice(("open", "promised", "linked", "solved"))}}


def withdrawal(author: UserId, dice: Random) -> dict[str, Change]:
    """Return what withdraws a record, or puts it back."""
    why: Value = {
        "by": author,
        "at": moment(dice.randint(60, 90)),
        "reason": dice.choice(("重复登记了", "登记错了地方")),
    }
    return {"deleted": dice.choice((why, why, None))}


def _party(dice: Random) -> dict[str, Change]:
    number = dice.choice(("p1", "p2"))
    row: Value = {"id": number, "kind": "person", "name": dice.choice(("李芳", "王强", "陈静")), "role": "申请人"}
    return {"parties": Remove((number,)) if dice.random() < 0.25 else Add((row,))}


def _checklist(dice: Random) -> dict[str, Change]:
    return {"checklist": {dice.choice(("drain", "lamp")): dice.choice(("na", "ok", "bad"))}}


def _claim(dice: Random) -> dict[str, Change]:
    return {"party_claims": {dice.choice(("p1", "p2")): _text(dice)}}


_EDITS: dict[str, tuple[Edit, ...]] = {
    "patrol": (
        lambda dice: {"summary": _text(dice)},
        lambda dice: {"summary": _text(dice)},
        _one_of("weather", "sunny", "rain", "fog", None),
        _one_of("patrol_type", "daily", "special", "night"),
        _set("tags", "water", "light"),
        _set("companions", "王婆婆", "刘师傅"),
        lambda dice: {"handled_on_spot": Count(dice.randint(1, 3))},
        lambda dice: {"handled_on_spot": Count(dice.randint(1, 3))},
        _checklist,
        _checklist,
        _one_of("state", "planned", "in_progress", "aborted", "cancelled"),
        _one_of("state", "planned", "in_progress", "aborted", "cancelled"),
        _one_of("review_state", "draft", "submitted", "returned"),
        _comment,
        _starts,
        _ends,
    ),
    "household_visit": (
        _one_of("result", "not_home", "refused", "vacant"),
        _one_of("satisfaction", 1, 3, 5, None),
        _one_of("next_visit_due", "2026-12-01", "2026-12-15", "2026-12-31"),
        _set("purpose", "routine", "policy", "festival"),
        _set("hazards", "gas", "stairs"),
        _demand,
        _demand,
        _comment,
        _starts,
        _ends,
    ),
    "mediation": (
        lambda dice: {"facts": _text(dice)},
        _one_of("dispute_category", "neighbours", "contract", "labour"),
        _one_of("risk_level", "low", "medium", "high"),
        lambda dice: {"people_involved": dice.randint(2, 9)},
        _one_of("amount", "100.00", "250.00", None),
        _party,
        _party,
        _claim,
        _comment,
    ),
    "household": (
        lambda dice: {"label": f"3-2-{dice.randint(1, 9)}"},
        _one_of("occupancy", "owner", "rented", "vacant"),
        lambda dice: {"resident_count": dice.randint(1, 5)},
        _set("tags", "water", "light"),
        _comment,
    ),
}
