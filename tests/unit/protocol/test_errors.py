"""Refusals and holds: few, each with a word for the worker in both languages, and never a loss."""

from __future__ import annotations

import re

import pytest

from gridlog_protocol.errors import HOLDS, REFUSALS, Hold, ProtocolError, Recovery, Refusal
from gridlog_protocol.texts import Text
from gridlog_protocol.versions import SPOKEN, negotiate

HAN = re.compile(r"[\u4e00-\u9fff]")


@pytest.mark.parametrize("entry", [*REFUSALS.values(), *HOLDS.values()], ids=lambda each: each.code)
def test_the_worker_reads_whole_sentences_in_both_languages(entry: Refusal | Hold) -> None:
    says: Text = entry.worker_reads

    assert HAN.search(says.zh)
    assert says.zh.endswith("。")
    assert not HAN.search(says.en)
    assert says.en.endswith(".")
    assert "{" not in says.zh + says.en
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", entry.code)


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=lambda each: each.code)
def test_a_refusal_first_says_that_nothing_was_lost(refusal: Refusal) -> None:
    assert refusal.worker_reads.zh.startswith("您写的内容都在本机，没有丢失。")
    assert refusal.worker_reads.en.startswith("Everything you wrote is safe on this phone. ")


def test_no_code_is_both_a_refusal_and_a_hold() -> None:
    assert not set(REFUSALS) & set(HOLDS)


def test_only_a_passing_state_of_the_server_is_tried_again_unchanged() -> None:
    assert {each.status for each in REFUSALS.values() if each.recovery is Recovery.RETRY} == {429, 503}


def test_an_error_names_its_refusal_and_what_was_wrong() -> None:
    error = ProtocolError("malformed", detail="op: too short")

    assert error.refusal is REFUSALS["malformed"]
    assert str(error) == "malformed: op: too short"
    assert str(ProtocolError("revoked")) == f"revoked: {REFUSALS['revoked'].meaning}"


def test_a_code_that_is_not_in_the_catalogue_is_our_bug() -> None:
    with pytest.raises(KeyError):
        ProtocolError("whatever")


def test_both_sides_take_the_highest_version_that_both_speak() -> None:
    assert negotiate([1, 2, 3], [2, 3, 4]) == 3
    assert negotiate([*SPOKEN, 200]) == max(SPOKEN)
    assert negotiate([]) is None
    assert negotiate([200]) is None
