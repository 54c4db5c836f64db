"""The page of one device: what it may do, what it last said about itself, and what was done to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from gridlog_protocol import about
from gridlog_protocol.canonical import Value
from gridlog_protocol.ids import shown
from gridlog_protocol.kinds import shipped_version
from gridlog_protocol.kinds.presenting import visible
from gridlog_protocol.texts import Language, Text

from .listing import moment
from .listing_clocks import clock_said, device_state
from .listing_people import acts_table
from .service.contact import reported, reported_text
from .service.device_filter import has_called
from .service.inspection import DeviceLine
from .store.contract import Act, Device

_KEYS = {
    "badge": Text("工牌", "badge"),
    "passphrase": Text("口令", "passphrase"),
    "pin": Text("PIN", "PIN"),
    "recovery": Text("单位恢复密钥", "recovery key"),
}


def device_page(line: DeviceLine, acts: Sequence[Act], language: Language) -> RenderableType:
    """Return the page of `admin device show`; ⚠ marks what deserves a look, a dash what it never said."""
    device = line.device
    table = Table(
        show_header=False, title=f"{shown(device.id)} {escape(visible(device.model))}", title_justify="left"
    )
    contact = moment(device.contact_ms) if has_called(device) else _said(Text("从未联系", "never called"), language)
    held = str(line.held)
    rows = (
        (Text("持有人", "Holder"), visible(f"{line.staff_no} {line.holder}")),
        (Text("状态", "Status"), device_state(device.status, language)),
        (Text("登记", "Enrolled"), moment(device.enrolled_ms)),
        (Text("最近联系", "Last contact"), contact),
        (Text("时钟", "Clock"), clock_said(device.clock_ahead_ms, language)),
        (Text("未发出", "Unsent"), _unsent(device)),
        (Text("暂存待核对", "Held"), held),
        (Text("程序", "App"), visible(reported_text(device, "app") or device.app)),
        *_own_word(device.about, language),
        *_order(device, language),
    )
    for label, text in rows:
        table.add_row(_said(label, language), escape(text))
    return Group(table, acts_table(acts, language)) if acts else table


def _own_word(said: Mapping[str, Value], language: Language) -> list[tuple[Text, str]]:
    """Return what the device said about itself."""
    scopes, kinds = said.get(about.SCOPES), said.get(about.KINDS)
    is_newest = kinds == shipped_version()
    return [
        (Text("协议版本", "Protocol"), _number(said.get(about.PROTOCOL), "")),
        (Text("表单版本", "Kinds"), "—" if kinds is None else f"{'' if is_newest else '⚠ '}{visible(str(kinds))}"),
        (Text("开锁方式", "Opened by"), _keys(said, language)),
        (Text("剩余存储", "Free storage"), _number(said.get(about.FREE_MB), " MiB", at_least=True)),
        (Text("电量", "Battery"), _number(said.get(about.BATTERY), " %", at_least=True)),
        (Text("本机范围", "Scopes held"), "、".join(visible(str(each)) for each in _listed(scopes)) or "—"),
    ]


def _order(device: Device, language: Language) -> list[tuple[Text, str]]:
    """Return how far a wipe has come: ordered, fetched, acknowledged."""
    rows = []
    if device.wipe_ordered_ms is not None:
        fetched = device.order_fetched_ms
        not_yet = _said(Text("还没有取走", "not fetched yet"), language)
        rows.append((Text("清除指令", "Told to wipe"), f"{moment(device.wipe_ordered_ms)} (no. {device.order})"))
        rows.append((Text("终端取走指令", "Fetched"), not_yet if fetched is None else moment(fetched)))
    if device.wiped_ms is not None:
        rows.append((Text("终端确认已清除", "Wiped, it says"), moment(device.wiped_ms)))
    refused = device.about.get(about.REFUSED_ORDER)
    if refused is not None:
        rows.append((Text("⚠ 拒绝过指令", "⚠ Refused an order"), visible(str(refused))))
    return rows


def _unsent(device: Device) -> str:
    count, oldest_ms = reported(device, "unsent"), reported(device, "oldest_ms")
    if count is None:
        return "—"
    return f"{count} (≥ {moment(oldest_ms)})" if count and oldest_ms is not None else str(count)


def _keys(said: Mapping[str, Value], language: Language) -> str:
    names = [
        _said(_KEYS.get(str(each), Text(str(each), str(each))), language) for each in _listed(said.get(about.KEYS))
    ]
    weak = _said(Text("⚠ 弱", "⚠ weak"), language) if said.get(about.WEAK) else ""
    return " ".join(each for each in (weak, visible("、".join(names))) if each) or "—"


def _number(value: Value, unit: str, *, at_least: bool = False) -> str:
    return f"{'≥ ' if at_least else ''}{value}{unit}" if isinstance(value, int) else "—"


def _listed(value: Value) -> list[Value]:
    return value if isinstance(value, list) else []


def _said(text: Text, language: Language) -> str:
    return text.spoken(language)
