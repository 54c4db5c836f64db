"""Read one plain value as somebody types it: a word, a number, a time, a place, an option, a name.

Form is forgiven, meaning never: full-width characters and labels in either language are read; what cannot be read is
refused with a sentence that says what to type.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import (
    Amount,
    Choice,
    Day,
    Digest32,
    Flag,
    Identity,
    Moment,
    Point,
    Reference,
    ValueType,
    Whole,
    Words,
)
from gridlog_protocol.kinds.sentences import sentence
from gridlog_protocol.kinds.times import day_number, moment_ms
from gridlog_protocol.texts import Text

BETWEEN_ITEMS = re.compile(r"[,，、;；\n]")

_YES = frozenset({"yes", "y", "true", "1", "是", "对", "有"})
_NO = frozenset({"no", "n", "false", "0", "否", "不", "无"})
_NOW = frozenset({"now", "现在"})
_TODAY = frozenset({"today", "今天", *_NOW})
_ME = frozenset({"me", "我", "本人"})
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_DECIMAL = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,20})?")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_DATE = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?")
_OFFSET = re.compile(r"(?:Z|[+-][0-9]{2}:?[0-9]{2})$")
_UNITS_A_DEGREE = 100_000


class WrongValueError(ValueError):
    """What was typed cannot be read as a value of its field. `text` names the field and what to type instead."""

    def __init__(self, text: Text) -> None:
        super().__init__(text.en)
        self.text = text


@dataclass(frozen=True, slots=True)
class Typist:
    """Who types, and when: what “me” and “now” stand for. `now` is a moment with its offset."""

    me: bytes
    now: str


def read_plain(type_: ValueType, text: str, label: Text, typist: Typist) -> Value:
    """Return the value that `text` says; `label` is what the field is called. Raises WrongValueError."""
    if isinstance(type_, Words):
        return text
    text = unicodedata.normalize("NFKC", text).strip()
    match type_:
        case Choice():
            return _option(type_, text, label)
        case Flag():
            return _flag(text, label)
        case Whole() | Amount():
            return _number(type_, text, label)
        case Moment() | Day():
            return _time(type_, text, label, typist.now)
        case Point():
            return read_point(BETWEEN_ITEMS.split(text), label)
        case Identity() | Reference() | Digest32():
            return _name(type_, text, label, typist.me)
        case _:
            return text


def read_point(parts: Sequence[str], label: Text) -> list[Value]:
    """Return the place of a latitude and a longitude in degrees. Raises WrongValueError."""
    place: list[Value] = [hundred_thousandths(part) for part in parts]
    if len(place) != 2 or None in place:
        raise WrongValueError(
            Text(
                f"“{label.zh}”请填纬度和经度，如“30.54321, 114.31234”。",
                f"Enter “{label.en}” as latitude and longitude, such as “30.54321, 114.31234”.",
            )
        )
    return place


def hundred_thousandths(degrees: str) -> int | None:
    """Return degrees in units of 1e-5 degrees, or None if it is not a plain decimal number."""
    text = degrees.strip()
    return round(Decimal(text) * _UNITS_A_DEGREE) if _DECIMAL.fullmatch(text) else None


def wrong(rule: str, label: Text, **facts: Text | str | int) -> WrongValueError:
    """Return the error for a broken rule about the field called `label`."""
    return WrongValueError(sentence(rule, label, **facts))


def _option(type_: Choice, text: str, label: Text) -> str:
    wanted = text.casefold()
    for option in type_.options:
        names = (option.value, option.label.zh, option.label.en)
        if wanted in (unicodedata.normalize("NFKC", name).casefold() for name in names):
            return option.value
    refusal = sentence("not_an_option", label)
    zh = "、".join(f"{option.label.zh}（{option.value}）" for option in type_.options)
    en = ", ".join(option.value for option in type_.options)
    raise WrongValueError(Text(f"{refusal.zh}有：{zh}。", f"{refusal.en} They are: {en}."))


def _flag(text: str, label: Text) -> bool:
    wanted = text.casefold()
    if wanted not in _YES | _NO:
        raise WrongValueError(Text(f"“{label.zh}”请填“是”或“否”。", f"Say yes or no for “{label.en}”."))
    return wanted in _YES


def _number(type_: Whole | Amount, text: str, label: Text) -> int | str:
    if isinstance(type_, Whole):
        if not _WHOLE.fullmatch(text):
            raise wrong("not_a_number", label)
        return int(text)
    if _DECIMAL.fullmatch(text):
        number = Decimal(text)
        rounded = round(number, type_.scale)
        if rounded == number:
            # One number, one text: an amount always has its decimals, and there is no minus nought.
            return f"{abs(rounded) if rounded == 0 else rounded:.{type_.scale}f}"
    raise wrong("not_an_amount", label, example=f"12.{'5'.ljust(type_.scale, '0')}" if type_.scale else "12")


def _time(type_: Moment | Day, text: str, label: Text, now: str) -> str:
    if isinstance(type_, Day):
        day = now[:10] if text.casefold() in _TODAY else _date(text)
        if day is None or day_number(day) is None:
            raise WrongValueError(
                Text(
                    f"“{label.zh}”请填日期，如 {now[:10]}，或“今天”。",
                    f"Enter “{label.en}” as a date such as {now[:10]}, or “today”.",
                )
            )
        return day
    moment = now if text.casefold() in _NOW else _moment(text, now)
    if moment is None or moment_ms(moment) is None:
        example = f"{now[:10]} {now[11:16]}"
        raise WrongValueError(
            Text(
                f"“{label.zh}”请填日期和时间，如“{example}”，或“现在”。",
                f"Enter “{label.en}” as a date and time such as “{example}”, or “now”.",
            )
        )
    return moment


def _moment(text: str, now: str) -> str | None:
    """Read `09:10` (today), `2026-11-22 09:10` or ISO 8601. Without an offset it is the one that holds now."""
    found = _OFFSET.search(text)
    offset = found.group().replace("Z", "+00:00") if found else now[-6:]
    if len(offset) == 5:
        offset = f"{offset[:3]}:{offset[3:]}"
    parts = (text[: found.start()] if found else text).replace("T", " ").split()
    day = _date(parts[0]) if len(parts) == 2 else now[:10]
    clock = _CLOCK.fullmatch(parts[-1]) if 1 <= len(parts) <= 2 else None
    if day is None or clock is None:
        return None
    hours, minutes, seconds = clock.groups()
    return f"{day}T{int(hours):02d}:{minutes}:{seconds or '00'}{offset}"


def _date(text: str) -> str | None:
    found = _DATE.fullmatch(text)
    return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}" if found else None


def _name(type_: Identity | Reference | Digest32, text: str, label: Text, me: bytes) -> Value:
    if isinstance(type_, Reference) and type_.form == "code":
        return text
    if isinstance(type_, Reference) and type_.to == "user" and text.casefold() in _ME:
        return me
    size = 32 if isinstance(type_, Digest32) else 16
    digits = text.replace("-", "").lower()
    if re.fullmatch(rf"[0-9a-f]{{{2 * size}}}", digits):
        return bytes.fromhex(digits)
    if isinstance(type_, Reference) and type_.name_characters_max is not None:
        return text
    zh, en = (
        f"“{label.zh}”请填完整的标识，{2 * size} 位。",
        f"Enter the whole id for “{label.en}”, {2 * size} digits.",
    )
    if isinstance(type_, Reference) and type_.to == "user":
        zh, en = f"{zh}本人可填“我”。", f"{en} For yourself, say “me”."
    raise WrongValueError(Text(zh, en))
