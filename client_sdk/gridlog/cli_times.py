"""Say a time as people do: in the local zone, with the date spelled out, and how long ago it was."""

from __future__ import annotations

from datetime import datetime

from gridlog_protocol.texts import Language, Text

DAY_MS = 24 * 3600 * 1000
_WEEKDAYS = (
    Text("星期一", "Monday"),
    Text("星期二", "Tuesday"),
    Text("星期三", "Wednesday"),
    Text("星期四", "Thursday"),
    Text("星期五", "Friday"),
    Text("星期六", "Saturday"),
    Text("星期日", "Sunday"),
)
_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_SPANS = (
    (DAY_MS, Text("{count} 天", "{count} days"), Text("1 天", "1 day")),
    (DAY_MS // 24, Text("{count} 小时", "{count} hours"), Text("1 小时", "1 hour")),
    (60_000, Text("{count} 分钟", "{count} minutes"), Text("1 分钟", "1 minute")),
)


def written(milliseconds: int) -> str:
    """Return a time for a table: `2026-11-22 09:10`."""
    return _local(milliseconds).strftime("%Y-%m-%d %H:%M")


def spelled_out(milliseconds: int, language: Language) -> str:
    """Return a time with its date spelled out: `2026年11月22日 星期日 09:10`."""
    at = _local(milliseconds)
    clock = at.strftime("%H:%M")
    weekday = _WEEKDAYS[at.weekday()].spoken(language)
    if language == "zh":
        return f"{at.year}年{at.month}月{at.day}日 {weekday} {clock}"
    return f"{weekday}, {at.day} {_MONTHS[at.month - 1]} {at.year}, {clock}"


def ago(elapsed_ms: int) -> Text:
    """Return how long ago something was."""
    for span_ms, several, single in _SPANS:
        count = elapsed_ms // span_ms
        if count >= 1:
            words = single if count == 1 else several.filled(count=count)
            return Text(f"{words.zh}前", f"{words.en} ago")
    return Text("刚刚", "just now")


def _local(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000).astimezone()
