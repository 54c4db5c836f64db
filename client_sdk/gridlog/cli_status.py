"""What the `gridlog` command says about the store as a whole: enrolled, synchronised, unreachable, how it stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text as Line

from gridlog_protocol.kinds.presenting import visible
from gridlog_protocol.texts import Language, Text

from .cli_times import DAY_MS, ago, spelled_out
from .records import SyncReport, SyncStatus, SyncTurn

SILENT_DAYS_MAX = 3
"""After so many days without contact the status is red: people then ask themselves whether their work is safe."""


def enrolled_page(status: SyncStatus, store: Path, language: Language) -> RenderableType:
    """Return what `enrol` says: who, where, and what comes next."""
    say = _speaker(language)
    name, tenant, grids = visible(status.user_name), visible(status.tenant_name), _grids(status, language)
    return Group(
        Line(say(f"已登记：{name}，{tenant}，{grids}。", f"Enrolled: {name}, {tenant}, {grids}."), style="green"),
        Line(
            say(f"数据加密存放在 {store}。", f"Records are kept encrypted in {store}.")
            + say("接着运行 gridlog sync 取回网格里已有的记录。", " Next: gridlog sync fetches what your grids have.")
        ),
    )


def enrol_later_text(text: Text) -> Text:
    """Say that the code is still good: nothing reached the server."""
    first_zh, first_en = text.zh.partition("。")[0], text.en.partition(". ")[0]
    return Text(
        f"{first_zh}。还没有登记；有网络时用同一个登记码再运行一次。",
        f"{first_en}. Nothing is enrolled yet: run it again with the same code when there is a network.",
    )


def sync_page(report: SyncReport, status: SyncStatus, language: Language) -> RenderableType:
    """Return how an exchange went, in words."""
    say = _speaker(language)
    up, down = _size(report.bytes_up), _size(report.bytes_down)
    lines = [
        Line(say("同步了一部分。", "Synchronised in part."), style="yellow")
        if report.more_waits
        else Line(say("同步完成。", "Synchronised."), style="green"),
        Line(_carried(report).spoken(language)),
    ]
    if report.held:
        zh = f"其中 {report.held} 项服务器已收到，待核对：gridlog held"
        lines.append(Line(say(zh, f"{report.held} of them held for review: gridlog held"), style="magenta"))
    if status.rejected:
        zh = f"⚠ {status.rejected} 项修改未被采纳，理由见：gridlog held"
        en = f"⚠ {_counted(status.rejected, 'change')} not accepted; why: gridlog held"
        lines.append(Line(say(zh, en), style="red"))
    if status.conflicts:
        zh = f"⚠ {status.conflicts} 条记录有冲突：gridlog conflicts"
        lines.append(
            Line(say(zh, f"⚠ {_counted(status.conflicts, 'record')} in conflict: gridlog conflicts"), style="red")
        )
    if report.more_waits:
        zh, en = "流量已用完，还有内容没有同步，下次继续。", "The budget is spent; the rest waits for the next time."
        lines.append(Line(say(zh, en), style="yellow"))
    if report.is_equal:
        lines.append(Line(say("本机与服务器内容一致。", "This device and the server hold the same.")))
    if report.is_equal is False:
        zh = "⚠ 本机与服务器内容不一致，请再同步一次；仍不一致请告诉管理员。"
        en = "⚠ This device and the server differ. Synchronise again; if it stays, tell your administrator."
        lines.append(Line(say(zh, en), style="red"))
    lines += _clock_lines(report.clock_warning, language)
    trips = _counted(report.round_trips, "round trip")
    lines.append(
        Line(
            say(f"上行 {up}，下行 {down}，往返 {report.round_trips} 次。", f"{up} up, {down} down, {trips}."),
            style="dim",
        )
    )
    return Group(*lines)


def turn_line(turn: SyncTurn, at_ms: int, language: Language) -> RenderableType:
    """Return one turn of `sync --keep` in one line: when, what came through, what was wrong, and the pause."""
    say = _speaker(language)
    when = spelled_out(at_ms, language)
    carried = _carried(turn.report).spoken(language)
    if turn.trouble is None:
        return Line(f"{when}  {carried}", style="green" if turn.report.is_equal is not False else "red")
    pause = max(0, round(turn.pause_s))
    again = say(f"{pause} 秒后再试。", f"Trying again in {pause} s.") if pause else say("马上再试。", "Trying again.")
    sentences = [turn.trouble.text.spoken(language), again]
    if turn.report.round_trips:
        sentences.insert(0, carried)
    return Line(f"{when}  " + say("", " ").join(sentences), style="yellow")


def unreachable_text(text: Text, status: SyncStatus) -> Text:
    """Say that nothing is lost, and how much waits."""
    if not status.pending:
        return Text(f"{text.zh}没有等待发送的修改。", f"{text.en} Nothing waits to be sent.")
    waiting = _counted(status.pending, "change")
    verb = "waits" if status.pending == 1 else "wait"
    return Text(
        f"{text.zh}什么都没有丢：{status.pending} 项修改在本机等待。",
        f"{text.en} Nothing is lost: {waiting} {verb} on this device.",
    )


def status_page(status: SyncStatus, now_ms: int, language: Language) -> RenderableType:
    """Return the trust screen: who, what waits, and when the server was last heard."""
    say = _speaker(language)
    table = Table(show_header=False)
    rows = (
        (Text("没填完的草稿", "Drafts to finish"), status.drafts, "yellow", "gridlog drafts"),
        (Text("等待发送的修改", "Changes waiting to be sent"), status.pending, "yellow", "gridlog pending"),
        (Text("待核对的修改", "Changes held for review"), status.held, "magenta", "gridlog held"),
        (Text("未被采纳的修改", "Changes not accepted"), status.rejected, "red", "gridlog held"),
        (Text("有冲突的记录", "Records in conflict"), status.conflicts, "red", "gridlog conflicts"),
        (Text("本机的记录", "Records on this device"), status.records, "", ""),
    )
    for label, number, style, command in rows:
        table.add_row(
            label.spoken(language), Line(str(number), style=style if number else ""), command if number else ""
        )
    name, tenant = visible(status.user_name), visible(status.tenant_name)
    return Group(
        Line(
            say(f"{name}，{tenant}，{_grids(status, language)}", f"{name}, {tenant}, {_grids(status, language)}"),
            style="bold",
        ),
        table,
        _contact_line(status.last_contact_ms, now_ms, language),
        *_clock_lines(status.clock_warning, language),
    )


def _clock_lines(warning: Text | None, language: Language) -> list[Line]:
    return [Line(f"⚠ {warning.spoken(language)}", style="yellow")] if warning else []


def _contact_line(contact_ms: int, now_ms: int, language: Language) -> Line:
    say = _speaker(language)
    if not contact_ms:
        zh, en = "⚠ 还没有同步过，请运行 gridlog sync。", "⚠ Never synchronised. Run gridlog sync."
        return Line(say(zh, en), style="red")
    when = spelled_out(contact_ms, language)
    how_long = ago(max(now_ms - contact_ms, 0)).spoken(language)
    line = say(f"上次联系服务器：{when}（{how_long}）", f"Last contact with the server: {when} ({how_long})")
    if now_ms - contact_ms <= SILENT_DAYS_MAX * DAY_MS:
        return Line(line, style="green")
    zh, en = (
        f"⚠ {line}。超过 {SILENT_DAYS_MAX} 天没有联系，请找有网络的地方同步。",
        f"⚠ {line}. That is over {SILENT_DAYS_MAX} days: find a network and synchronise.",
    )
    return Line(say(zh, en), style="red")


def _grids(status: SyncStatus, language: Language) -> str:
    grids = [visible(each) for each in status.scopes if each != "tenant"]
    if language == "zh":
        return f"网格 {'、'.join(grids)}" if grids else "没有网格"
    return f"grid{'s' * (len(grids) > 1)} {', '.join(grids)}" if grids else "no grid"


def _carried(report: SyncReport) -> Text:
    return Text(
        f"发出 {report.sent} 项修改，收到 {report.received} 条记录。",
        f"Sent {_counted(report.sent, 'change')}, received {_counted(report.received, 'record')}.",
    )


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _size(count: int) -> str:
    return (
        f"{count} B" if count < 1000 else f"{count / 1000:.1f} kB" if count < 1_000_000 else f"{count / 1e6:.1f} MB"
    )


def _speaker(language: Language) -> Callable[[str, str], str]:
    return lambda zh, en: Text(zh, en).spoken(language)
