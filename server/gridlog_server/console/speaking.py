"""Say things in the reader's language and the office's zone: sentences, dates spelled out, numbers, spans."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo

from babel.dates import format_date, format_datetime, format_timedelta
from babel.numbers import format_decimal

from gridlog_protocol.texts import Language, Text

_LOCALES = {"zh": "zh_Hans_CN", "en": "en_GB"}
_WHOLE = {"zh": "y年M月d日 EEE HH:mm", "en": "EEE d MMM y, HH:mm"}
_SHORT = {"zh": "M月d日 HH:mm", "en": "d MMM HH:mm"}
_SHORT_OF_ANOTHER_YEAR = {"zh": "y年M月d日 HH:mm", "en": "d MMM y HH:mm"}
_SECONDS = {"zh": "y年M月d日 EEE HH:mm:ss", "en": "EEE d MMM y, HH:mm:ss"}
_SOON_MS = 45_000


@dataclass(frozen=True, slots=True)
class Speech:
    """How this reader is spoken to. `now_ms` is when the page was made."""

    language: Language
    zone: tzinfo
    now_ms: int

    @property
    def html_language(self) -> str:
        """The tag that a screen reader goes by."""
        return "zh-Hans" if self.language == "zh" else "en"

    def t(self, zh: str, en: str) -> str:
        """Return the one of two sentences that this reader reads."""
        return zh if self.language == "zh" else en

    def text(self, text: Text) -> str:
        """Return a text in this reader's language."""
        return text.spoken(self.language)

    def moment(self, at_ms: int) -> str:
        """Return a moment with its date spelled out: `2026年11月23日 周一 08:03`."""
        return self._formatted(at_ms, _WHOLE)

    def second(self, at_ms: int) -> str:
        """Return a moment to the second."""
        return self._formatted(at_ms, _SECONDS)

    def short(self, at_ms: int) -> str:
        """Return a moment for a line of a list; of another year with the year."""
        is_this_year = self._local(at_ms).year == self._local(self.now_ms).year
        return self._formatted(at_ms, _SHORT if is_this_year else _SHORT_OF_ANOTHER_YEAR)

    def iso(self, at_ms: int) -> str:
        """Return a moment as `<time datetime>` has it."""
        return self._local(at_ms).isoformat(timespec="seconds")

    def day(self, at_ms: int) -> str:
        """Return the date alone."""
        return format_date(self._local(at_ms).date(), "full", locale=_LOCALES[self.language])

    def ago(self, at_ms: int) -> str:
        """Return how long ago that was: `3小时前`."""
        past_ms = self.now_ms - at_ms
        if abs(past_ms) < _SOON_MS:
            return self.t("刚刚", "just now")
        return format_timedelta(-past_ms // 1000, add_direction=True, locale=_LOCALES[self.language])

    def span(self, length_ms: int) -> str:
        """Return how long something is: `3小时`."""
        return format_timedelta(length_ms // 1000, locale=_LOCALES[self.language])

    def number(self, number: int) -> str:
        """Return a number with its groups."""
        return format_decimal(number, locale=_LOCALES[self.language])

    def _formatted(self, at_ms: int, patterns: dict[str, str]) -> str:
        return format_datetime(self._local(at_ms), patterns[self.language], locale=_LOCALES[self.language])

    def _local(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, self.zone)
