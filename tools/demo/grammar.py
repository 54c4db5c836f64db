"""Make up the texts that field workers write. Pure: the same `random.Random` gives the same texts.

An entry of the vocabulary is a sentence with slots: `{word}` is replaced by an entry of that list,
`{3-12}` and `{200-900:50}` by a number of that range and step, `{a}`, `{b}` and `{who}` by people
that stay the same through one text, and `{.part}` by a part of the story that is being told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from tools.demo.vocabulary import Entries, Half, Story, Vocabulary

SHORT_CHARACTERS = (20, 80)
DIARY_CHARACTERS = (50, 200)
LONG_CHARACTERS = (200, 800)

SessionResult = Literal["continue", "agreed", "failed"]

_SLOT = re.compile(r"\{([^{}]+)\}")
_RANGE = re.compile(r"(\d+)-(\d+)(?::(\d+))?")
_ATTEMPTS_MAX = 500


@dataclass(slots=True)
class _Telling:
    """One text in the making. It does not use the same sentence twice while others are left."""

    rng: Random
    lists: Mapping[str, Entries]
    bound: Mapping[str, str]
    used: set[str] = field(default_factory=set)

    def tell(self, rule: str) -> str:
        entries = self.lists[rule]
        entry = self.rng.choice(entries)
        if entry in self.used:
            entry = self.rng.choice([one for one in entries if one not in self.used] or entries)
        self.used.add(entry)
        return _SLOT.sub(self._fill, entry)

    def _fill(self, slot: re.Match[str]) -> str:
        name = slot[1]
        if name in self.bound:
            return self.bound[name]
        if span := _RANGE.fullmatch(name):
            first, last, step = int(span[1]), int(span[2]), int(span[3] or 1)
            return str(self.rng.randrange(first, last + 1, step))
        return self.tell(name)


@dataclass(frozen=True, slots=True)
class Grammar:
    """Everything a worker may write, out of one vocabulary."""

    vocabulary: Vocabulary

    @classmethod
    def load(cls, half: Half | None = None) -> Grammar:
        """Use the project's vocabulary: one half of it, or all."""
        vocabulary = Vocabulary.load()
        return cls(vocabulary if half is None else vocabulary.half(half))

    def word(self, rng: Random, rule: str) -> str:
        """Return one filled-in entry of a list: a `name`, `place`, `home`, `venue` or any other."""
        return _Telling(rng, self.vocabulary.rules, {}).tell(rule)

    def finding(self, rng: Random) -> str:
        """Tell what a patrol found at one point: 20–80 characters."""
        return self._fitting(rng, "finding", SHORT_CHARACTERS)

    def patrol_summary(self, rng: Random, *, walked: int | None = None, daytime: str = "") -> str:
        """Sum up a patrol of so many points at that time of day: 20–80 characters."""
        known = {"walked": str(walked or ""), "daytime": daytime}
        bound = {name: told for name, told in known.items() if told}
        return self._fitting(rng, "summary", SHORT_CHARACTERS, bound)

    def visit_content(self, rng: Random, *, who: str, is_phone: bool = False) -> str:
        """Write a diary entry of a visit to `who`: 50–200 characters."""
        rule = "phone_content" if is_phone else "content"
        return self._fitting(rng, rule, DIARY_CHARACTERS, {"who": who})

    def demand(self, rng: Random) -> str:
        """Tell what a resident asks for."""
        return self.word(rng, "demand")

    def suggestion(self, rng: Random) -> str:
        """Tell what a resident proposes."""
        return self.word(rng, "suggestion")

    def story(self, rng: Random, category: str | None = None) -> Story:
        """Choose a quarrel, of the given category if there is one."""
        stories = self.vocabulary.stories
        if category is not None:
            stories = tuple(story for story in stories if story.category == category)
        return rng.choice(stories)

    def mediation_facts(self, rng: Random, story: Story, *, a: str, b: str) -> str:
        """Tell a quarrel as a mediator takes it down: 200–800 characters."""
        return self._fitting(rng, "facts", LONG_CHARACTERS, {"a": a, "b": b}, story)

    def session_note(self, rng: Random, story: Story, *, a: str, b: str, result: SessionResult) -> str:
        """Tell how a session went and ended: 200–800 characters."""
        return self._fitting(rng, f"session_{result}", LONG_CHARACTERS, {"a": a, "b": b}, story)

    def claim(self, rng: Random, story: Story, *, side: Literal["a", "b"], a: str, b: str) -> str:
        """Quote what one side of a quarrel says."""
        return self._told(rng, f".{side}", {"a": a, "b": b}, story)

    def settlement(self, rng: Random, story: Story, *, a: str, b: str) -> str:
        """Tell what both sides agree to."""
        return self._told(rng, ".settle", {"a": a, "b": b}, story)

    def _told(self, rng: Random, rule: str, bound: Mapping[str, str], story: Story | None) -> str:
        lists = dict(self.vocabulary.rules)
        if story is not None:
            lists |= {f".{part}": entries for part, entries in story.parts.items()}
        return _Telling(rng, lists, bound).tell(rule)

    def _fitting(
        self,
        rng: Random,
        rule: str,
        characters: tuple[int, int],
        bound: Mapping[str, str] | None = None,
        story: Story | None = None,
    ) -> str:
        """Tell until the text has a fitting length: most do at once."""
        shortest, longest = characters
        for _ in range(_ATTEMPTS_MAX):
            text = self._told(rng, rule, bound or {}, story)
            if shortest <= len(text) <= longest:
                return text
        raise AssertionError(f"no text of {rule} has {shortest} to {longest} characters")
