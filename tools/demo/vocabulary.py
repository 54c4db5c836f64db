"""The words and sentences that invented texts are made of, read from `data/*.toml`.

It splits into two halves that share no entry, so that a compression dictionary can be trained on
one (`TRAINING`) and measured honestly on the other (`MEASURING`).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Literal

RULE_FILES = ("people_places.toml", "patrol.toml", "visit.toml", "mediation.toml")
WIDE_FILE = "wide.toml"
STORY_FILE = "stories.toml"

Entries = tuple[str, ...]
Half = Literal[0, 1]
TRAINING: Half = 0
MEASURING: Half = 1


@dataclass(frozen=True, slots=True)
class Story:
    """One quarrel that hangs together: what happened, what each side says, how it may be settled."""

    category: str
    parts: Mapping[str, Entries]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Lists of entries by name, and stories. An entry may have slots that name other lists."""

    rules: Mapping[str, Entries]
    stories: tuple[Story, ...]

    @classmethod
    def load(cls) -> Vocabulary:
        """Read the project's own vocabulary."""
        rules: dict[str, Entries] = {}
        for name in RULE_FILES:
            for rule, entries in _toml(name).items():
                assert rule not in rules, f"{name}: {rule} is defined twice"
                rules[rule] = tuple(entries)
        for rule, entries in _toml(WIDE_FILE).items():
            rules[rule] = (*rules.get(rule, ()), *entries.split())
        return cls(rules, tuple(_stories(_toml(STORY_FILE)["story"])))

    def half(self, which: Half) -> Vocabulary:
        """Take every other entry of every list, and every other story of each category.

        A list of one entry only joins others and says nothing itself: both halves have it.
        """
        taken: list[Story] = []
        turn: dict[str, int] = {}
        for story in self.stories:
            position = turn.get(story.category, 0)
            turn[story.category] = position + 1
            if position % 2 == which:
                taken.append(story)
        rules = {rule: entries[which::2] if len(entries) > 1 else entries for rule, entries in self.rules.items()}
        return Vocabulary(rules, tuple(taken))

    @property
    def categories(self) -> tuple[str, ...]:
        """The kinds of dispute that have stories, in the order of the file."""
        return tuple(dict.fromkeys(story.category for story in self.stories))


def _toml(name: str) -> dict[str, Any]:
    return tomllib.loads((files("tools.demo") / "data" / name).read_text("utf-8"))


def _stories(rows: Iterable[Mapping[str, Any]]) -> Iterable[Story]:
    """Take the stories out of their tables: entries at the same position belong together."""
    for row in rows:
        names = [name for name in row if name != "category"]
        for entries in zip(*(row[name] for name in names), strict=True):
            parts = {name: (entry,) for name, entry in zip(names, entries, strict=True)}
            yield Story(row["category"], parts)
