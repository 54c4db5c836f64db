"""What tables say about clocks: how wrong one was when something was written, and how wrong each device's is now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table

from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import shown
from gridlog_protocol.kinds.presenting import visible
from gridlog_protocol.limits import CLOCK_FINE_MS
from gridlog_protocol.texts import Language, Text, span_text
from gridlog_sync.clocks import Tier

from .service.contact import reported, reported_text
from .service.device_filter import has_called
from .service.inspection import DeviceLine
from .store.contract import StoredOp

_MARKS = {
    Tier.FINE: Text("", ""),
    Tier.CORRECTED: Text("有偏差", "corrected"),
    Tier.REVIEW: Text("⚠ 需核查", "⚠ review"),
}
_STATES = {
    "active": Text("在用", "active"),
    "suspended": Text("已停用", "suspended"),
    "lost": Text("⚠ 已挂失", "⚠ lost"),
    "wiped": Text("已清除", "wiped"),
    "revoked": Text("已作废", "revoked"),
}
_COLUMNS = (
    Text("终端", "Device"),
    Text("持有人", "Holder"),
    Text("状态", "Status"),
    Text("最近联系", "Last contact"),
    Text("时钟", "Clock"),
    Text("未发出", "Unsent"),
    Text("暂存", "Held"),
    Text("修复", "Repairs"),
)


def mark(tier: Tier, language: Language) -> str:
    """Return the word for a tier, empty if the clock was fine."""
    return _MARKS[tier].spoken(language)


def discrepancy(stored: StoredOp, language: Language) -> str:
    """Say what the phone's clock said of an op, how far off that is, and how well this is known; empty if fine."""
    when, said_ms = stored.when, stored.op.clock.wall_ms
    if when.tier is Tier.FINE:
        return ""
    facts = _time(said_ms), _ahead(said_ms - when.at_ms, language)
    known = span_text(when.within_ms)
    zh, en = (f"，估计可差 {known.zh}", f", give or take {known.en}") if when.within_ms > CLOCK_FINE_MS else ("", "")
    return Text(
        "{}：手机显示 {}，{}{}".format(_MARKS[when.tier].zh, *facts, zh),
        "{}: phone said {}, {}{}".format(_MARKS[when.tier].en, *facts, en),
    ).spoken(language)


def devices_table(lines: Sequence[DeviceLine], language: Language) -> RenderableType:
    """Return the table of `devices`; ⚠ marks a clock that is further off than is fine."""
    table = Table()
    for column in _COLUMNS:
        table.add_column(column.spoken(language), overflow="fold")
    for line in lines:
        device = line.device
        table.add_row(
            f"{shown(device.id)[:8]} {escape(visible(device.model))}",
            escape(visible(f"{line.staff_no} {line.holder}")),
            device_state(device.status, language),
            _time(device.contact_ms),
            clock_said(device.clock_ahead_ms, language),
            _count(reported(device, "unsent")),
            str(line.held),
            _count(reported(device, "repairs")),
        )
    return table


def device_json(line: DeviceLine) -> dict[str, Any]:
    """Return a device as plain JSON values: times in Unix ms, null for what it never said."""
    device = line.device
    return {
        "device": shown(device.id),
        "model": device.model,
        "app": reported_text(device, "app") or device.app,
        "status": device.status,
        "holder": line.holder,
        "staff_no": line.staff_no,
        "enrolled_ms": device.enrolled_ms,
        "last_contact_ms": device.contact_ms,
        "clock_offset_ms": device.clock_ahead_ms,
        "unsent": reported(device, "unsent"),
        "held": line.held,
        "repairs": reported(device, "repairs"),
        "has_called": has_called(device),
        "oldest_unsent_ms": reported(device, "oldest_ms"),
        "about": {name: _plain(value) for name, value in device.about.items()},
        "order": device.order,
        "wipe_ordered_ms": device.wipe_ordered_ms,
        "order_fetched_ms": device.order_fetched_ms,
        "wiped_ms": device.wiped_ms,
    }


def _plain(value: Value) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def device_state(status: str, language: Language) -> str:
    """Return the word for a device's state."""
    known = _STATES.get(status)
    return known.spoken(language) if known else escape(visible(status))


def clock_said(ahead_ms: int | None, language: Language) -> str:
    """Say how far off a device's clock was when it last said so."""
    if ahead_ms is None:
        return "—"
    if abs(ahead_ms) <= CLOCK_FINE_MS:
        return Text("准", "right").spoken(language)
    return f"⚠ {_ahead(ahead_ms, language)}"


def _ahead(ahead_ms: int, language: Language) -> str:
    span = span_text(abs(ahead_ms))
    zh, en = ("快", "ahead") if ahead_ms >= 0 else ("慢", "behind")
    return Text(f"{zh} {span.zh}", f"{span.en} {en}").spoken(language)


def _count(count: int | None) -> str:
    return "—" if count is None else str(count)


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000).astimezone().strftime("%Y-%m-%d %H:%M:%S")
