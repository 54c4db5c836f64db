"""The invented texts: long enough, seldom the same, and in two halves that share nothing."""

import re
import zlib
from collections.abc import Callable
from random import Random

import pytest

from gridlog_protocol.canonical import Value
from gridlog_protocol.kinds import Choice, check_value, shipped_kinds
from tools.bench.records import forms
from tools.demo.grammar import (
    DIARY_CHARACTERS,
    LONG_CHARACTERS,
    SHORT_CHARACTERS,
    Grammar,
    SessionResult,
)
from tools.demo.vocabulary import MEASURING, TRAINING, Half, Vocabulary
from tools.dice import dice

Tell = Callable[[Grammar, Random], str]
RESULTS: tuple[SessionResult, ...] = ("continue", "agreed", "failed")


def visit(grammar: Grammar, rng: Random) -> str:
    return grammar.visit_content(rng, who=grammar.word(rng, "polite"), is_phone=rng.random() < 0.1)


def facts(grammar: Grammar, rng: Random) -> str:
    a, b = grammar.word(rng, "name"), grammar.word(rng, "name")
    return grammar.mediation_facts(rng, grammar.story(rng), a=a, b=b)


def session_note(grammar: Grammar, rng: Random) -> str:
    a, b = grammar.word(rng, "name"), grammar.word(rng, "name")
    return grammar.session_note(rng, grammar.story(rng), a=a, b=b, result=rng.choice(RESULTS))


KINDS_OF_TEXT: dict[str, tuple[Tell, tuple[int, int]]] = {
    "finding": (Grammar.finding, SHORT_CHARACTERS),
    "summary": (Grammar.patrol_summary, SHORT_CHARACTERS),
    "visit": (visit, DIARY_CHARACTERS),
    "facts": (facts, LONG_CHARACTERS),
    "session": (session_note, LONG_CHARACTERS),
    "demand": (Grammar.demand, (10, 200)),
    "suggestion": (Grammar.suggestion, (10, 200)),
}


@pytest.mark.parametrize(("half", "count"), [(None, 8_000), (0, 4_000), (1, 4_000)])
@pytest.mark.parametrize("name", KINDS_OF_TEXT)
def test_texts_fit_their_length_and_fewer_than_one_in_a_hundred_repeats(
    name: str, half: Half | None, count: int
) -> None:
    tell, (shortest, longest) = KINDS_OF_TEXT[name]
    grammar, rng = Grammar.load(half), dice(4711)
    texts = [tell(grammar, rng) for _ in range(count)]
    assert len(set(texts)) > count * 0.99
    assert shortest <= min(map(len, texts))
    assert max(map(len, texts)) <= longest


def test_the_same_seed_tells_the_same() -> None:
    grammar = Grammar.load()
    assert facts(grammar, dice(1)) == facts(grammar, dice(1))
    assert facts(grammar, dice(1)) != facts(grammar, dice(2))


def test_no_slot_is_left_open_and_no_sentence_runs_into_another() -> None:
    grammar, rng = Grammar.load(), dice(7)
    for tell, _ in KINDS_OF_TEXT.values():
        for _ in range(2000):
            text = tell(grammar, rng)
            assert not re.search(r"[{}]|[，。：；]{2}|\s", text), text


def test_every_entry_can_be_told() -> None:
    vocabulary = Vocabulary.load()
    bound = {"a": "甲", "b": "乙", "who": "丙"}
    story_parts = {f".{part}" for story in vocabulary.stories for part in story.parts}
    known = {*vocabulary.rules, *bound, *story_parts}
    entries = [entry for entries in vocabulary.rules.values() for entry in entries]
    entries += [entry for story in vocabulary.stories for part in story.parts.values() for entry in part]
    slots = {slot for entry in entries for slot in re.findall(r"\{([^{}]+)\}", entry)}
    unknown = {slot for slot in slots - known if not re.fullmatch(r"\d+-\d+(:\d+)?", slot)}
    assert unknown == set()


def test_the_two_halves_share_no_entry_and_no_story() -> None:
    vocabulary = Vocabulary.load()
    halves = vocabulary.half(0), vocabulary.half(1)
    for rule, entries in vocabulary.rules.items():
        first, second = (half.rules[rule] for half in halves)
        if len(entries) == 1:
            assert re.fullmatch(r"(\{\w+\})+", entries[0]), rule
            continue
        assert first, rule
        assert second, rule
        assert not set(first) & set(second), rule
        assert len(first) + len(second) == len(entries), rule
    told = [{story.parts["event"] for story in half.stories} for half in halves]
    assert not told[0] & told[1]


def test_each_half_has_a_story_for_each_kind_of_dispute() -> None:
    mediation = shipped_kinds().get("mediation")
    assert mediation is not None
    choice = mediation.fields["dispute_category"].type
    assert isinstance(choice, Choice)
    disputes = [option.value for option in choice.options]
    first, second = Vocabulary.load().half(0), Vocabulary.load().half(1)
    assert list(first.categories) == list(second.categories) == disputes


def test_the_vocabulary_is_large_enough_for_measuring() -> None:
    texts = {half: "".join(tell_many(half)) for half in (TRAINING, MEASURING)}
    fragments = {half: {text[at : at + 12] for at in range(len(text) - 12)} for half, text in texts.items()}

    shared = fragments[TRAINING] & fragments[MEASURING]
    assert len(shared) < len(fragments[MEASURING]) * 0.01
    # A few dozen phrases for each slot, and compression would find them all: an eighth would be left.
    assert len(zlib.compress(texts[MEASURING].encode(), 9)) > len(texts[MEASURING].encode()) * 0.22


def tell_many(half: Half) -> list[str]:
    grammar, rng = Grammar.load(half), dice(11)
    return [grammar.finding(rng) for _ in range(600)]


def test_records_of_the_two_halves_are_valid_and_come_from_two_streets() -> None:
    kinds = shipped_kinds()
    grids: dict[Half, set[Value]] = {}
    for half in (TRAINING, MEASURING):
        made = list(forms(60, seed=3, half=half))
        assert {form.kind for form in made} == {"patrol", "household_visit", "mediation"}
        for form in made:
            kind = kinds.get(form.kind)
            assert kind is not None
            assert [check_value(kind.fields[name], value) for name, value in form.values.items() if value] == [
                None for value in form.values.values() if value
            ]
        grids[half] = {form.values["grid_code"] for form in made}
    assert not grids[TRAINING] & grids[MEASURING]
