"""What the app says and in which language; times in the local zone with the date spelled out."""

from __future__ import annotations

from datetime import UTC, date, datetime

from aiohttp import web
from babel.dates import format_date, format_datetime, format_time

from gridlog_protocol.kinds.times import moment_ms
from gridlog_protocol.texts import Language, Text, language_of

LANGUAGE_COOKIE = "gridlog-language"

_LOCALES: dict[Language, str] = {"zh": "zh_Hans_CN", "en": "en_GB"}
_DATES: dict[Language, str] = {"zh": "y年M月d日 EEEE", "en": "EEEE, d MMMM y"}
_SHORT_DATES: dict[Language, str] = {"zh": "M月d日 EEE", "en": "EEE d MMM"}
_AGO = (
    (86_400_000, Text("{count} 天前", "{count} days ago"), Text("1 天前", "1 day ago")),
    (3_600_000, Text("{count} 小时前", "{count} hours ago"), Text("1 小时前", "1 hour ago")),
    (60_000, Text("{count} 分钟前", "{count} minutes ago"), Text("1 分钟前", "1 minute ago")),
)
_JUST_NOW = Text("刚刚", "just now")


def language_for(request: web.Request, fallback: str | None) -> Language:
    """Return the language that the worker chose, or that the phone was started with."""
    return language_of(request.cookies.get(LANGUAGE_COOKIE), fallback)


def spelled_ms(milliseconds: int, language: Language) -> str:
    """Return `2026年11月22日 星期日 09:10`, or `Sunday, 22 November 2026, 09:10`, in the local zone."""
    at = local(milliseconds)
    day = format_date(at, _DATES[language], locale=_LOCALES[language])
    return f"{day}{' ' if language == 'zh' else ', '}{at:%H:%M}"


def short_ms(milliseconds: int, language: Language) -> str:
    """Return a time for a line of a list: today only the clock, else `11月22日 周日 09:10`."""
    at = local(milliseconds)
    if at.date() == datetime.now(UTC).astimezone().date():
        today = Text("今天", "Today").spoken(language)
        return f"{today} {format_time(at, 'HH:mm', locale=_LOCALES[language])}"
    return format_datetime(at, f"{_SHORT_DATES[language]} HH:mm", locale=_LOCALES[language])


def spelled_day(day: str, language: Language) -> str:
    """Return `2026年11月22日 星期日`; what is no date stays as it is."""
    try:
        return format_date(date.fromisoformat(day), _DATES[language], locale=_LOCALES[language])
    except ValueError:
        return day


def spelled_moment(moment: str, language: Language) -> str:
    """Return a moment in the local zone, spelled out; what is no moment stays as it is."""
    at_ms = moment_ms(moment)
    return moment if at_ms is None else spelled_ms(at_ms, language)


def ago(elapsed_ms: int) -> Text:
    """Return how long ago something was."""
    for span_ms, several, single in _AGO:
        count = elapsed_ms // span_ms
        if count >= 1:
            return single if count == 1 else several.filled(count=count)
    return _JUST_NOW


def local(milliseconds: int) -> datetime:
    """Return Unix milliseconds in the zone of this machine."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).astimezone()


def now_text() -> str:
    """Return this moment as records have it, with the local offset."""
    return datetime.now(UTC).astimezone().isoformat(timespec="seconds")
