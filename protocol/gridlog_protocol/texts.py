"""A sentence for people, in every language the product speaks.

Chinese comes first: it is what most readers see. Texts are data, so that a form, an error and a list say the
same thing by the same words.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")


def language_of(*wishes: str | None) -> Language:
    """Return the first language that one of the wishes names (`en`, `zh_CN.UTF-8` …), or else Chinese."""
    for wish in wishes:
        for language in LANGUAGES:
            if wish and wish.lower().startswith(language):
                return language
    return "zh"


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence or label in Simplified Chinese and in English."""

    zh: str
    en: str

    def spoken(self, language: Language) -> str:
        """Return the sentence in `language`."""
        return self.zh if language == "zh" else self.en

    def filled(self, **facts: object) -> Text:
        """Return the same text with `{names}` replaced by `facts` in both languages."""
        return Text(self.zh.format(**facts), self.en.format(**facts))


_SPANS = (
    (86_400_000, Text("{count} 天", "{count} days")),
    (3_600_000, Text("{count} 小时", "{count} hours")),
    (60_000, Text("{count} 分钟", "{count} minutes")),
)


def span_text(duration_ms: int) -> Text:
    """Return how long something is, rounded, in the largest unit of which there are two: 26 hours, not one day."""
    for unit_ms, words in _SPANS:
        if duration_ms >= 2 * unit_ms:
            return words.filled(count=(duration_ms + unit_ms // 2) // unit_ms)
    return Text("不到 2 分钟", "less than 2 minutes")
